/*
 * NEAS: search an ensemble for Fashion-MNIST, whose paths share their first cells, and train it (docs/neas.md).
 *
 *     neas DATA [FRACTION]
 *
 * DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like abs, with the strategy of ensembles. What
 * is found is an architecture as any other. The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

/* 1.6 million multiply-accumulates at most; candidates cost no less than a million. */
#define BUDGET 1600000
static const char *SPACE = "{\"channels\": [8, 16, 32], \"tail\": 128,"
                           " \"operators\": [\"mbconv_k3_t3\", \"mbconv_k3_t6\", \"mbconv_k5_t3\", \"mbconv_k5_t6\"]}";
/* Two paths; after every round the 7 worst of all cells leave, until no more than 1000 single networks are left. Then three generations. */
static const char *SEARCH = "{\"seed\": 1, \"strategy\": {\"neas\": {\"paths\": 2, \"shrink\": {\"drop\": {\"worst\": 7}, \"until\": 1000},"
                            " \"evolution\": {\"population\": 8, \"parents\": 4}}},"
                            " \"scorer\": {\"diversity\": {\"samples\": 2}},"
                            " \"branches\": \"single\","
                            " \"objective\": {\"low\": 1000000, \"high\": 1600000},"
                            " \"train\": {\"epochs\": 1, \"batch\": 64, \"lr\": 0.1},"
                            " \"candidates\": {\"count\": 24},"
                            " \"score\": {\"calibration\": 256, \"images\": 1000}}";
static const char *MODEL = "{\"seed\": 1, \"train\": {\"epochs\": 2, \"batch\": 64, \"lr\": 0.1}, \"calibration\": 256}";

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
        fprintf(stderr, "usage: neas DATA [FRACTION]\n");
        return 2;
    }
    const double fraction = argc > 2 ? atof(argv[2]) : 0.2;
    nse_dataset *all = open_dataset(argv[1], "train"), *test = open_dataset(argv[1], "t10k"), *rest, *train;
    check(nse_dataset_split(all, fraction, 0, &rest, &train, &error));

    nse_space *space;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));

    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space;
    desc.train = train;
    desc.options_json = SEARCH;
    nse_search *search;
    check(nse_search_create(&desc, &search, &error));
    for (nse_status status = NSE_OK; status != NSE_DONE;) {
        check(status = nse_search_step(search, &error));
        printf("%d operators left\n", operators_left(search));
    }

    nse_arch *best;
    nse_buffer json = NSE_BUFFER_INIT;
    double accuracy;
    check(nse_search_best(search, BUDGET, &best, &accuracy, &error));
    check(nse_arch_to_json(best, &json, &error));
    printf("best: %s\naccuracy %.4f in the supernet\n", json.data, accuracy);

    /* Every path learns, and what they share gets the mean of their gradients; the model's output is the mean of theirs. */
    nse_model_desc recipe = NSE_MODEL_DESC_INIT;
    recipe.arch = best;
    recipe.train = train;
    recipe.options_json = MODEL;
    nse_model *model;
    check(nse_model_train(&recipe, &model, &error));
    check(nse_model_evaluate(model, test, NULL, &accuracy, &error));
    check(nse_model_export(model, "onnx", "ensemble.onnx", &error));
    printf("test accuracy %.4f, model in ensemble.onnx\n", accuracy);

    /* In any order, at any time. */
    nse_buffer_free(&json);
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
