/* What several hosts share: a small space, images, searches and models, and short ways to say what must be true. */
#ifndef NSE_HOST_SUPPORT_H
#define NSE_HOST_SUPPORT_H

#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(x) ((x) ? (void)0 : fail(__FILE__, __LINE__, #x))
/* The call gives this status; otherwise its error is told. */
#define EXPECT(status, ...)                                                                                                    \
    do {                                                                                                                       \
        nse_error *error = NULL;                                                                                               \
        const nse_status got = (__VA_ARGS__);                                                                                  \
        if (got != (status)) {                                                                                                 \
            fprintf(stderr, "%s: %s\n", nse_status_name(got), error ? nse_error_message(error) : "");                          \
            fail(__FILE__, __LINE__, #__VA_ARGS__);                                                                            \
        }                                                                                                                      \
        nse_error_free(error);                                                                                                 \
    } while (0)

static inline void fail(const char *file, int line, const char *what) {
    fprintf(stderr, "%s:%d: not true: %s\n", file, line, what);
    exit(1);
}

static inline nse_space *make_space(void) {
    nse_space *space = NULL;
    EXPECT(NSE_OK, nse_space_from_json("{\"name\": \"tiny\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12},"
                                       " \"classes\": 3, \"stem\": {\"channels\": 8, \"stride\": 1},"
                                       " \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\", \"channels\": 12}],"
                                       " \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\"],"
                                       " \"tail\": {\"channels\": 16}}",
                                       &space, &error));
    return space;
}

/* Stripes in three directions. */
static inline nse_dataset *make_images(uint32_t count) {
    nse_images images = NSE_IMAGES_INIT;
    uint8_t *pixels = (uint8_t *)malloc((size_t)count * 144);
    uint32_t *labels = (uint32_t *)malloc(count * sizeof *labels);
    for (uint32_t i = 0; i < count * 144; ++i) {
        const uint32_t y = i % 144 / 12, x = i % 12, along[3] = {y, x, x + y};
        pixels[i] = along[i / 144 % 3] % 4 < 2 ? 200 : 40;
    }
    for (uint32_t i = 0; i < count; ++i) labels[i] = i % 3;
    images.channels = 1, images.height = images.width = 12, images.count = count, images.pixels = pixels, images.labels = labels;
    nse_dataset *dataset = NULL;
    EXPECT(NSE_OK, nse_dataset_from_memory(&images, &dataset, &error));
    free(pixels);
    free(labels);
    return dataset;
}

/* Two rounds of `epochs` passes; a step is 16 images of 72. */
static inline nse_search *make_search(unsigned seed, unsigned epochs, const nse_events *events) {
    char options[512];
    snprintf(options, sizeof options,
             "{\"seed\": %u, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 1, \"high\": 1e9, \"target\": 1e5},"
             " \"train\": {\"epochs\": %u, \"batch\": 16}, \"candidates\": {\"count\": 4, \"extras\": 0},"
             " \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25}",
             seed, epochs);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = options, desc.events = events;
    EXPECT(NSE_OK, nse_search_create(&desc, &search, &error));
    nse_space_free(space);
    nse_dataset_free(images);
    return search;
}

static inline nse_model *make_model(const nse_events *events) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_space *space = make_space();
    nse_arch *arch = NULL;
    nse_dataset *images = make_images(96);
    nse_model *model = NULL;
    EXPECT(NSE_OK, nse_arch_uniform(space, "mbconv_k3_t3", &arch, &error));
    desc.arch = arch, desc.train = images, desc.events = events;
    desc.options_json = "{\"train\": {\"epochs\": 2, \"batch\": 16}, \"calibration\": 64}";
    EXPECT(NSE_OK, nse_model_train(&desc, &model, &error));
    nse_space_free(space);
    nse_arch_free(arch);
    nse_dataset_free(images);
    return model;
}

#endif
