/*
 * The log: what it says, to whom, and that a sink may do what it likes.
 */
#include "support.h"
#include <pthread.h>
#include <stdatomic.h>

static nse_error *error;

/* What came, and what the sink does with it. */
typedef struct sink {
    char text[1 << 16];
    size_t used;
    pthread_mutex_t lock;
    atomic_int lines, freed, inside, most;
    /* Replaces itself, or calls functions that log. */
    const nse_log_sink *next;
    int calls_back, slow;
} sink;

static void written(void *user, int32_t level, const char *target, const char *message, size_t len) {
    sink *s = user;
    assert_int_equal(atomic_load(&s->freed), 0);
    assert_int_equal(strlen(message), len);
    assert_null(strchr(message, '\n'));
    const int inside = atomic_fetch_add(&s->inside, 1) + 1;
    pthread_mutex_lock(&s->lock);
    s->used += (size_t)snprintf(s->text + s->used, sizeof s->text - s->used, "%d %s: %s\n", level, target, message);
    assert_true(s->used < sizeof s->text);
    if (inside > atomic_load(&s->most)) atomic_store(&s->most, inside);
    pthread_mutex_unlock(&s->lock);
    if (s->slow) usleep(20000);
    if (s->next) {
        const nse_log_sink *next = s->next;
        s->next = NULL;
        assert_int_equal(nse_set_log(next, NULL), NSE_OK);
        /* It is not freed before this call of it has ended. */
        assert_int_equal(atomic_load(&s->freed), 0);
    }
    if (s->calls_back) {
        nse_buffer info = NSE_BUFFER_INIT;
        nse_error *mine = NULL;
        nse_space *space = NULL;
        assert_int_equal(nse_runtime_info(&info, NULL), NSE_OK);
        nse_buffer_free(&info);
        assert_int_equal(nse_space_from_json("{", &space, &mine), NSE_ERR_CONFIG);
        nse_error_free(mine);
    }
    atomic_fetch_sub(&s->inside, 1);
    atomic_fetch_add(&s->lines, 1);
}

static void gone(void *user) {
    sink *s = user;
    assert_int_equal(atomic_load(&s->inside), 0);
    atomic_fetch_add(&s->freed, 1);
}

static nse_log_sink to(sink *s) {
    memset(s, 0, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    return (nse_log_sink){sizeof(nse_log_sink), 0, written, s, gone};
}

static void says(const sink *s, const char *what) {
    if (strstr(s->text, what) == NULL) fail_msg("\"%s\" is not in:\n%s", what, s->text);
}

static void is_silent(const sink *s, const char *what) {
    if (strstr(s->text, what) != NULL) fail_msg("\"%s\" is in:\n%s", what, s->text);
}

static void stop(void) { assert_int_equal(nse_set_log(NULL, &error), NSE_OK); }

/* A whole run, at three levels. */
static void a_run(void **state) {
    (void)state;
    static sink s, quiet, loud;
    const nse_log_sink sinks[3] = {to(&s), to(&quiet), to(&loud)};
    char path[] = "/tmp/nse-log-XXXXXX";
    close(mkstemp(path));
    assert_int_equal(nse_set_log(&sinks[0], &error), NSE_OK);
    nse_search *search = make_search(SEARCH_JSON, NULL);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
    says(&s, "3 search: created: space \"tiny\", 3 cells with 12 operators, 3 active in a cell; 0 of 2 rounds done; seed 2, device \"cpu\"\n");
    says(&s, "3 torch: libtorch 2.13.");
    says(&s, "3 search: round 1 of 2 begins: ");
    says(&s, "3 search: round 1 of 2 finished: ");
    says(&s, "best accuracy ");
    says(&s, "3 checkpoint: wrote ");
    says(&s, path);
    is_silent(&s, "\n5 ");
    is_silent(&s, "\n4 ");

    /* The old sink is done at once, as nothing runs. Only errors: nothing to say. */
    assert_int_equal(nse_set_log_level(NSE_LOG_ERROR), NSE_OK);
    assert_int_equal(nse_set_log(&sinks[1], &error), NSE_OK);
    assert_int_equal(s.freed, 1);
    const int lines = s.lines;
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    assert_int_equal(quiet.lines, 0);

    assert_int_equal(nse_set_log_level(NSE_LOG_TRACE), NSE_OK);
    assert_int_equal(nse_set_log(&sinks[2], &error), NSE_OK);
    assert_int_equal(quiet.freed, 1);
    nse_dataset *images = make_images(96);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *loaded = NULL;
    desc.train = images;
    assert_int_equal(nse_search_load(path, &desc, &loaded, NULL), NSE_OK);
    nse_model_free(make_model());
    assert_int_equal(nse_search_step((nse_search *)1, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(nse_search_step(loaded, NULL), NSE_DONE);
    says(&loud, "3 search: restored: space \"tiny\"");
    says(&loud, "3 checkpoint: read ");
    says(&loud, "3 model: training begins: ");
    says(&loud, "3 model: training finished: ");
    says(&loud, "4 ffi: ");
    says(&loud, "is not a handle of this library");
    says(&loud, "5 search: round 2, step ");

    assert_int_equal(nse_set_log_level(NSE_LOG_OFF), NSE_OK);
    const int before = loud.lines;
    nse_model_free(make_model());
    assert_int_equal(loud.lines, before);
    stop();
    assert_int_equal(loud.freed, 1);
    assert_int_equal(s.lines, lines);
    assert_int_equal(s.freed, 1);
    nse_search_free(loaded);
    nse_search_free(search);
    nse_dataset_free(images);
    unlink(path);
    assert_int_equal(nse_set_log_level(NSE_LOG_INFO), NSE_OK);
}

/* A sink that replaces itself, by one that calls functions which have something to say. */
static void recursive(void **state) {
    (void)state;
    static sink first, second;
    nse_log_sink sinks[2] = {to(&first), to(&second)};
    first.next = &sinks[1];
    second.calls_back = 1;
    assert_int_equal(nse_set_log_level(NSE_LOG_TRACE), NSE_OK);
    assert_int_equal(nse_set_log(&sinks[0], &error), NSE_OK);
    nse_search *search = make_search(SEARCH_JSON, NULL);
    assert_int_equal(first.lines, 1);
    assert_int_equal(first.freed, 1);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    says(&second, "round 1 of 2 finished");
    /* On this thread at least, what the sink did was not told to it. */
    is_silent(&second, "search space");
    nse_search_free(search);
    /* Its thread may still have something to say. */
    assert_int_equal(nse_shutdown(NSE_FOREVER, NULL), NSE_OK);
    stop();
    assert_int_equal(second.freed, 1);
    assert_int_equal(nse_set_log_level(NSE_LOG_INFO), NSE_OK);
}

static void *talks(void *unused) {
    for (int i = 0; i < 30; ++i) assert_int_equal(nse_search_step(unused, NULL), NSE_ERR_INVALID_HANDLE);
    return NULL;
}

/* Four threads talk at once to slow sinks, which are replaced all the while: each is freed once, and not while it is called. */
static void replaced_under_load(void **state) {
    (void)state;
    enum { SINKS = 60, TALKERS = 4 };
    static sink sinks[SINKS];
    pthread_t talkers[TALKERS];
    assert_int_equal(nse_set_log_level(NSE_LOG_DEBUG), NSE_OK);
    for (int i = 0; i < SINKS; ++i) {
        const nse_log_sink next = to(&sinks[i]);
        sinks[i].slow = 1;
        assert_int_equal(nse_set_log(&next, &error), NSE_OK);
        for (int t = 0; i == 0 && t < TALKERS; ++t) pthread_create(&talkers[t], NULL, talks, NULL);
        usleep(5000);
    }
    for (int t = 0; t < TALKERS; ++t) pthread_join(talkers[t], NULL);
    stop();
    int lines = 0, together = 0;
    for (int i = 0; i < SINKS; ++i) {
        assert_int_equal(sinks[i].freed, 1);
        lines += sinks[i].lines;
        together |= sinks[i].most > 1;
    }
    assert_int_equal(lines, 30 * TALKERS);
    assert_true(together);
    assert_int_equal(nse_set_log_level(NSE_LOG_INFO), NSE_OK);
}

static void refused(void **state) {
    (void)state;
    static sink s;
    nse_log_sink sink = to(&s);
    sink.flags = 4;
    expect_error(nse_set_log(&sink, &error), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x4", "\"sink\"");
    assert_int_equal(s.freed, 1);
    sink = to(&s);
    sink.log = NULL;
    expect_error(nse_set_log(&sink, &error), NSE_ERR_INVALID_ARGUMENT, &error, "log is NULL", "\"sink\"");
    assert_int_equal(s.freed, 1);
    sink = to(&s);
    sink.struct_size = 4;
    expect_error(nse_set_log(&sink, &error), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size 4", "\"sink\"");
    assert_int_equal(s.freed, 0);
    assert_int_equal(nse_set_log_level(6), NSE_ERR_INVALID_ARGUMENT);
    assert_int_equal(nse_set_log_level(-1), NSE_ERR_INVALID_ARGUMENT);
    stop();
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run),
        cmocka_unit_test(recursive),
        cmocka_unit_test(replaced_under_load),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
