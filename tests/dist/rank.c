/*
 * One rank of a search, started by a launcher: a whole search on images that it makes itself, kept in a checkpoint and continued from
 * there.
 *
 *     rank OUT CHECKPOINT [VICTIM EVENT [HOW]]    writes what was found to OUT.RANK; the rank VICTIM kills itself at its event of that number.
 *                                                 HOW: "cut", in the middle of the gradients that it sends next; "hang", there it stops instead,
 *                                                 and its number as a process is in OUT.pid
 *
 * Exit code: 0, or the status of what failed without its sign.
 */
#define _GNU_SOURCE
#include "host.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static int events, victim_at;
static const char *how = "kill", *out_path;
static volatile int in_flight;

static int32_t on_event(void *user, const nse_event *event) {
    (void)user, (void)event;
    if (++events != victim_at) return 0;
    if (strcmp(how, "kill") == 0) raise(SIGKILL);
    in_flight = 1;
    return 0;
}

/* What gloo sends with, in place of libc's: maxima are shorter than the gradients of a bucket. */
ssize_t writev(int file, const struct iovec *parts, int count) {
    size_t bytes = 0;
    for (int i = 0; i < count; ++i) bytes += parts[i].iov_len;
    if (in_flight && bytes > 4096) {
        for (int i = 0; i < count; ++i) {
            if (write(file, parts[i].iov_base, parts[i].iov_len / (i + 1 == count ? 2 : 1)) < 0) perror("write");
        }
        if (strcmp(how, "hang") == 0) {
            char path[512];
            snprintf(path, sizeof path, "%s.pid", out_path);
            FILE *out = fopen(path, "w");
            if (out == NULL || fprintf(out, "%d\n", (int)getpid()) < 0 || fclose(out) != 0) perror(path);
            raise(SIGSTOP);
        }
        raise(SIGKILL);
    }
    return syscall(SYS_writev, file, parts, count);
}

static int fail(const char *what, nse_status status, nse_error *error) {
    fprintf(stderr, "%s: %s: %s\n", what, nse_status_name(status), error != NULL ? nse_error_message(error) : "");
    nse_error_free(error);
    return -status;
}

static long number_in(const char *json, const char *key) {
    const char *at = strstr(json, key);
    return at == NULL ? -1 : strtol(at + strlen(key), NULL, 10);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    nse_error *error = NULL;
    nse_comm *comm = NULL;
    const char *limit = getenv("RANK_TIMEOUT_MS"), *batch_norm = getenv("RANK_BATCH_NORM");
    nse_status status = nse_comm_launched(limit != NULL ? (uint32_t)strtoul(limit, NULL, 10) : 30000, &comm, &error);
    if (status < 0) return fail("nse_comm_launched", status, error);
    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(nse_comm_info(comm, &info, NULL), NSE_OK);
    const long rank = number_in(info.data, "\"rank\":");
    out_path = argv[1];
    if (argc > 4 && rank == atoi(argv[3])) victim_at = atoi(argv[4]);
    if (argc > 5) how = argv[5];
    nse_buffer_free(&info);

    char options[1024], path[512];
    snprintf(options, sizeof options,
             "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"shards\": 4, \"threads\": 1,"
             " \"train\": {\"epochs\": 2, \"batch\": 16}, \"candidates\": {\"count\": 6, \"extras\": 2},"
             " \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25, \"batch_norm\": \"%s\", \"checkpoint\": {\"path\": \"%s\", \"steps\": 5}}",
             batch_norm != NULL ? batch_norm : "part", argv[2]);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_events told = NSE_EVENTS_INIT;
    nse_space *space = host_space();
    nse_dataset *images = host_images(96);
    nse_search *search = NULL;
    told.on_event = on_event, told.flags = NSE_EVENTS_DIRECT;
    desc.space = space, desc.train = images, desc.options_json = options, desc.comm = comm, desc.events = &told;
    const int again = access(argv[2], R_OK) == 0;
    status = again ? nse_search_load(argv[2], &desc, &search, &error) : nse_search_create(&desc, &search, &error);
    if (status < 0) return fail("making the search", status, error);
    while ((status = nse_search_step(search, &error)) == NSE_OK) continue;
    if (status < 0) return fail("nse_search_step", status, error);

    nse_buffer history = NSE_BUFFER_INIT;
    double scores[64] = {0};
    EXPECT(nse_search_history(search, &history, NULL), NSE_OK);
    EXPECT(nse_search_scores(search, scores, 64, NULL, NULL, NULL), NSE_OK);
    snprintf(path, sizeof path, "%s.%ld", argv[1], rank);
    FILE *out = fopen(path, "w");
    if (out == NULL) return 2;
    for (char *line = strtok(history.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        fprintf(out, "%.*s\n", (int)(strstr(line, "\"seconds\"") - line), line); /* the last field, and the only one that differs */
    }
    for (int i = 0; i < 64; ++i) fprintf(out, "%a\n", scores[i]);
    fclose(out);
    nse_buffer_free(&history);
    nse_search_free(search);
    nse_comm_free(comm);
    nse_space_free(space);
    nse_dataset_free(images);
    return 0;
}
