/*
 * The main job: evolve a search space on Fashion-MNIST, pick the best architecture inside a budget, train it, and compare it with a
 * network made by hand that costs the same.
 *
 *     demo DATA OUT
 *
 * DATA is a folder with the four IDX files. OUT receives architecture.json, architecture.svg, model.pt, rounds.jsonl and the report of the search, index.html.
 */
#include <malloc.h>
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Multiply-accumulates of one image: the cost window of the search is 310,000 to BUDGET. */
#define BUDGET 350000
#define HAND_MADE_OPERATOR "mbconv_k3_t6"

static const char *SEARCH = "{\"seed\": 1, \"rounds\": 4, \"active\": 4,"
                            " \"objective\": {\"low\": 310000, \"high\": 350000, \"alpha\": 0.02},"
                            " \"train\": {\"epochs\": 0.8, \"batch\": 64, \"lr\": 0.1},"
                            " \"fitness\": {\"lr\": 0.02},"
                            " \"candidates\": {\"count\": 40, \"too_few\": \"accept\", \"extras\": 8},"
                            " \"score\": {\"calibration\": 512, \"images\": 2000, \"batch\": 512}}";
static const char *MODEL = "{\"seed\": 1, \"train\": {\"epochs\": 2, \"batch\": 64, \"lr\": 0.1, \"warmup\": 0.3, \"clip\": 1}}";

static nse_error *error;
static const char *out;

/* Ends the program with the library's own words when a call failed. */
static void check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "\n%s: %s\n", nse_status_name(status), nse_error_message(error));
        exit(1);
    }
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------------- */

static FILE *create(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", out, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) perror(path), exit(1);
    return file;
}

/* Writes the text of a buffer to a file, and frees it. */
static void save(const char *name, nse_buffer *text) {
    FILE *file = create(name);
    fwrite(text->data, 1, text->len, file);
    if (fclose(file) != 0) perror(name), exit(1);
    nse_buffer_free(text);
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

/* ---- Live progress ----------------------------------------------------------------------------------------------------------- */

/* What is at work, for the progress line. */
static const char *title;

static int32_t show(void *user, const nse_event *event) {
    static double last;
    const int terminal = isatty(1);
    (void)user;
    if (event->kind == NSE_EVENT_FINISH || now() - last < (terminal ? 0.2 : 15.0)) return 0;
    last = now();
    char round[32] = "", eta[32] = "";
    if (event->rounds > 1) snprintf(round, sizeof round, " round %d/%d", (int)event->round, (int)event->rounds);
    if (event->seconds_left >= 0) snprintf(eta, sizeof eta, ", %d:%02d left", (int)event->seconds_left / 60, (int)event->seconds_left % 60);
    printf("%s%s%s  %s %d/%d  epoch %d/%d  loss %.3f  accuracy %.3f  %.0f images/s%s%s", terminal ? "\r\033[K" : "", title, round,
           event->kind == NSE_EVENT_SCORE ? "candidate" : "step", (int)event->step, (int)event->steps, (int)event->epoch,
           (int)event->epochs, event->loss, event->accuracy, event->images_per_second, eta, terminal ? "" : "\n");
    fflush(stdout);
    return 0;
}

static void clear_line(void) {
    if (isatty(1)) printf("\r\033[K");
}

static const nse_events progress = {sizeof progress, 0, show, NULL, NULL};

/* Thirteen cells at 14x14, 7x7 and 4x4 pixels, 12, 24 and 48 channels wide at width 1. */
static nse_space *make_space(double width) {
    char overrides[256];
    nse_space *space;
    snprintf(overrides, sizeof overrides, "{\"repeats\": [1, 5, 5], \"channels\": [%d, %d, %d], \"divisor\": 1, \"tail\": 64}", (int)(12 * width + 0.5),
             (int)(24 * width + 0.5), (int)(48 * width + 0.5));
    check(nse_space_preset("nse-27-small", overrides, &space, &error));
    return space;
}

/* ---- The search -------------------------------------------------------------------------------------------------------------- */

/* One row of the table. */
typedef struct {
    int active, front;
    double supernet, best, seconds;
} row;

static row describe_round(nse_search *search, double seconds, double supernet) {
    row r = {0, 0, supernet, 0, seconds};
    uint8_t active[1024];
    uint32_t cells, operators;
    size_t front;
    check(nse_search_active(search, active, sizeof active, &cells, &operators, &error));
    for (uint32_t i = 0; i < cells * operators; ++i) r.active += active[i];
    check(nse_search_front_count(search, &front, &error));
    check(nse_search_best(search, BUDGET, NULL, &r.best, &error));
    r.front = (int)front;
    return r;
}

static int32_t remember(void *user, const nse_event *event) {
    if (event->kind == NSE_EVENT_TRAIN) *(double *)user = event->accuracy;
    return show(user, event);
}

/* Runs all rounds and prints a row for each. */
static void run_search(nse_space *space, nse_dataset *train, nse_search **search) {
    double supernet = 0;
    nse_events events = NSE_EVENTS_INIT;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    events.on_event = remember, events.user = &supernet;
    desc.space = space, desc.train = train, desc.options_json = SEARCH, desc.events = &events;
    check(nse_search_create(&desc, search, &error));
    title = "search:";
    int count = 0;
    printf("round  active operators  supernet accuracy  front  best within %.2f M  seconds\n", BUDGET / 1e6);
    for (nse_status status = NSE_OK; status != NSE_DONE; ++count) {
        const double start = now();
        check(status = nse_search_step(*search, &error));
        const row r = describe_round(*search, now() - start, supernet);
        clear_line();
        printf("%5d  %16d  %16.1f%%  %5d  %15.1f%%  %7.0f\n", count + 1, r.active, 100 * r.supernet, r.front, 100 * r.best, r.seconds);
    }
}

/* ---- Stand-alone networks ---------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *name;
    nse_arch *arch;
    nse_model *model;
    uint64_t macs, params;
    double accuracy;
} network;

/* MobileNetV2's block in every cell, at the width whose cost is nearest to that of the found network. */
static nse_arch *hand_made(uint64_t macs) {
    nse_arch *nearest = NULL;
    uint64_t least = UINT64_MAX;
    for (double width = 0.05; width < 2; width += 0.005) {
        nse_space *space = make_space(width);
        nse_arch *arch;
        uint64_t cost;
        check(nse_arch_uniform(space, HAND_MADE_OPERATOR, &arch, &error));
        check(nse_arch_cost(arch, &cost, NULL, &error));
        nse_space_free(space);
        const uint64_t apart = cost > macs ? cost - macs : macs - cost;
        nse_arch_free(apart < least ? nearest : arch);
        if (apart < least) least = apart, nearest = arch;
    }
    return nearest;
}

static void train_network(network *n, nse_dataset *train, nse_dataset *test) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    char line[64];
    snprintf(line, sizeof line, "train %s:", n->name);
    title = line;
    desc.arch = n->arch, desc.train = train, desc.options_json = MODEL, desc.events = &progress;
    check(nse_arch_cost(n->arch, &n->macs, &n->params, &error));
    check(nse_model_train(&desc, &n->model, &error));
    check(nse_model_evaluate(n->model, test, NULL, &n->accuracy, &error));
    clear_line();
    printf("%-22s %8.3f M MACs  %7d parameters  %6.2f%% test accuracy\n", n->name, (double)n->macs / 1e6, (int)n->params, 100 * n->accuracy);
}

int main(int argc, char **argv) {
    if (argc != 3 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: demo DATA OUT\n");
        return 2;
    }
    /* Our process, our choice: keep freed memory, so that every step does not fetch its tensors' pages anew from the kernel. */
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    out = argv[2];
    const double start = now();
    nse_dataset *train = open_dataset(argv[1], "train"), *test = open_dataset(argv[1], "t10k");
    nse_space *space = make_space(1);
    nse_buffer description = NSE_BUFFER_INIT;
    check(nse_space_describe(space, NULL, &description, &error));
    printf("space: %s\n", description.data);
    nse_buffer_free(&description);

    nse_search *search;
    run_search(space, train, &search);

    network networks[2] = {{.name = "found"}, {.name = "hand-made"}};
    nse_buffer architecture = NSE_BUFFER_INIT, history = NSE_BUFFER_INIT, page = NSE_BUFFER_INIT, drawing = NSE_BUFFER_INIT;
    uint64_t macs;
    check(nse_search_best(search, BUDGET, &networks[0].arch, NULL, &error));
    check(nse_arch_to_json(networks[0].arch, &architecture, &error));
    check(nse_arch_cost(networks[0].arch, &macs, NULL, &error));
    check(nse_search_history(search, &history, &error));
    check(nse_search_report(search, "html", &page, &error));
    check(nse_arch_draw(networks[0].arch, "svg", &drawing, &error));
    printf("\nbest within the budget: %s\n\n", architecture.data);

    networks[1].arch = hand_made(macs);
    for (int i = 0; i < 2; ++i) train_network(&networks[i], train, test);
    printf("\nthe found network is %.2f points %s than " HAND_MADE_OPERATOR " everywhere at the same cost\n",
           100 * (networks[0].accuracy > networks[1].accuracy ? networks[0].accuracy - networks[1].accuracy
                                                              : networks[1].accuracy - networks[0].accuracy),
           networks[0].accuracy > networks[1].accuracy ? "better" : "worse");

    char path[4096];
    snprintf(path, sizeof path, "%s/model.pt", out);
    check(nse_model_export(networks[0].model, "torchscript", path, &error));
    save("index.html", &page);
    save("architecture.json", &architecture);
    save("architecture.svg", &drawing);
    save("rounds.jsonl", &history);
    printf("%s: index.html architecture.json architecture.svg model.pt rounds.jsonl (%.0f s)\n", out, now() - start);

    for (int i = 0; i < 2; ++i) nse_model_free(networks[i].model), nse_arch_free(networks[i].arch);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(train);
    nse_dataset_free(test);
    return 0;
}
