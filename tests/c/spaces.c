/* What a space says without a search: the short code of an architecture, whether a budget can be met, and spaces of stacked cells. */
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

static nse_arch *genotype(const nse_space *space, const char *text) {
    char json[512];
    nse_arch *arch = NULL;
    snprintf(json, sizeof json, "{\"genotype\": \"%s\"}", text);
    if (nse_arch_from_json(space, json, &arch, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    return arch;
}

static void cells(void **state) {
    (void)state;
    const char *text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|";
    nse_space *space = NULL, *again = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    uint64_t macs = 0, params = 0;
    assert_int_equal(nse_space_preset("nas-bench-201", NULL, &space, &error), NSE_OK);
    assert_int_equal(nse_space_describe(space, NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"single_branch\":\"15625\""));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_space_to_json(space, &buffer, &error), NSE_OK);
    assert_int_equal(nse_space_from_json(buffer.data, &again, &error), NSE_OK);
    nse_buffer_free(&buffer);

    nse_arch *arch = genotype(again, text), *named = genotype(space, "conv3x3-201"), *coded = NULL;
    assert_int_equal(nse_arch_cost(arch, &macs, &params, &error), NSE_OK);
    assert_int_equal(params, 1531546);
    assert_int_equal(macs, 220119680);
    assert_int_equal(nse_arch_describe(named, NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"published_macs\":220119690"));
    assert_non_null(strstr(buffer.data, text));
    assert_non_null(strstr(buffer.data, "\"edge\":\"cell 1->2\""));
    nse_buffer_free(&buffer);
    char *code = code_of(named);
    assert_int_equal(nse_arch_from_code(again, code, &coded, &error), NSE_OK);
    free(code);
    assert_int_equal(nse_arch_draw(coded, "svg", &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "cell node 3"));
    nse_buffer_free(&buffer);
    nse_arch_free(arch), nse_arch_free(named), nse_arch_free(coded);
    assert_int_equal(nse_arch_preset("darts-v2", NULL, &arch, &error), NSE_OK);
    assert_int_equal(nse_arch_cost(arch, NULL, &params, &error), NSE_OK);
    assert_int_equal(params, 3349342);

    expect_error(nse_arch_describe(arch, "{\"squeeze_excitation\": true}", &buffer, &error), NSE_ERR_UNSUPPORTED, &error,
                 "squeeze-excitation is not possible in the space \"darts-cifar\": its cells are stacked", "darts-cifar");
    nse_arch_free(arch);
    expect_error(nse_arch_from_json(space, "{\"genotype\": \"|none~0|\"}", &arch, &error), NSE_ERR_CONFIG, &error, "1 nodes", "/genotype");
    nse_latency *table = NULL;
    assert_int_equal(nse_latency_create(NULL, &table, &error), NSE_OK);
    expect_error(nse_space_describe(space, table, &buffer, &error), NSE_ERR_UNSUPPORTED, &error, "a latency by look-up", "nas-bench-201");
    expect_error(nse_latency_missing(table, space, &buffer, &error), NSE_ERR_UNSUPPORTED, &error, "a latency by look-up", "nas-bench-201");
    nse_latency_free(table), nse_space_free(space), nse_space_free(again);
}

/* A search that is told its results knows every kind of space; a supernet learns no fitness on stacked cells. */
static void searched_cells(void **state) {
    (void)state;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_search *search = NULL;
    nse_arch *arch = NULL;
    uint64_t best = 0;
    assert_int_equal(nse_space_preset("nas-bench-201", "{\"cells\": 1}", &space, &error), NSE_OK);
    desc.space = space, desc.flags = NSE_SEARCH_TOLD;
    desc.options_json = "{\"branches\": \"single\", \"rounds\": 2, \"active\": 4, \"objective\": {\"low\": 0, \"high\": 4e7},"
                        " \"candidates\": {\"count\": 20}}";
    assert_int_equal(nse_search_create(&desc, &search, &error), NSE_OK);
    for (;;) {
        nse_result result = NSE_RESULT_INIT;
        uint64_t params = 0;
        nse_status status = nse_search_ask(search, 1, &arch, NULL, &error);
        if (status == NSE_DONE) break;
        assert_int_equal(status, NSE_OK);
        assert_int_equal(nse_arch_cost(arch, NULL, &params, NULL), NSE_OK);
        char *code = code_of(arch);
        result.code = code, result.accuracy = (double)params / 1e6;
        status = nse_search_tell(search, &result, NULL, &error);
        assert_true(status == NSE_OK || status == NSE_DONE);
        if (params > best) best = params;
        free(code), nse_arch_free(arch), arch = NULL;
    }
    assert_int_equal(nse_search_best(search, 4e7, &arch, NULL, &error), NSE_OK);
    uint64_t found = 0;
    assert_int_equal(nse_arch_cost(arch, NULL, &found, NULL), NSE_OK);
    assert_int_equal(found, best);
    nse_arch_free(arch), nse_search_free(search), search = NULL;

    nse_dataset *images = make_images(24);
    desc.flags = 0, desc.train = images;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_UNSUPPORTED, &error,
                 "a search that learns fitness (option \"scorer\") is not possible in the space \"nas-bench-201\": its cells are stacked",
                 "nas-bench-201");
    desc.flags = NSE_SEARCH_PUSHED, desc.train = NULL;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_UNSUPPORTED, &error, "its cells are stacked", "nas-bench-201");
    assert_null(search);
    nse_dataset_free(images), nse_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(codes), cmocka_unit_test(budgets), cmocka_unit_test(cells),
                                       cmocka_unit_test(searched_cells)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
