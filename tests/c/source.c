/* Images of the host: written by a callback, in tensors of another library, used where they are. What was given to the library
 * comes back exactly once, whatever happens. */
#include "support.h"
#include <pthread.h>
#include <sys/wait.h>

/* DLPack 1, as its header has it. */
typedef struct {
    uint32_t major, minor;
} DLPackVersion;
typedef struct {
    int32_t device_type, device_id;
} DLDevice;
typedef struct {
    uint8_t code, bits;
    uint16_t lanes;
} DLDataType;
typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLTensor;
typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

enum { CPU = 1, CUDA = 2, CUDA_HOST = 3, COUNT = 24, CHANNELS = 2, SIDE = 6, SIZE = CHANNELS * SIDE * SIDE };

static const char *space_json = "{\"name\": \"pairs\", \"input\": {\"channels\": 2, \"height\": 6, \"width\": 6}, \"classes\": 3,"
                                " \"stem\": {\"channels\": 4, \"stride\": 1}, \"cells\": [{\"kind\": \"normal\"}],"
                                " \"operators\": [\"mbconv_k3_t1\", \"conv_k3_t1\", \"rec_k3_t1\"], \"tail\": {\"channels\": 8}}";
static const char *search_json = "{\"seed\": 2, \"rounds\": 1, \"active\": 2, \"objective\": {\"low\": 1, \"high\": 10000000},"
                                 " \"train\": {\"epochs\": 2, \"batch\": 6}, \"candidates\": {\"count\": 2, \"extras\": 0},"
                                 " \"score\": {\"calibration\": 8, \"batch\": 8}, \"held_out\": 0.25}";

static nse_error *error;
static nse_dataset *dataset;
static int freed;

static uint8_t pixel(uint32_t image, uint32_t channel, uint32_t y, uint32_t x) {
    return (uint8_t)((image % 3 * 60 + channel * 90 + y * x * (image % 3 + 1) + image * 7) % 251);
}

static uint32_t label(uint32_t image) { return image % 3; }

static void count_free(void *user) {
    assert_ptr_equal(user, &freed);
    ++freed;
}

/* The images as the library wants them. */
static nse_images plain(void) {
    static uint8_t pixels[COUNT * SIZE];
    static uint32_t labels[COUNT];
    nse_images images = NSE_IMAGES_INIT;
    for (uint32_t i = 0; i < COUNT * SIZE; ++i) pixels[i] = pixel(i / SIZE, i / (SIDE * SIDE) % CHANNELS, i / SIDE % SIDE, i % SIDE);
    for (uint32_t i = 0; i < COUNT; ++i) labels[i] = label(i);
    images.channels = CHANNELS, images.height = images.width = SIDE, images.count = COUNT;
    images.pixels = pixels, images.labels = labels;
    return images;
}

static int has_torch(void) {
    nse_buffer info = NSE_BUFFER_INIT;
    assert_int_equal(nse_runtime_info(&info, NULL), NSE_OK);
    const int has = strstr(info.data, "\"torch\":true") != NULL;
    nse_buffer_free(&info);
    return has;
}

static nse_search *search_on(nse_dataset *images) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_search *search = NULL;
    assert_int_equal(nse_space_from_json(space_json, &space, NULL), NSE_OK);
    desc.space = space, desc.train = images, desc.options_json = search_json;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    return search;
}

/* `images` are those of plain(), byte for byte: a checkpoint knows its images by a hash. Frees them. Without libtorch only their
 * size is looked at. */
static void expect_same(nse_dataset *images) {
    nse_buffer info = NSE_BUFFER_INIT;
    assert_int_equal(nse_dataset_info(images, &info, NULL), NSE_OK);
    assert_non_null(strstr(info.data, "\"images\":24"));
    assert_non_null(strstr(info.data, "\"classes\":3"));
    assert_non_null(strstr(info.data, "\"channels\":2"));
    nse_buffer_free(&info);
    if (has_torch()) {
        char path[] = "/tmp/nse-source-XXXXXX";
        const int file = mkstemp(path);
        const nse_images wanted = plain();
        nse_dataset *known = NULL;
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        assert_true(file >= 0 && close(file) == 0);
        assert_int_equal(nse_dataset_from_memory(&wanted, &known, NULL), NSE_OK);
        nse_search *search = search_on(known), *loaded = NULL;
        assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
        desc.train = images;
        if (nse_search_load(path, &desc, &loaded, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
        nse_search_free(loaded);
        nse_search_free(search);
        nse_dataset_free(known);
        unlink(path);
    }
    nse_dataset_free(images);
    /* Threads that have something of a search may still be on their way out. */
    assert_int_equal(nse_shutdown(NSE_FOREVER, NULL), NSE_OK);
}

/* ---- A callback --------------------------------------------------------------------------------------------------------- */

typedef struct {
    uint32_t asked, calls, fail_at;
    int32_t failure;
    uint32_t bad_label;
    int freed;
    pthread_t thread;
} host;

static int32_t fill(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels) {
    host *h = user;
    assert_true(first == h->asked && count > 0 && pthread_equal(pthread_self(), h->thread));
    h->asked += count;
    if (++h->calls == h->fail_at) return h->failure;
    for (uint32_t i = 0; i < count * SIZE; ++i) {
        pixels[i] = pixel(first + i / SIZE, i / (SIDE * SIDE) % CHANNELS, i / SIDE % SIDE, i % SIDE);
    }
    for (uint32_t i = 0; i < count; ++i) labels[i] = first + i == h->bad_label ? 9 : label(first + i);
    return 0;
}

static void free_host(void *user) { ++((host *)user)->freed; }

static nse_source source_of(host *h) {
    nse_source source = NSE_SOURCE_INIT;
    h->bad_label = UINT32_MAX, h->thread = pthread_self();
    source.channels = CHANNELS, source.height = source.width = SIDE, source.count = COUNT, source.classes = 3;
    source.fill = fill, source.user = h, source.user_free = free_host;
    return source;
}

static void written_by_a_callback(void **state) {
    (void)state;
    host h = {0};
    nse_source source = source_of(&h);
    assert_int_equal(nse_dataset_from_source(&source, &dataset, &error), NSE_OK);
    assert_true(h.freed == 1 && h.asked == COUNT);
    expect_same(dataset);
    /* Many images come in several calls. */
    h = (host){0}, source = source_of(&h), source.count = 40000;
    assert_int_equal(nse_dataset_from_source(&source, &dataset, &error), NSE_OK);
    assert_true(h.freed == 1 && h.asked == 40000 && h.calls > 1);
    nse_dataset_free(dataset);
    source.user_free = NULL, h.asked = 0;
    assert_int_equal(nse_dataset_from_source(&source, &dataset, &error), NSE_OK);
    nse_dataset_free(dataset);
}

#define SOURCE_FAILS(change, status, text, detail)                                                                               \
    do {                                                                                                                         \
        host h = {0};                                                                                                            \
        nse_source source = source_of(&h);                                                                                       \
        dataset = (nse_dataset *)&h;                                                                                             \
        change;                                                                                                                  \
        expect_error(nse_dataset_from_source(&source, &dataset, &error), status, &error, text, detail);                          \
        assert_null(dataset);                                                                                                    \
        assert_int_equal(h.freed, 1);                                                                                            \
    } while (0)

static void a_callback_that_fails(void **state) {
    (void)state;
    SOURCE_FAILS((h.fail_at = 1, h.failure = 77), NSE_ERR_CALLBACK, "source.fill: images 0 to 23: the host's function returned 77",
                 "\"code\":77");
    SOURCE_FAILS((h.fail_at = 2, h.failure = INT32_MIN, source.count = 40000), NSE_ERR_CALLBACK, "returned -2147483648",
                 "\"code\":-2147483648");
    SOURCE_FAILS(h.bad_label = 5, NSE_ERR_INVALID_ARGUMENT, "label 9 of image 5 is not in 0 to 2", "\"argument\":\"source\"");
    SOURCE_FAILS(source.fill = NULL, NSE_ERR_INVALID_ARGUMENT, "fill must not be NULL", "source");
    SOURCE_FAILS(source.flags = 4, NSE_ERR_INVALID_ARGUMENT, "flags 0x4", "source");
    SOURCE_FAILS(source.count = 0, NSE_ERR_INVALID_ARGUMENT, "0 images of 2x6x6", "source");
    SOURCE_FAILS(source.height = 0, NSE_ERR_INVALID_ARGUMENT, "24 images of 2x0x6", "source");
    SOURCE_FAILS((source.height = source.width = source.count = UINT32_MAX), NSE_ERR_INVALID_ARGUMENT, "more bytes than", "source");
    SOURCE_FAILS((source.height = source.width = 1 << 15, source.count = 1 << 30), NSE_ERR_INVALID_ARGUMENT, "no memory for", "source");
    host h = {0};
    nse_source source = source_of(&h);
    expect_error(nse_dataset_from_source(&source, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    assert_true(h.freed == 1 && h.calls == 0);
    source.struct_size = 8; /* then nothing can be read, and nothing is freed */
    expect_error(nse_dataset_from_source(&source, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size 8", "source");
    expect_error(nse_dataset_from_source(NULL, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "source");
    assert_int_equal(h.freed, 1);
    assert_string_equal(nse_status_name(NSE_ERR_CALLBACK), "NSE_ERR_CALLBACK");
}

/* ---- Tensors ------------------------------------------------------------------------------------------------------------ */

/* A tensor, its numbers, and how often it was deleted. Its data is overwritten then: who still looks will see. */
typedef struct {
    DLManagedTensorVersioned managed;
    int64_t shape[4], strides[4];
    uint8_t data[2 * COUNT * SIZE + 64];
    int deleted;
} tensor;

static void delete_tensor(DLManagedTensorVersioned *self) {
    tensor *t = self->manager_ctx;
    memset(t->data, 0xee, sizeof t->data);
    ++t->deleted;
}

static tensor images, labels;

static void tensor_of(tensor *t, uint8_t code, uint8_t bits, int32_t rank) {
    memset(t, 0, sizeof *t);
    t->managed = (DLManagedTensorVersioned){{1, 1}, t, delete_tensor, 1 /* read-only */, {0}};
    t->managed.dl_tensor = (DLTensor){t->data, {CPU, 0}, rank, {code, bits, 1}, t->shape, NULL, 0};
}

/* Both tensors anew: images compact, labels of int64. */
static void compact_tensors(void) {
    const nse_images from = plain();
    const int64_t shape[4] = {COUNT, CHANNELS, SIDE, SIDE};
    tensor_of(&images, 1, 8, 4);
    memcpy(images.shape, shape, sizeof shape);
    memcpy(images.data, from.pixels, COUNT * SIZE);
    tensor_of(&labels, 0, 64, 1);
    labels.shape[0] = COUNT;
    for (uint32_t i = 0; i < COUNT; ++i) ((int64_t *)(void *)labels.data)[i] = label(i);
}

static nse_status from_tensors(uint32_t flags) {
    return nse_dataset_from_dlpack(&images.managed, &labels.managed, 3, flags, &dataset, &error);
}

static void expect_copied(void) {
    if (from_tensors(0) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_true(images.deleted == 1 && labels.deleted == 1);
    expect_same(dataset);
}

static void copied_whatever_the_strides(void **state) {
    (void)state;
    const nse_images from = plain();
    compact_tensors();
    expect_copied();
    /* Strides that say the same, an offset that is not aligned, memory of CUDA's host. */
    compact_tensors();
    images.managed.dl_tensor.strides = images.strides, images.managed.dl_tensor.device.device_type = CUDA_HOST;
    const int64_t strides[4] = {SIZE, SIDE * SIDE, SIDE, 1};
    memcpy(images.strides, strides, sizeof strides);
    memmove(images.data + 13, from.pixels, COUNT * SIZE);
    images.managed.dl_tensor.byte_offset = 13;
    expect_copied();
    /* Channels last, every row and image with a gap behind it. */
    compact_tensors();
    const int64_t row = SIDE * CHANNELS + 1, image = row * SIDE + 3, last[4] = {image, 1, row, CHANNELS};
    images.managed.dl_tensor.strides = memcpy(images.strides, last, sizeof last);
    for (uint32_t i = 0; i < COUNT * SIZE; ++i) {
        const uint32_t n = i / SIZE, c = i / (SIDE * SIDE) % CHANNELS, y = i / SIDE % SIDE, x = i % SIDE;
        images.data[n * image + c + y * row + x * CHANNELS] = pixel(n, c, y, x);
    }
    expect_copied();
    /* Backwards in every way. */
    compact_tensors();
    const int64_t back[4] = {-SIZE, -SIDE * SIDE, -SIDE, -1};
    images.managed.dl_tensor.strides = memcpy(images.strides, back, sizeof back);
    images.managed.dl_tensor.byte_offset = COUNT * SIZE - 1;
    for (uint32_t i = 0; i < COUNT * SIZE; ++i) images.data[COUNT * SIZE - 1 - i] = from.pixels[i];
    expect_copied();
}

static void labels_of_every_kind(void **state) {
    (void)state;
    const struct {
        uint8_t code, bits;
    } kinds[] = {{0, 64}, {0, 32}, {1, 32}, {1, 8}};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; ++k) {
        for (int64_t stride = 1; stride < 4; stride += 2) {
            compact_tensors();
            tensor_of(&labels, kinds[k].code, kinds[k].bits, 1);
            labels.shape[0] = COUNT, labels.strides[0] = stride;
            labels.managed.dl_tensor.strides = labels.strides;
            labels.managed.dl_tensor.byte_offset = 3;
            for (int64_t i = 0; i < COUNT; ++i) labels.data[3 + i * stride * kinds[k].bits / 8] = (uint8_t)label((uint32_t)i);
            expect_copied();
        }
    }
}

#define TENSORS_FAIL(change, status, text, detail)                                                                               \
    do {                                                                                                                         \
        compact_tensors();                                                                                                       \
        DLTensor *im = &images.managed.dl_tensor, *la = &labels.managed.dl_tensor;                                               \
        dataset = (nse_dataset *)&images;                                                                                        \
        (void)im, (void)la;                                                                                                      \
        change;                                                                                                                  \
        expect_error(from_tensors(NSE_BORROW), status, &error, text, detail);                                                    \
        assert_null(dataset);                                                                                                    \
        assert_true(images.deleted == 1 && labels.deleted == 1);                                                                 \
    } while (0)
#define IMAGES_FAIL(change, text) TENSORS_FAIL(change, NSE_ERR_INVALID_ARGUMENT, "images: " text, "\"argument\":\"images\"")
#define LABELS_FAIL(change, text) TENSORS_FAIL(change, NSE_ERR_INVALID_ARGUMENT, "labels: " text, "\"argument\":\"labels\"")

static void tensors_that_are_refused(void **state) {
    (void)state;
    IMAGES_FAIL(im->ndim = 3, "3 dimensions instead of 4: images are [count, channels, height, width]");
    IMAGES_FAIL(im->ndim = -1, "-1 dimensions instead of 4");
    IMAGES_FAIL((im->dtype.code = 2, im->dtype.bits = 32), "elements of float32 instead of uint8");
    IMAGES_FAIL(im->dtype.code = 0, "elements of int8 instead of uint8");
    IMAGES_FAIL(im->dtype.lanes = 4, "elements of uint8x4 instead of uint8");
    IMAGES_FAIL((im->dtype.code = 17, im->dtype.bits = 4), "elements of type 17, bits 4 instead of uint8");
    IMAGES_FAIL(im->shape = NULL, "NULL is not a shape");
    IMAGES_FAIL(im->data = NULL, "NULL is not a place for data");
    IMAGES_FAIL(im->byte_offset = UINT64_MAX, "the byte offset 18446744073709551615 reaches beyond memory");
    IMAGES_FAIL(im->shape[1] = -2, "the shape [24, -2, 6, 6] has a negative size");
    IMAGES_FAIL(im->shape[0] = 0, "the shape [0, 2, 6, 6] has nothing in it");
    IMAGES_FAIL((im->shape[0] = INT64_MAX), "the shape [9223372036854775807, 2, 6, 6] has more bytes than memory can have");
    IMAGES_FAIL((im->shape[0] = (int64_t)1 << 33), "the shape [8589934592, 2, 6, 6] has a size above 4294967295");
    IMAGES_FAIL((im->strides = images.strides, images.strides[0] = INT64_MIN),
                "the shape [24, 2, 6, 6] with strides [-9223372036854775808, 0, 0, 0] reaches beyond memory");
    LABELS_FAIL(la->ndim = 2, "2 dimensions instead of 1: labels are [count]");
    LABELS_FAIL(la->dtype.bits = 16, "elements of int16 instead of int64, int32, uint8, uint32");
    LABELS_FAIL(la->shape[0] = 23, "the shape [23] for 24 images");
    LABELS_FAIL(la->shape[0] = -24, "the shape [-24] has a negative size");
    LABELS_FAIL(((int64_t *)(void *)labels.data)[4] = -1, "label -1 of image 4 is not in 0 to 4294967295");
    LABELS_FAIL(((int64_t *)(void *)labels.data)[4] = (int64_t)1 << 32, "label 4294967296 of image 4 is not in 0 to 4294967295");
    LABELS_FAIL(((int64_t *)(void *)labels.data)[4] = 3, "label 3 of image 4 is not in 0 to 2");
    IMAGES_FAIL((images.managed.version.major = 2, images.managed.version.minor = 7), "a tensor of DLPack 2.7; 1.x is understood");
    LABELS_FAIL(labels.managed.version.major = 255, "a tensor of DLPack 255.1; 1.x is understood");
    TENSORS_FAIL(im->device = ((DLDevice){10, 1}), NSE_ERR_DEVICE, "\"DLPack type 10, number 1\"", "DLPack type 10");
    TENSORS_FAIL(im->device = ((DLDevice){CUDA, 99}), NSE_ERR_DEVICE, "\"cuda:99\"", "\"device\":\"cuda:99\"");
    TENSORS_FAIL(la->device = ((DLDevice){CUDA, -1}), NSE_ERR_DEVICE, "\"cuda:-1\"", "\"device\":\"cuda:-1\"");
}

/* What is given back when a tensor is missing, given twice, or too foreign to have a deleter. */
static void who_is_deleted(void **state) {
    (void)state;
    nse_status status;
    compact_tensors();
    status = nse_dataset_from_dlpack(NULL, &labels.managed, 3, 0, &dataset, &error);
    expect_error(status, NSE_ERR_INVALID_ARGUMENT, &error, "images: NULL is not a tensor", "images");
    status = nse_dataset_from_dlpack(&images.managed, NULL, 3, 0, &dataset, &error);
    expect_error(status, NSE_ERR_INVALID_ARGUMENT, &error, "labels: NULL is not a tensor", "labels");
    assert_true(images.deleted == 1 && labels.deleted == 1);
    status = nse_dataset_from_dlpack(&images.managed, &images.managed, 3, 0, &dataset, &error);
    expect_error(status, NSE_ERR_INVALID_ARGUMENT, &error, "labels: the same tensor as the images", "labels");
    assert_int_equal(images.deleted, 2);
    expect_error(nse_dataset_from_dlpack(NULL, NULL, 3, 0, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "images: NULL", "images");

    compact_tensors();
    expect_error(from_tensors(6), NSE_ERR_INVALID_ARGUMENT, &error, "flags: 0x6", "flags");
    status = nse_dataset_from_dlpack(&images.managed, &labels.managed, 3, 0, NULL, NULL);
    assert_int_equal(status, NSE_ERR_INVALID_ARGUMENT);
    assert_true(images.deleted == 2 && labels.deleted == 2);

    /* The tensors before version 1 begin with a pointer. */
    const uint32_t no_version[3] = {0, 256, (uint32_t)(uintptr_t)&images};
    for (int i = 0; i < 3; ++i) {
        compact_tensors();
        images.managed.version.major = no_version[i];
        expect_error(from_tensors(0), NSE_ERR_INVALID_ARGUMENT, &error, "not a DLManagedTensorVersioned", "images");
        assert_true(images.deleted == 0 && labels.deleted == 1);
    }
    /* No deleter is fine: the host frees in its own way. */
    compact_tensors();
    images.managed.deleter = labels.managed.deleter = NULL;
    assert_int_equal(from_tensors(0), NSE_OK);
    expect_same(dataset);
}

static void *free_dataset(void *given) {
    nse_dataset_free(given);
    return NULL;
}

static void borrowed_until_nothing_needs_them(void **state) {
    (void)state;
    nse_dataset *first, *second;
    pthread_t thread;
    compact_tensors();
    assert_int_equal(from_tensors(NSE_BORROW), NSE_OK);
    assert_true(images.deleted == 0 && labels.deleted == 1);
    assert_int_equal(nse_dataset_split(dataset, 0.25, 1, &first, &second, NULL), NSE_OK);
    expect_same(dataset); /* and frees it */
    nse_dataset_free(first);
    assert_int_equal(images.deleted, 0);
    assert_int_equal(pthread_create(&thread, NULL, free_dataset, second), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(images.deleted, 1);

    /* What is not compact is copied, and given back at once. */
    compact_tensors();
    images.strides[1] = SIDE * SIDE, images.strides[2] = SIDE, images.strides[3] = 1;
    images.managed.dl_tensor.strides = images.strides; /* the first image, again and again */
    assert_int_equal(from_tensors(NSE_BORROW), NSE_OK);
    assert_true(images.deleted == 1 && labels.deleted == 1);
    nse_dataset_free(dataset);

    /* Used where they are: an aligned place is not needed. */
    compact_tensors();
    memmove(images.data + 5, plain().pixels, COUNT * SIZE);
    images.managed.dl_tensor.byte_offset = 5;
    assert_int_equal(from_tensors(NSE_BORROW), NSE_OK);
    expect_same(dataset);
    assert_int_equal(images.deleted, 1);
}

/* ---- Plain memory ------------------------------------------------------------------------------------------------------- */

static void borrowed_memory(void **state) {
    (void)state;
    nse_images from = plain();
    nse_dataset *first, *second;
    freed = 0;
    assert_int_equal(nse_dataset_borrow(&from, &freed, count_free, &dataset, &error), NSE_OK);
    assert_int_equal(nse_dataset_split(dataset, 0.5, 0, &first, &second, NULL), NSE_OK);
    nse_dataset_free(first);
    expect_same(dataset);
    assert_int_equal(freed, 0);
    nse_dataset_free(second);
    nse_dataset_free(second);
    assert_int_equal(freed, 1);
    assert_int_equal(nse_dataset_borrow(&from, NULL, NULL, &dataset, &error), NSE_OK); /* memory that stays */
    expect_same(dataset);
    /* Labels are copied: the host's may change. */
    uint32_t own[COUNT];
    memcpy(own, from.labels, sizeof own);
    from.labels = own;
    assert_int_equal(nse_dataset_borrow(&from, &freed, count_free, &dataset, &error), NSE_OK);
    memset(own, 0xff, sizeof own);
    expect_same(dataset);
    assert_int_equal(freed, 2);
}

static void memory_that_cannot_be_borrowed(void **state) {
    (void)state;
    nse_images from = plain();
    freed = 0;
#define BORROW_FAILS(text, name)                                                                                                 \
    do {                                                                                                                         \
        const int before = freed;                                                                                                \
        dataset = (nse_dataset *)&from;                                                                                          \
        const nse_status status = nse_dataset_borrow(&from, &freed, count_free, &dataset, &error);                               \
        expect_error(status, NSE_ERR_INVALID_ARGUMENT, &error, text, name);                                                      \
        assert_true(dataset == NULL && freed == before + 1);                                                                     \
    } while (0)
    from.classes = 2;
    BORROW_FAILS("label 2 of image 2 is not in 0 to 1", "images");
    from = plain(), from.pixels = NULL;
    BORROW_FAILS("must not be NULL", "images");
    from = plain(), from.count = 0;
    BORROW_FAILS("0 images", "images");
    from = plain(), from.height = from.width = from.count = UINT32_MAX;
    BORROW_FAILS("more bytes than", "images");
    from = plain(), from.struct_size = 3;
    BORROW_FAILS("struct_size 3", "images");
    from = plain();
    expect_error(nse_dataset_borrow(&from, &freed, count_free, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_dataset_borrow(NULL, &freed, count_free, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct",
                 "images");
    assert_int_equal(freed, 7);
}

/* ---- Everything --------------------------------------------------------------------------------------------------------- */

/* What the search found, its times left out. */
static char *found(nse_dataset *images) {
    nse_search *search = search_on(images);
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_dataset_free(images); /* the search keeps what it needs */
    if (nse_search_step(search, &error) != NSE_DONE) fail_msg("%s", nse_error_message(error));
    assert_int_equal(nse_search_history(search, &buffer, NULL), NSE_OK);
    char *text = strdup(buffer.data), *seconds = strstr(text, "\"seconds\"");
    assert_non_null(seconds);
    *seconds = '\0';
    nse_buffer_free(&buffer);
    nse_search_free(search);
    return text;
}

static void training_is_the_same(void **state) {
    (void)state;
    if (!has_torch()) return;
    const nse_images from = plain();
    host h = {0};
    const nse_source source = source_of(&h);
    char *results[4];
    assert_int_equal(nse_dataset_from_memory(&from, &dataset, NULL), NSE_OK);
    results[0] = found(dataset);
    assert_int_equal(nse_dataset_from_source(&source, &dataset, NULL), NSE_OK);
    results[1] = found(dataset);
    compact_tensors();
    assert_int_equal(from_tensors(NSE_BORROW), NSE_OK);
    results[2] = found(dataset);
    freed = 0;
    assert_int_equal(nse_dataset_borrow(&from, &freed, count_free, &dataset, NULL), NSE_OK);
    results[3] = found(dataset);
    for (int i = 0; i < 4; ++i) {
        assert_true(strlen(results[i]) > 100);
        assert_string_equal(results[i], results[0]);
    }
    for (int i = 0; i < 4; ++i) free(results[i]);
    /* The thread of a search ends, and drops what it holds, some time after the search was freed. */
    for (int i = 0; i < 2000 && (images.deleted == 0 || freed == 0); ++i) usleep(1000);
    assert_true(images.deleted == 1 && freed == 1);
}

/* A forked child is turned away, and what it passed is given back all the same. */
static void forked(void **state) {
    (void)state;
    const nse_images from = plain();
    host h = {0};
    const nse_source source = source_of(&h);
    compact_tensors();
    freed = 0;
    assert_true(nse_version_number() > 0 && has_torch() >= 0);
    const pid_t child = fork();
    if (child == 0) {
        const int refused = nse_dataset_borrow(&from, &freed, count_free, &dataset, NULL) == NSE_ERR_FORKED &&
                            nse_dataset_from_source(&source, &dataset, NULL) == NSE_ERR_FORKED && from_tensors(0) == NSE_ERR_FORKED;
        _exit(refused && freed == 1 && h.freed == 1 && h.calls == 0 && images.deleted == 1 && labels.deleted == 1 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_by_a_callback),       cmocka_unit_test(a_callback_that_fails),
        cmocka_unit_test(copied_whatever_the_strides), cmocka_unit_test(labels_of_every_kind),
        cmocka_unit_test(tensors_that_are_refused),    cmocka_unit_test(who_is_deleted),
        cmocka_unit_test(borrowed_until_nothing_needs_them),
        cmocka_unit_test(borrowed_memory),             cmocka_unit_test(memory_that_cannot_be_borrowed),
        cmocka_unit_test(training_is_the_same),        cmocka_unit_test(forked),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
