/* Progress, cancelling, and what may be done from inside a callback. */
#include "support.h"
#include <pthread.h>
#include <sys/wait.h>

typedef struct {
    nse_search *search;
    int calls, freed, cancel_at, finished;
    nse_status from_inside, getter;
    nse_event last;
} listener;

static int32_t on_event(void *user, const nse_event *event) {
    listener *l = user;
    assert_int_equal(event->struct_size, sizeof(nse_event));
    assert_true(event->step >= 1 && event->step <= event->steps && event->round >= 1 && event->round <= event->rounds);
    l->last = *event;
    l->finished += event->kind == NSE_EVENT_FINISH;
    if (l->search != NULL) {
        size_t count;
        l->from_inside = nse_search_step(l->search, NULL);
        l->getter = nse_search_front_count(l->search, &count, NULL);
    }
    return ++l->calls == l->cancel_at;
}

static void on_free(void *user) { ++((listener *)user)->freed; }

static nse_events events_of(listener *l) {
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = on_event, events.user = l, events.user_free = on_free;
    return events;
}

static void progress(void **state) {
    (void)state;
    listener l = {0};
    nse_events events = events_of(&l);
    nse_search *search = make_search(SEARCH_JSON, &events);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(l.finished, 1);
    assert_true(l.calls > 3 && l.last.kind == NSE_EVENT_FINISH && l.last.round == 1 && l.last.rounds == 2);
    assert_true(l.last.loss > 0 && l.last.accuracy > 0 && l.last.accuracy <= 1 && l.last.images_per_second > 0);
    assert_true(l.last.seconds > 0 && l.last.seconds_left >= 0);
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    assert_int_equal(l.finished, 2);
    assert_int_equal(l.freed, 0);
    nse_search_free(search);
    /* The worker may still hold the search for a moment. */
    for (int i = 0; i < 1000 && l.freed == 0; ++i) usleep(1000);
    assert_int_equal(l.freed, 1);
}

static void cancel_and_go_on(void **state) {
    (void)state;
    listener l = {0};
    nse_events events = events_of(&l);
    nse_search *disturbed = make_search(SEARCH_JSON, &events), *calm = make_search(SEARCH_JSON, NULL);
    nse_error *error = NULL;
    nse_status status;
    int cancels = 0;
    do {
        l.cancel_at = l.calls + 1 + cancels;
        status = nse_search_step(disturbed, &error);
        if (status == NSE_ERR_CANCELLED) assert_int_equal(l.calls, l.cancel_at); /* not called again */
        if (status == NSE_ERR_CANCELLED) expect_error(status, NSE_ERR_CANCELLED, &error, "is kept", "{"), ++cancels;
    } while (status != NSE_DONE);
    assert_true(cancels > 0); /* how many depends on the clock */
    while (nse_search_step(calm, NULL) != NSE_DONE) {}
    char *a = timeless(disturbed), *b = timeless(calm);
    assert_true(strlen(a) > 1000);
    assert_string_equal(a, b);
    free(a);
    free(b);
    nse_search_free(disturbed);
    nse_search_free(calm);
}

static void *cancel_until_done(void *user) {
    listener *l = user;
    while (l->cancel_at == 0) {
        assert_int_equal(nse_search_cancel(l->search, NULL), NSE_OK);
        usleep(500);
    }
    return NULL;
}

static void cancel_from_another_thread(void **state) {
    (void)state;
    nse_search *search = make_search(SEARCH_JSON, NULL);
    listener l = {search, 0, 0, 0, 0, 0, 0, {0}};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_until_done, &l), 0);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_CANCELLED);
    l.cancel_at = 1;
    pthread_join(thread, NULL);
    assert_int_equal(nse_search_cancel(search, NULL), NSE_OK); /* nothing runs: nothing happens */
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    nse_search_free(search);
}

/* Steps, or cancels the other thread's step. */
static nse_status step_or_cancel(nse_search *search) {
    const nse_status status = nse_search_step(search, NULL);
    if (status == NSE_ERR_BUSY) assert_int_equal(nse_search_cancel(search, NULL), NSE_OK);
    return status;
}

static void *rival(void *user) { return (void *)(intptr_t)step_or_cancel(user); }

/* A cancel is heard as soon as the step is seen to run: of two threads one steps, the other stops it. */
static void no_cancel_is_lost(void **state) {
    (void)state;
    nse_search *search = make_search("{\"active\": 3, \"rounds\": 1000, \"objective\": {\"low\": 30000, \"high\": 90000},"
                                     " \"train\": {\"epochs\": 1000, \"batch\": 16}, \"held_out\": 0.25}",
                                     NULL);
    for (int i = 0; i < 50; ++i) {
        pthread_t thread;
        void *theirs;
        assert_int_equal(pthread_create(&thread, NULL, rival, search), 0);
        const nse_status ours = step_or_cancel(search);
        pthread_join(thread, &theirs);
        assert_int_equal(ours + (nse_status)(intptr_t)theirs, NSE_ERR_BUSY + NSE_ERR_CANCELLED);
    }
    nse_search_free(search);
}

static void inside_a_callback(void **state) {
    (void)state;
    listener l = {0};
    nse_events events = events_of(&l);
    l.search = make_search(SEARCH_JSON, &events);
    assert_int_equal(nse_search_step(l.search, NULL), NSE_OK);
    assert_int_equal(l.from_inside, NSE_ERR_BUSY);
    assert_int_equal(l.getter, NSE_OK);
    nse_search_free(l.search);
}

static int32_t free_it(void *user, const nse_event *event) {
    (void)event;
    nse_search **search = user;
    nse_search_free(*search);
    *search = NULL;
    return 0;
}

static void freed_while_it_runs(void **state) {
    (void)state;
    nse_search *search = NULL, *same;
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = free_it, events.user = &search;
    same = search = make_search(SEARCH_JSON, &events);
    assert_int_equal(nse_search_step(same, NULL), NSE_ERR_CANCELLED);
    assert_null(search);
    assert_int_equal(nse_search_step(same, NULL), NSE_ERR_INVALID_HANDLE);
}

static void user_free_runs_once_when_a_call_fails(void **state) {
    (void)state;
    listener l = {0};
    nse_events events = events_of(&l);
    nse_search *search = NULL;
    nse_model *model = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_model_desc recipe = NSE_MODEL_DESC_INIT;
    desc.events = recipe.events = &events;
    assert_int_equal(nse_search_create(&desc, &search, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(l.freed, 1);
    assert_int_equal(nse_search_create(&desc, NULL, NULL), NSE_ERR_INVALID_ARGUMENT);
    assert_int_equal(l.freed, 2);
    assert_int_equal(nse_model_train(&recipe, &model, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(l.freed, 3);
    events.flags = 2;
    assert_int_equal(nse_model_train(&recipe, &model, NULL), NSE_ERR_INVALID_ARGUMENT);
    assert_int_equal(l.freed, 4);
    assert_int_equal(l.calls, 0);
}

static void model_training(void **state) {
    (void)state;
    listener l = {0};
    nse_events events = events_of(&l);
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = make_arch();
    nse_dataset *images = make_images(96);
    nse_model *model = NULL;
    nse_error *error = NULL;
    double accuracy = -1;
    desc.arch = arch, desc.train = images, desc.options_json = MODEL_JSON, desc.events = &events;
    l.cancel_at = 3;
    expect_error(nse_model_train(&desc, &model, &error), NSE_ERR_CANCELLED, &error, "cancelled", "{");
    assert_null(model);
    assert_int_equal(l.freed, 1);
    assert_int_equal(nse_model_train(&desc, &model, NULL), NSE_OK);
    assert_true(l.freed == 2 && l.last.kind == NSE_EVENT_FINISH && l.last.step == 12);
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, NULL), NSE_OK);
    assert_true(accuracy > 0 && accuracy <= 1);
    nse_model_free(model);
    nse_arch_free(arch);
    nse_dataset_free(images);
}

static void forked_child(void **state) {
    (void)state;
    nse_space *space = make_space();
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        nse_error *error = (nse_error *)1;
        nse_buffer buffer = NSE_BUFFER_INIT;
        nse_space *copy = space;
        listener l = {0};
        nse_events events = events_of(&l);
        nse_search *search = (nse_search *)space;
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        desc.events = &events;
        int ok = nse_space_to_json(space, &buffer, &error) == NSE_ERR_FORKED && error == NULL && buffer.data == NULL;
        ok &= nse_space_preset("nse-27", NULL, &copy, NULL) == NSE_ERR_FORKED && copy == NULL;
        ok &= nse_search_create(&desc, &search, NULL) == NSE_ERR_FORKED && search == NULL && l.freed == 1;
        nse_space_free(space);
        _exit(ok ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    nse_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress),
        cmocka_unit_test(cancel_and_go_on),
        cmocka_unit_test(cancel_from_another_thread),
        cmocka_unit_test(no_cancel_is_lost),
        cmocka_unit_test(inside_a_callback),
        cmocka_unit_test(freed_while_it_runs),
        cmocka_unit_test(user_free_runs_once_when_a_call_fails),
        cmocka_unit_test(model_training),
        cmocka_unit_test(forked_child),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
