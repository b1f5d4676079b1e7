/* A build without libtorch: the whole ABI is there, and what would train says that it cannot. */
#include "support.h"

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
    desc.space = space, desc.train = images, desc.options_json = SEARCH_JSON;
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    desc.options_json = "{}"; /* options are still checked first */
    expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG, &error, "objective", "{");
    recipe.arch = arch, recipe.train = images;
    expect_error(nse_model_train(&recipe, &model, &error), NSE_ERR_UNSUPPORTED, &error, "needs libtorch", "{");
    nse_space_free(space);
    nse_arch_free(arch);
    nse_dataset_free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(pure_calls_work), cmocka_unit_test(training_is_unsupported)};
    return cmocka_run_group_tests_name("unsupported", tests, NULL, NULL);
}
