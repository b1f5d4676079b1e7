/*
 * PNAS: search a cell for Fashion-MNIST that grows block by block (docs/pnas.md).
 *
 *     pnas DATA [FRACTION]
 *
 * DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the quickstart, in a
 * space of blocks and with another "strategy". The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

/* Three million multiply-accumulates at most. */
#define BUDGET 3000000
/* Three cells of up to three blocks, with two operators: 10 cells of one block. */
static const char *SPACE = "{\"input\": {\"channels\": 1, \"height\": 28, \"width\": 28}, \"channels\": 8, \"cells\": 3, \"nodes\": 3,"
                           " \"operators\": [\"sep_conv_3x3\", \"max_pool_3x3\"]}";
/* All cells of one block; then the three of two blocks, and of three, that are foretold to be best. */
static const char *SEARCH = "{\"seed\": 1, \"strategy\": {\"grow\": {\"beam\": 3}},"
                            " \"objective\": {\"low\": 0, \"high\": 3000000},"
                            " \"train\": {\"epochs\": 1, \"batch\": 64, \"lr\": 0.1},"
                            " \"score\": {\"calibration\": 128, \"images\": 300}}";

static nse_error *error;

/* Ends the program with the library's own words when a call failed. */
static void check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error));
        nse_error_free(error);
        exit(1);
    }
}

static nse_dataset *open_dataset(const char *folder, const char *part) {
    char json[4096];
    nse_dataset *dataset;
    snprintf(json, sizeof json,
             "{\"format\": \"idx\", \"images\": \"%s/%s-images-idx3-ubyte.gz\", \"labels\": \"%s/%s-labels-idx1-ubyte.gz\"}",
             folder, part, folder, part);
    check(nse_dataset_open(json, &dataset, &error));
    return dataset;
}

/* Counts the cells of a round: each is trained by itself, and then scored. */
static int32_t count(void *cells, const nse_event *event) {
    *(int *)cells += event->kind == NSE_EVENT_SCORE;
    return 0; /* anything else would cancel */
}

int main(int argc, char **argv) {
    if (argc < 2 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: pnas DATA [FRACTION]\n");
        return 2;
    }
    const double fraction = argc > 2 ? atof(argv[2]) : 0.2;
    nse_dataset *all = open_dataset(argv[1], "train"), *rest, *train;
    check(nse_dataset_split(all, fraction, 0, &rest, &train, &error));

    nse_space *space;
    check(nse_space_preset("pnas-cifar", SPACE, &space, &error));

    int cells = 0;
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = count;
    events.user = &cells;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space;
    desc.train = train;
    desc.options_json = SEARCH;
    desc.events = &events;
    nse_search *search;
    check(nse_search_create(&desc, &search, &error));
    for (nse_status status = NSE_OK; status != NSE_DONE; cells = 0) {
        check(status = nse_search_step(search, &error));
        printf("%d cells\n", cells);
    }

    /* Of any size; accuracies are those of cells that were trained alone. */
    nse_arch *best;
    nse_buffer json = NSE_BUFFER_INIT;
    double accuracy;
    check(nse_search_best(search, BUDGET, &best, &accuracy, &error));
    check(nse_arch_to_json(best, &json, &error));
    printf("best: %s\naccuracy %.4f\n", json.data, accuracy);

    /* In any order, at any time. */
    nse_buffer_free(&json);
    nse_arch_free(best);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(train);
    nse_dataset_free(rest);
    nse_dataset_free(all);
    return 0;
}
