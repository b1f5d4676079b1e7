/* ABS by one option: a space that shrinks, with progress, cancel, files and errors as any search has them. */
#include "support.h"

#define REST                                                                                                                     \
    "\"seed\": 2, \"branches\": \"single\", \"objective\": {\"low\": 0, \"high\": 90000}, \"train\": {\"epochs\": 2, \"batch\": 16},"   \
    " \"candidates\": {\"count\": 4, \"extras\": 0, \"too_few\": \"accept\"}, \"score\": {\"calibration\": 32, \"batch\": 64},"          \
    " \"held_out\": 0.25"
#define SHRINKS                                                                                                                  \
    "{\"strategy\": {\"shrink\": {\"drop\": {\"worst\": 4}, \"until\": 12, \"warm_up\": 1, \"ramp\": {\"epochs\": 9}}}, " REST "}"

static nse_error *error;

static char *finished(nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status != NSE_OK) fail_msg("%s", nse_error_message(error));
    }
    return timeless(search);
}

static char *undisturbed(void) {
    nse_search *search = make_search(SHRINKS, NULL);
    char *history = finished(search);
    size_t front = 0;
    assert_int_equal(nse_search_front_count(search, &front, NULL), NSE_OK);
    assert_true(front > 0);
    nse_search_free(search);
    return history;
}

static void shrinks(void **state) {
    (void)state;
    char *history = undisturbed();
    /* 5 x 4 x 5 = 100 architectures, 12 at most after the second round. */
    assert_non_null(strstr(history, "\"scores\":[[{\"operator\":\"mbconv_k3_t1\",\"score\":0."));
    assert_non_null(strstr(history, "{\"operator\":null,\"score\":0."));
    assert_non_null(strstr(history, "\"stays\":false"));
    int rounds = 0;
    for (const char *at = history; *at != '\0'; ++at) rounds += *at == '\n';
    assert_in_range(rounds, 3, 4);
    char *again = undisturbed();
    assert_string_equal(again, history);
    free(again);
    free(history);
}

typedef struct {
    int events, every;
} canceller;

static int32_t sometimes(void *user, const nse_event *event) {
    canceller *c = user;
    assert_true(event->round >= 1 && event->round <= event->rounds);
    return ++c->events % c->every == 0;
}

static void cancelled_and_stepped_on(void **state) {
    (void)state;
    char *expected = undisturbed();
    canceller c = {0, 5};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = sometimes, events.user = &c;
    nse_search *search = make_search(SHRINKS, &events);
    int cancels = 0;
    for (;;) {
        const nse_status status = nse_search_step(search, &error);
        if (status == NSE_DONE) break;
        if (status == NSE_OK) continue;
        assert_int_equal(status, NSE_ERR_CANCELLED);
        nse_error_free(error);
        error = NULL;
        ++cancels;
    }
    /* How many of the cancels find nothing left to stop, at the end of a round, differs with the rounding of the processor. */
    assert_true(cancels >= 2);
    char *history = timeless(search);
    assert_string_equal(history, expected);
    nse_search_free(search);
    free(history);
    free(expected);
}

/* Between rounds: the file holds the weights with which the next one goes on. */
static void goes_on_from_a_file(void **state) {
    (void)state;
    char *expected = undisturbed(), path[] = "/tmp/nse-shrink-XXXXXX";
    close(mkstemp(path));
    nse_search *first = make_search(SHRINKS, NULL), *second = NULL;
    assert_int_equal(nse_search_step(first, &error), NSE_OK);
    assert_int_equal(nse_search_save(first, path, &error), NSE_OK);
    nse_search_free(first);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_dataset *images = make_images(96);
    desc.train = images;
    if (nse_search_load(path, &desc, &second, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_dataset_free(images);
    char *history = finished(second);
    assert_string_equal(history, expected);
    nse_search_free(second);
    unlink(path);
    free(history);
    free(expected);
}

/* The same by the same option where cells are stacked; what was found is trained and exported. */
static void stacked_cells(void **state) {
    (void)state;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_search *search = NULL;
    nse_arch *best = NULL;
    nse_model *model = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_dataset *images = make_images(96);
    double accuracy = 0;
    assert_int_equal(nse_space_preset("nas-bench-201",
                                      "{\"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3, \"channels\": 4,"
                                      " \"cells\": 1}",
                                      &space, &error),
                     NSE_OK);
    desc.space = space, desc.train = images;
    desc.options_json = "{\"strategy\": {\"shrink\": {\"drop\": {\"down_to\": 15}, \"until\": 1000}}, \"branches\": \"single\", \"held_out\": 0.25,"
                        " \"objective\": {\"low\": 0, \"high\": 1e8}, \"train\": {\"epochs\": 1, \"batch\": 16},"
                        " \"candidates\": {\"count\": 4, \"extras\": 0, \"too_few\": \"accept\"}, \"score\": {\"calibration\": 32, \"batch\": 64}}";
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    char *history = finished(search);
    assert_non_null(strstr(history, "{\"operator\":\"avg_pool_3x3\",\"score\":0."));
    free(history);
    assert_int_equal(nse_search_best(search, 1e8, &best, NULL, &error), NSE_OK);
    nse_model_desc lesson = NSE_MODEL_DESC_INIT;
    lesson.arch = best, lesson.train = images, lesson.options_json = MODEL_JSON;
    if (nse_model_train(&lesson, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, &error), NSE_OK);
    assert_true(accuracy > 0);
    assert_int_equal(nse_model_export_memory(model, "onnx", &buffer, &error), NSE_OK);
    assert_true(buffer.len > 1000);
    nse_buffer_free(&buffer), nse_model_free(model), nse_arch_free(best), nse_search_free(search);
    nse_space_free(space), nse_dataset_free(images);
}

static void refused(const char *options, uint32_t flags, const char *said) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = flags == 0 ? make_images(96) : NULL;
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = options, desc.flags = flags;
    assert_int_equal(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG);
    if (strstr(nse_error_message(error), said) == NULL) fail_msg("%s, not %s", nse_error_message(error), said);
    assert_null(search);
    nse_error_free(error);
    error = NULL;
    nse_space_free(space);
    nse_dataset_free(images);
}

static void a_bad_value_is_named(void **state) {
    (void)state;
    refused("{\"strategy\": \"shrunk\", " REST "}", 0, "shrunk");
    refused("{\"strategy\": {\"shrink\": {\"until\": 0.5}}, " REST "}", 0, "/strategy/shrink/until");
    refused("{\"strategy\": \"shrink\", \"scorer\": {\"angle\": {\"samples\": 0}}, " REST "}", 0, "/scorer/angle/samples");
    refused("{\"strategy\": \"shrink\", " REST "}", NSE_SEARCH_TOLD, "shrink needs a supernet");
    refused("{\"strategy\": \"shrink\", \"scorer\": \"accuracy\", " REST "}", NSE_SEARCH_PUSHED, "accuracy needs images");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shrinks),
        cmocka_unit_test(cancelled_and_stepped_on),
        cmocka_unit_test(goes_on_from_a_file),
        cmocka_unit_test(stacked_cells),
        cmocka_unit_test(a_bad_value_is_named),
    };
    return cmocka_run_group_tests_name("shrink", tests, NULL, NULL);
}
