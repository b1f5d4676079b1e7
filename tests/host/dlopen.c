/* A host that links nothing: it loads libnse.so itself, keeps it to itself, trains, closes it, and goes on with what it has.
 *
 *     dlopen FOLDER-OF-LIBNSE
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
#define NODE "NSE_" TEXT(NSE_ABI_VERSION)
#define SONAME "libnse.so." TEXT(NSE_ABI_VERSION)
#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))
/* A function of the library, found as a host finds it. */
#define NSE(library, name) ((__typeof__(&name))find(library, #name))

static void fail(int line, const char *what) {
    const char *why = dlerror();
    fprintf(stderr, "dlopen.c:%d: not true: %s%s%s\n", line, what, why ? ": " : "", why ? why : "");
    exit(1);
}

static void *find(void *library, const char *name) {
    void *function = dlsym(library, name);
    if (function == NULL) fail(__LINE__, name);
    CHECK(dlvsym(library, name, NODE) == function);
    return function;
}

static void *load(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CHECK(library != NULL);
    return library;
}

static nse_arch *make_arch(void *library) {
    nse_space *space = NULL;
    nse_arch *arch = NULL;
    CHECK(NSE(library, nse_space_from_json)("{\"name\": \"tiny\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12},"
                                            " \"classes\": 3, \"stem\": {\"channels\": 8, \"stride\": 2},"
                                            " \"cells\": [{\"kind\": \"normal\"}], \"operators\": [\"mbconv_k3_t1\"],"
                                            " \"tail\": {\"channels\": 16}}",
                                            &space, NULL) == NSE_OK);
    CHECK(NSE(library, nse_arch_uniform)(space, "mbconv_k3_t1", &arch, NULL) == NSE_OK);
    NSE(library, nse_space_free)(space);
    return arch;
}

static nse_model *train(void *library, nse_arch *arch) {
    enum { COUNT = 48 };
    static uint8_t pixels[COUNT * 144];
    static uint32_t labels[COUNT];
    nse_images images = NSE_IMAGES_INIT;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_dataset *dataset = NULL;
    nse_model *model = NULL;
    nse_error *error = NULL;
    for (uint32_t i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint32_t i = 0; i < COUNT; ++i) labels[i] = i % 3;
    images.channels = 1, images.height = images.width = 12, images.count = COUNT, images.pixels = pixels, images.labels = labels;
    CHECK(NSE(library, nse_dataset_from_memory)(&images, &dataset, NULL) == NSE_OK);
    desc.arch = arch, desc.train = dataset;
    desc.options_json = "{\"train\": {\"epochs\": 1, \"batch\": 16}, \"calibration\": 16}";
    if (NSE(library, nse_model_train)(&desc, &model, &error) != NSE_OK) fail(__LINE__, NSE(library, nse_error_message)(error));
    NSE(library, nse_dataset_free)(dataset);
    return model;
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    CHECK(dlopen(SONAME, RTLD_NOW | RTLD_NOLOAD) == NULL);
    void *first = load(argv[1], "libnse.so");
    /* Neither its names nor those of what it brought are anybody else's. */
    CHECK(dlsym(RTLD_DEFAULT, "nse_abi_check") == NULL);
    CHECK(dlsym(RTLD_DEFAULT, "aoti_torch_abi_version") == NULL);
    CHECK(NSE(first, nse_abi_check)(NSE_ABI_VERSION) == NSE_OK);

    /* By another name, and by the name in the file: one library, one state. */
    void *second = load(argv[1], SONAME), *third = dlopen(SONAME, RTLD_NOW | RTLD_NOLOAD);
    CHECK(second == first && third == first);
    nse_arch *arch = make_arch(first);
    uint64_t macs = 0;
    CHECK(NSE(second, nse_arch_cost)(arch, &macs, NULL, NULL) == NSE_OK && macs > 0);
    nse_model *model = train(second, arch);

    /* Closed once more than needed would be to unload it: it is still there, with all that it holds. */
    __typeof__(&nse_arch_cost) cost = NSE(first, nse_arch_cost);
    CHECK(dlclose(third) == 0 && dlclose(second) == 0 && dlclose(first) == 0);
    macs = 0;
    CHECK(cost(arch, &macs, NULL, NULL) == NSE_OK && macs > 0);
    void *again = load(argv[1], "libnse.so");
    CHECK(NSE(again, nse_arch_cost) == cost);
    NSE(again, nse_arch_free)(arch);
    CHECK(cost(arch, &macs, NULL, NULL) == NSE_ERR_INVALID_HANDLE);
    nse_model *more = train(again, arch = make_arch(again));
    NSE(again, nse_model_free)(model);
    NSE(again, nse_model_free)(more);
    NSE(again, nse_arch_free)(arch);
    CHECK(dlclose(again) == 0);
    return 0;
}
