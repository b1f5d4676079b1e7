/* A build without libtorch: the whole ABI is there, and what would train says that it cannot. */
#include "support.h"

/* A checkpoint that a build with libtorch wrote. */
static const char *checkpoint;

static void pure_calls_work(void **state) {
    (void)state;
    nse_arch *arch = make_arch();
    nse_buffer buffer = NSE_BUFFER_INIT;
    uint64_t macs = 0;
    assert_int_equal(nse_arch_cost(arch, &macs, NULL, NULL), NSE_OK);
    assert_true(macs > 0);
    assert_int_equal(nse_runtime_info(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"torch\":false"));
    nse_buffer_free(&buffer);
    nse_arch_free(arch);
}

/* Everything of a latency table but measuring one. */
static void latency_tables_work(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_space *space = make_space();
    nse_arch *arch = make_arch(), *published = NULL;
    nse_latency *table = make_table(space), *again = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_measure_desc desc = NSE_MEASURE_DESC_INIT;
    double time = 0, same = 0;
    assert_int_equal(nse_latency_arch(table, arch, &time, NULL), NSE_OK);
    assert_true(time > 0);
    const char *formats[] = {"csv", "json"};
    for (int i = 0; i < 2; ++i) {
        assert_int_equal(nse_latency_to_text(table, formats[i], &buffer, NULL), NSE_OK);
        assert_int_equal(nse_latency_parse(buffer.data, &again, NULL), NSE_OK);
        assert_int_equal(nse_latency_arch(again, arch, &same, NULL), NSE_OK);
        assert_true(time == same);
        nse_buffer_free(&buffer);
        nse_latency_free(again);
    }
    assert_int_equal(nse_space_describe(space, table, &buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"latency\":{"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_measure_options_schema(&buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    assert_int_equal(nse_search_options_presets(&buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    assert_int_equal(nse_arch_preset("nsenet-27", NULL, &published, NULL), NSE_OK);
    expect_error(nse_latency_arch(table, published, NULL, &error), NSE_ERR_MISSING_LATENCY, &error, "lacks", "\"missing\":[");
    desc.space = space;
    expect_error(nse_latency_measure(&desc, &again, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    assert_null(again);
    desc.options_json = "{\"batch\": 0}"; /* options are still checked first */
    expect_error(nse_latency_measure(&desc, &again, &error), NSE_ERR_CONFIG, &error, "0 is not in", "\"/batch\"");
    nse_latency_free(table);
    nse_arch_free(arch), nse_arch_free(published);
    nse_space_free(space);
}

/* Only looked at: the search of a build with libtorch, its front and its pages. */
static void checkpoints_are_looked_at(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *search = NULL;
    nse_arch *arch = make_arch();
    const char *formats[] = {"html", "json", "svg", "png"};
    double time = 0;
    desc.flags = NSE_SEARCH_LOOK;
    assert_int_equal(nse_search_load(checkpoint, &desc, &search, NULL), NSE_OK);
    for (int i = 0; i < 4; ++i) {
        nse_buffer buffer = NSE_BUFFER_INIT;
        assert_int_equal(nse_search_report(search, formats[i], &buffer, NULL), NSE_OK);
        assert_true(buffer.len > 500);
        nse_buffer_free(&buffer);
    }
    expect_error(nse_latency_measure_arch(arch, NULL, &time, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    nse_arch_free(arch);
    nse_search_free(search);
}

static int freed;

static void on_free(void *user) {
    (void)user;
    ++freed;
}

static void training_is_unsupported(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_model_desc recipe = NSE_MODEL_DESC_INIT;
    nse_space *space = make_space();
    nse_arch *arch = make_arch();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    nse_model *model = NULL;
    nse_op *op = (nse_op *)&recipe;
    desc.space = space, desc.train = images, desc.options_json = SEARCH_JSON;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    desc.options_json = "{}"; /* options are still checked first */
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG, &error, "objective", "{");
    nse_events events = NSE_EVENTS_INIT;
    events.user_free = on_free;
    desc.space = NULL, desc.options_json = NULL, desc.events = &events;
    expect_error(nse_search_load("/no/such/file", &desc, &search, &error), NSE_ERR_IO, &error, "/no/such/file", "{");
    expect_error(nse_search_load(checkpoint, &desc, &search, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    assert_int_equal(freed, 2);
    assert_null(search);
    recipe.arch = arch, recipe.train = images;
    expect_error(nse_model_train(&recipe, &model, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    recipe.events = &events;
    expect_error(nse_model_train_async(&recipe, &op, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    assert_null(op);
    assert_int_equal(freed, 3);
    nse_space_free(space);
    nse_arch_free(arch);
    nse_dataset_free(images);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pure_calls_work), cmocka_unit_test(latency_tables_work),
                                       cmocka_unit_test(checkpoints_are_looked_at), cmocka_unit_test(training_is_unsupported)};
    if (argc != 2) return 2;
    checkpoint = argv[1];
    return cmocka_run_group_tests_name("unsupported", tests, NULL, NULL);
}
