/* What a search and a model give back. */
#include "support.h"

static void library(void **state) {
    (void)state;
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_abi_check(NSE_ABI_VERSION), NSE_OK);
    assert_int_equal(nse_abi_check(NSE_ABI_VERSION + 1), NSE_ERR_ABI);
    unsigned major, minor, patch;
    assert_int_equal(sscanf(nse_version_string(), "%u.%u.%u", &major, &minor, &patch), 3);
    assert_int_equal(nse_version_number(), major << 16 | minor << 8 | patch);
    assert_string_equal(nse_status_name(NSE_ERR_DIVERGED), "NSE_ERR_DIVERGED");
    assert_string_equal(nse_status_name(12345), "unknown status");
    assert_int_equal(nse_runtime_info(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"version\":\"2.13."));
    assert_non_null(strstr(buffer.data, "libtorch_cpu.so"));
    assert_non_null(strstr(buffer.data, "libgomp"));
    nse_buffer_free(&buffer);
}

static void spaces(void **state) {
    (void)state;
    nse_buffer buffer = NSE_BUFFER_INIT, again = NSE_BUFFER_INIT;
    nse_space *space = make_space(), *copy = NULL;
    assert_int_equal(nse_space_presets(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"name\":\"nse-27\""));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_space_to_json(space, &buffer, NULL), NSE_OK);
    assert_int_equal(nse_space_from_json(buffer.data, &copy, NULL), NSE_OK);
    assert_int_equal(nse_space_to_json(copy, &again, NULL), NSE_OK);
    assert_string_equal(buffer.data, again.data);
    nse_buffer_free(&buffer);
    nse_buffer_free(&again);
    assert_int_equal(nse_space_describe(space, NULL, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"cells\":3,"));
    assert_non_null(strstr(buffer.data, "\"operators\":12,"));
    nse_buffer_free(&buffer);
    nse_space_free(space);
    nse_space_free(copy);
}

static void schemas(void **state) {
    (void)state;
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_options_schema(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"objective\""));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_model_options_schema(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"calibration\""));
    nse_buffer_free(&buffer);
}

static void architecture(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_arch *arch = make_arch(), *copy = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    uint64_t macs, params, again;
    assert_int_equal(nse_arch_cost(arch, &macs, &params, NULL), NSE_OK);
    /* By hand: stem 6x6x8x9; per cell expand, 3x3 depthwise and project at 6x6, 6x6 -> 3x3, 3x3; tail 3x3x12x16; classifier 16x3. */
    assert_int_equal(macs, 36 * 72 + 36 * (192 + 216 + 192) + (36 * 192 + 9 * 216 + 9 * 288) + 9 * (432 + 324 + 432) + 9 * 192 + 48);
    assert_int_equal(params, 72 + 16 + (192 + 216 + 192 + 2 * 56) + (192 + 216 + 288 + 2 * 60) + (432 + 324 + 432 + 2 * 84) + 192 + 51);
    assert_int_equal(nse_arch_to_json(arch, &buffer, NULL), NSE_OK);
    assert_string_equal(buffer.data, "{\"space\":\"tiny\",\"cells\":[[\"mbconv_k3_t3\"],[\"mbconv_k3_t3\"],[\"mbconv_k3_t3\"]]}");
    assert_int_equal(nse_arch_from_json(space, buffer.data, &copy, NULL), NSE_OK);
    assert_int_equal(nse_arch_cost(copy, &again, NULL, NULL), NSE_OK);
    assert_int_equal(again, macs);
    nse_buffer_free(&buffer);
    nse_arch_free(arch);
    nse_arch_free(copy);
    nse_space_free(space);
}

static void search(void **state) {
    (void)state;
    nse_search *search = make_search(SEARCH_JSON, NULL);
    nse_buffer buffer = NSE_BUFFER_INIT;
    uint8_t active[12];
    double scores[12], accuracy, previous = -1, best_accuracy;
    uint32_t cells, operators;
    size_t count;
    uint64_t macs, cheapest = 0, last = 0;
    int finite = 0, ones = 0;
    assert_int_equal(nse_search_active(search, active, 12, &cells, &operators, NULL), NSE_OK);
    for (int i = 0; i < 12; ++i) ones += active[i];
    assert_int_equal(ones, 9); /* 3 of 4 operators in 3 cells */
    while (nse_search_step(search, NULL) != NSE_DONE) {}
    assert_int_equal(nse_search_scores(search, scores, 12, &cells, &operators, NULL), NSE_OK);
    assert_true(cells == 3 && operators == 4);
    for (int i = 0; i < 12; ++i) finite += scores[i] == scores[i] && scores[i] != 0;
    assert_true(finite >= 9);
    assert_int_equal(nse_search_front_count(search, &count, NULL), NSE_OK);
    assert_true(count >= 1);
    for (size_t i = 0; i < count; ++i) {
        nse_arch *arch = NULL;
        assert_int_equal(nse_search_front_get(search, i, &arch, &accuracy, NULL), NSE_OK);
        assert_int_equal(nse_arch_cost(arch, &macs, NULL, NULL), NSE_OK);
        assert_true(macs >= 30000 && macs <= 90000 && macs > last && accuracy > previous);
        if (i == 0) cheapest = macs;
        last = macs, previous = accuracy;
        nse_arch_free(arch);
    }
    nse_arch *best = NULL;
    assert_int_equal(nse_search_best(search, 90000, &best, &best_accuracy, NULL), NSE_OK);
    assert_true(best_accuracy == accuracy);
    nse_arch_free(best);
    assert_int_equal(nse_search_best(search, cheapest - 1, &best, NULL, NULL), NSE_ERR_NOT_FOUND);
    assert_null(best);
    assert_int_equal(nse_search_history(search, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\n{\"round\":2,"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_search_status(search, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"completed\":2,\"done\":true"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_search_report(search, "svg", &buffer, NULL), NSE_OK);
    assert_int_equal(strncmp(buffer.data, "<svg", 4), 0);
    assert_non_null(strstr(buffer.data, "front of round 2"));
    nse_buffer_free(&buffer);
    nse_search_free(search);
}

static void held_out_images(void **state) {
    (void)state;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96), *held_out = make_images(30);
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.held_out = held_out, desc.options_json = SEARCH_JSON;
    assert_int_equal(nse_search_create(&desc, &search, NULL), NSE_OK);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    double accuracy;
    assert_int_equal(nse_search_front_get(search, 0, NULL, &accuracy, NULL), NSE_OK);
    const double hits = accuracy * 30; /* a whole number of the 30 images */
    assert_true(hits - (int)(hits + 0.5) < 1e-9 && (int)(hits + 0.5) - hits < 1e-9);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(images);
    nse_dataset_free(held_out);
}

static void model(void **state) {
    (void)state;
    nse_model *first = make_model(), *second = make_model();
    nse_dataset *images = make_images(60);
    double loss[2], accuracy[2];
    char path[] = "/tmp/nse-model-XXXXXX";
    assert_int_equal(nse_model_evaluate(first, images, &loss[0], &accuracy[0], NULL), NSE_OK);
    assert_int_equal(nse_model_evaluate(second, images, &loss[1], &accuracy[1], NULL), NSE_OK);
    assert_true(loss[0] == loss[1] && accuracy[0] == accuracy[1] && loss[0] > 0); /* the same seed, the same model */
    close(mkstemp(path));
    assert_int_equal(nse_model_export(first, "torchscript", path, NULL), NSE_OK); /* replaces the file */
    FILE *file = fopen(path, "rb");
    assert_int_equal(fgetc(file), 'P'); /* a zip archive */
    fclose(file);
    unlink(path);
    nse_model_free(first);
    nse_model_free(second);
    nse_dataset_free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(library), cmocka_unit_test(spaces),          cmocka_unit_test(schemas), cmocka_unit_test(architecture),
        cmocka_unit_test(search),  cmocka_unit_test(held_out_images), cmocka_unit_test(model),
    };
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
