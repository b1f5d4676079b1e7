/* Every function that takes a handle, with every kind of wrong one: an error, never a crash, and no output touched. */
#include "support.h"

#define UNTOUCHED ((void *)0x7e57)

static nse_dataset *images;
static nse_space *space;
static nse_arch *arch;
static nse_search *search;
static nse_model *model;
static nse_latency *latency;

/* Calls every function with `handle` in the place of each of its handles; good ones elsewhere. */
static void all_refuse(void *handle, nse_status expected) {
    nse_buffer buffer = {UNTOUCHED, 7, NULL};
    nse_error *error = NULL;
    uint64_t macs = 7, params = 7;
    uint32_t cells = 7, operators = 7;
    size_t count = 7;
    double number = 7, table[64];
    uint8_t flags[64];
    void *out, *second = UNTOUCHED;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_model_desc recipe = NSE_MODEL_DESC_INIT;
    nse_measure_desc measure = NSE_MEASURE_DESC_INIT;
#define REFUSED(call)                                                                                                            \
    do {                                                                                                                         \
        error = UNTOUCHED;                                                                                                       \
        out = UNTOUCHED;                                                                                                         \
        const nse_status got = call;                                                                                             \
        if (got != expected) fail_msg("%s: %s", #call, nse_status_name(got));                                                    \
        assert_ptr_not_equal(error, UNTOUCHED);                                                                                  \
        assert_int_equal(nse_error_code(error), expected);                                                                       \
        assert_true(strlen(nse_error_message(error)) > 10);                                                                      \
        nse_error_free(error);                                                                                                   \
        if (out != UNTOUCHED) assert_null(out);                                                                                  \
    } while (0)
    REFUSED(nse_space_to_json(handle, &buffer, &error));
    REFUSED(nse_space_describe(handle, NULL, &buffer, &error));
    REFUSED(nse_space_describe(handle, latency, &buffer, &error));
    REFUSED(nse_dataset_info(handle, &buffer, &error));
    REFUSED(nse_dataset_split(handle, 0.5, 0, (nse_dataset **)&out, (nse_dataset **)&second, &error));
    assert_null(second);
    REFUSED(nse_arch_from_json(handle, "{}", (nse_arch **)&out, &error));
    REFUSED(nse_arch_uniform(handle, "mbconv_k3_t3", (nse_arch **)&out, &error));
    REFUSED(nse_arch_to_json(handle, &buffer, &error));
    REFUSED(nse_arch_cost(handle, &macs, &params, &error));
    REFUSED(nse_arch_space(handle, (nse_space **)&out, &error));
    REFUSED(nse_arch_describe(handle, NULL, &buffer, &error));
    REFUSED(nse_latency_set(handle, "add,7,8,8,0,0,0,0,0", 1, &error));
    REFUSED(nse_latency_to_text(handle, "csv", &buffer, &error));
    REFUSED(nse_latency_missing(handle, space, &buffer, &error));
    REFUSED(nse_latency_missing(latency, handle, &buffer, &error));
    REFUSED(nse_latency_arch(handle, arch, &number, &error));
    REFUSED(nse_latency_arch(latency, handle, &number, &error));
    REFUSED(nse_latency_measure_arch(handle, NULL, &number, &error));
    REFUSED(nse_arch_draw(handle, "svg", &buffer, &error));
    measure.space = handle;
    REFUSED(nse_latency_measure(&measure, (nse_latency **)&out, &error));
    REFUSED(nse_search_step(handle, &error));
    REFUSED(nse_search_status(handle, &buffer, &error));
    REFUSED(nse_search_scores(handle, table, 64, &cells, &operators, &error));
    REFUSED(nse_search_active(handle, flags, 64, &cells, &operators, &error));
    REFUSED(nse_search_front_count(handle, &count, &error));
    REFUSED(nse_search_front_get(handle, 0, (nse_arch **)&out, &number, &error));
    REFUSED(nse_search_best(handle, 1, (nse_arch **)&out, &number, &error));
    REFUSED(nse_search_history(handle, &buffer, &error));
    REFUSED(nse_search_report(handle, "svg", &buffer, &error));
    REFUSED(nse_search_save(handle, "/tmp/nse-never", &error));
    REFUSED(nse_search_space(handle, (nse_space **)&out, &error));
    REFUSED(nse_search_options(handle, &buffer, &error));
    REFUSED(nse_model_evaluate(handle, images, &number, &number, &error));
    REFUSED(nse_model_evaluate(model, handle, &number, &number, &error));
    REFUSED(nse_model_export(handle, "torchscript", "/tmp/never.pt", &error));
    desc.space = handle, desc.train = images, desc.options_json = SEARCH_JSON;
    REFUSED(nse_search_create(&desc, (nse_search **)&out, &error));
    desc.space = space, desc.train = handle;
    REFUSED(nse_search_create(&desc, (nse_search **)&out, &error));
    if (handle != NULL) { /* NULL is allowed here */
        REFUSED(nse_space_describe(space, handle, &buffer, &error));
        desc.train = images, desc.held_out = handle;
        REFUSED(nse_search_create(&desc, (nse_search **)&out, &error));
        REFUSED(nse_search_load("/tmp/nse-never", &desc, (nse_search **)&out, &error));
        desc.held_out = NULL, desc.latency = handle;
        REFUSED(nse_search_create(&desc, (nse_search **)&out, &error));
        REFUSED(nse_search_load("/tmp/nse-never", &desc, (nse_search **)&out, &error));
        desc.latency = NULL, desc.continued = handle;
        REFUSED(nse_search_create(&desc, (nse_search **)&out, &error));
        desc.continued = NULL, desc.space = handle;
        REFUSED(nse_search_load("/tmp/nse-never", &desc, (nse_search **)&out, &error));
    }
    desc.space = NULL, desc.train = handle;
    REFUSED(nse_search_load("/tmp/nse-never", &desc, (nse_search **)&out, &error));
    recipe.arch = handle, recipe.train = images;
    REFUSED(nse_model_train(&recipe, (nse_model **)&out, &error));
    recipe.arch = arch, recipe.train = handle;
    REFUSED(nse_model_train(&recipe, (nse_model **)&out, &error));
#undef REFUSED
    assert_int_equal(nse_search_cancel(handle, NULL), expected);
    assert_int_equal(nse_error_code(handle), expected);
    assert_int_equal(nse_error_detail(handle, &buffer), expected);
    assert_string_equal(nse_error_message(handle), "not an error");
    /* Outputs are written on success only. */
    assert_ptr_equal(buffer.data, UNTOUCHED);
    assert_true(macs == 7 && params == 7 && cells == 7 && operators == 7 && count == 7 && number == 7);
    /* Freeing what is not a handle does nothing. */
    nse_error_free(handle);
    nse_space_free(handle);
    nse_dataset_free(handle);
    nse_arch_free(handle);
    nse_search_free(handle);
    nse_model_free(handle);
    nse_latency_free(handle);
}

static void null(void **state) {
    (void)state;
    all_refuse(NULL, NSE_ERR_INVALID_HANDLE);
}

static void garbage(void **state) {
    (void)state;
    int local = 0;
    all_refuse(&local, NSE_ERR_INVALID_HANDLE);
    all_refuse((void *)-1, NSE_ERR_INVALID_HANDLE);
    all_refuse((void *)0x1234, NSE_ERR_INVALID_HANDLE);
    /* The right kind, a slot and a generation that never were. */
    all_refuse((void *)(((uintptr_t)space & ~(uintptr_t)0xffffff) | 0xfffff0), NSE_ERR_INVALID_HANDLE);
    all_refuse((void *)((uintptr_t)space ^ ((uintptr_t)1 << 40)), NSE_ERR_INVALID_HANDLE);
}

static void freed(void **state) {
    (void)state;
    nse_dataset *d = make_images(8);
    nse_space *s = make_space();
    nse_arch *a = make_arch();
    nse_search *r = make_search(SEARCH_JSON, NULL);
    nse_model *m = make_model();
    nse_latency *l = make_table(space);
    nse_error *e = NULL;
    nse_space_from_json("{", &s, &e);
    assert_non_null(e);
    nse_dataset_free(d);
    nse_arch_free(a);
    nse_search_free(r);
    nse_model_free(m);
    nse_latency_free(l);
    nse_error_free(e);
    void *all[] = {d, a, r, m, l, e};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) all_refuse(all[i], NSE_ERR_INVALID_HANDLE);
}

/* A handle of each kind where another kind is wanted, and still good afterwards. */
static void wrong_kind(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    expect_error(nse_space_to_json((nse_space *)images, &buffer, &error), NSE_ERR_INVALID_HANDLE, &error, "a dataset, not of a space",
                 "\"argument\":\"space\"");
    expect_error(nse_dataset_info((nse_dataset *)space, &buffer, &error), NSE_ERR_INVALID_HANDLE, &error, "a space, not of a dataset", "{");
    expect_error(nse_arch_to_json((nse_arch *)model, &buffer, &error), NSE_ERR_INVALID_HANDLE, &error, "a model, not of an", "{");
    expect_error(nse_search_step((nse_search *)arch, &error), NSE_ERR_INVALID_HANDLE, &error, "an architecture, not of a search", "{");
    expect_error(nse_model_evaluate((nse_model *)search, images, NULL, NULL, &error), NSE_ERR_INVALID_HANDLE, &error,
                 "a search, not of a model", "{");
    expect_error(nse_latency_to_text((nse_latency *)space, "csv", &buffer, &error), NSE_ERR_INVALID_HANDLE, &error,
                 "a space, not of a latency table", "\"argument\":\"latency\"");
    expect_error(nse_latency_arch(latency, (nse_arch *)latency, NULL, &error), NSE_ERR_INVALID_HANDLE, &error,
                 "a latency table, not of an architecture", "\"argument\":\"arch\"");
    nse_latency_free((nse_latency *)model);
    nse_arch_free((nse_arch *)latency);
    nse_space_free((nse_space *)images);
    nse_model_free((nse_model *)space);
    assert_int_equal(nse_dataset_info(images, &buffer, NULL), NSE_OK);
    assert_string_equal(buffer.data, "{\"channels\":1,\"classes\":3,\"height\":12,\"images\":96,\"width\":12}");
    assert_int_equal(buffer.len, strlen(buffer.data));
    nse_buffer_free(&buffer);
    assert_null(buffer.data);
    nse_buffer_free(&buffer);
    assert_int_equal(nse_space_to_json(space, &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
}

/* What was made from a thing lives on when the thing is freed. */
static void freed_in_any_order(void **state) {
    (void)state;
    nse_dataset *first, *second, *all = make_images(90);
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_dataset_split(all, 0.2, 1, &first, &second, NULL), NSE_OK);
    nse_dataset_free(all);
    assert_int_equal(nse_dataset_info(second, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"images\":18"));
    nse_buffer_free(&buffer);
    nse_search *free_standing = make_search(SEARCH_JSON, NULL); /* frees its space and images itself */
    assert_int_equal(nse_search_step(free_standing, NULL), NSE_OK);
    nse_arch *best = NULL;
    assert_int_equal(nse_search_best(free_standing, 90000, &best, NULL, NULL), NSE_OK);
    nse_space *its_space = NULL, *of_best = NULL;
    assert_int_equal(nse_search_space(free_standing, &its_space, NULL), NSE_OK);
    nse_search_free(free_standing);
    assert_int_equal(nse_arch_space(best, &of_best, NULL), NSE_OK);
    assert_ptr_not_equal(its_space, of_best); /* one space, a handle each */
    nse_space_free(its_space);
    assert_int_equal(nse_space_to_json(of_best, &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    nse_space_free(of_best);
    assert_int_equal(nse_arch_to_json(best, &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    nse_arch_free(best);
    nse_dataset_free(first);
    nse_dataset_free(second);
}

static int setup(void **state) {
    (void)state;
    images = make_images(96), space = make_space(), arch = make_arch(), search = make_search(SEARCH_JSON, NULL), model = make_model();
    latency = make_table(space);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    nse_latency_free(latency);
    nse_model_free(model);
    nse_search_free(search);
    nse_arch_free(arch);
    nse_space_free(space);
    nse_dataset_free(images);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null),       cmocka_unit_test(garbage),           cmocka_unit_test(freed),
        cmocka_unit_test(wrong_kind), cmocka_unit_test(freed_in_any_order),
    };
    return cmocka_run_group_tests_name("handles", tests, setup, teardown);
}
