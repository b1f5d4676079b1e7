/* Images of a host for the C tests: as the library wants them, and as DLPack tensors that say how often they were given back. */
#ifndef NSE_TEST_HOST_H
#define NSE_TEST_HOST_H

#include "support.h"

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

static uint8_t pixel(uint32_t image, uint32_t channel, uint32_t y, uint32_t x) {
    return (uint8_t)((image % 3 * 60 + channel * 90 + y * x * (image % 3 + 1) + image * 7) % 251);
}

static uint32_t label(uint32_t image) { return image % 3; }

/* The images as the library wants them. */
static inline nse_images plain(void) {
    static uint8_t pixels[COUNT * SIZE];
    static uint32_t labels[COUNT];
    nse_images images = NSE_IMAGES_INIT;
    for (uint32_t i = 0; i < COUNT * SIZE; ++i) pixels[i] = pixel(i / SIZE, i / (SIDE * SIDE) % CHANNELS, i / SIDE % SIDE, i % SIDE);
    for (uint32_t i = 0; i < COUNT; ++i) labels[i] = label(i);
    images.channels = CHANNELS, images.height = images.width = SIDE, images.count = COUNT;
    images.pixels = pixels, images.labels = labels;
    return images;
}

static inline int has_torch(void) {
    nse_buffer info = NSE_BUFFER_INIT;
    assert_int_equal(nse_runtime_info(&info, NULL), NSE_OK);
    const int has = strstr(info.data, "\"torch\":true") != NULL;
    nse_buffer_free(&info);
    return has;
}

static inline nse_search *search_on(nse_dataset *images) {
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
static inline void expect_same(nse_dataset *images) {
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
        /* The threads of the searches have images until they end. */
        assert_int_equal(nse_shutdown(NSE_FOREVER, NULL), NSE_OK);
    }
    nse_dataset_free(images);
    /* Threads that have something of a search may still be on their way out. */
    assert_int_equal(nse_shutdown(NSE_FOREVER, NULL), NSE_OK);
}

/* A tensor, its numbers, and how often it was deleted. Its data is overwritten then: who still looks will see. */
typedef struct {
    DLManagedTensorVersioned managed;
    int64_t shape[4], strides[4];
    uint8_t data[4 * COUNT * SIZE + 64];
    int deleted;
} tensor;

static inline void delete_tensor(DLManagedTensorVersioned *self) {
    tensor *t = self->manager_ctx;
    memset(t->data, 0xee, sizeof t->data);
    ++t->deleted;
}

static tensor images, labels;

static inline void tensor_of(tensor *t, uint8_t code, uint8_t bits, int32_t rank) {
    memset(t, 0, sizeof *t);
    t->managed = (DLManagedTensorVersioned){{1, 1}, t, delete_tensor, 1 /* read-only */, {0}};
    t->managed.dl_tensor = (DLTensor){t->data, {CPU, 0}, rank, {code, bits, 1}, t->shape, NULL, 0};
}

/* Both tensors anew: images compact, labels of int64. */
static inline void compact_tensors(void) {
    const nse_images from = plain();
    const int64_t shape[4] = {COUNT, CHANNELS, SIDE, SIDE};
    tensor_of(&images, 1, 8, 4);
    memcpy(images.shape, shape, sizeof shape);
    memcpy(images.data, from.pixels, COUNT * SIZE);
    tensor_of(&labels, 0, 64, 1);
    labels.shape[0] = COUNT;
    for (uint32_t i = 0; i < COUNT; ++i) ((int64_t *)(void *)labels.data)[i] = label(i);
}

static inline nse_status from_tensors(uint32_t flags) {
    return nse_dataset_from_dlpack(&images.managed, &labels.managed, 3, flags, &dataset, &error);
}

static inline void expect_copied(void) {
    if (from_tensors(0) != NSE_OK) fail_msg("%s", nse_error_message(error));
    assert_true(images.deleted == 1 && labels.deleted == 1);
    expect_same(dataset);
}

#endif
