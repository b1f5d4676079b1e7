/*
 * BNAS: search cells with binary weights for Fashion-MNIST, by sampled networks (docs/bnas.md).
 *
 *     bnas DATA [FRACTION]
 *
 * DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the quickstart,
 * in a space of stacked cells whose weights are binary, with "strategy" in place of what evolution is told ("rounds", "active", "candidates"). The
 * budget is one of bits. The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

/* Bits at most: 1 for every binary weight, 32 for every other number. */
#define BUDGET 300000
/* Three cells of two nodes, with four choices for every edge. */
static const char *SPACE = "{\"input\": {\"channels\": 1, \"height\": 28, \"width\": 28}, \"channels\": 8, \"cells\": 3, \"nodes\": 2,"
                           " \"operators\": [\"none\", \"skip_connect\", \"max_pool_3x3\", \"sep_conv_3x3\"]}";
/* Every round samples networks of the worse half of each edge's operators, trains each of them a little, and takes the worst operator away. */
static const char *SEARCH = "{\"seed\": 1, \"strategy\": {\"eliminate\": {\"times\": 1, \"epochs\": 0.5}},"
                            " \"scorer\": {\"accuracy\": {\"samples\": 1}}, \"channel_sampling\": 2,"
                            " \"objective\": {\"cost\": \"bits\", \"low\": 0, \"high\": 300000},"
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

static int32_t show(void *user, const nse_event *event) {
    (void)user;
    if (event->step % 10 == 0 && event->kind != NSE_EVENT_FINISH) {
        printf("\r%s round %d/%d, step %d/%d, loss %.3f, %.0f images/s, %.0f s left   ",
               event->kind == NSE_EVENT_SCORE ? "score" : "train", (int)event->round, (int)event->rounds, (int)event->step,
               (int)event->steps, event->loss, event->images_per_second, event->seconds_left);
        fflush(stdout);
    }
    return 0; /* anything else would cancel */
}

/* Operators that have weights, of all cells. */
static int operators_left(nse_search *search) {
    uint8_t active[64 * 64];
    uint32_t cells, operators;
    check(nse_search_active(search, active, sizeof active, &cells, &operators, &error));
    int left = 0;
    for (uint32_t i = 0; i < cells * operators; ++i) left += active[i];
    return left;
}

int main(int argc, char **argv) {
    if (argc < 2 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: bnas DATA [FRACTION]\n");
        return 2;
    }
    const double fraction = argc > 2 ? atof(argv[2]) : 0.2;
    nse_dataset *all = open_dataset(argv[1], "train"), *rest, *train;
    check(nse_dataset_split(all, fraction, 0, &rest, &train, &error));

    nse_space *space;
    check(nse_space_preset("bnas-cifar", SPACE, &space, &error));

    nse_events events = NSE_EVENTS_INIT;
    events.on_event = show;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space;
    desc.train = train;
    desc.options_json = SEARCH;
    desc.events = &events;
    nse_search *search;
    check(nse_search_create(&desc, &search, &error));
    printf("%d operators\n", operators_left(search));
    for (nse_status status = NSE_OK; status != NSE_DONE;) {
        check(status = nse_search_step(search, &error));
        printf("\n%d operators left\n", operators_left(search));
    }

    nse_arch *best;
    nse_buffer json = NSE_BUFFER_INIT;
    uint64_t macs, params;
    double accuracy;
    check(nse_search_best(search, BUDGET, &best, &accuracy, &error));
    check(nse_arch_to_json(best, &json, &error));
    check(nse_arch_cost(best, &macs, &params, &error));
    printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f in the supernet\n", json.data, (int)macs, (int)params,
           accuracy);

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
