/*
 * A rank of a search on random images, whose steps and candidates are timed: started by scale.py, alone or as launchers start ranks. Rank 0
 * prints one line of JSON: seconds of every weight step, and of every group of candidates with the number that is then scored; and how much of that
 * its cores were at work for it, which says something on a busy machine too.
 *
 *     steps SPACE OVERRIDES CHANNELS SIDE CLASSES BATCH SHARDS STEPS CANDIDATES
 *     steps estimate SPACE OVERRIDES CHANNELS SIDE CLASSES BATCH SHARDS STEPS CANDIDATES    instead: nse_search_estimate
 */
#define _GNU_SOURCE
#include <nse.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1 << 16 };

static nse_error *error;

static nse_status check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", nse_status_name(status), error != NULL ? nse_error_message(error) : "");
        exit(1);
    }
    return status;
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

/* When the events came. */
static struct { double at, worked; uint64_t done; uint32_t kind; } events[MOST];
static int count;

static int32_t on_event(void *user, const nse_event *event) {
    (void)user;
    if (count == MOST) return 0;
    events[count].at = now(CLOCK_MONOTONIC), events[count].worked = now(CLOCK_PROCESS_CPUTIME_ID);
    events[count].done = event->step, events[count].kind = event->kind, ++count;
    return 0;
}

/* A list of [what was done since the event before, seconds, seconds of work]. */
static void print(const char *name, uint32_t kind) {
    const char *comma = "";
    printf(", \"%s\": [", name);
    for (int i = 1; i < count; ++i) {
        if (events[i].kind != kind || events[i - 1].kind != kind || events[i].done <= events[i - 1].done) continue;
        printf("%s[%d, %.9f, %.9f]", comma, (int)(events[i].done - events[i - 1].done), events[i].at - events[i - 1].at,
               events[i].worked - events[i - 1].worked);
        comma = ", ";
    }
    printf("]");
}

int main(int argc, char **argv) {
    const int estimate = argc > 1 && strcmp(argv[1], "estimate") == 0;
    argv += estimate, argc -= estimate;
    if (argc != 10) return fprintf(stderr, "usage: see the beginning of steps.c\n"), 2;
    const size_t channels = strtoul(argv[3], NULL, 10), side = strtoul(argv[4], NULL, 10), classes = strtoul(argv[5], NULL, 10);
    const size_t batch = strtoul(argv[6], NULL, 10), shards = strtoul(argv[7], NULL, 10), steps = strtoul(argv[8], NULL, 10);
    const size_t images = batch * steps, pixels = images * channels * side * side;
    nse_comm *comm = NULL;
    nse_space *space = NULL;
    nse_dataset *train = NULL;
    nse_search *search = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    check(nse_comm_launched(300000, &comm, &error));
    check(nse_comm_info(comm, &buffer, &error));
    const int first = strstr(buffer.data, "\"rank\":0,") != NULL;
    nse_buffer_free(&buffer);
    check(nse_space_preset(argv[1], argv[2], &space, &error));

    uint8_t *values = malloc(pixels);
    uint32_t *labels = malloc(images * sizeof *labels), state = 1;
    if (values == NULL || labels == NULL) return perror("images"), 1;
    for (size_t i = 0; i < pixels; ++i) values[i] = (uint8_t)((state = state * 1664525 + 1013904223) >> 24);
    for (size_t i = 0; i < images; ++i) labels[i] = (uint32_t)(i % classes);
    nse_images held = NSE_IMAGES_INIT;
    held.pixels = values, held.labels = labels, held.count = images, held.classes = (uint32_t)classes;
    held.channels = (uint32_t)channels, held.height = (uint32_t)side, held.width = (uint32_t)side;
    check(nse_dataset_from_memory(&held, &train, &error));
    free(values), free(labels);

    /* Weight steps only, and candidates anywhere. */
    double least = 0, greatest = 0;
    check(nse_space_describe(space, NULL, &buffer, &error));
    const char *range = strstr(buffer.data, "\"macs\":{");
    if (range == NULL || sscanf(strstr(range, "\"greatest\":"), "\"greatest\":%lf", &greatest) != 1 ||
        sscanf(strstr(range, "\"least\":"), "\"least\":%lf", &least) != 1) {
        return fprintf(stderr, "no costs in %s\n", buffer.data), 1;
    }
    nse_buffer_free(&buffer);
    char options[2048];
    snprintf(options, sizeof options,
             "{\"seed\": 1, \"rounds\": 1, \"active\": 5, \"threads\": 1, \"shards\": %zu, \"held_out\": 0.5,"
             " \"objective\": {\"low\": %.0f, \"high\": %.0f}, \"train\": {\"epochs\": 2, \"batch\": %zu},"
             " \"fitness\": {\"interval\": 1000000}, \"candidates\": {\"count\": %s, \"extras\": 0},"
             " \"score\": {\"calibration\": %zu, \"batch\": %zu}}",
             shards, least, greatest, batch, argv[9], batch, batch);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_events told = NSE_EVENTS_INIT;
    told.on_event = on_event, told.flags = NSE_EVENTS_DIRECT;
    desc.space = space, desc.train = train, desc.options_json = options, desc.comm = comm, desc.events = &told;
    check(nse_search_create(&desc, &search, &error));
    if (estimate) {
        check(nse_search_estimate(search, &buffer, &error));
        puts(buffer.data);
        return 0;
    }
    while (check(nse_search_step(search, &error)) == NSE_OK) continue;
    if (first) {
        printf("{\"batch\": %zu, \"shards\": %zu", batch, shards);
        print("steps", NSE_EVENT_TRAIN);
        print("candidates", NSE_EVENT_SCORE);
        printf("}\n");
    }
    nse_search_free(search), nse_comm_free(comm), nse_dataset_free(train), nse_space_free(space);
    return 0;
}
