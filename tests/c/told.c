/*
 * A search that is asked for architectures and told how they did; a front asked again. The same in the build
 * with libtorch and in the one without.
 */
#include "support.h"
#include <math.h>
#include <unistd.h>
#include <pthread.h>

#define TOLD_JSON                                                                                                                \
    "{\"seed\": 5, \"rounds\": 3, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"candidates\": {\"count\": 12}," \
    " \"told\": {\"group\": 4}}"

static nse_error *error;

static nse_search *create(const char *options) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_search *search = NULL;
    desc.flags = NSE_SEARCH_TOLD, desc.space = space, desc.options_json = options;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    return search;
}

static char *text_of(nse_status (*call)(const nse_search *, nse_buffer *, nse_error **), const nse_search *search) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(call(search, &buffer, &error), NSE_OK);
    char *text = strdup(buffer.data);
    nse_buffer_free(&buffer);
    return text;
}

/* What an evaluation would give: something that the architecture says by itself. */
static double accuracy_of(const nse_arch *arch) {
    nse_buffer json = NSE_BUFFER_INIT;
    assert_int_equal(nse_arch_to_json(arch, &json, NULL), NSE_OK);
    double score = 0.5;
    for (const char *at = json.data; (at = strstr(at, "conv_k")) != NULL; ++at) score += at[6] == '5' ? 0.05 : 0.02;
    nse_buffer_free(&json);
    return score > 1 ? 1 : score;
}

static nse_status tell(nse_search *search, const char *code, double accuracy, uint32_t flags, uint32_t *effect) {
    nse_result result = NSE_RESULT_INIT;
    result.code = code, result.accuracy = accuracy, result.flags = flags;
    return nse_search_tell(search, &result, effect, &error);
}

/* One architecture's code, asked. */
static char *ask(nse_search *search) {
    nse_arch *arch = NULL;
    assert_int_equal(nse_search_ask(search, 1, &arch, NULL, &error), NSE_OK);
    char *code = code_of(arch);
    nse_arch_free(arch);
    return code;
}

/* To the end, three at a time; all codes in the order asked. */
static char *whole(nse_search *search) {
    char *all = calloc(1, 1 << 16);
    for (;;) {
        nse_arch *archs[3] = {NULL, NULL, NULL};
        size_t given = 9;
        const nse_status status = nse_search_ask(search, 3, archs, &given, &error);
        if (status == NSE_DONE) {
            assert_true(given == 0 && archs[0] == NULL);
            return all;
        }
        assert_int_equal(status, NSE_OK);
        for (size_t i = 0; i < given; ++i) {
            uint32_t effect = 9;
            char *code = code_of(archs[i]);
            assert_true(tell(search, code, accuracy_of(archs[i]), 0, &effect) >= NSE_OK);
            assert_true(effect == NSE_TOLD_COUNTED || effect == NSE_TOLD_LATE); /* the last ones of a round that is closed */
            strcat(strcat(all, code), "\n");
            nse_arch_free(archs[i]);
            free(code);
        }
    }
}

static void a_platform(void **state) {
    (void)state;
    nse_search *search = create(TOLD_JSON), *again = create(TOLD_JSON);
    char *asked = whole(search), *same = whole(again);
    assert_string_equal(asked, same);
    size_t lines = 0;
    for (const char *at = asked; *at != '\0'; ++at) lines += *at == '\n';
    assert_int_equal(lines, 36);
    char *status = text_of(nse_search_status, search), *history = text_of(nse_search_history, search);
    assert_non_null(strstr(status, "\"completed\":3"));
    assert_non_null(strstr(status, "\"done\":true"));
    assert_non_null(strstr(history, "\"round\":3"));
    size_t front = 0;
    assert_int_equal(nse_search_front_count(search, &front, NULL), NSE_OK);
    assert_true(front > 0);
    free(asked), free(same), free(status), free(history);
    nse_search_free(search), nse_search_free(again);
}

static void effects(void **state) {
    (void)state;
    nse_search *search = create(TOLD_JSON);
    nse_arch *archs[14] = {NULL}, *unasked = make_arch();
    size_t given = 0;
    uint32_t effect = 9;
    char *codes[14];
    assert_int_equal(nse_search_ask(search, 14, archs, &given, &error), NSE_OK);
    assert_int_equal(given, 14);
    for (int i = 0; i < 14; ++i) codes[i] = code_of(archs[i]), nse_arch_free(archs[i]);
    char *pending = text_of(nse_search_pending, search);
    for (int i = 0; i < 14; ++i) assert_non_null(strstr(pending, codes[i]));
    assert_non_null(strstr(pending, "\"round\":1}"));
    free(pending);
    assert_int_equal(tell(search, codes[0], 0.75, 0, &effect), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_COUNTED);
    assert_int_equal(tell(search, codes[0], 0.75, 0, &effect), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_REPEATED);
    effect = 9;
    expect_error(tell(search, codes[0], 0.5, 0, &effect), NSE_ERR_CONFLICT, &error, codes[0], "\"known\":\"accuracy 0.75\"");
    assert_int_equal(effect, 9);
    assert_string_equal(nse_status_name(NSE_ERR_CONFLICT), "NSE_ERR_CONFLICT");
    for (int i = 1; i < 14; ++i) {
        assert_int_equal(tell(search, codes[i], i < 6 ? NAN : 0.5, i < 6 ? NSE_RESULT_FAILED : 0, &effect), NSE_OK);
        assert_int_equal(effect, i < 12 ? NSE_TOLD_COUNTED : NSE_TOLD_LATE);
    }
    char *own = code_of(unasked);
    assert_int_equal(nse_search_forget(search, own, &error), NSE_OK);
    assert_int_equal(tell(search, own, 0.9, 0, &effect), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_UNASKED);
    pending = text_of(nse_search_pending, search);
    assert_string_equal(pending, "[]");
    free(pending);
    char *lost = ask(search);
    assert_int_equal(nse_search_forget(search, lost, &error), NSE_OK);
    assert_int_equal(nse_search_forget(search, lost, &error), NSE_OK);

    /* What is wrong with a result. */
    nse_result result = NSE_RESULT_INIT;
    expect_error(nse_search_tell(search, NULL, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "result");
    expect_error(nse_search_tell(search, &result, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL", "result.code");
    expect_error(tell(search, "hello", 0.5, 0, NULL), NSE_ERR_INVALID_ARGUMENT, &error, "code", "code");
    expect_error(tell(search, "n1vfas.3jaw8h1eq450a27w8c2s20zxx0g24rwft", 0.5, 0, NULL), NSE_ERR_INVALID_ARGUMENT, &error,
                 "of another space", "code");
    expect_error(tell(search, lost, NAN, 0, NULL), NSE_ERR_INVALID_ARGUMENT, &error, "accuracy of NaN", "result");
    expect_error(tell(search, lost, 1.5, 0, NULL), NSE_ERR_INVALID_ARGUMENT, &error, "accuracy of 1.5", "result");
    expect_error(tell(search, lost, 0.5, 64, NULL), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x40", "result");
    result.code = lost, result.flags = NSE_RESULT_COST, result.accuracy = 0.5, result.cost = NAN;
    expect_error(nse_search_tell(search, &result, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "cost of NaN", "result");
    result.cost = 1; /* far below the window */
    assert_int_equal(nse_search_tell(search, &result, &effect, &error), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_UNASKED);
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_front(search, NULL, NULL, &buffer, &error), NSE_OK);
    assert_null(strstr(buffer.data, lost));
    nse_buffer_free(&buffer);
    free(own), free(lost);
    for (int i = 0; i < 14; ++i) free(codes[i]);
    nse_arch_free(unasked);
    nse_search_free(search);
}

static void other_kinds(void **state) {
    (void)state;
    nse_search *search = create(TOLD_JSON), *none = NULL;
    nse_op *op = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_arch *archs[2] = {(nse_arch *)1, (nse_arch *)1};
    expect_error(nse_search_step(search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "told its results", "search");
    expect_error(nse_search_step_async(search, &op, &error), NSE_ERR_INVALID_ARGUMENT, &error, "told its results", "search");
    expect_error(nse_search_push(search, NULL, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "told its results", "search");
    expect_error(nse_search_estimate(search, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "told its results", "search");
    assert_int_equal(nse_search_cancel(search, NULL), NSE_OK);
    expect_error(nse_search_ask(search, 2, NULL, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a place for handles", "out");
    expect_error(nse_search_ask(search, 0, archs, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "0 is not in 1 to 1048576", "count");
    assert_non_null(archs[0]);
    nse_search_free(search);
    expect_error(nse_search_ask(search, 2, archs, NULL, &error), NSE_ERR_INVALID_HANDLE, &error, "search", "search");
    assert_true(archs[0] == NULL && archs[1] == NULL);

    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    desc.flags = NSE_SEARCH_TOLD, desc.space = space, desc.train = images, desc.options_json = TOLD_JSON;
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "must be NULL where results", "desc");
    desc.flags = NSE_SEARCH_TOLD | NSE_SEARCH_PUSHED;
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x3", "desc");
    desc.flags = NSE_SEARCH_TOLD, desc.train = NULL;
    desc.options_json = "{\"objective\": {\"low\": 1, \"high\": 2}}";
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_UNREACHABLE, &error, "no architecture costs", "\"above\":");
    desc.options_json = "{\"objective\": {\"low\": 1, \"high\": 90000}, \"told\": {\"group\": 1}}";
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_CONFIG, &error, "1 is not in", "/told/group");

    /* Those that train, where the library can. */
    desc.flags = 0, desc.train = images, desc.options_json = SEARCH_JSON;
    if (nse_search_create(&desc, &search, NULL) == NSE_OK) {
        nse_arch *arch = make_arch();
        char *code = code_of(arch);
        expect_error(nse_search_ask(search, 2, archs, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "has datasets", "search");
        expect_error(tell(search, code, 0.5, 0, NULL), NSE_ERR_INVALID_ARGUMENT, &error, "has datasets", "search");
        expect_error(nse_search_forget(search, code, &error), NSE_ERR_INVALID_ARGUMENT, &error, "has datasets", "search");
        expect_error(nse_search_pending(search, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "has datasets", "search");
        /* The front under another cost, beside one's own. */
        assert_int_equal(nse_search_step(search, &error), NSE_OK);
        assert_int_equal(nse_search_front(search, "{\"cost\": \"params\"}", NULL, &buffer, &error), NSE_OK);
        assert_non_null(strstr(buffer.data, "\"unit\":\"parameters\""));
        assert_non_null(strstr(buffer.data, "\"code\":\"n1"));
        nse_buffer_free(&buffer);
        nse_arch_free(arch), free(code);
        nse_search_free(search);
    }
    nse_space_free(space), nse_dataset_free(images);
}

/* Killed after its seventh result: what the file does not know is told again, and all ends the same. */
static void killed(void **state) {
    (void)state;
    char path[] = "/tmp/nse-told-XXXXXX", options[512];
    close(mkstemp(path));
    snprintf(options, sizeof options, "%.*s, \"checkpoint\": {\"path\": \"%s\", \"steps\": 3}}", (int)strlen(TOLD_JSON) - 1, TOLD_JSON, path);
    nse_search *search = create(options), *undisturbed = create(TOLD_JSON);
    char *codes[7];
    for (int i = 0; i < 7; ++i) {
        codes[i] = ask(search);
        assert_int_equal(tell(search, codes[i], 0.5 + i / 100.0, 0, NULL), NSE_OK);
        free(ask(undisturbed));
        assert_int_equal(tell(undisturbed, codes[i], 0.5 + i / 100.0, 0, NULL), NSE_OK);
    }
    nse_search_free(search);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    /* A checkpoint says what it is of. */
    expect_error(nse_search_load(path, &desc, &search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "flags must be NSE_SEARCH_TOLD", "desc");
    desc.flags = NSE_SEARCH_PUSHED;
    expect_error(nse_search_load(path, &desc, &search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NSE_SEARCH_TOLD", "desc");
    desc.flags = NSE_SEARCH_TOLD;
    assert_int_equal(nse_search_load(path, &desc, &search, &error), NSE_OK);
    for (int i = 0; i < 7; ++i) {
        uint32_t effect = 9;
        if (i == 6) free(ask(search)); /* asked after the last save: the same again */
        assert_int_equal(tell(search, codes[i], 0.5 + i / 100.0, 0, &effect), NSE_OK);
        assert_int_equal(effect, i < 6 ? NSE_TOLD_REPEATED : NSE_TOLD_COUNTED);
        free(codes[i]);
    }
    char *rest = whole(search), *same = whole(undisturbed);
    assert_string_equal(rest, same);
    assert_int_equal(nse_search_save(search, path, &error), NSE_OK);
    free(rest), free(same);
    nse_search_free(search), nse_search_free(undisturbed);
    unlink(path);
}

/* Eight workers at once: every architecture once, and nobody is told that the search is busy. */
static int told_by_all;

static void *work(void *argument) {
    nse_search *search = argument;
    for (;;) {
        nse_arch *arch = NULL;
        nse_error *own = NULL;
        const nse_status status = nse_search_ask(search, 1, &arch, NULL, &own);
        if (status == NSE_DONE) return NULL;
        if (status == NSE_PENDING) {
            usleep(100);
            continue;
        }
        if (status != NSE_OK) return (void *)nse_error_message(own);
        nse_result result = NSE_RESULT_INIT;
        char *code = code_of(arch);
        result.code = code, result.accuracy = accuracy_of(arch);
        uint32_t effect = 9;
        if (nse_search_tell(search, &result, &effect, &own) < NSE_OK) return (void *)nse_error_message(own);
        if (effect != NSE_TOLD_COUNTED && effect != NSE_TOLD_LATE) return "twice";
        nse_buffer buffer = NSE_BUFFER_INIT;
        if (nse_search_front(search, NULL, NULL, &buffer, &own) != NSE_OK) return (void *)nse_error_message(own);
        nse_buffer_free(&buffer);
        __atomic_add_fetch(&told_by_all, 1, __ATOMIC_SEQ_CST);
        free(code);
        nse_arch_free(arch);
    }
}

static void workers(void **state) {
    (void)state;
    nse_search *search = create(TOLD_JSON);
    pthread_t threads[8];
    for (int i = 0; i < 8; ++i) assert_int_equal(pthread_create(&threads[i], NULL, work, search), 0);
    for (int i = 0; i < 8; ++i) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        if (wrong) fail_msg("%s", (const char *)wrong);
    }
    assert_true(told_by_all >= 36);
    nse_search_free(search);
}

static void fronts(void **state) {
    (void)state;
    nse_search *search = create(TOLD_JSON);
    nse_space *space = make_space();
    nse_latency *table = make_table(space);
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_front(search, NULL, NULL, &buffer, &error), NSE_OK);
    assert_string_equal(buffer.data, "{\"cost\":\"macs\",\"members\":[],\"unit\":\"MACs\"}");
    nse_buffer_free(&buffer);
    free(whole(search));
    const char *under[] = {NULL, "{\"cost\": \"macs\"}", "{\"cost\": \"params\"}", "{\"cost\": \"latency\"}"};
    char *texts[4];
    for (int i = 0; i < 4; ++i) {
        assert_int_equal(nse_search_front(search, under[i], i == 3 ? table : NULL, &buffer, &error), NSE_OK);
        texts[i] = strdup(buffer.data);
        nse_buffer_free(&buffer);
        assert_non_null(strstr(texts[i], "\"found\":"));
    }
    assert_string_equal(texts[0], texts[1]);
    assert_string_not_equal(texts[1], texts[2]);
    for (int i = 0; i < 4; ++i) free(texts[i]);
    expect_error(nse_search_front(search, under[3], NULL, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "no latency table", "latency");
    expect_error(nse_search_front(search, "{}", NULL, &buffer, &error), NSE_ERR_CONFIG, &error, "cost", "\"document\":\"cost\"");
    nse_latency_free(table);
    nse_space_free(space);
    nse_search_free(search);
}

static nse_search *heard;
static int lines;

static void asks_back(void *user, int32_t level, const char *target, const char *message, size_t len) {
    (void)user, (void)level, (void)target, (void)message, (void)len;
    if (heard == NULL) return;
    nse_buffer pending = NSE_BUFFER_INIT;
    ++lines;
    assert_int_equal(nse_search_pending(heard, &pending, NULL), NSE_OK);
    nse_buffer_free(&pending);
}

/* Whoever hears the log may use the search that speaks. */
static void the_log_asks_back(void **state) {
    (void)state;
    nse_log_sink sink = NSE_LOG_SINK_INIT;
    char options[512], path[] = "/tmp/nse-told-XXXXXX";
    uint32_t effect;
    close(mkstemp(path));
    snprintf(options, sizeof options, "%.*s, \"checkpoint\": {\"path\": \"%s\", \"steps\": 1}}", (int)strlen(TOLD_JSON) - 1, TOLD_JSON, path);
    sink.log = asks_back;
    alarm(60);
    assert_int_equal(nse_set_log(&sink, NULL), NSE_OK);
    nse_search *search = heard = create(options);
    for (int i = 0; i < 3; ++i) {
        char *code = ask(search);
        assert_int_equal(tell(search, code, 0.5, 0, &effect), NSE_OK);
        free(code);
    }
    assert_true(lines >= 3);
    heard = NULL;
    assert_int_equal(nse_set_log(NULL, NULL), NSE_OK);
    alarm(0);
    nse_search_free(search);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platform), cmocka_unit_test(effects), cmocka_unit_test(other_kinds),       cmocka_unit_test(killed),
        cmocka_unit_test(workers),    cmocka_unit_test(fronts),  cmocka_unit_test(the_log_asks_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
