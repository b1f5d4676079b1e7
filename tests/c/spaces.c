/* What a space says without a search: the short code of an architecture, and whether a budget can be met. */
#include "support.h"

static nse_error *error;

static void codes(void **state) {
    (void)state;
    nse_space *space = make_space(), *other = NULL;
    nse_arch *arch = make_arch(), *again = NULL;
    nse_buffer one = NSE_BUFFER_INIT, two = NSE_BUFFER_INIT;
    char *code = code_of(arch);
    assert_int_equal(nse_arch_from_code(space, code, &again, &error), NSE_OK);
    assert_int_equal(nse_arch_to_json(arch, &one, NULL), NSE_OK);
    assert_int_equal(nse_arch_to_json(again, &two, NULL), NSE_OK);
    assert_string_equal(one.data, two.data);
    nse_buffer_free(&one), nse_buffer_free(&two), nse_arch_free(again);
    assert_int_equal(nse_space_preset("nse-27", NULL, &other, NULL), NSE_OK);
    expect_error(nse_arch_from_code(other, code, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error, "of another space", "code");
    assert_null(again);
    code[8] ^= 1;
    expect_error(nse_arch_from_code(space, code, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error, "check characters", "code");
    expect_error(nse_arch_from_code(space, NULL, &again, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL", "code");
    nse_arch_free(arch), free(code);
    nse_space_free(space), nse_space_free(other);
}

static void budgets(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = make_table(space);
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_space_budget(space, "{\"low\": 30000, \"high\": 90000}", NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"satisfiable\":true"));
    assert_non_null(strstr(buffer.data, "\"log10_architectures\":"));
    assert_non_null(strstr(buffer.data, "\"middle\":"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_space_budget(space, "{\"cost\": \"params\", \"high\": 1}", NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"satisfiable\":false"));
    assert_non_null(strstr(buffer.data, "\"above\":"));
    assert_null(strstr(buffer.data, "\"below\":"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_space_budget(space, "{\"cost\": \"latency\", \"high\": 1e3}", table, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"satisfiable\":true"));
    nse_buffer_free(&buffer);
    expect_error(nse_space_budget(space, "{\"cost\": \"latency\", \"high\": 1}", NULL, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error,
                 "no latency table", "latency");
    expect_error(nse_space_budget(space, "{\"low\": 2, \"high\": 1}", NULL, &buffer, &error), NSE_ERR_CONFIG, &error, "above high", "/low");
    expect_error(nse_space_budget(space, NULL, NULL, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL", "budget_json");
    nse_latency_free(table);
    nse_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes), cmocka_unit_test(budgets)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
