/* A user's program in C: says which libtorch runs, trains a network on images of its own, and prints its size. */
#include <nse.h>
#include <stdio.h>

enum { IMAGES = 32, SIZE = 12 * 12 };
static uint8_t pixels[IMAGES * SIZE];
static uint32_t labels[IMAGES];

int main(void) {
    static const char *space_json =
        "{\"name\": \"mine\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 2, \"stem\": {\"channels\": 4, \"stride\": 1}, \"tail\": {\"channels\": 8},"
        " \"cells\": [{\"kind\": \"reduce\", \"channels\": 8}], \"operators\": [\"mbconv_k3_t1\", \"conv_k3_t1\"]}";
    nse_error *error = NULL;
    nse_buffer info = NSE_BUFFER_INIT;
    nse_space *space = NULL;
    nse_arch *arch = NULL;
    nse_dataset *train = NULL;
    nse_model *model = NULL;
    nse_images images = NSE_IMAGES_INIT;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    uint64_t params = 0;
    for (int i = 0; i < IMAGES * SIZE; ++i) labels[i / SIZE] = i / SIZE % 2, pixels[i] = (i / SIZE % 2 ? i : i / 12) % 4 < 2 ? 200 : 20;
    images.channels = 1, images.height = images.width = 12, images.count = IMAGES, images.pixels = pixels, images.labels = labels;

    nse_status status = nse_abi_check(NSE_ABI_VERSION);
    if (status == NSE_OK) status = nse_runtime_info(&info, &error);
    if (status == NSE_OK) status = nse_space_from_json(space_json, &space, &error);
    if (status == NSE_OK) status = nse_arch_uniform(space, "mbconv_k3_t1", &arch, &error);
    if (status == NSE_OK) status = nse_dataset_from_memory(&images, &train, &error);
    desc.arch = arch, desc.train = train, desc.options_json = "{\"train\": {\"epochs\": 1, \"batch\": 16}}";
    if (status == NSE_OK) status = nse_model_train(&desc, &model, &error);
    if (status == NSE_OK) status = nse_model_evaluate(model, train, NULL, NULL, &error);
    if (status == NSE_OK) status = nse_arch_cost(arch, NULL, &params, &error);
    if (status < 0) fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error));
    else printf("%s\n%d parameters\n", info.data, (int)params);
    nse_buffer_free(&info), nse_error_free(error);
    nse_model_free(model), nse_dataset_free(train), nse_arch_free(arch), nse_space_free(space);
    return status < 0;
}
