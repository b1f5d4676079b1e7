/* Searches that go on from a finished one in a larger space; windows that hold too little. */
#include "support.h"
#include <pthread.h>
#include <unistd.h>

#define LARGER_JSON                                                                                                              \
    "{\"name\": \"larger\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3,"                         \
    " \"stem\": {\"channels\": 8, \"stride\": 2},"                                                                              \
    " \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\", \"channels\": 12}, {\"kind\": \"normal\"}],"                     \
    " \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\", \"mbconv_k7_t1\", \"mbconv_k5_t1\"],"  \
    " \"tail\": {\"channels\": 16}}"

static nse_error *error;

static nse_status go_on(const nse_search *continued, const char *space_json, const nse_events *events, nse_search **search) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_dataset *images = make_images(96);
    assert_int_equal(nse_space_from_json(space_json, &space, NULL), NSE_OK);
    desc.space = space, desc.train = images, desc.options_json = SEARCH_JSON, desc.events = events, desc.continued = continued;
    const nse_status status = nse_search_create(&desc, search, &error);
    if (status != NSE_OK) assert_null(*search);
    nse_space_free(space);
    nse_dataset_free(images);
    return status;
}

static void finish(const nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status != NSE_OK) fail_msg("%s", nse_error_message(error));
    }
}

/* The old search may be freed at once; twice the same gives the same; what its front uses is active. */
static void from_a_front(void **state) {
    (void)state;
    nse_search *old = make_search(SEARCH_JSON, NULL), *first = NULL, *second = NULL;
    uint8_t active[18];
    uint32_t cells, operators;
    finish(old);
    nse_arch *best = NULL;
    nse_buffer before = NSE_BUFFER_INIT, after = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_best(old, 90000, &best, NULL, NULL), NSE_OK);
    assert_int_equal(nse_arch_to_json(best, &before, NULL), NSE_OK);
    assert_int_equal(go_on(old, LARGER_JSON, NULL, &first), NSE_OK);
    assert_int_equal(go_on(old, LARGER_JSON, NULL, &second), NSE_OK);
    nse_search_free(old);
    assert_int_equal(nse_search_active(first, active, 18, &cells, &operators, NULL), NSE_OK);
    assert_true(cells == 3 && operators == 6);
    /* All that the best one used is active, by name. */
    const char *names[] = {"mbconv_k3_t1", "mbconv_k3_t3", "mbconv_k5_t3", "rec_k5_t1", "mbconv_k7_t1", "mbconv_k5_t1"};
    const char *at = strstr(before.data, "\"cells\":[");
    assert_non_null(at);
    at += 9;
    for (int cell = 0; cell < 3; ++cell) {
        char list[256];
        const size_t length = strcspn(at, "]");
        assert_true(length < sizeof list);
        memcpy(list, at, length), list[length] = '\0';
        at += length + 2;
        for (int o = 0; o < 6; ++o) {
            if (strstr(list, names[o]) != NULL) assert_int_equal(active[6 * cell + o], 1);
        }
    }
    finish(first);
    finish(second);
    char *a = timeless(first), *b = timeless(second);
    assert_string_equal(a, b);
    free(a), free(b);
    /* What was made lives without the search that it came from. */
    assert_int_equal(nse_arch_to_json(best, &after, NULL), NSE_OK);
    assert_string_equal(before.data, after.data);
    nse_buffer_free(&before), nse_buffer_free(&after);
    nse_arch_free(best);
    nse_search_free(first), nse_search_free(second);
}

/* A search that goes on from another one can itself be saved, loaded and finished. */
static void saved_and_loaded(void **state) {
    (void)state;
    char path[] = "/tmp/nse-continued-XXXXXX";
    nse_search *old = make_search(SEARCH_JSON, NULL), *search = NULL, *copy = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_dataset *images = make_images(96);
    finish(old);
    assert_int_equal(go_on(old, LARGER_JSON, NULL, &search), NSE_OK);
    nse_search_free(old);
    close(mkstemp(path));
    assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
    desc.train = images;
    assert_int_equal(nse_search_load(path, &desc, &copy, NULL), NSE_OK);
    unlink(path);
    finish(search);
    finish(copy);
    char *a = timeless(search), *b = timeless(copy);
    assert_string_equal(a, b);
    free(a), free(b);
    nse_search_free(search), nse_search_free(copy);
    nse_dataset_free(images);
}

typedef struct {
    nse_search *search, *made;
    nse_status status;
    int freed;
} listener;

static int32_t create_inside(void *user, const nse_event *event) {
    (void)event;
    listener *l = user;
    l->status = go_on(l->search, LARGER_JSON, NULL, &l->made);
    nse_error_free(error);
    error = NULL;
    return 0;
}

static void on_free(void *user) { ++((listener *)user)->freed; }

static void not_possible(void **state) {
    (void)state;
    listener l = {NULL, NULL, NSE_OK, 0};
    nse_events events = NSE_EVENTS_INIT;
    nse_search *search = NULL;
    events.on_event = create_inside, events.user = &l, events.user_free = on_free;
    l.search = make_search(SEARCH_JSON, &events);
    events.on_event = NULL;
    expect_error(go_on(l.search, LARGER_JSON, &events, &search), NSE_ERR_INVALID_ARGUMENT, &error, "0 of 2 rounds", "continued");
    assert_int_equal(l.freed, 1);
    assert_int_equal(nse_search_step(l.search, NULL), NSE_OK);
    assert_int_equal(l.status, NSE_ERR_BUSY); /* it runs */
    expect_error(go_on(l.search, LARGER_JSON, &events, &search), NSE_ERR_INVALID_ARGUMENT, &error, "1 of 2 rounds", "continued");
    assert_int_equal(l.freed, 2);
    finish(l.search);
    const char *other_cells =
        "{\"name\": \"x\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3,"
        " \"stem\": {\"channels\": 8, \"stride\": 2}, \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\", \"channels\": 16},"
        " {\"kind\": \"normal\"}], \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\"],"
        " \"tail\": {\"channels\": 16}}";
    expect_error(go_on(l.search, other_cells, &events, &search), NSE_ERR_INVALID_ARGUMENT, &error, "cell 1 has another kind", "continued");
    assert_int_equal(l.freed, 3);
    nse_search_free(l.search);
    expect_error(go_on(l.search, LARGER_JSON, &events, &search), NSE_ERR_INVALID_HANDLE, &error, "was freed", "desc.continued");
    for (int i = 0; i < 1000 && l.freed < 5; ++i) usleep(1000);
    assert_int_equal(l.freed, 5); /* that of the search too */
}

/* Fewer architectures than candidates are wanted: said when the search is made, or by its step; accepted when that is wished. */
static void too_few(void **state) {
    (void)state;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    desc.space = space, desc.train = images;
    desc.options_json = "{\"seed\": 2, \"rounds\": 1, \"active\": 2, \"objective\": {\"low\": 30000, \"high\": 32000},"
                        " \"train\": {\"epochs\": 1, \"batch\": 16}, \"candidates\": {\"count\": 100000}, \"held_out\": 0.25}";
    nse_status status = nse_search_create(&desc, &search, &error);
    if (status == NSE_OK) status = nse_search_step(search, &error);
    expect_error(status, NSE_ERR_TOO_FEW, &error, "100000 new candidates are wanted", "\"wanted\":100000");
    nse_search_free(search);
    desc.options_json = "{\"seed\": 2, \"rounds\": 1, \"active\": 2, \"objective\": {\"low\": 30000, \"high\": 32000}, \"held_out\": 0.25,"
                        " \"train\": {\"epochs\": 1, \"batch\": 16}, \"candidates\": {\"count\": 100000, \"too_few\": \"accept\"}}";
    assert_int_equal(nse_search_create(&desc, &search, NULL), NSE_OK);
    finish(search);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(images);
}

/* While one thread goes on from a search, others save, ask and free it. */
static void *go_on_often(void *continued) {
    for (int i = 0; i < 20; ++i) {
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_space *space = NULL;
        nse_dataset *images = make_images(96);
        nse_search *search = NULL;
        nse_space_from_json(LARGER_JSON, &space, NULL);
        desc.space = space, desc.train = images, desc.options_json = SEARCH_JSON, desc.continued = continued;
        const nse_status status = nse_search_create(&desc, &search, NULL);
        nse_search_free(search);
        nse_space_free(space);
        nse_dataset_free(images);
        if (status == NSE_ERR_INVALID_HANDLE) return NULL;
        if (status != NSE_OK && status != NSE_ERR_BUSY && status != NSE_ERR_CANCELLED) return (void *)(intptr_t)status;
    }
    return NULL;
}

static void freed_meanwhile(void **state) {
    (void)state;
    nse_search *old = make_search(SEARCH_JSON, NULL);
    pthread_t threads[3];
    void *bad;
    finish(old);
    for (int i = 0; i < 3; ++i) assert_int_equal(pthread_create(&threads[i], NULL, go_on_often, old), 0);
    usleep(10000);
    nse_search_free(old);
    for (int i = 0; i < 3; ++i) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_a_front), cmocka_unit_test(saved_and_loaded), cmocka_unit_test(not_possible),
        cmocka_unit_test(too_few),      cmocka_unit_test(freed_meanwhile),
    };
    return cmocka_run_group_tests_name("continued", tests, NULL, NULL);
}
