/* shim.c: structs on the C stack, and the way back into Go. No decisions are made here. */

#include "shim.h"
#include "_cgo_export.h"
#include <string.h>

static int32_t on_event(void *user, const nse_event *event) {
    /* A library older than this header may know fewer fields. */
    nse_event known = {0};
    memcpy(&known, event, event->struct_size < sizeof known ? event->struct_size : sizeof known);
    return nsegoEvent((uintptr_t)user, &known);
}

static void user_free(void *user) {
    nsegoFree((uintptr_t)user);
}

static void released(void *user) {
    nsegoRelease((uintptr_t)user);
}

static int32_t fill(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels) {
    return nsegoFill((uintptr_t)user, first, count, pixels, labels);
}

static void on_log(void *user, int32_t level, const char *target, const char *message, size_t len) {
    nsegoLog((uintptr_t)user, level, (char *)target, (char *)message, len);
}

nse_status nsego_set_log(uintptr_t handler, nse_error **err) {
    nse_log_sink sink = NSE_LOG_SINK_INIT;
    sink.log = on_log;
    sink.user = (void *)handler;
    sink.user_free = user_free;
    return nse_set_log(&sink, err);
}

static nse_events events_for(uintptr_t listener) {
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = on_event;
    events.user = (void *)listener;
    events.user_free = user_free;
    return events;
}

static nse_images images_of(nsego_shape shape, const uint8_t *pixels, const uint32_t *labels) {
    nse_images images = NSE_IMAGES_INIT;
    images.channels = shape.channels;
    images.height = shape.height;
    images.width = shape.width;
    images.count = shape.count;
    images.classes = shape.classes;
    images.pixels = pixels;
    images.labels = labels;
    return images;
}

nse_status nsego_dataset_from_memory(nsego_shape shape, const uint8_t *pixels, const uint32_t *labels, nse_dataset **out,
                                     nse_error **err) {
    nse_images images = images_of(shape, pixels, labels);
    return nse_dataset_from_memory(&images, out, err);
}

nse_status nsego_dataset_borrow(nsego_shape shape, const uint8_t *pixels, const uint32_t *labels, uintptr_t loan,
                                nse_dataset **out, nse_error **err) {
    nse_images images = images_of(shape, pixels, labels);
    return nse_dataset_borrow(&images, (void *)loan, released, out, err);
}

nse_status nsego_dataset_from_source(nsego_shape shape, uintptr_t writer, nse_dataset **out, nse_error **err) {
    nse_source source = NSE_SOURCE_INIT;
    source.channels = shape.channels;
    source.height = shape.height;
    source.width = shape.width;
    source.count = shape.count;
    source.classes = shape.classes;
    source.fill = fill;
    source.user = (void *)writer;
    source.user_free = user_free;
    return nse_dataset_from_source(&source, out, err);
}

static int32_t sum(void *user, int64_t *numbers, size_t count) {
    return nsegoSum((uintptr_t)user, numbers, count);
}

static int32_t max(void *user, double *numbers, size_t count) {
    return nsegoMax((uintptr_t)user, numbers, count);
}

static int32_t broadcast(void *user, uint8_t *bytes, size_t count) {
    return nsegoBroadcast((uintptr_t)user, bytes, count);
}

static int32_t gather(void *user, const uint8_t *own, size_t count, uint8_t *all) {
    return nsegoGather((uintptr_t)user, (uint8_t *)own, count, all);
}

static int32_t barrier(void *user) {
    return nsegoBarrier((uintptr_t)user);
}

nse_status nsego_comm_create(uint32_t rank, uint32_t size, uint32_t timeout_ms, uintptr_t collectives, nse_comm **out, nse_error **err) {
    nse_comm_desc desc = NSE_COMM_DESC_INIT;
    desc.rank = rank;
    desc.size = size;
    desc.timeout_ms = timeout_ms;
    desc.sum = sum;
    desc.max = max;
    desc.broadcast = broadcast;
    desc.gather = gather;
    desc.barrier = barrier;
    desc.user = (void *)collectives;
    desc.user_free = user_free;
    return nse_comm_create(&desc, out, err);
}

nse_status nsego_latency_measure(const nse_space *space, const char *options_json, uintptr_t listener, nse_latency **out,
                                 nse_error **err) {
    nse_events events = events_for(listener);
    nse_measure_desc desc = NSE_MEASURE_DESC_INIT;
    desc.space = space;
    desc.options_json = options_json;
    desc.events = &events;
    return nse_latency_measure(&desc, out, err);
}

static nse_search_desc search_desc(uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                                   const char *options_json, const nse_latency *latency, const nse_search *continued,
                                   const nse_arch *const *start, size_t start_count, const nse_comm *comm, const nse_events *events) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.flags = flags;
    desc.space = space;
    desc.train = train;
    desc.held_out = held_out;
    desc.options_json = options_json;
    desc.events = events;
    desc.latency = latency;
    desc.continued = continued;
    desc.start = start;
    desc.start_count = start_count;
    desc.comm = comm;
    return desc;
}

nse_status nsego_search_create(uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                               const char *options_json, const nse_latency *latency, const nse_search *continued,
                               const nse_arch *const *start, size_t start_count, const nse_comm *comm, uintptr_t listener, nse_search **out, nse_error **err) {
    nse_events events = events_for(listener);
    nse_search_desc desc = search_desc(flags, space, train, held_out, options_json, latency, continued, start, start_count, comm, &events);
    return nse_search_create(&desc, out, err);
}

nse_status nsego_search_load(const char *path, uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                             const char *options_json, const nse_latency *latency, const nse_search *continued,
                             const nse_arch *const *start, size_t start_count, const nse_comm *comm, uintptr_t listener, nse_search **out, nse_error **err) {
    nse_events events = events_for(listener);
    nse_search_desc desc = search_desc(flags, space, train, held_out, options_json, latency, continued, start, start_count, comm, &events);
    return nse_search_load(path, &desc, out, err);
}

nse_status nsego_search_push(const nse_search *search, uint32_t phase, uint32_t count, const float *images, const uint32_t *labels,
                             double lr, nse_pushed *pushed, nse_error **err) {
    nse_batch batch = NSE_BATCH_INIT;
    batch.phase = phase;
    batch.count = count;
    batch.images = images;
    batch.labels = labels;
    batch.lr = lr;
    return nse_search_push(search, &batch, pushed, err);
}

nse_status nsego_search_push_dlpack(const nse_search *search, uint32_t phase, struct DLManagedTensorVersioned *images,
                                    struct DLManagedTensorVersioned *labels, double lr, nse_pushed *pushed, nse_error **err) {
    nse_batch batch = NSE_BATCH_INIT;
    batch.phase = phase;
    batch.images_dlpack = images;
    batch.labels_dlpack = labels;
    batch.lr = lr;
    return nse_search_push(search, &batch, pushed, err);
}

nse_status nsego_search_tell(const nse_search *search, uint32_t flags, const char *code, double accuracy, double cost,
                             uint32_t *effect, nse_error **err) {
    nse_result result = NSE_RESULT_INIT;
    result.flags = flags;
    result.code = code;
    result.accuracy = accuracy;
    result.cost = cost;
    return nse_search_tell(search, &result, effect, err);
}

nse_status nsego_model_train(const nse_arch *arch, const nse_dataset *train, const nse_dataset *held_out, const nse_model *init,
                             const char *options_json, uintptr_t listener, nse_model **out, nse_error **err) {
    nse_events events = events_for(listener);
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    desc.arch = arch;
    desc.train = train;
    desc.held_out = held_out;
    desc.init = init;
    desc.options_json = options_json;
    desc.events = &events;
    return nse_model_train(&desc, out, err);
}

static nse_picture picture_of(nsego_picture given) {
    nse_picture picture = NSE_PICTURE_INIT;
    picture.channels = given.channels;
    picture.height = given.height;
    picture.width = given.width;
    picture.data = given.data;
    return picture;
}

nse_status nsego_picture_compare(nsego_picture a, nsego_picture b, double *psnr, double *ssim, nse_error **err) {
    nse_picture one = picture_of(a), other = picture_of(b);
    return nse_picture_compare(&one, &other, psnr, ssim, err);
}

nse_status nsego_restoration_make(const char *path, nsego_picture picture, nsego_picture mask, nsego_picture reference,
                                  const char *options_json, uintptr_t listener, nse_restoration **out, nse_error **err) {
    nse_picture pictures[3] = {picture_of(picture), picture_of(mask), picture_of(reference)};
    nse_events events = events_for(listener);
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    desc.picture = pictures[0].data == NULL ? NULL : &pictures[0];
    desc.mask = pictures[1].data == NULL ? NULL : &pictures[1];
    desc.reference = pictures[2].data == NULL ? NULL : &pictures[2];
    desc.options_json = options_json;
    desc.events = &events;
    return path == NULL ? nse_restoration_create(&desc, out, err) : nse_restoration_load(path, &desc, out, err);
}
