/* What a search and a model give back. */
#include "support.h"
#include <math.h>

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

static void expect_in(const nse_buffer *json, const char *text) {
    if (strstr(json->data, text) == NULL) fail_msg("%s is not in %s", text, json->data);
}

/* The published networks at their published costs. */
static void published(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_arch *arch = NULL, *wider = NULL, *again = NULL;
    nse_space *space = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    uint64_t macs, params, more;
    assert_int_equal(nse_arch_presets(&buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"name\":\"nsenet-27\"");
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_preset("nsenet-27", NULL, &arch, NULL), NSE_OK);
    assert_int_equal(nse_arch_cost(arch, &macs, &params, NULL), NSE_OK);
    assert_true(macs == 326325200 && params == 4570464);
    assert_int_equal(nse_arch_describe(arch, NULL, &buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"macs\":326325200,\"params\":4570464,\"published_macs\":326326224,\"space\":\"nse-27\"}");
    expect_in(&buffer, "{\"cells\":[{\"channels\":");
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_describe(arch, "{\"squeeze_excitation\": true}", &buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"macs\":328334608,");
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_describe(arch, "{\"activation\": \"swish\"}", &buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"macs\":326325200,");
    nse_buffer_free(&buffer);
    expect_error(nse_arch_describe(arch, "{\"activation\": \"gelu\"}", &buffer, &error), NSE_ERR_CONFIG, &error, "gelu", "\"/activation\"");
    expect_error(nse_arch_describe(arch, "{\"se\": true}", &buffer, &error), NSE_ERR_CONFIG, &error, "unknown field `se`", "\"/se\"");
    expect_error(nse_arch_describe(arch, "[]", &buffer, &error), NSE_ERR_CONFIG, &error, "expected an object", "variant");
    expect_error(nse_arch_describe(arch, "{}", NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    /* Its space takes it back. */
    assert_int_equal(nse_arch_space(arch, &space, NULL), NSE_OK);
    assert_int_equal(nse_arch_to_json(arch, &buffer, NULL), NSE_OK);
    assert_int_equal(nse_arch_from_json(space, buffer.data, &again, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_cost(again, &more, NULL, NULL), NSE_OK);
    assert_int_equal(more, macs);
    assert_int_equal(nse_arch_preset("nsenet-27", "{\"scale\": 1.5, \"classes\": 10}", &wider, NULL), NSE_OK);
    assert_int_equal(nse_arch_cost(wider, &more, NULL, NULL), NSE_OK);
    assert_true(more > macs);
    nse_arch_free(arch), nse_arch_free(again), nse_arch_free(wider);
    expect_error(nse_arch_preset("nsenet-28", "{}", &arch, &error), NSE_ERR_INVALID_ARGUMENT, &error, "nsenet-27", "\"name\"");
    assert_null(arch);
    expect_error(nse_arch_preset(NULL, NULL, &arch, &error), NSE_ERR_INVALID_ARGUMENT, &error, "name: NULL", "\"name\"");
    expect_error(nse_arch_preset("nsenet-27", "{\"scale\": 0}", &arch, &error), NSE_ERR_CONFIG, &error, "0 is not in", "\"/scale\"");
    expect_error(nse_arch_preset("nsenet-27", "{\"repeats\": [1, 1, 1, 1, 1, 1]}", &arch, &error), NSE_ERR_INVALID_ARGUMENT, &error, "cells of nsenet-27",
                 "overrides");
    expect_error(nse_arch_preset("nsenet-27", NULL, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_arch_space(wider, NULL, &error), NSE_ERR_INVALID_HANDLE, &error, "was freed", "arch");
    expect_error(nse_arch_presets(NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    nse_space_free(space);
}

/* Options as they are with all defaults, and named sets of them. */
static void options(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_space *space = NULL;
    assert_int_equal(nse_search_options_presets(&buffer, NULL), NSE_OK);
    const char *names[] = {"published-19", "published-27", "published-72", "one-gpu", "laptop"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) expect_in(&buffer, names[i]);
    nse_buffer_free(&buffer);
    nse_search *search = make_search("{\"preset\": \"laptop\", \"objective\": {\"low\": 30000, \"high\": 90000}, \"train\": {\"lr\": 0.25},"
                                     " \"held_out\": 0.25, \"active\": 3, \"candidates\": {\"count\": 4}}",
                                     NULL);
    assert_int_equal(nse_search_options(search, &buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"lr\":0.25");         /* what was given */
    expect_in(&buffer, "\"calibration\":512"); /* what the preset has */
    expect_in(&buffer, "\"momentum\":0.9");    /* a default */
    char *all = strdup(buffer.data);
    nse_buffer_free(&buffer);
    nse_search *same = make_search(all, NULL); /* they are options themselves */
    assert_int_equal(nse_search_options(same, &buffer, NULL), NSE_OK);
    assert_string_equal(buffer.data, all);
    free(all);
    nse_buffer_free(&buffer);
    nse_search_free(same);
    assert_int_equal(nse_search_space(search, &space, NULL), NSE_OK);
    assert_int_equal(nse_space_to_json(space, &buffer, NULL), NSE_OK);
    expect_in(&buffer, "\"name\": \"tiny\"");
    nse_buffer_free(&buffer);
    nse_space_free(space);
    expect_error(nse_search_space(search, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_search_options(search, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_search_options_presets(NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    nse_search_free(search);
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
    nse_error *error = NULL;
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
    assert_int_equal(nse_search_best(search, INFINITY, NULL, &best_accuracy, NULL), NSE_OK);
    assert_true(best_accuracy == accuracy);
    assert_int_equal(nse_search_best(search, (double)cheapest, NULL, &best_accuracy, NULL), NSE_OK);
    const double too_little[] = {(double)cheapest - 1, 0, -0.0, -1, -1e300, -INFINITY};
    for (size_t i = 0; i < sizeof too_little / sizeof *too_little; ++i) {
        expect_error(nse_search_best(search, too_little[i], &best, NULL, &error), NSE_ERR_NOT_FOUND, &error, "max_cost: ", "{");
        assert_null(best);
    }
    expect_error(nse_search_best(search, NAN, &best, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NaN", "max_cost");
    assert_int_equal(nse_search_history(search, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\n{\"round\":2,"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_search_status(search, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"completed\":2,\"done\":true"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_search_report(search, "svg", &buffer, NULL), NSE_OK);
    assert_int_equal(strncmp(buffer.data, "<svg", 4), 0);
    assert_non_null(strstr(buffer.data, "front of round 1"));
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
        cmocka_unit_test(library),   cmocka_unit_test(spaces),  cmocka_unit_test(schemas), cmocka_unit_test(architecture),
        cmocka_unit_test(published), cmocka_unit_test(options), cmocka_unit_test(search),  cmocka_unit_test(held_out_images),
        cmocka_unit_test(model),
    };
    return cmocka_run_group_tests_name("results", tests, NULL, NULL);
}
