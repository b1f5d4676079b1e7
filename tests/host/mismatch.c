/* A process whose libtorch is another version: everything that would use it says so, and the rest works.
 *
 *     mismatch make FILE     with the right libtorch: leaves a checkpoint
 *     mismatch refuse FILE   with torch_2_12.c before it
 */
#include "support.h"

#define REFUSED(...)                                                                                                           \
    do {                                                                                                                       \
        nse_error *error = NULL;                                                                                               \
        const nse_status status = (__VA_ARGS__);                                                                               \
        refused(status, error);                                                                                                \
    } while (0)

static void refused(nse_status status, nse_error *error) {
    nse_buffer detail = NSE_BUFFER_INIT;
    CHECK(status == NSE_ERR_TORCH_MISMATCH && nse_error_code(error) == NSE_ERR_TORCH_MISMATCH);
    CHECK(strcmp(nse_status_name(status), "NSE_ERR_TORCH_MISMATCH") == 0);
    const char *text = nse_error_message(error);
    /* Both files, both versions. */
    if (!strstr(text, "2.12.7") || !strstr(text, "2.13") || !strstr(text, "torch_2_12.so") || !strstr(text, "libnse.so")) fail(__FILE__, __LINE__, text);
    CHECK(strstr(text, "libtorch_cpu.so") != NULL);
    CHECK(nse_error_detail(error, &detail) == NSE_OK);
    for (const char **key = (const char *[]){"\"version\":\"2.12.7\"", "\"made_for\":\"2.13\"", "\"file\":\"/", "\"nse\":\"/", "\"others\":[\"/", NULL}; *key; ++key) {
        if (!strstr(detail.data, *key)) fail(__FILE__, __LINE__, detail.data);
    }
    nse_buffer_free(&detail);
    nse_error_free(error);
}

static void refuse(const char *file) {
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_arch *arch = NULL;
    uint64_t macs = 0;
    EXPECT(NSE_OK, nse_arch_uniform(space, "mbconv_k3_t3", &arch, &error));
    EXPECT(NSE_OK, nse_arch_cost(arch, &macs, NULL, &error));
    CHECK(macs > 0);

    nse_search *search = (nse_search *)1;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space, desc.train = images;
    desc.options_json = "{\"objective\": {\"low\": 1, \"high\": 1e9, \"target\": 1e5}, \"active\": 3, \"candidates\": {\"count\": 4}}";
    REFUSED(nse_search_create(&desc, &search, &error));
    CHECK(search == NULL);
    desc.options_json = NULL;
    REFUSED(nse_search_load(file, &desc, &search, &error));

    nse_model_desc training = NSE_MODEL_DESC_INIT;
    nse_model *model = (nse_model *)1;
    nse_op *op = (nse_op *)1;
    training.arch = arch, training.train = images;
    REFUSED(nse_model_train(&training, &model, &error));
    CHECK(model == NULL);
    REFUSED(nse_model_train_async(&training, &op, &error));
    CHECK(op == NULL);

    nse_measure_desc measuring = NSE_MEASURE_DESC_INIT;
    nse_latency *latency = NULL;
    measuring.space = space;
    REFUSED(nse_latency_measure(&measuring, &latency, &error));

    /* What is here can be told all the same. */
    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_runtime_info(&info, &error));
    if (!strstr(info.data, "\"version\":\"2.12.7\"") || !strstr(info.data, "\"problem\":\"libtorch 2.12.7 (")) fail(__FILE__, __LINE__, info.data);
    nse_buffer_free(&info);

    /* And the rest works. */
    EXPECT(NSE_OK, nse_latency_create(NULL, &latency, &error));
    EXPECT(NSE_OK, nse_latency_missing(latency, space, &info, &error));
    CHECK(info.len > 100);
    nse_buffer_free(&info);
    EXPECT(NSE_OK, nse_arch_describe(arch, NULL, &info, &error));
    nse_buffer_free(&info);
    nse_latency_free(latency);
    nse_arch_free(arch);
    nse_space_free(space);
    nse_dataset_free(images);
    EXPECT(NSE_OK, nse_shutdown(NSE_FOREVER, &error));
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    if (strcmp(argv[1], "make") == 0) {
        nse_search *search = make_search(1, 1, NULL);
        EXPECT(NSE_OK, nse_search_save(search, argv[2], &error));
        nse_search_free(search);
    } else {
        refuse(argv[2]);
    }
    return 0;
}
