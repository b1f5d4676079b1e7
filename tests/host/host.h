/* What the hosts share: a small search and a small model that they make themselves, and short ways to say what must be true. */
#ifndef NSE_TEST_HOST_H
#define NSE_TEST_HOST_H

#include "alone.h"
#include "texts.h"

#include <nse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(x) ((x) ? (void)0 : host_fail(__FILE__, __LINE__, #x, 0))
#define EXPECT(call, status) host_expect(__FILE__, __LINE__, #call, (call), (status))

static inline void host_fail(const char *file, int line, const char *what, nse_status got) {
    const char *name = strrchr(file, '/');
    fprintf(stderr, "%s:%d: not true: %s (%s)\n", name ? name + 1 : file, line, what, nse_status_name(got));
    _exit(1);
}

static inline void host_expect(const char *file, int line, const char *what, nse_status got, nse_status status) {
    if (got != status) host_fail(file, line, what, got);
}

static inline nse_dataset *host_images(uint32_t count) {
    nse_images images = NSE_IMAGES_INIT;
    uint8_t *pixels = (uint8_t *)malloc((size_t)count * 144);
    uint32_t *labels = (uint32_t *)malloc(count * sizeof *labels);
    for (uint32_t i = 0; i < count * 144; ++i) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint32_t i = 0; i < count; ++i) labels[i] = i % 3;
    images.channels = 1, images.height = images.width = 12, images.count = count, images.pixels = pixels, images.labels = labels;
    nse_dataset *dataset = NULL;
    EXPECT(nse_dataset_from_memory(&images, &dataset, NULL), NSE_OK);
    free(pixels);
    free(labels);
    return dataset;
}

static inline nse_space *host_space(void) {
    nse_space *space = NULL;
    EXPECT(nse_space_from_json(SPACE_TEXT, &space, NULL), NSE_OK);
    return space;
}

static inline nse_arch *host_arch(void) {
    nse_space *space = host_space();
    nse_arch *arch = NULL;
    EXPECT(nse_arch_uniform(space, "mbconv_k3_t3", &arch, NULL), NSE_OK);
    nse_space_free(space);
    return arch;
}

static inline nse_search *host_search(const nse_events *events) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = host_space();
    nse_dataset *images = host_images(96);
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = SEARCH_TEXT, desc.events = events;
    EXPECT(nse_search_create(&desc, &search, NULL), NSE_OK);
    nse_space_free(space);
    nse_dataset_free(images);
    return search;
}

static inline nse_restoration *host_restoration(void) {
    nse_picture picture = NSE_PICTURE_INIT;
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    nse_restoration *restoration = NULL;
    float values[64];
    for (int i = 0; i < 64; ++i) values[i] = (float)(i % 7) / 7;
    picture.channels = 1, picture.height = picture.width = 8, picture.data = values;
    desc.picture = &picture, desc.options_json = RESTORATION_TEXT;
    EXPECT(nse_restoration_create(&desc, &restoration, NULL), NSE_OK);
    return restoration;
}

static inline nse_comm *host_comm(void) {
    nse_comm_desc desc = NSE_COMM_DESC_INIT;
    nse_comm *comm = NULL;
    desc.size = 1;
    desc.sum = alone_sum, desc.max = alone_max, desc.broadcast = alone_broadcast, desc.gather = alone_gather, desc.barrier = alone_barrier;
    EXPECT(nse_comm_create(&desc, &comm, NULL), NSE_OK);
    return comm;
}

static inline nse_model *host_model(void) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = host_arch();
    nse_dataset *images = host_images(48);
    nse_model *model = NULL;
    desc.arch = arch, desc.train = images, desc.options_json = MODEL_TEXT;
    EXPECT(nse_model_train(&desc, &model, NULL), NSE_OK);
    nse_arch_free(arch);
    nse_dataset_free(images);
    return model;
}

#endif
