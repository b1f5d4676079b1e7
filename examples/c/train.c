/*
 * Trains a network for Fashion-MNIST that a search found within 5 M multiply-accumulates (docs/train.md has the search), for use: every
 * few seconds it is saved, and started again it goes on from there. Then it is tested once, and exported.
 *
 *     train DATA OUT [OPTIONS]
 *
 * DATA is a folder with the four IDX files. OUT receives model.safetensors, model.onnx, model.pt, history.json, and while it trains
 * train.checkpoint. OPTIONS: a file with model options instead of the recipe here.
 */
#include <malloc.h>
#include <nse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *SPACE = "{\"stem_stride\": 1, \"repeats\": [0, 2, 3, 2], \"channels\": [16, 24, 48, 96], \"tail\": 256}";
static const char *CODE = "n1kycv.36spet37j1x8sj3";

/* %s: the folder OUT. */
static const char *RECIPE = "{\"seed\": 1,"
                            " \"train\": {\"epochs\": 60, \"batch\": 96, \"lr\": 0.12, \"warmup\": 0.05, \"weight_decay\": 3e-4,"
                            " \"label_smoothing\": 0.05, \"ema\": 0.999, \"clip\": 5,"
                            " \"augment\": {\"pad\": 2, \"flip\": true, \"erase\": 0.15}},"
                            " \"checkpoint\": {\"path\": \"%s/train.checkpoint\", \"seconds\": 30, \"resume\": true}}";

static nse_error *error;
static volatile sig_atomic_t stop;

/* Ends the program with the library's own words when a call failed. */
static void check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error));
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

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) perror(path), exit(1);
    char *text = calloc(1, 1 << 16);
    if (text == NULL || fread(text, 1, (1 << 16) - 1, file) == 0) exit(1);
    fclose(file);
    return text;
}

static void interrupted(int signal) {
    (void)signal;
    stop = 1;
}

/* A line for every epoch. Not zero: cancel, and save. */
static int32_t show(void *user, const nse_event *event) {
    (void)user;
    if (event->kind == NSE_EVENT_EVALUATE) {
        printf("epoch %d/%d  held-out loss %.4f, accuracy %.2f%%  %.0f images/s, %d:%02d left\n", (int)event->epoch, (int)event->epochs,
               event->loss, 100 * event->accuracy, event->images_per_second, (int)event->seconds_left / 60, (int)event->seconds_left % 60);
        fflush(stdout);
    }
    return stop;
}

int main(int argc, char **argv) {
    if (argc < 3 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: train DATA OUT [OPTIONS]\n");
        return 2;
    }
    /* Our process, our choice: keep freed memory, so that every step does not fetch its tensors' pages anew from the kernel. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);

    nse_dataset *all = open_dataset(argv[1], "train"), *test = open_dataset(argv[1], "t10k"), *train, *held_out;
    check(nse_dataset_split(all, 0.05, 0, &train, &held_out, &error));
    nse_space *space;
    nse_arch *arch;
    uint64_t macs, params;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));
    check(nse_arch_from_code(space, CODE, &arch, &error));
    check(nse_arch_cost(arch, &macs, &params, &error));
    printf("%s: %.3f M multiply-accumulates, %d parameters\n", CODE, (double)macs / 1e6, (int)params);

    char options[8192];
    snprintf(options, sizeof options, argc > 3 ? "%s" : RECIPE, argc > 3 ? read_file(argv[3]) : argv[2]);
    nse_events events = NSE_EVENTS_INIT;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_model *model;
    events.on_event = show;
    desc.arch = arch, desc.train = train, desc.held_out = held_out, desc.options_json = options, desc.events = &events;
    const nse_status trained = nse_model_train(&desc, &model, &error);
    if (trained == NSE_ERR_CANCELLED) {
        printf("stopped; the same command goes on from here\n");
        return 130;
    }
    check(trained);

    double loss, accuracy;
    check(nse_model_evaluate(model, test, &loss, &accuracy, &error));
    printf("test loss %.4f, accuracy %.2f%%\n", loss, 100 * accuracy);
    static const char *const formats[][2] = {{"safetensors", "model.safetensors"}, {"onnx", "model.onnx"}, {"torchscript", "model.pt"}};
    char path[4096];
    for (int i = 0; i < 3; ++i) {
        snprintf(path, sizeof path, "%s/%s", argv[2], formats[i][1]);
        check(nse_model_export(model, formats[i][0], path, &error));
        printf("%s\n", path);
    }
    nse_buffer history = NSE_BUFFER_INIT;
    check(nse_model_history(model, &history, &error));
    snprintf(path, sizeof path, "%s/history.json", argv[2]);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(history.data, file) < 0 || fclose(file) != 0) perror(path), exit(1);
    printf("%s\n", path);

    nse_buffer_free(&history);
    nse_model_free(model);
    nse_arch_free(arch);
    nse_space_free(space);
    nse_dataset_free(held_out);
    nse_dataset_free(train);
    nse_dataset_free(all);
    nse_dataset_free(test);
    return 0;
}
