/* Images of the host: written by a callback, or used where they are. What was given to the library comes back exactly once, whatever
 * happens. */
#include "host.h"
#include <pthread.h>
#include <sys/wait.h>

static int freed;

static void count_free(void *user) {
    assert_ptr_equal(user, &freed);
    ++freed;
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
    SOURCE_FAILS((source.height = source.width = 1 << 15, source.count = 1 << 30), NSE_ERR_OUT_OF_MEMORY, "no memory for", "");
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
        cmocka_unit_test(written_by_a_callback), cmocka_unit_test(a_callback_that_fails), cmocka_unit_test(borrowed_memory),
        cmocka_unit_test(memory_that_cannot_be_borrowed), cmocka_unit_test(training_is_the_same), cmocka_unit_test(forked),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
