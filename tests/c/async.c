/*
 * Work that is begun and polled: rounds of a search, and the training of a model.
 */
#include "support.h"
#include <pthread.h>

static nse_error *error;

/* What a callback saw, and what it is to do. */
typedef struct {
    pthread_t thread;
    uint64_t events, finished, freed, cancel_at;
    const nse_op *poll;
    nse_status polled;
} watch;

static int32_t seen(void *user, const nse_event *event) {
    watch *w = user;
    w->thread = pthread_self();
    w->events++;
    w->finished += event->kind == NSE_EVENT_FINISH;
    if (w->poll) w->polled = nse_op_poll(w->poll, 0, NULL);
    return w->cancel_at && w->events >= w->cancel_at;
}

static void freed(void *user) { __atomic_add_fetch(&((watch *)user)->freed, 1, __ATOMIC_SEQ_CST); }

static nse_search *make(watch *w, uint32_t flags) {
    nse_events events = {sizeof events, flags, seen, w, freed};
    return make_search(SEARCH_JSON, &events);
}

static nse_op *begin(nse_search *search) {
    nse_op *op = NULL;
    assert_int_equal(nse_search_step_async(search, &op, &error), NSE_OK);
    assert_non_null(op);
    return op;
}

static size_t front(nse_search *search) {
    size_t count = 0;
    assert_int_equal(nse_search_front_count(search, &count, NULL), NSE_OK);
    return count;
}

/* Two rounds begun, polled now and then, give what two blocking rounds give, and events come only while polling, here. */
static void polled(void **state) {
    (void)state;
    watch w = {0}, blocking = {0};
    nse_search *search = make(&w, 0), *other = make(&blocking, 0);
    nse_op *op = begin(search);
    nse_op *second = (nse_op *)1;
    assert_int_equal(nse_search_step_async(search, &second, NULL), NSE_ERR_BUSY);
    assert_null(second);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_BUSY);
    usleep(50000);
    assert_int_equal(w.events, 0);
    nse_status status;
    while ((status = nse_op_poll(op, 5, &error)) == NSE_PENDING) assert_null(error);
    assert_int_equal(status, NSE_OK);
    assert_true(w.events > 3 && w.finished == 1 && pthread_equal(w.thread, pthread_self()));
    assert_int_equal(nse_op_poll(op, 0, NULL), NSE_OK);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_OK);
    nse_op_free(op);
    op = begin(search);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_DONE);
    nse_op_free(op);
    assert_int_equal(nse_search_step(other, NULL), NSE_OK);
    assert_int_equal(nse_search_step(other, NULL), NSE_DONE);
    assert_int_equal(front(search), front(other));
    for (size_t i = 0; i < front(search); ++i) {
        double a, b;
        assert_int_equal(nse_search_front_get(search, i, NULL, &a, NULL), NSE_OK);
        assert_int_equal(nse_search_front_get(other, i, NULL, &b, NULL), NSE_OK);
        assert_true(a == b);
    }
    nse_search_free(search), nse_search_free(other);
}

/* With NSE_EVENTS_DIRECT events come at once, from a thread of the library, with a blocking call too. */
static void direct(void **state) {
    (void)state;
    watch w = {0};
    nse_search *search = make(&w, NSE_EVENTS_DIRECT);
    nse_op *op = begin(search);
    for (int i = 0; i < 2000 && !__atomic_load_n(&w.finished, __ATOMIC_SEQ_CST); ++i) usleep(5000);
    assert_true(w.finished == 1 && !pthread_equal(w.thread, pthread_self()));
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_OK);
    const uint64_t events = w.events;
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    assert_true(w.events > events && !pthread_equal(w.thread, pthread_self()));
    nse_op_free(op), nse_search_free(search);
    watch cancels = {.cancel_at = 2};
    search = make(&cancels, NSE_EVENTS_DIRECT);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(cancels.events, 2);
    nse_search_free(search);
    /* Flags that are not known are refused, and the callback is given back. */
    watch refused = {0};
    nse_events events2 = {sizeof events2, 2, seen, &refused, freed};
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.events = &events2;
    assert_int_equal(nse_search_create(&desc, &search, NULL), NSE_ERR_INVALID_ARGUMENT);
    assert_int_equal(refused.freed, 1);
}

/* Each way to cancel ends the round under way and no other; the search then goes on. */
static void cancelled(void **state) {
    (void)state;
    watch w = {0};
    nse_search *search = make(&w, 0);
    nse_op *op = begin(search);
    assert_int_equal(nse_op_cancel(op, NULL), NSE_OK);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, &error), NSE_ERR_CANCELLED);
    assert_int_equal(nse_error_code(error), NSE_ERR_CANCELLED);
    nse_error_free(error), error = NULL;
    assert_int_equal(nse_op_poll(op, 0, &error), NSE_ERR_CANCELLED); /* told again, with an error of its own */
    nse_error_free(error), error = NULL;
    nse_op *next = begin(search);
    assert_int_equal(nse_op_cancel(op, NULL), NSE_OK); /* of the one before: nothing */
    assert_int_equal(nse_op_poll(next, NSE_FOREVER, NULL), NSE_OK);
    nse_op_free(op), nse_op_free(next);
    op = begin(search);
    assert_int_equal(nse_search_cancel(search, NULL), NSE_OK);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_ERR_CANCELLED);
    nse_op_free(op);
    w.cancel_at = w.events + 1;
    op = begin(search);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_ERR_CANCELLED);
    nse_op_free(op);
    w.cancel_at = 0;
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    nse_search_free(search);
}

/* Polling from a callback of the operation is told off, not a dead-lock. */
static void reentrant(void **state) {
    (void)state;
    watch w = {0};
    nse_search *search = make(&w, 0);
    nse_op *op = begin(search);
    w.poll = op;
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_OK);
    assert_int_equal(w.polled, NSE_ERR_BUSY);
    nse_op_free(op), nse_search_free(search);
}

/* Anything may be freed while anything runs. */
static void freed_at_any_time(void **state) {
    (void)state;
    watch w = {0};
    nse_search *search = make(&w, 0);
    nse_op_free(begin(search)); /* the round goes on */
    nse_status status;
    while ((status = nse_search_step(search, NULL)) == NSE_ERR_BUSY) usleep(1000);
    assert_int_equal(status, NSE_DONE);
    nse_search_free(search);

    watch v = {0};
    search = make(&v, 0);
    nse_op *op = begin(search);
    nse_search_free(search);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_ERR_CANCELLED);
    nse_op_free(op);
    for (int i = 0; i < 2000 && !__atomic_load_n(&v.freed, __ATOMIC_SEQ_CST); ++i) usleep(1000);
    assert_int_equal(v.freed, 1);
    assert_int_equal(nse_op_poll(op, 0, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(nse_op_poll(NULL, 0, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(nse_op_cancel(op, NULL), NSE_ERR_INVALID_HANDLE);
    assert_int_equal(nse_op_poll((nse_op *)search, 0, NULL), NSE_ERR_INVALID_HANDLE);
    nse_op_free(NULL);
}

static nse_op *train(watch *w, const char *options) {
    nse_dataset *images = make_images(96);
    nse_arch *arch = make_arch();
    nse_op *op = NULL;
    nse_events events = {sizeof events, 0, seen, w, freed};
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    desc.arch = arch, desc.train = images, desc.options_json = options, desc.events = &events;
    assert_int_equal(nse_model_train_async(&desc, &op, &error), NSE_OK);
    nse_dataset_free(images), nse_arch_free(arch);
    return op;
}

static void models(void **state) {
    (void)state;
    watch w = {0};
    nse_model *model = NULL;
    nse_op *op = train(&w, "{\"train\": {\"epochs\": 2, \"batch\": 16}}");
    assert_int_equal(nse_op_take_model(op, &model, NULL), NSE_ERR_NOT_FOUND);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, &error), NSE_OK);
    assert_true(w.finished == 1 && w.events > 3);
    assert_int_equal(nse_op_take_model(op, NULL, NULL), NSE_ERR_INVALID_ARGUMENT);
    assert_int_equal(nse_op_take_model(op, &model, &error), NSE_OK);
    nse_model *again = (nse_model *)1;
    assert_int_equal(nse_op_take_model(op, &again, NULL), NSE_ERR_NOT_FOUND);
    assert_null(again);
    nse_op_free(op);
    nse_dataset *images = make_images(60);
    double accuracy = -1;
    assert_int_equal(nse_model_evaluate(model, images, NULL, &accuracy, &error), NSE_OK);
    assert_true(accuracy >= 0 && accuracy <= 1);
    nse_model_free(model), nse_dataset_free(images);

    /* One that nobody can take any more stops, long before its end. */
    watch v = {0};
    nse_op_free(train(&v, "{\"train\": {\"epochs\": 100000, \"batch\": 16}}"));
    for (int i = 0; i < 5000 && !__atomic_load_n(&v.freed, __ATOMIC_SEQ_CST); ++i) usleep(1000);
    assert_int_equal(v.freed, 1);
    watch u = {0};
    op = train(&u, "{\"train\": {\"epochs\": 100000, \"batch\": 16}}");
    assert_int_equal(nse_op_poll(op, 20, NULL), NSE_PENDING);
    assert_int_equal(nse_op_cancel(op, NULL), NSE_OK);
    assert_int_equal(nse_op_poll(op, NSE_FOREVER, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(nse_op_take_model(op, &model, NULL), NSE_ERR_NOT_FOUND);
    nse_op_free(op);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polled),    cmocka_unit_test(direct),           cmocka_unit_test(cancelled),
        cmocka_unit_test(reentrant), cmocka_unit_test(freed_at_any_time), cmocka_unit_test(models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
