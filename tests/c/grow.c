/*
 * PNAS by one option: cells that grow block by block. Asked and told in every build; with libtorch also trained inside, with progress,
 * cancel, files and errors as any search has them.
 */
#include "support.h"

#define GROWS "\"strategy\": {\"grow\": {\"beam\": 3, \"predictor\": {\"mlp\": {\"members\": 2, \"epochs\": 20}}}}, \"seed\": 2"
#define WINDOW ", \"objective\": {\"low\": 0, \"high\": 1e9}"
#define TRAINED                                                                                                                  \
    "{" GROWS WINDOW ", \"train\": {\"epochs\": 1, \"batch\": 24}, \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25}"

static nse_error *error;
static int has_torch;

/* Ten cells of one block. */
static nse_space *blocks(void) {
    nse_space *space = NULL;
    const char *changes = "{\"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3, \"channels\": 4, \"cells\": 3,"
                          " \"nodes\": 2, \"operators\": [\"identity\", \"sep_conv_3x3\"]}";
    if (nse_space_preset("pnas-cifar", changes, &space, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    return space;
}

static nse_search *create(const char *options, uint32_t flags, const nse_events *events) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = blocks();
    nse_dataset *images = flags == 0 ? make_images(96) : NULL;
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = options, desc.flags = flags, desc.events = events;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    nse_dataset_free(images);
    return search;
}

/* Blocks in the cells of an architecture's space. */
static int blocks_of(const nse_arch *arch) {
    nse_space *space = NULL;
    nse_buffer json = NSE_BUFFER_INIT;
    assert_int_equal(nse_arch_space(arch, &space, &error), NSE_OK);
    assert_int_equal(nse_space_to_json(space, &json, &error), NSE_OK);
    const char *nodes = strstr(json.data, "\"nodes\": ");
    assert_non_null(nodes);
    const int count = atoi(nodes + 9);
    nse_buffer_free(&json), nse_space_free(space);
    return count;
}

static void asked_and_told(void **state) {
    (void)state;
    nse_search *search = create("{" GROWS WINDOW "}", NSE_SEARCH_TOLD, NULL);
    int counts[3] = {0};
    for (;;) {
        nse_arch *archs[4] = {NULL};
        size_t given = 0;
        const nse_status status = nse_search_ask(search, 4, archs, &given, &error);
        if (status == NSE_DONE) break;
        assert_int_equal(status, NSE_OK);
        for (size_t i = 0; i < given; ++i) {
            nse_result result = NSE_RESULT_INIT;
            nse_buffer json = NSE_BUFFER_INIT;
            uint32_t effect = 9;
            char *code = code_of(archs[i]);
            const int count = blocks_of(archs[i]);
            assert_in_range(count, 1, 2);
            ++counts[count];
            /* Convolutions are good. */
            assert_int_equal(nse_arch_to_json(archs[i], &json, &error), NSE_OK);
            result.code = code, result.accuracy = 0.4;
            for (const char *at = json.data; (at = strstr(at, "sep_conv")) != NULL; ++at) result.accuracy += 0.1 / count;
            if (i == 3) {
                /* One that is forgotten is asked again. */
                assert_int_equal(nse_search_forget(search, code, &error), NSE_OK);
                --counts[count];
            } else {
                assert_true(nse_search_tell(search, &result, &effect, &error) >= NSE_OK);
                assert_int_equal(effect, NSE_TOLD_COUNTED);
            }
            nse_buffer_free(&json), nse_arch_free(archs[i]), free(code);
        }
    }
    assert_int_equal(counts[1], 10);
    assert_int_equal(counts[2], 3);
    nse_buffer history = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_history(search, &history, &error), NSE_OK);
    assert_non_null(strstr(history.data, "\"foretold\":{\"before\":null,\"after\":0."));
    nse_buffer_free(&history);
    /* The front is of cells of any size; each has a handle with its own space, and pictures and pages know it. */
    size_t front = 0;
    assert_int_equal(nse_search_front_count(search, &front, NULL), NSE_OK);
    assert_true(front > 1);
    int smaller = 0;
    for (size_t i = 0; i < front; ++i) {
        nse_arch *arch = NULL;
        uint64_t macs = 0, params = 0;
        assert_int_equal(nse_search_front_get(search, i, &arch, NULL, &error), NSE_OK);
        assert_int_equal(nse_arch_cost(arch, &macs, &params, &error), NSE_OK);
        assert_true(macs > 0 && params > 0);
        smaller += blocks_of(arch) == 1;
        /* Its code is read back in the space of the search, whatever its size. */
        char *code = code_of(arch), *again;
        nse_arch *read = NULL;
        nse_space *space = blocks();
        assert_int_equal(nse_arch_from_code(space, code, &read, &error), NSE_OK);
        assert_int_equal(blocks_of(read), blocks_of(arch));
        again = code_of(read);
        assert_string_equal(again, code);
        free(code), free(again), nse_space_free(space), nse_arch_free(read), nse_arch_free(arch);
    }
    assert_true(smaller > 0);
    nse_buffer page = NSE_BUFFER_INIT, under = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_report(search, "html", &page, &error), NSE_OK);
    assert_int_equal(nse_search_front(search, "{\"cost\": \"params\"}", NULL, &under, &error), NSE_OK);
    assert_non_null(strstr(under.data, "sep_conv_3x3~"));
    nse_buffer_free(&page), nse_buffer_free(&under);
    nse_search_free(search);
}

static char *finished(nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status != NSE_OK) fail_msg("%s", nse_error_message(error));
    }
    return timeless(search);
}

typedef struct {
    int events, every;
} canceller;

static int32_t sometimes(void *user, const nse_event *event) {
    canceller *c = user;
    assert_true(event->round >= 1 && event->round <= event->rounds && event->step <= event->steps);
    return ++c->events % c->every == 0;
}

/* Cancelled, and from a file in the middle of a round: the same cells and results. */
static void trained_inside(void **state) {
    (void)state;
    if (!has_torch) return;
    nse_search *whole = create(TRAINED, 0, NULL);
    char *expected = finished(whole), path[] = "/tmp/nse-grow-XXXXXX";
    close(mkstemp(path));
    canceller c = {0, 7};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = sometimes, events.user = &c;
    nse_search *search = create(TRAINED, 0, &events);
    int cancels = 0;
    for (nse_status status; (status = nse_search_step(search, &error)) != NSE_DONE;) {
        if (status == NSE_OK) continue;
        assert_int_equal(status, NSE_ERR_CANCELLED);
        nse_error_free(error);
        error = NULL;
        if (++cancels % 3 != 0) continue;
        assert_int_equal(nse_search_save(search, path, &error), NSE_OK);
        nse_search_free(search);
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_dataset *images = make_images(96);
        desc.train = images, desc.events = &events;
        if (nse_search_load(path, &desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
        nse_dataset_free(images);
    }
    assert_true(cancels >= 4);
    char *history = timeless(search);
    assert_string_equal(history, expected);
    unlink(path), free(history), free(expected);
    /* What was found is trained like any architecture; weights of a cell are gone when the next one is trained. */
    nse_arch *best = NULL;
    nse_model *model = NULL;
    assert_int_equal(nse_search_best(whole, 1e9, &best, NULL, &error), NSE_OK);
    expect_error(nse_model_from_search(whole, best, &model, &error), NSE_ERR_NOT_FOUND, &error, "keeps no weights", "");
    nse_dataset *images = make_images(96);
    nse_model_desc lesson = NSE_MODEL_DESC_INIT;
    lesson.arch = best, lesson.train = images, lesson.options_json = MODEL_JSON;
    if (nse_model_train(&lesson, &model, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_model_free(model), nse_dataset_free(images), nse_arch_free(best);
    nse_search_free(search), nse_search_free(whole);
}

static void refused(nse_space *space, const char *options, nse_status status, const char *said) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *search = NULL;
    desc.space = space, desc.options_json = options, desc.flags = NSE_SEARCH_TOLD;
    expect_error(nse_search_create(&desc, &search, &error), status, &error, said, "");
    assert_null(search);
}

static void a_bad_value_is_named(void **state) {
    (void)state;
    nse_space *space = blocks(), *chain = make_space();
    refused(space, "{\"strategy\": {\"grow\": {\"beam\": 0}}" WINDOW "}", NSE_ERR_CONFIG, "/strategy/grow/beam");
    refused(space, "{\"strategy\": {\"grow\": {\"predictor\": \"oracle\"}}" WINDOW "}", NSE_ERR_CONFIG, "oracle");
    refused(space, "{" GROWS ", \"scorer\": \"angle\"" WINDOW "}", NSE_ERR_CONFIG, "no operators are scored");
    refused(space, "{" GROWS ", \"objective\": {\"low\": 0, \"high\": 1}}", NSE_ERR_UNREACHABLE, "between 0 and 1");
    refused(chain, "{" GROWS WINDOW "}", NSE_ERR_UNSUPPORTED, "block by block");
    nse_search *search = create("{" GROWS WINDOW "}", NSE_SEARCH_TOLD, NULL);
    nse_result result = NSE_RESULT_INIT;
    nse_arch *arch = make_arch();
    char *code = code_of(arch);
    result.code = code, result.accuracy = 0.5;
    expect_error(nse_search_tell(search, &result, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "of another space", "code");
    nse_arch_free(arch), free(code), nse_search_free(search);
    nse_space_free(space), nse_space_free(chain);
}

int main(void) {
    nse_buffer info = NSE_BUFFER_INIT;
    nse_runtime_info(&info, NULL);
    has_torch = strstr(info.data, "\"runtime\":null") == NULL;
    nse_buffer_free(&info);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_and_told),
        cmocka_unit_test(trained_inside),
        cmocka_unit_test(a_bad_value_is_named),
    };
    return cmocka_run_group_tests_name("grow", tests, NULL, NULL);
}
