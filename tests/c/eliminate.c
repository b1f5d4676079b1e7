/* BNAS by one option: operators that are eliminated in cells with binary weights, with progress, cancel, files and errors as any search has them. */
#include "support.h"

#define SPACE                                                                                                                     \
    "{\"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3, \"channels\": 4, \"cells\": 3, \"nodes\": 2,"  \
    " \"operators\": [\"none\", \"skip_connect\", \"sep_conv_3x3\", \"max_pool_3x3\"]}"
#define REST                                                                                                                      \
    "\"seed\": 2, \"scorer\": {\"accuracy\": {\"samples\": 1}}, \"objective\": {\"cost\": \"bits\", \"low\": 0, \"high\": 1e9},"     \
    " \"train\": {\"epochs\": 1, \"batch\": 24}, \"score\": {\"calibration\": 24, \"images\": 24}, \"held_out\": 0.25"
#define ELIMINATES "{\"strategy\": {\"eliminate\": {\"times\": 1, \"epochs\": 0.5}}, \"channel_sampling\": 2, " REST "}"

static nse_error *error;

static nse_search *begun(const char *options, const nse_events *events) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_search *search = NULL;
    nse_dataset *images = make_images(96);
    assert_int_equal(nse_space_preset("bnas-cifar", SPACE, &space, &error), NSE_OK);
    desc.space = space, desc.train = images, desc.options_json = options, desc.events = events;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space), nse_dataset_free(images);
    return search;
}

static char *finished(nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status != NSE_OK) fail_msg("%s", nse_error_message(error));
    }
    return timeless(search);
}

static void one_network_is_left(void **state) {
    (void)state;
    nse_search *search = begun(ELIMINATES, NULL);
    char *history = finished(search);
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_arch *best = NULL;
    nse_model *model = NULL;
    size_t front = 0;
    double accuracy = 0;
    int rounds = 0;
    for (const char *at = history; *at != '\0'; ++at) rounds += *at == '\n';
    assert_int_equal(rounds, 4);
    assert_int_equal(nse_search_front_count(search, &front, NULL), NSE_OK);
    assert_int_equal(front, 1);
    assert_int_equal(nse_search_best(search, 1e9, &best, NULL, &error), NSE_OK);
    assert_int_equal(nse_arch_describe(best, NULL, &buffer, &error), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"genotype\":\"Genotype(normal=[("));
    assert_non_null(strstr(buffer.data, "\"bits\":"));
    nse_buffer_free(&buffer);
    /* What was found is trained by itself, with binary weights, and exported. */
    nse_model_desc lesson = NSE_MODEL_DESC_INIT;
    nse_dataset *images = make_images(96);
    lesson.arch = best, lesson.train = images, lesson.options_json = MODEL_JSON;
    if (nse_model_train(&lesson, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, &error), NSE_OK);
    assert_true(accuracy > 0);
    assert_int_equal(nse_model_export_memory(model, "onnx", &buffer, &error), NSE_OK);
    assert_true(buffer.len > 1000);
    nse_buffer_free(&buffer), nse_model_free(model);
    /* The supernet's weights are of half the channels. */
    expect_error(nse_model_from_search(search, best, &model, &error), NSE_ERR_INVALID_ARGUMENT, &error, "one of 2 channels", "search");
    nse_arch_free(best), nse_dataset_free(images), nse_search_free(search);
    free(history);
}

typedef struct {
    int events, every;
} canceller;

static int32_t sometimes(void *user, const nse_event *event) {
    canceller *c = user;
    assert_true(event->round >= 1 && event->round <= event->rounds && event->step <= event->steps);
    return ++c->events % c->every == 0;
}

static void cancelled_saved_and_loaded(void **state) {
    (void)state;
    char path[] = "/tmp/nse-eliminate-XXXXXX";
    close(mkstemp(path));
    nse_search *search = begun(ELIMINATES, NULL);
    char *expected = finished(search);
    nse_search_free(search);
    canceller c = {0, 4};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = sometimes, events.user = &c;
    search = begun(ELIMINATES, &events);
    int cancels = 0;
    for (;;) {
        const nse_status status = nse_search_step(search, &error);
        if (status == NSE_DONE) break;
        if (status == NSE_OK) continue;
        assert_int_equal(status, NSE_ERR_CANCELLED);
        nse_error_free(error);
        error = NULL;
        ++cancels;
        /* Another search goes on from the file. */
        assert_int_equal(nse_search_save(search, path, &error), NSE_OK);
        nse_search_free(search);
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_dataset *images = make_images(96);
        desc.train = images, desc.events = &events;
        if (nse_search_load(path, &desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
        nse_dataset_free(images);
    }
    assert_true(cancels >= 3);
    char *history = timeless(search);
    assert_string_equal(history, expected);
    nse_search_free(search);
    unlink(path);
    free(history);
    free(expected);
}

static void refused(const char *options, const char *said) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    assert_int_equal(nse_space_preset("bnas-cifar", SPACE, &space, &error), NSE_OK);
    desc.space = space, desc.train = images, desc.options_json = options;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG, &error, said, "pointer");
    assert_null(search);
    nse_space_free(space), nse_dataset_free(images);
}

static void a_bad_value_is_named(void **state) {
    (void)state;
    nse_space *space = NULL;
    refused("{\"strategy\": {\"eliminate\": {\"times\": 0}}, " REST "}", "/strategy/eliminate/times");
    refused("{\"strategy\": {\"eliminate\": {\"rule\": \"best\"}}, " REST "}", "best");
    refused("{\"strategy\": \"eliminate\", \"channel_sampling\": 3, " REST "}", "4 channels do not divide into 3");
    refused("{\"strategy\": \"eliminate\", \"objective\": {\"cost\": \"bytes\", \"low\": 0, \"high\": 1}}", "bytes");
    expect_error(nse_space_preset("bnas-cifar", "{\"binary\": \"ternary\"}", &space, &error), NSE_ERR_CONFIG, &error, "ternary", "/binary");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_network_is_left),
        cmocka_unit_test(cancelled_saved_and_loaded),
        cmocka_unit_test(a_bad_value_is_named),
    };
    return cmocka_run_group_tests_name("eliminate", tests, NULL, NULL);
}
