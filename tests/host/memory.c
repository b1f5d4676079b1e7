/* A host that runs out of memory: a step that needs more than there is says so and loses nothing; with more room it goes on, and ends
 * as if nothing had happened. And what the library estimates beforehand is about what it takes. */
#define _GNU_SOURCE
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define CHECK(x) ((x) ? (void)0 : fail(__LINE__, #x))

enum { COUNT = 300, SIDE = 40, STEPS = 3 };

static void fail(int line, const char *what) {
    fprintf(stderr, "memory.c:%d: not true: %s\n", line, what);
    exit(1);
}

static nse_dataset *images(void) {
    static uint8_t pixels[COUNT * SIDE * SIDE];
    static uint32_t labels[COUNT];
    nse_images images = NSE_IMAGES_INIT;
    nse_dataset *dataset = NULL;
    for (uint32_t i = 0; i < sizeof pixels; ++i) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint32_t i = 0; i < COUNT; ++i) labels[i] = i % 3;
    images.channels = 1, images.height = images.width = SIDE, images.count = COUNT, images.pixels = pixels, images.labels = labels;
    CHECK(nse_dataset_from_memory(&images, &dataset, NULL) == NSE_OK);
    return dataset;
}

static nse_search *make(void) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = NULL;
    nse_dataset *dataset = images();
    nse_search *search = NULL;
    nse_error *error = NULL;
    CHECK(nse_space_from_json("{\"name\": \"wide\", \"input\": {\"channels\": 1, \"height\": 40, \"width\": 40}, \"classes\": 3,"
                              " \"stem\": {\"channels\": 16, \"stride\": 1}, \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\","
                              " \"channels\": 24}], \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\"],"
                              " \"tail\": {\"channels\": 32}}",
                              &space, NULL) == NSE_OK);
    desc.space = space, desc.train = dataset;
    desc.options_json = "{\"seed\": 1, \"rounds\": 1, \"active\": 3, \"objective\": {\"low\": 1, \"high\": 100000000},"
                        " \"train\": {\"epochs\": 1.5, \"batch\": 128}, \"candidates\": {\"count\": 2, \"extras\": 0},"
                        " \"score\": {\"calibration\": 64, \"batch\": 64}, \"held_out\": 0.1}";
    if (nse_search_create(&desc, &search, &error) != NSE_OK) fail(__LINE__, nse_error_message(error));
    nse_space_free(space);
    nse_dataset_free(dataset);
    return search;
}

/* A line of /proc/self/status, in bytes. */
static size_t status(const char *key) {
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) sscanf(line + strlen(key), ": %zu", &kilobytes);
    }
    fclose(file);
    return kilobytes * 1024;
}

static char *history(nse_search *search) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    CHECK(nse_search_history(search, &buffer, NULL) == NSE_OK);
    char *text = strdup(buffer.data), *seconds = strstr(text, "\"seconds\"");
    CHECK(seconds != NULL);
    *seconds = '\0';
    nse_buffer_free(&buffer);
    return text;
}

static double number(const char *json, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(json, quoted);
    CHECK(at != NULL);
    return strtod(at + strlen(quoted), NULL);
}

int main(void) {
    nse_search *undisturbed = make();
    nse_buffer estimate = NSE_BUFFER_INIT;
    CHECK(nse_search_estimate(undisturbed, &estimate, NULL) == NSE_OK);
    const size_t before = status("VmRSS");
    const double peak = number(estimate.data, "peak"), usual = number(estimate.data, "training"), seconds = number(estimate.data, "round");
    CHECK(number(estimate.data, "steps") == STEPS && number(estimate.data, "candidates") == 2 && number(estimate.data, "rounds") == 1);
    nse_buffer_free(&estimate);
    nse_error *error = NULL;
    CHECK(nse_search_step(undisturbed, NULL) == NSE_DONE);
    char *expected = history(undisturbed);
    nse_search_free(undisturbed);
    /* It ends on its own thread: only then its memory is given back, which would be room for the next one. */
    CHECK(nse_shutdown(NSE_FOREVER, NULL) == NSE_OK);
    const double used = (double)(status("VmHWM") - before);
    /* Between about what half of all branches take and what all take. */
    if (seconds <= 0 || used < 0.5 * usual || used > 1.5 * peak) {
        fprintf(stderr, "memory.c: estimated %.0f to %.0f MB and %.2f s; the process had %.0f MB more at most\n", usual / 1e6, peak / 1e6, seconds, used / 1e6);
        return 1;
    }

    nse_search *search = make();
    struct rlimit all;
    CHECK(getrlimit(RLIMIT_AS, &all) == 0);
    int refused = 0;
    nse_status result = NSE_OK;
    /* A little more each time; libtorch gives back large memory at once, so that what is left over of a failed step is small. */
    for (size_t room = 8 << 20; result != NSE_DONE; room += 4 << 20) {
        struct rlimit little = all;
        little.rlim_cur = status("VmSize") + room;
        CHECK(setrlimit(RLIMIT_AS, &little) == 0);
        result = nse_search_step(search, &error);
        CHECK(setrlimit(RLIMIT_AS, &all) == 0);
        if (result < 0) {
            if (result != NSE_ERR_OUT_OF_MEMORY) fail(__LINE__, nse_error_message(error));
            CHECK(strncmp(nse_error_message(error), "out of memory: ", 15) == 0);
            nse_error_free(error);
            ++refused;
        }
    }
    CHECK(refused > 2);
    char *found = history(search);
    CHECK(strcmp(found, expected) == 0);
    nse_search_free(search);
    free(found);
    free(expected);
    return 0;
}
