/* Images of the host in tensors of another library. What was given to the library comes back exactly once, whatever happens. */
#include "host.h"
#include <pthread.h>

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
    TENSORS_FAIL(la->device = ((DLDevice){CUDA, -1}), NSE_ERR_DEVICE, "\"DLPack type 2, number -1\"", "DLPack type 2");
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copied_whatever_the_strides), cmocka_unit_test(labels_of_every_kind),
        cmocka_unit_test(tensors_that_are_refused),    cmocka_unit_test(who_is_deleted),
        cmocka_unit_test(borrowed_until_nothing_needs_them),
    };
    return cmocka_run_group_tests_name("dlpack", tests, NULL, NULL);
}
