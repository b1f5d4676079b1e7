/*
 * Async: rounds that are begun and polled, in a program that has other things to do; cancelled halfway, and gone on with.
 *
 *     async DATA
 *
 * DATA is a folder with the four IDX files of Fashion-MNIST. Ctrl-C cancels too; then the search is saved in async.nse, and a second
 * start goes on from there. The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char *SPACE = "{\"channels\": [8, 16, 32], \"stem_stride\": 2, \"tail\": 64}";
static const char *SEARCH = "{\"seed\": 1, \"rounds\": 2, \"active\": 4, \"objective\": {\"low\": 150000, \"high\": 350000},"
                            " \"train\": {\"epochs\": 1, \"batch\": 32, \"lr\": 0.1},"
                            " \"candidates\": {\"count\": 12, \"extras\": 4}, \"score\": {\"calibration\": 256}}";
static const char *SAVED = "async.nse";
/* The step of the first round at which this program changes its mind. */
enum { CANCEL_AT = 10 };

static volatile sig_atomic_t interrupted;
static nse_error *error;

static void on_signal(int number) {
    (void)number;
    interrupted = 1; /* nothing of nse in here: the loop looks at it */
}

/* Ends the program with the library's own words when a call failed. */
static nse_status check(nse_status status) {
    if (status < 0) fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error)), exit(1);
    return status;
}

static nse_dataset *open_dataset(const char *folder) {
    char json[4096];
    nse_dataset *all, *rest, *some;
    snprintf(json, sizeof json,
             "{\"format\": \"idx\", \"images\": \"%s/train-images-idx3-ubyte.gz\", \"labels\": \"%s/train-labels-idx1-ubyte.gz\"}",
             folder, folder);
    check(nse_dataset_open(json, &all, &error));
    check(nse_dataset_split(all, 0.04, 0, &rest, &some, &error));
    nse_dataset_free(all), nse_dataset_free(rest);
    return some;
}

/* What the events have said, for the loop: they come inside nse_op_poll, on this thread. */
struct progress {
    uint64_t round, step, steps;
};

static int32_t on_event(void *user, const nse_event *event) {
    struct progress *progress = user;
    progress->round = event->round, progress->step = event->step, progress->steps = event->steps;
    return 0; /* anything else would cancel */
}

int main(int argc, char **argv) {
    if (argc != 2 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: async DATA\n");
        return 2;
    }
    signal(SIGINT, on_signal);
    struct progress progress = {0, 0, 0};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = on_event, events.user = &progress;

    nse_dataset *train = open_dataset(argv[1]);
    nse_space *space;
    nse_search *search;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));
    desc.space = space, desc.train = train, desc.options_json = SEARCH, desc.events = &events;
    int changes_mind = 1;
    FILE *saved = fopen(SAVED, "rb");
    if (saved) {
        fclose(saved);
        check(nse_search_load(SAVED, &desc, &search, &error));
        changes_mind = 0;
        printf("going on from %s\n", SAVED);
    } else {
        check(nse_search_create(&desc, &search, &error));
    }

    for (nse_status status = NSE_OK; status != NSE_DONE;) {
        nse_op *round;
        check(nse_search_step_async(search, &round, &error));
        while ((status = nse_op_poll(round, 20, &error)) == NSE_PENDING) {
            /* Here the program does whatever else it is for. */
            printf("\rround %d, step %d/%d   ", (int)progress.round, (int)progress.step, (int)progress.steps);
            fflush(stdout);
            if (interrupted || (changes_mind && progress.step >= CANCEL_AT)) check(nse_op_cancel(round, &error));
        }
        nse_op_free(round);
        if (status != NSE_ERR_CANCELLED) {
            check(status);
            printf("\nround %d is complete\n", (int)progress.round);
            changes_mind = 0; /* the round was faster than this program looked */
        } else if (interrupted) {
            check(nse_search_save(search, SAVED, NULL));
            printf("\nsaved in %s\n", SAVED);
            return 130;
        } else {
            nse_error_free(error);
            printf("\ncancelled, and going on\n");
            changes_mind = 0, status = NSE_OK;
        }
    }
    remove(SAVED);

    nse_buffer front = NSE_BUFFER_INIT;
    check(nse_search_front(search, NULL, NULL, &front, &error));
    printf("%s\n", front.data);
    nse_buffer_free(&front);
    nse_search_free(search), nse_space_free(space), nse_dataset_free(train);
    return 0;
}
