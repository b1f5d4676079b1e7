/* A trainer that keeps its own loop: it gives the search one batch at a time, as plain arrays or as tensors, and hears what comes
 * next. */
#include "host.h"
#include <math.h>

enum { BATCH = 6 };

static const char *options = "{\"seed\": 2, \"rounds\": 2, \"active\": 2, \"objective\": {\"low\": 1, \"high\": 10000000},"
                             " \"train\": {\"epochs\": 2}, \"fitness\": {\"interval\": 2}, \"candidates\": {\"count\": 3, \"extras\": 0, \"too_few\": \"accept\"},"
                             " \"score\": {\"calibration\": 12}, \"pushed\": {\"steps_per_epoch\": 4}}";

static float floats[COUNT * SIZE];
static uint32_t whole[COUNT];

static void make_batches(void) {
    for (uint32_t i = 0; i < COUNT * SIZE; ++i) {
        floats[i] = (float)pixel(i / SIZE, i / (SIDE * SIDE) % CHANNELS, i / SIDE % SIDE, i % SIDE) / 100.0f - 1.0f;
    }
    for (uint32_t i = 0; i < COUNT; ++i) whole[i] = label(i);
}

static nse_search_desc described(nse_space **space) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    assert_int_equal(nse_space_from_json(space_json, space, NULL), NSE_OK);
    desc.flags = NSE_SEARCH_PUSHED, desc.space = *space, desc.options_json = options;
    return desc;
}

static nse_search *pushed_search(void) {
    nse_space *space = NULL;
    const nse_search_desc desc = described(&space);
    nse_search *search = NULL;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    return search;
}

/* The k-th batch, as a trainer's loader would give it. */
static nse_batch batch_of(uint32_t phase, uint32_t k) {
    nse_batch batch = NSE_BATCH_INIT;
    const uint32_t first = k % (COUNT / BATCH) * BATCH;
    batch.phase = phase, batch.count = BATCH, batch.images = floats + first * SIZE, batch.labels = whole + first;
    return batch;
}

/* The same as tensors: channels last, labels of int64. */
static nse_batch tensors_of(nse_batch from) {
    nse_batch batch = NSE_BATCH_INIT;
    const int64_t shape[4] = {BATCH, CHANNELS, SIDE, SIDE}, strides[4] = {SIZE, 1, SIDE * CHANNELS, CHANNELS};
    tensor_of(&images, 2, 32, 4);
    memcpy(images.shape, shape, sizeof shape);
    images.managed.dl_tensor.strides = memcpy(images.strides, strides, sizeof strides);
    for (uint32_t i = 0; i < BATCH * SIZE; ++i) {
        const uint32_t n = i / SIZE, c = i / (SIDE * SIDE) % CHANNELS, y = i / SIDE % SIDE, x = i % SIDE;
        memcpy(images.data + 4 * (n * SIZE + y * SIDE * CHANNELS + x * CHANNELS + c), &from.images[i], 4);
    }
    tensor_of(&labels, 0, 64, 1);
    labels.shape[0] = BATCH;
    for (uint32_t i = 0; i < BATCH; ++i) ((int64_t *)(void *)labels.data)[i] = from.labels[i];
    batch.phase = from.phase, batch.images_dlpack = &images.managed, batch.labels_dlpack = &labels.managed;
    return batch;
}

/* A trainer's loop; `tensors`: in which form, `file`: saved and read back between batches when it is a path. */
static char *run(int tensors, const char *file) {
    nse_search *search = pushed_search();
    nse_pushed now = NSE_PUSHED_INIT;
    uint32_t pushes = 0, phases[6] = {0}, seen = 0;
    assert_int_equal(nse_search_push(search, NULL, &now, NULL), NSE_OK);
    assert_true(now.next == NSE_PHASE_WEIGHT && now.completed == 0 && now.rounds == 2 && now.epoch == 1 && now.epochs == 2);
    while (now.next != NSE_PHASE_DONE) {
        const uint32_t phase = now.next;
        const int ends = (phase == NSE_PHASE_WEIGHT && now.step == 4 * now.epoch) || (phase == NSE_PHASE_EVALUATE && seen == 2);
        nse_batch batch = batch_of(phase, pushes);
        if (ends) {
            batch = (nse_batch)NSE_BATCH_INIT;
            batch.phase = NSE_PHASE_END;
            seen = 0;
        } else {
            ++pushes, ++phases[phase];
            seen += phase == NSE_PHASE_EVALUATE;
        }
        if (tensors && !ends) batch = tensors_of(batch);
        const nse_status status = nse_search_push(search, &batch, &now, &error);
        if (status < 0) fail_msg("%s", nse_error_message(error));
        assert_int_equal(status, now.next == NSE_PHASE_DONE ? NSE_DONE : NSE_OK);
        if (tensors && !ends) assert_true(images.deleted == 1 && labels.deleted == 1);
        const int trained = !ends && (phase == NSE_PHASE_WEIGHT || phase == NSE_PHASE_ARCHITECTURE);
        assert_int_equal(!isnan(now.loss), trained);
        assert_int_equal(!isnan(now.lr), !ends && phase == NSE_PHASE_WEIGHT);
        if (file && pushes % 5 == 0) {
            nse_space *space = NULL;
            nse_search_desc desc = described(&space);
            if (nse_search_save(search, file, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
            nse_search_free(search);
            if (nse_search_load(file, &desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
            nse_space_free(space);
            assert_int_equal(nse_search_push(search, NULL, &now, NULL), NSE_OK);
            seen = 0; /* scoring begins again */
        }
    }
    assert_true(phases[NSE_PHASE_WEIGHT] == 16 && phases[NSE_PHASE_ARCHITECTURE] == 8);
    assert_true(file != NULL || (phases[NSE_PHASE_CALIBRATE] == 4 && phases[NSE_PHASE_EVALUATE] == 4));
    nse_batch more = batch_of(NSE_PHASE_WEIGHT, 0);
    expect_error(nse_search_push(search, &more, &now, &error), NSE_ERR_INVALID_ARGUMENT, &error, "nothing comes next", "batch");
    assert_int_equal(nse_search_push(search, NULL, NULL, NULL), NSE_DONE);
    nse_buffer history = NSE_BUFFER_INIT;
    size_t front = 0;
    assert_int_equal(nse_search_front_count(search, &front, NULL), NSE_OK);
    assert_true(front > 0);
    assert_int_equal(nse_search_history(search, &history, NULL), NSE_OK);
    char *text = strdup(history.data);
    for (char *at = text; (at = strstr(at, "\"seconds\"")) != NULL;) memmove(at, strchr(at, '\n'), strlen(strchr(at, '\n')) + 1);
    nse_buffer_free(&history);
    nse_search_free(search);
    return text;
}

static void plain_arrays_and_tensors_give_the_same(void **state) {
    (void)state;
    char *arrays = run(0, NULL), *tensors = run(1, NULL);
    assert_true(strlen(arrays) > 500 && strchr(arrays, '\n') != NULL);
    assert_string_equal(tensors, arrays);
    free(arrays);
    free(tensors);
}

static void goes_on_from_a_file_in_any_phase(void **state) {
    (void)state;
    char path[] = "/tmp/nse-push-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0 && close(file) == 0);
    free(run(0, path));
    unlink(path);
}

#define PUSH_FAILS(change, status, text)                                                                                         \
    do {                                                                                                                         \
        nse_batch batch = batch_of(NSE_PHASE_WEIGHT, 0);                                                                         \
        nse_pushed now = NSE_PUSHED_INIT;                                                                                        \
        now.next = 77;                                                                                                           \
        change;                                                                                                                  \
        expect_error(nse_search_push(search, &batch, &now, &error), status, &error, text, "");                                   \
        assert_true(now.next == 77);                                                                                             \
        assert_int_equal(nse_search_push(search, NULL, &now, NULL), NSE_OK);                                                     \
        assert_true(now.next == NSE_PHASE_WEIGHT && now.step == 0);                                                              \
    } while (0)

static void what_does_not_fit_is_refused(void **state) {
    (void)state;
    nse_search *search = pushed_search();
    static uint32_t wrong[BATCH] = {0, 1, 2, 3, 0, 1};
    static float nan_images[BATCH * SIZE];
    PUSH_FAILS(batch.phase = NSE_PHASE_ARCHITECTURE, NSE_ERR_INVALID_ARGUMENT, "an architecture step was given, a weight step comes next");
    PUSH_FAILS(batch.phase = 9, NSE_ERR_INVALID_ARGUMENT, "phase 9 is not one of");
    PUSH_FAILS(batch.phase = NSE_PHASE_DONE, NSE_ERR_INVALID_ARGUMENT, "phase 0 is not one of");
    PUSH_FAILS(batch.phase = NSE_PHASE_END, NSE_ERR_INVALID_ARGUMENT, "comes without images and labels");
    PUSH_FAILS((batch = (nse_batch)NSE_BATCH_INIT, batch.phase = NSE_PHASE_END), NSE_ERR_INVALID_ARGUMENT, "the end was given");
    PUSH_FAILS(batch.flags = 1, NSE_ERR_INVALID_ARGUMENT, "flags 0x1");
    PUSH_FAILS(batch.count = 1, NSE_ERR_INVALID_ARGUMENT, "1 images and 1 labels: two or more");
    PUSH_FAILS(batch.count = 0, NSE_ERR_INVALID_ARGUMENT, "0 images");
    PUSH_FAILS(batch.images = NULL, NSE_ERR_INVALID_ARGUMENT, "must not be NULL");
    PUSH_FAILS(batch.labels = NULL, NSE_ERR_INVALID_ARGUMENT, "must not be NULL");
    PUSH_FAILS(batch.labels = wrong, NSE_ERR_INVALID_ARGUMENT, "label 3 of image 3 is not in 0 to 2");
    PUSH_FAILS(batch.lr = -1.0, NSE_ERR_INVALID_ARGUMENT, "lr -1 is not a learning rate");
    PUSH_FAILS(batch.lr = (double)NAN, NSE_ERR_INVALID_ARGUMENT, "lr NaN is not a learning rate");
    PUSH_FAILS(batch.struct_size = 8, NSE_ERR_INVALID_ARGUMENT, "struct_size 8");
    for (int i = 0; i < BATCH * SIZE; ++i) nan_images[i] = (float)NAN;
    PUSH_FAILS(batch.images = nan_images, NSE_ERR_DIVERGED, "round 1, step 1");
    PUSH_FAILS((batch = tensors_of(batch), batch.count = 6), NSE_ERR_INVALID_ARGUMENT, "must be empty beside DLPack tensors");
    PUSH_FAILS((batch = tensors_of(batch), batch.labels_dlpack = NULL), NSE_ERR_INVALID_ARGUMENT, "labels_dlpack: NULL is not a tensor");
    PUSH_FAILS((batch = tensors_of(batch), images.managed.dl_tensor.dtype.bits = 64), NSE_ERR_INVALID_ARGUMENT, "float64 instead of float32");
    PUSH_FAILS((batch = tensors_of(batch), images.shape[1] = 1), NSE_ERR_INVALID_ARGUMENT, "images of 1x6x6, the space is for 2x6x6");
    PUSH_FAILS((batch = tensors_of(batch), images.managed.dl_tensor.device = (DLDevice){CUDA, 99}), NSE_ERR_DEVICE, "cuda:99");
    assert_true(images.deleted == 1 && labels.deleted == 1);
    nse_pushed small = NSE_PUSHED_INIT;
    nse_batch batch = batch_of(NSE_PHASE_WEIGHT, 0);
    small.struct_size = 4;
    expect_error(nse_search_push(search, &batch, &small, &error), NSE_ERR_INVALID_ARGUMENT, &error, "pushed: struct_size 4", "pushed");
    expect_error(nse_search_step(search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "batches are pushed into this search", "search");
    nse_op *op = NULL;
    expect_error(nse_search_step_async(search, &op, &error), NSE_ERR_INVALID_ARGUMENT, &error, "batches are pushed", "search");

    /* Room for a later version's fields is left alone. */
    struct {
        nse_pushed known;
        uint64_t later;
    } larger = {NSE_PUSHED_INIT, 99};
    larger.known.struct_size = sizeof larger;
    assert_int_equal(nse_search_push(search, &batch, &larger.known, NULL), NSE_OK);
    assert_true(larger.known.step == 1 && larger.later == 99 && larger.known.struct_size == sizeof larger);
    nse_search_free(search);
}

static void the_wrong_kind_of_search(void **state) {
    (void)state;
    nse_dataset *images = make_images(24);
    nse_space *space = NULL;
    nse_search_desc desc = described(&space);
    nse_search *search = NULL;
    desc.train = images;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "must be NULL where batches are pushed", "desc");
    desc.train = NULL, desc.flags = 1 << 9;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x200", "desc");
    nse_space_free(space);
    nse_dataset_free(images);

    search = make_search(SEARCH_JSON, NULL);
    const nse_batch batch = batch_of(NSE_PHASE_WEIGHT, 0);
    expect_error(nse_search_push(search, &batch, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "this search has datasets", "search");
    char path[] = "/tmp/nse-push-XXXXXX";
    const int file = mkstemp(path);
    assert_true(file >= 0 && close(file) == 0);
    assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
    nse_search_desc pushed = NSE_SEARCH_DESC_INIT;
    nse_search *loaded = NULL;
    pushed.flags = NSE_SEARCH_PUSHED;
    expect_error(nse_search_load(path, &pushed, &loaded, &error), NSE_ERR_INVALID_ARGUMENT, &error, "this search has datasets", "desc");
    unlink(path);
    nse_search_free(search);
}

static int32_t cancels(void *user, const nse_event *event) {
    ++*(int *)user;
    return event->kind == NSE_EVENT_TRAIN;
}

/* Events come during the push that made them; what a callback cancels is the next piece of work, and there is none. */
static void events_and_cancel(void **state) {
    (void)state;
    nse_space *space = NULL;
    nse_search_desc desc = described(&space);
    nse_events events = NSE_EVENTS_INIT;
    nse_search *search = NULL;
    nse_pushed now = NSE_PUSHED_INIT;
    int told = 0;
    events.on_event = cancels, events.user = &told;
    desc.events = &events;
    assert_int_equal(nse_search_create(&desc, &search, NULL), NSE_OK);
    nse_space_free(space);
    nse_batch batch = batch_of(NSE_PHASE_WEIGHT, 0);
    assert_int_equal(nse_search_push(search, &batch, &now, NULL), NSE_OK);
    assert_int_equal(told, 1);
    assert_int_equal(nse_search_push(search, &batch, &now, NULL), NSE_OK);
    assert_true(now.next == NSE_PHASE_ARCHITECTURE && told == 1); /* half a step: no event yet */
    assert_int_equal(nse_search_cancel(search, NULL), NSE_OK);
    batch.phase = NSE_PHASE_ARCHITECTURE;
    assert_int_equal(nse_search_push(search, &batch, &now, NULL), NSE_OK);
    assert_true(now.step == 2 && told == 2);
    nse_search_free(search);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_arrays_and_tensors_give_the_same), cmocka_unit_test(goes_on_from_a_file_in_any_phase),
        cmocka_unit_test(what_does_not_fit_is_refused),           cmocka_unit_test(the_wrong_kind_of_search),
        cmocka_unit_test(events_and_cancel),
    };
    make_batches();
    return cmocka_run_group_tests_name("push", tests, NULL, NULL);
}
