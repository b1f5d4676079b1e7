/* What a host waits for its questions while a search trains: a poll, the scores, the front, the status. Prints microseconds; the search is cancelled
 * at the end. */
#include <nse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { COUNT = 4096, SIDE = 32, ASKED = 3000 };

static void must(nse_status status, nse_error *error) {
    if (status >= 0) return;
    fprintf(stderr, "%s\n", nse_error_message(error));
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static const nse_search *search;
static const nse_op *op;

static nse_status poll_it(nse_error **error) { return nse_op_poll(op, 0, error); }

static nse_status scores(nse_error **error) {
    static double values[9 * 27];
    return nse_search_scores(search, values, sizeof values / sizeof *values, NULL, NULL, error);
}

static nse_status front(nse_error **error) {
    size_t count = 0;
    return nse_search_front_count(search, &count, error);
}

static nse_status status(nse_error **error) {
    nse_buffer out = NSE_BUFFER_INIT;
    const nse_status result = nse_search_status(search, &out, error);
    nse_buffer_free(&out);
    return result;
}

static void ask(const char *name, nse_status (*question)(nse_error **)) {
    static double taken[ASKED];
    for (int i = 0; i < ASKED; ++i) {
        nse_error *error = NULL;
        const struct timespec pause = {0, 300000};
        nanosleep(&pause, NULL);
        const double begun = now();
        const nse_status result = question(&error);
        taken[i] = now() - begun;
        must(result, error);
    }
    qsort(taken, ASKED, sizeof *taken, ascending);
    printf("  %-28s %8.1f us in the middle, %8.1f at 99%%, %8.1f at most\n", name, taken[ASKED / 2], taken[ASKED * 99 / 100], taken[ASKED - 1]);
}

int main(void) {
    uint8_t *pixels = malloc(COUNT * SIDE * SIDE * 3);
    uint32_t *labels = malloc(COUNT * sizeof *labels);
    for (uint32_t i = 0; i < COUNT * SIDE * SIDE * 3; ++i) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (uint32_t i = 0; i < COUNT; ++i) labels[i] = i % 10;
    nse_images images = NSE_IMAGES_INIT;
    images.channels = 3, images.height = images.width = SIDE, images.count = COUNT, images.pixels = pixels, images.labels = labels;
    nse_dataset *data = NULL;
    nse_space *space = NULL;
    nse_search *made = NULL;
    nse_op *begun = NULL;
    nse_error *error = NULL;
    must(nse_dataset_from_memory(&images, &data, &error), error);
    must(nse_space_preset("nse-27",
                          "{\"input\": {\"channels\": 3, \"height\": 32, \"width\": 32}, \"classes\": 10, \"layout\": \"NR\","
                          " \"repeats\": [1, 2, 2, 1], \"channels\": [16, 24, 40, 80]}",
                          &space, &error),
         error);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space, desc.train = data;
    desc.options_json = "{\"objective\": {\"low\": 1, \"high\": 100000000000}, \"train\": {\"epochs\": 1000, \"batch\": 128}}";
    must(nse_search_create(&desc, &made, &error), error);
    must(nse_search_step_async(made, &begun, &error), error);
    search = made, op = begun;
    ask("nse_op_poll", poll_it);
    ask("nse_search_scores", scores);
    ask("nse_search_front_count", front);
    ask("nse_search_status", status);
    must(nse_op_cancel(op, &error), error);
    while (nse_op_poll(op, NSE_FOREVER, NULL) == NSE_PENDING) {}
    nse_op_free(begun);
    nse_search_free(made);
    nse_space_free(space);
    nse_dataset_free(data);
    free(pixels);
    free(labels);
    return 0;
}
