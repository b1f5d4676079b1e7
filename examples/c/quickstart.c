/*
 * Quickstart: search a network for Fashion-MNIST inside a budget, train it, export it.
 *
 *     quickstart DATA OUT [FRACTION]
 *
 * DATA is a folder with the four IDX files, OUT a folder for the results, FRACTION the part of the training images to use.
 * The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

/* One million multiply-accumulates at most; candidates cost no less than 0.7 million. */
#define BUDGET 1000000
static const char *SPACE = "{\"channels\": [8, 16, 32], \"tail\": 128}";
static const char *SEARCH = "{\"seed\": 1, \"rounds\": 2, \"active\": 4,"
                            " \"objective\": {\"low\": 700000, \"high\": 1000000},"
                            " \"train\": {\"epochs\": 1, \"batch\": 64, \"lr\": 0.1},"
                            " \"candidates\": {\"count\": 12, \"extras\": 4},"
                            " \"score\": {\"calibration\": 256, \"images\": 1000}}";
static const char *MODEL = "{\"train\": {\"epochs\": 2, \"batch\": 64, \"lr\": 0.1}}";

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

int main(int argc, char **argv) {
    if (argc < 3 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: quickstart DATA OUT [FRACTION]\n");
        return 2;
    }
    const double fraction = argc > 3 ? atof(argv[3]) : 0.2;
    nse_dataset *all = open_dataset(argv[1], "train"), *test = open_dataset(argv[1], "t10k"), *rest, *train;
    check(nse_dataset_split(all, fraction, 0, &rest, &train, &error));

    nse_space *space;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));

    nse_events events = NSE_EVENTS_INIT;
    events.on_event = show;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space;
    desc.train = train;
    desc.options_json = SEARCH;
    desc.events = &events;
    nse_search *search;
    check(nse_search_create(&desc, &search, &error));
    for (nse_status status = NSE_OK; status != NSE_DONE;) {
        size_t front;
        check(status = nse_search_step(search, &error));
        check(nse_search_front_count(search, &front, &error));
        printf("\nfront of %d architectures\n", (int)front);
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
    nse_buffer_free(&json);

    nse_model_desc recipe = NSE_MODEL_DESC_INIT;
    recipe.arch = best;
    recipe.train = train;
    recipe.options_json = MODEL;
    recipe.events = &events;
    nse_model *model;
    char path[4096];
    check(nse_model_train(&recipe, &model, &error));
    check(nse_model_evaluate(model, test, NULL, &accuracy, &error));
    snprintf(path, sizeof path, "%s/model.pt", argv[2]);
    check(nse_model_export(model, "torchscript", path, &error));
    printf("\ntest accuracy %.4f, model in %s\n", accuracy, path);

    /* In any order, at any time. */
    nse_model_free(model);
    nse_arch_free(best);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(train);
    nse_dataset_free(rest);
    nse_dataset_free(all);
    nse_dataset_free(test);
    return 0;
}
