/* NEAS by one option, and ensembles as architectures: made, priced, trained, exported, searched, stopped and gone on with. */
#include "support.h"

#define REST                                                                                                                     \
    "\"seed\": 2, \"branches\": \"single\", \"objective\": {\"low\": 0, \"high\": 150000}, \"train\": {\"epochs\": 1, \"batch\": 16},"  \
    " \"candidates\": {\"count\": 12, \"too_few\": \"accept\"}, \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25"
#define NEAS                                                                                                                     \
    "{\"strategy\": {\"neas\": {\"shrink\": {\"until\": 40}, \"evolution\": {\"population\": 6, \"parents\": 3}}},"               \
    " \"scorer\": {\"diversity\": {\"samples\": 2}}, " REST "}"
/* Two paths that share the first cell. */
#define ENSEMBLE                                                                                                                 \
    "{\"cells\": [[\"mbconv_k3_t3\"]], \"paths\": [[[\"rec_k5_t1\"], []], [[\"mbconv_k3_t1\"], [\"mbconv_k3_t3\"]]]}"
#define SWAPPED                                                                                                                  \
    "{\"cells\": [[\"mbconv_k3_t3\"]], \"paths\": [[[\"mbconv_k3_t1\"], [\"mbconv_k3_t3\"]], [[\"rec_k5_t1\"], []]]}"

static nse_error *error;

static nse_arch *arch_of(const char *json) {
    nse_arch *arch = NULL;
    nse_space *space = make_space();
    if (nse_arch_from_json(space, json, &arch, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    return arch;
}

static uint64_t macs_of(const char *json) {
    uint64_t macs = 0;
    nse_arch *arch = arch_of(json);
    assert_int_equal(nse_arch_cost(arch, &macs, NULL, &error), NSE_OK);
    nse_arch_free(arch);
    return macs;
}

/* The published networks, counted in their space; and one for small images, from a list of numbers. */
static void published_networks_are_whole(void **state) {
    (void)state;
    const struct {
        const char *name;
        uint64_t macs, params;
    } published[] = {{"neas-s", 301500768, 8657656}, {"neas-m", 449351296, 11551936}, {"neas-l", 553140864, 12444832}};
    uint64_t macs = 0, params = 0;
    nse_arch *arch = NULL;
    for (size_t i = 0; i < sizeof published / sizeof *published; ++i) {
        if (nse_arch_preset(published[i].name, NULL, &arch, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
        assert_int_equal(nse_arch_cost(arch, &macs, &params, &error), NSE_OK);
        assert_int_equal(macs, published[i].macs);
        assert_int_equal(params, published[i].params);
        nse_arch_free(arch);
    }
    nse_space *space = NULL, *own = NULL;
    nse_latency *table = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    /* Its list of numbers is of 20 cells; the space is said in its own words. */
    assert_int_equal(nse_space_preset("neas", "{\"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 2}", &space, &error), NSE_OK);
    assert_int_equal(nse_space_to_json(space, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"hidden\": 1280"));
    assert_non_null(strstr(buffer.data, "\"gate\": \"hard_sigmoid\""));
    assert_int_equal(nse_space_from_json(buffer.data, &own, &error), NSE_OK);
    nse_buffer_free(&buffer);
    assert_int_equal(nse_latency_create("ms", &table, &error), NSE_OK);
    assert_int_equal(nse_latency_missing(table, own, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"scale,6,16,16,0,0,0,0,0\""));
    nse_buffer_free(&buffer), nse_latency_free(table);
    assert_int_equal(nse_arch_from_json(own,
                                        "{\"tuple\": [16, 2, 0, 3, 2, 0, 2, 5, 0, -1, 3, 0, 2, 0, 0, 3, 5, 4, 0, 5, 0, 5, 4, 0, 3, 5, 2, 5, 0]}",
                                        &arch, &error), NSE_OK);
    assert_int_equal(nse_arch_cost(arch, NULL, &params, &error), NSE_OK);
    /* Of one channel and two classes instead of three and 1000. */
    assert_int_equal(params, 11551936 - 2 * 16 * 9 - 2 * 998 * 1281);
    nse_arch_free(arch), nse_space_free(own), nse_space_free(space);
}

static void an_ensemble_is_an_architecture(void **state) {
    (void)state;
    nse_arch *arch = arch_of(ENSEMBLE), *swapped = arch_of(SWAPPED), *again = NULL;
    nse_space *space = make_space();
    nse_buffer buffer = NSE_BUFFER_INIT;
    char *code = code_of(arch), *other = code_of(swapped);
    assert_string_equal(code, other);
    assert_int_equal(strncmp(code, "e1", 2), 0);
    assert_int_equal(nse_arch_from_code(space, code, &again, &error), NSE_OK);
    assert_int_equal(nse_arch_to_json(again, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"cells\":[[\"mbconv_k3_t3\"]],\"paths\":[[[\"mbconv_k3_t1\"],[\"mbconv_k3_t3\"]],[[\"rec_k5_t1\"],[]]]"));
    nse_buffer_free(&buffer);
    /* Stem 6 x 6 x 8 x 9, first cell: once; its members have them each. */
    const uint64_t first = macs_of("{\"cells\": [[\"mbconv_k3_t3\"], [\"rec_k5_t1\"], []]}");
    const uint64_t second = macs_of("{\"cells\": [[\"mbconv_k3_t3\"], [\"mbconv_k3_t1\"], [\"mbconv_k3_t3\"]]}");
    const uint64_t shared = 36 * 8 * 9 + 36 * (8 * 24 + 24 * 9 + 24 * 8);
    assert_int_equal(macs_of(ENSEMBLE), first + second - shared);
    char saved[64];
    snprintf(saved, sizeof saved, "\"saved\":{\"macs\":%d,", (int)shared);
    assert_int_equal(nse_arch_describe(arch, NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, saved));
    assert_non_null(strstr(buffer.data, "\"paths\":2"));
    assert_non_null(strstr(buffer.data, "\"split\":1"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_draw(arch, "svg", &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, ">path 2<"));
    nse_buffer_free(&buffer);
    free(code), free(other);
    nse_arch_free(arch), nse_arch_free(swapped), nse_arch_free(again), nse_space_free(space);
}

static void it_is_trained_and_exported(void **state) {
    (void)state;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_dataset *images = make_images(96);
    nse_arch *arch = arch_of(ENSEMBLE), *back = NULL;
    nse_model *model = NULL, *loaded = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    double accuracy = 0, again = 1;
    desc.arch = arch, desc.train = images;
    desc.options_json = "{\"train\": {\"epochs\": 8, \"batch\": 16, \"lr\": 0.1}, \"calibration\": 64}";
    if (nse_model_train(&desc, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, &error), NSE_OK);
    assert_true(accuracy > 0.8);
    for (const char *const *format = (const char *const[]){"onnx", "torchscript", "safetensors", NULL}; *format != NULL; ++format) {
        assert_int_equal(nse_model_export_memory(model, *format, &buffer, &error), NSE_OK);
        assert_true(buffer.len > 1000);
        if (strcmp(*format, "safetensors") == 0) {
            assert_int_equal(nse_model_load_memory((const uint8_t *)buffer.data, buffer.len, NULL, &loaded, &error), NSE_OK);
        }
        nse_buffer_free(&buffer);
    }
    assert_int_equal(nse_model_evaluate(loaded, images, NULL, &again, &error), NSE_OK);
    assert_true(accuracy == again);
    assert_int_equal(nse_model_arch(loaded, &back, &error), NSE_OK);
    char *code = code_of(arch), *other = code_of(back);
    assert_string_equal(code, other);
    free(code), free(other);
    nse_model_free(loaded), nse_model_free(model), nse_arch_free(back), nse_arch_free(arch), nse_dataset_free(images);
}

static char *finished(nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status == NSE_ERR_CANCELLED) {
            nse_error_free(error);
            error = NULL;
        } else if (status != NSE_OK) {
            fail_msg("%s", nse_error_message(error));
        }
    }
    return timeless(search);
}

static int cancels;

static int32_t sometimes(void *user, const nse_event *event) {
    (void)user;
    assert_true(event->round >= 1 && event->round <= event->rounds && event->step <= event->steps);
    return event->step % 3 == 1 && ++cancels < 20;
}

static void a_search_finds_ensembles_wherever_it_is_stopped(void **state) {
    (void)state;
    nse_search *alone = make_search(NEAS, NULL), *second = NULL;
    char *expected = finished(alone), path[] = "/tmp/nse-neas-XXXXXX";
    nse_buffer front = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_front(alone, NULL, NULL, &front, &error), NSE_OK);
    assert_non_null(strstr(front.data, "\"paths\":[[["));
    assert_non_null(strstr(expected, "\"stays\":false"));
    /* What was found has weights in the supernet. */
    nse_arch *best = NULL;
    nse_model *model = NULL;
    double accuracy = 0, found = 0;
    nse_dataset *images = make_images(96);
    assert_int_equal(nse_search_best(alone, 150000, &best, &found, &error), NSE_OK);
    if (nse_model_from_search(alone, best, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, &error), NSE_OK);
    assert_true(accuracy > 0);
    nse_model_free(model), nse_arch_free(best), nse_search_free(alone);

    nse_events events = NSE_EVENTS_INIT;
    events.on_event = sometimes;
    nse_search *stopped = make_search(NEAS, &events);
    char *history = finished(stopped);
    assert_string_equal(history, expected);
    assert_true(cancels > 3);
    free(history), nse_search_free(stopped);

    close(mkstemp(path));
    nse_search *first = make_search(NEAS, NULL);
    assert_int_equal(nse_search_step(first, &error), NSE_OK);
    assert_int_equal(nse_search_save(first, path, &error), NSE_OK);
    nse_search_free(first);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.train = images;
    if (nse_search_load(path, &desc, &second, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    history = finished(second);
    assert_string_equal(history, expected);
    unlink(path);
    free(history), free(expected), nse_search_free(second), nse_buffer_free(&front), nse_dataset_free(images);
}

static void it_says_what_it_will_take(void **state) {
    (void)state;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_search *search = make_search(NEAS, NULL);
    assert_int_equal(nse_search_estimate(search, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"weight_step\":"));
    nse_buffer_free(&buffer), nse_search_free(search);
}

static void refused(const char *options, uint32_t flags, const char *said) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = flags == 0 ? make_images(96) : NULL;
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = options, desc.flags = flags;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG, &error, said, "pointer");
    assert_null(search);
    nse_space_free(space), nse_dataset_free(images);
}

static void a_bad_value_is_named(void **state) {
    (void)state;
    refused("{\"strategy\": {\"neas\": {\"paths\": 1}}, " REST "}", 0, "/strategy/neas/paths");
    refused("{\"strategy\": {\"neas\": {\"split\": [1, 3]}}, " REST "}", 0, "1 to 3 shared cells of 3");
    refused("{\"strategy\": \"neas\", \"scorer\": \"fitness\", " REST "}", 0, "fitness is learnt along one path");
    refused("{\"strategy\": \"shrink\", \"scorer\": \"diversity\", " REST "}", 0, "diversity tells the paths");
    refused("{\"strategy\": \"neas\", " REST "}", NSE_SEARCH_TOLD, "neas needs a supernet");
    refused("{\"strategy\": \"neas\", \"scorer\": \"magnitude\", " REST "}", NSE_SEARCH_PUSHED, "neas needs images");
    nse_space *space = make_space();
    nse_arch *arch = NULL;
    const nse_status status = nse_arch_from_json(space, "{\"cells\": [[]], \"paths\": [[[\"rec_k5_t1\"], []], [[], []]]}", &arch, &error);
    expect_error(status, NSE_ERR_CONFIG, &error, "a reduce cell needs at least one operator", "/paths/1/0");
    nse_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_networks_are_whole),
        cmocka_unit_test(an_ensemble_is_an_architecture),
        cmocka_unit_test(it_is_trained_and_exported),
        cmocka_unit_test(a_search_finds_ensembles_wherever_it_is_stopped),
        cmocka_unit_test(it_says_what_it_will_take),
        cmocka_unit_test(a_bad_value_is_named),
    };
    return cmocka_run_group_tests_name("neas", tests, NULL, NULL);
}
