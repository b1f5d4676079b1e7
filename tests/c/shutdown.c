/*
 * nse_shutdown: everything that runs ends, whoever waits for it; what is left can be looked at, freed, and made anew.
 */
#include "support.h"
#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>

#define LONG_JSON                                                                                                                \
    "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000},"                               \
    " \"train\": {\"epochs\": 100000, \"batch\": 16}, \"candidates\": {\"count\": 4, \"extras\": 2}, \"held_out\": 0.25}"

static nse_error *error;

typedef struct {
    atomic_int events, freed;
    /* Calls nse_shutdown in the first event, and what it said. */
    int shuts_down;
    uint32_t timeout;
    atomic_int said;
    atomic_int hold;
} watch;

static int32_t seen(void *user, const nse_event *event) {
    watch *w = user;
    (void)event;
    if (atomic_fetch_add(&w->events, 1) == 0 && w->shuts_down) atomic_store(&w->said, nse_shutdown(w->timeout, NULL));
    while (atomic_load(&w->hold)) usleep(1000);
    return 0;
}

static void freed(void *user) { atomic_fetch_add(&((watch *)user)->freed, 1); }

static nse_search *make(const char *options, watch *w, uint32_t flags) {
    nse_events events = {sizeof events, flags, seen, w, freed};
    return make_search(options, &events);
}

/* Threads of the library that the system knows. */
static int own_threads(void) {
    char path[300], name[64];
    int own = 0;
    DIR *tasks = opendir("/proc/self/task");
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        own += comm != NULL && fgets(name, sizeof name, comm) != NULL && strncmp(name, "nse-", 4) == 0;
        if (comm != NULL) fclose(comm);
    }
    closedir(tasks);
    return own;
}

static void ended(void) {
    assert_int_equal(nse_shutdown(NSE_FOREVER, &error), NSE_OK);
    assert_int_equal(own_threads(), 0);
}

typedef struct {
    nse_search *search;
    nse_model *model;
    nse_dataset *images;
    nse_status status;
} blocked;

static void *steps(void *user) {
    blocked *b = user;
    b->status = nse_search_step(b->search, NULL);
    return NULL;
}

static void *trains(void *user) {
    blocked *b = user;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = make_arch();
    desc.arch = arch, desc.train = b->images, desc.options_json = "{\"train\": {\"epochs\": 100000, \"batch\": 16}}";
    b->status = nse_model_train(&desc, &b->model, NULL);
    nse_arch_free(arch);
    return NULL;
}

static void *evaluates(void *user) {
    blocked *b = user;
    do b->status = nse_model_evaluate(b->model, b->images, NULL, NULL, NULL);
    while (b->status == NSE_OK);
    return NULL;
}

static void nothing_to_do(void **state) {
    (void)state;
    ended();
    assert_int_equal(nse_shutdown(0, NULL), NSE_OK);
}

/* Blocking calls of other threads, and an operation that is polled, all of them cancelled. */
static void everything_ends(void **state) {
    (void)state;
    watch w = {0}, polled = {0};
    nse_dataset *images = make_images(96);
    blocked step = {.search = make(LONG_JSON, &w, 0)}, train = {.images = images};
    blocked evaluate = {.images = images, .model = make_model()};
    nse_search *other = make(LONG_JSON, &polled, 0);
    nse_op *op = NULL;
    nse_model *model = evaluate.model, *none = (nse_model *)1;
    pthread_t threads[3];
    assert_int_equal(nse_search_step_async(other, &op, NULL), NSE_OK);
    pthread_create(&threads[0], NULL, steps, &step);
    pthread_create(&threads[1], NULL, trains, &train);
    pthread_create(&threads[2], NULL, evaluates, &evaluate);
    while (atomic_load(&w.events) == 0) usleep(1000);
    ended();
    for (int i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
    assert_int_equal(step.status, NSE_ERR_CANCELLED);
    assert_int_equal(train.status, NSE_ERR_CANCELLED);
    assert_null(train.model);
    assert_int_equal(evaluate.status, NSE_ERR_CANCELLED);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(nse_op_poll(op, 0, NULL), NSE_ERR_CANCELLED);

    /* What is left: getters yes, work no. */
    size_t count = 1;
    nse_buffer status = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_front_count(step.search, &count, NULL), NSE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(nse_search_status(step.search, &status, NULL), NSE_OK);
    assert_non_null(strstr(status.data, "\"round\""));
    nse_buffer_free(&status);
    expect_error(nse_search_step(step.search, &error), NSE_ERR_CANCELLED, &error, "nse_shutdown has ended the thread of this search", "{");
    expect_error(nse_search_save(step.search, "/tmp/nse-none", &error), NSE_ERR_CANCELLED, &error, "nse_shutdown", "{");
    expect_error(nse_model_evaluate(model, images, NULL, NULL, &error), NSE_ERR_CANCELLED, &error, "of this model", "{");
    assert_int_equal(nse_op_take_model(op, &none, NULL), NSE_ERR_NOT_FOUND);
    assert_int_equal(nse_search_cancel(step.search, NULL), NSE_OK);
    assert_int_equal(atomic_load(&w.freed), 0);
    ended();
    nse_op_free(op);
    nse_search_free(other);
    nse_search_free(step.search);
    nse_model_free(model);
    assert_int_equal(atomic_load(&w.freed), 1);
    assert_int_equal(atomic_load(&polled.freed), 1);

    /* The library lives. */
    nse_model_free(make_model());
    watch again = {0};
    nse_search *search = make(SEARCH_JSON, &again, 0);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    nse_search_free(search);
    nse_dataset_free(images);
    ended();
    assert_int_equal(atomic_load(&again.freed), 1);
}

/* From an event on the host's thread: the thread of the search is another, which ends. */
static void from_an_event(void **state) {
    (void)state;
    watch w = {.shuts_down = 1, .timeout = NSE_FOREVER, .said = -99};
    nse_search *search = make(LONG_JSON, &w, 0);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(atomic_load(&w.said), NSE_OK);
    assert_int_equal(own_threads(), 0);
    nse_search_free(search);
    assert_int_equal(atomic_load(&w.freed), 1);
}

/* From an event on the library's thread: it cannot wait for itself. */
static void from_our_thread(void **state) {
    (void)state;
    watch w = {.shuts_down = 1, .timeout = NSE_FOREVER, .said = -99};
    nse_search *search = make(LONG_JSON, &w, NSE_EVENTS_DIRECT);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(atomic_load(&w.said), NSE_PENDING);
    ended();
    nse_search_free(search);
    assert_int_equal(atomic_load(&w.freed), 1);
}

/* A callback that does not return: the time is up; later it is not. */
static void too_slow(void **state) {
    (void)state;
    watch w = {.hold = 1};
    nse_search *search = make(LONG_JSON, &w, NSE_EVENTS_DIRECT);
    nse_op *op = NULL;
    assert_int_equal(nse_search_step_async(search, &op, NULL), NSE_OK);
    while (atomic_load(&w.events) == 0) usleep(1000);
    assert_int_equal(nse_shutdown(0, &error), NSE_PENDING);
    assert_null(error);
    assert_int_equal(nse_shutdown(20, &error), NSE_PENDING);
    assert_int_equal(nse_op_poll(op, 0, NULL), NSE_PENDING);
    atomic_store(&w.hold, 0);
    ended();
    assert_int_equal(nse_op_poll(op, 0, NULL), NSE_ERR_CANCELLED);
    nse_op_free(op);
    nse_search_free(search);
    assert_int_equal(atomic_load(&w.freed), 1);
}

static void *shuts_down(void *unused) {
    (void)unused;
    for (int i = 0; i < 20; ++i) assert_true(nse_shutdown(NSE_FOREVER, NULL) == NSE_OK);
    return NULL;
}

/* Four threads shut down while a fifth makes, steps and frees: every call ends in one of the ways that are allowed. */
static void at_once(void **state) {
    (void)state;
    pthread_t threads[4];
    watch w = {0};
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    int made = 0;
    for (int t = 0; t < 4; ++t) pthread_create(&threads[t], NULL, shuts_down, NULL);
    for (int i = 0; i < 20; ++i) {
        nse_events events = {sizeof events, 0, seen, &w, freed};
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_search *search = NULL;
        desc.space = space, desc.train = images, desc.options_json = SEARCH_JSON, desc.events = &events;
        nse_status status = nse_search_create(&desc, &search, NULL);
        assert_true(status == NSE_OK || status == NSE_ERR_CANCELLED);
        assert_true((status == NSE_OK) == (search != NULL));
        ++made;
        if (search != NULL) status = nse_search_step(search, NULL);
        assert_true(status == NSE_OK || status == NSE_ERR_CANCELLED);
        nse_search_free(search);
    }
    for (int t = 0; t < 4; ++t) pthread_join(threads[t], NULL);
    ended();
    assert_int_equal(atomic_load(&w.freed), made);
    nse_space_free(space);
    nse_dataset_free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_do),
        cmocka_unit_test(everything_ends),
        cmocka_unit_test(from_an_event),
        cmocka_unit_test(from_our_thread),
        cmocka_unit_test(too_slow),
        cmocka_unit_test(at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
