/* What the C tests share: images and spaces that they make themselves, and short ways to say what must be true. */
#ifndef NSE_TEST_SUPPORT_H
#define NSE_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPACE_JSON                                                                                                               \
    "{\"name\": \"tiny\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3,"                           \
    " \"stem\": {\"channels\": 8, \"stride\": 2},"                                                                              \
    " \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\", \"channels\": 12}, {\"kind\": \"normal\"}],"                     \
    " \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\"], \"tail\": {\"channels\": 16}}"
#define SEARCH_JSON                                                                                                              \
    "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000},"                               \
    " \"train\": {\"epochs\": 2, \"batch\": 16}, \"candidates\": {\"count\": 4, \"extras\": 2},"                                 \
    " \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25}"
#define MODEL_JSON "{\"train\": {\"epochs\": 2, \"batch\": 16}, \"calibration\": 64}"

/* Stripes in three directions. */
static inline nse_dataset *make_images(uint32_t count) {
    nse_images images = NSE_IMAGES_INIT;
    uint8_t *pixels = malloc((size_t)count * 144);
    uint32_t *labels = malloc(count * sizeof *labels), state = 1;
    for (uint32_t i = 0; i < count * 144; ++i) {
        const uint32_t y = i % 144 / 12, x = i % 12, along[3] = {y, x, x + y};
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)((along[i / 144 % 3] % 4 < 2 ? 160 : 40) + (state >> 26));
    }
    for (uint32_t i = 0; i < count; ++i) labels[i] = i % 3;
    images.channels = 1, images.height = images.width = 12, images.count = count, images.pixels = pixels, images.labels = labels;
    nse_dataset *dataset = NULL;
    assert_int_equal(nse_dataset_from_memory(&images, &dataset, NULL), NSE_OK);
    free(pixels);
    free(labels);
    return dataset;
}

static inline nse_space *make_space(void) {
    nse_space *space = NULL;
    assert_int_equal(nse_space_from_json(SPACE_JSON, &space, NULL), NSE_OK);
    return space;
}

static inline nse_arch *make_arch(void) {
    nse_space *space = make_space();
    nse_arch *arch = NULL;
    assert_int_equal(nse_arch_uniform(space, "mbconv_k3_t3", &arch, NULL), NSE_OK);
    nse_space_free(space);
    return arch;
}

static inline char *code_of(const nse_arch *arch) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_arch_code(arch, &buffer, NULL), NSE_OK);
    char *code = strdup(buffer.data);
    nse_buffer_free(&buffer);
    return code;
}

/* Everything the search needs is freed at once: it keeps what it uses. */
static inline nse_search *make_search(const char *options, const nse_events *events) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    nse_error *error = NULL;
    desc.space = space, desc.train = images, desc.options_json = options, desc.events = events;
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    nse_space_free(space);
    nse_dataset_free(images);
    return search;
}

static inline nse_model *make_model(void) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = make_arch();
    nse_dataset *images = make_images(96);
    nse_model *model = NULL;
    desc.arch = arch, desc.train = images, desc.options_json = MODEL_JSON;
    assert_int_equal(nse_model_train(&desc, &model, NULL), NSE_OK);
    nse_arch_free(arch);
    nse_dataset_free(images);
    return model;
}

/* A time for everything that a space needs, in quarters: sums of them are exact. */
static inline nse_latency *make_table(const nse_space *space) {
    nse_latency *table = NULL;
    nse_buffer missing = NSE_BUFFER_INIT;
    double time = 0;
    assert_int_equal(nse_latency_create(NULL, &table, NULL), NSE_OK);
    assert_int_equal(nse_latency_missing(table, space, &missing, NULL), NSE_OK);
    for (char *key = strtok(missing.data, "[\"]"); key != NULL; key = strtok(NULL, "[\"]")) { /* keys, and commas between them */
        if (*key != ',') assert_int_equal(nse_latency_set(table, key, time += 0.25, NULL), NSE_OK);
    }
    assert_true(time > 4);
    nse_buffer_free(&missing);
    return table;
}

/* History without the wall-clock times, which are the last field of every line. */
static inline char *timeless(const nse_search *search) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_search_history(search, &buffer, NULL), NSE_OK);
    char *text = strdup(buffer.data), *from = text, *to = text;
    nse_buffer_free(&buffer);
    while (*from != '\0') {
        if (strncmp(from, "\"seconds\"", 9) == 0) from = strchr(from, '\n');
        *to++ = *from++;
    }
    *to = '\0';
    return text;
}

/* The call failed with `status`, and `error` says so with a text and a detail that contain what they should. Frees the error. */
static inline void expect_error(nse_status got, nse_status status, nse_error **error, const char *text, const char *detail) {
    nse_buffer json = NSE_BUFFER_INIT;
    if (got != status) fail_msg("%s instead of %s: %s", nse_status_name(got), nse_status_name(status), nse_error_message(*error));
    assert_non_null(*error);
    assert_int_equal(nse_error_code(*error), status);
    if (strstr(nse_error_message(*error), text) == NULL) fail_msg("\"%s\" is not in \"%s\"", text, nse_error_message(*error));
    assert_int_equal(nse_error_detail(*error, &json), NSE_OK);
    if (strstr(json.data, detail) == NULL) fail_msg("\"%s\" is not in %s", detail, json.data);
    nse_buffer_free(&json);
    nse_error_free(*error);
    *error = NULL;
}

#endif
