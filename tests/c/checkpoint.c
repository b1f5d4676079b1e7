/*
 * Searches that are saved, and go on in another process as if nothing had happened. A forked child cannot use the library, so this
 * program runs itself anew:
 *
 *     c-checkpoint finish CHECKPOINT RESULT        loads, runs to the end, writes history and front
 *     c-checkpoint run CHECKPOINT RESULT [FD]      the same from the checkpoint if it is there, saving after every step
 *     c-checkpoint make CHECKPOINT                 saves a search in the middle of its first round
 */
#include "support.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPTIONS                                                                                                                  \
    "{\"seed\": 5, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000},"                              \
    " \"train\": {\"epochs\": 3, \"batch\": 16}, \"candidates\": {\"count\": 6, \"extras\": 2},"                                 \
    " \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25, \"checkpoint\": %s}"

static nse_error *error;
static char folder[] = "/tmp/nse-checkpoint-XXXXXX";

static const char *in_folder(const char *name) {
    static char paths[64][128];
    static int next;
    char *path = paths[next++ % 64];
    snprintf(path, sizeof *paths, "%s/%s", folder, name);
    return path;
}

static nse_search *start(const char *checkpoint, const nse_events *events) {
    char options[1024];
    snprintf(options, sizeof options, OPTIONS, checkpoint);
    return make_search(options, events);
}

static nse_status load(const char *path, const nse_events *events, nse_search **search) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_dataset *images = make_images(96);
    desc.train = images, desc.events = events;
    const nse_status status = nse_search_load(path, &desc, search, &error);
    nse_dataset_free(images);
    return status;
}

/* History without times, and the front: to free. */
static char *result_of(const nse_search *search) {
    char *history = timeless(search);
    size_t count = 0, size = 0;
    assert_int_equal(nse_search_front_count(search, &count, NULL), NSE_OK);
    char *text = NULL;
    FILE *out = open_memstream(&text, &size);
    fputs(history, out);
    for (size_t i = 0; i < count; ++i) {
        nse_arch *arch = NULL;
        nse_buffer json = NSE_BUFFER_INIT;
        double accuracy;
        assert_int_equal(nse_search_front_get(search, i, &arch, &accuracy, NULL), NSE_OK);
        assert_int_equal(nse_arch_to_json(arch, &json, NULL), NSE_OK);
        fprintf(out, "%s %.17g\n", json.data, accuracy);
        nse_buffer_free(&json);
        nse_arch_free(arch);
    }
    fclose(out);
    free(history);
    return text;
}

static void finish(const nse_search *search) {
    nse_status status;
    while ((status = nse_search_step(search, &error)) != NSE_DONE) {
        if (status != NSE_OK) fail_msg("%s", nse_error_message(error));
    }
}

static char *undisturbed(void) {
    nse_search *search = start("null", NULL);
    finish(search);
    char *result = result_of(search);
    assert_true(strlen(result) > 2000);
    nse_search_free(search);
    return result;
}

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    return text;
}

/* ---- The other process ------------------------------------------------------------------------------------------------------- */

static pid_t spawn(const char *what, const char *checkpoint, const char *result, int ready) {
    char fd[16];
    snprintf(fd, sizeof fd, "%d", ready);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl("/proc/self/exe", "c-checkpoint", what, checkpoint, result, fd, (char *)NULL);
        _exit(127);
    }
    return child;
}

static int exit_status(pid_t child) {
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Ends a loaded search in a fresh process, and gives its result. */
static char *finished_elsewhere(const char *checkpoint) {
    const char *path = in_folder("result");
    unlink(path);
    assert_int_equal(exit_status(spawn("finish", checkpoint, path, -1)), 0);
    return read_text(path);
}

static int32_t cancel_at(void *user, const nse_event *event) {
    (void)event;
    return --*(int *)user <= 0;
}

static int other_process(int argc, char **argv) {
    const char *what = argv[1], *checkpoint = argv[2];
    nse_search *search = NULL;
    if (strcmp(what, "make") == 0) {
        int left = 3;
        nse_events events = NSE_EVENTS_INIT;
        events.on_event = cancel_at, events.user = &left;
        search = start("null", &events);
        nse_search_step(search, NULL);
        return nse_search_save(search, checkpoint, NULL) == NSE_OK ? 0 : 1;
    }
    if (strcmp(what, "run") == 0 && access(checkpoint, F_OK) != 0) {
        char option[512];
        snprintf(option, sizeof option, "{\"path\": \"%s\", \"steps\": 1}", checkpoint);
        search = start(option, NULL);
    } else if (load(checkpoint, NULL, &search) != NSE_OK) {
        fprintf(stderr, "%s\n", nse_error_message(error));
        return 3;
    }
    if (argc > 4 && atoi(argv[4]) >= 0 && write(atoi(argv[4]), "r", 1) != 1) return 4;
    finish(search);
    FILE *out = fopen(argv[3], "wb");
    char *result = result_of(search);
    fputs(result, out);
    free(result);
    nse_search_free(search);
    return fclose(out);
}

/* ---- Tests ------------------------------------------------------------------------------------------------------------------- */

/* Cancelled by its callback after every other number of events, saved, and ended elsewhere: some in a fresh process, all here. */
static void saved_anywhere(void **state) {
    (void)state;
    char *expected = undisturbed();
    const char *path = in_folder("anywhere");
    int saved = 0;
    for (int events_before = 1;; events_before += 2) {
        int left = events_before;
        nse_events events = NSE_EVENTS_INIT;
        nse_search *search, *copy = NULL;
        nse_status status;
        events.on_event = cancel_at, events.user = &left;
        search = start("null", &events);
        while ((status = nse_search_step(search, NULL)) == NSE_OK) {}
        if (status == NSE_DONE) { /* too late: nothing was left to cancel */
            nse_search_free(search);
            break;
        }
        assert_int_equal(status, NSE_ERR_CANCELLED);
        assert_int_equal(nse_search_save(search, path, NULL), NSE_OK); /* replaces the file of before */
        nse_search_free(search);
        if (events_before % 9 == 0) {
            char *there = finished_elsewhere(path);
            assert_string_equal(there, expected);
            free(there);
        }
        if (load(path, NULL, &copy) != NSE_OK) fail_msg("%s", nse_error_message(error));
        finish(copy);
        char *here = result_of(copy);
        assert_string_equal(here, expected);
        free(here);
        nse_search_free(copy);
        ++saved;
    }
    assert_true(saved > 10);
    free(expected);
}

/* Before the first round, between two, and after the last. */
static void saved_between_rounds(void **state) {
    (void)state;
    char *expected = undisturbed();
    const char *path = in_folder("between");
    nse_search *search = start("null", NULL);
    for (int rounds = 0; rounds <= 2; ++rounds) {
        nse_search *copy = NULL;
        nse_buffer before = NSE_BUFFER_INIT, after = NSE_BUFFER_INIT;
        assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
        assert_int_equal(load(path, NULL, &copy), NSE_OK);
        assert_int_equal(nse_search_history(search, &before, NULL), NSE_OK);
        assert_int_equal(nse_search_history(copy, &after, NULL), NSE_OK);
        assert_string_equal(before.data, after.data);
        nse_buffer_free(&before);
        nse_buffer_free(&after);
        nse_search_free(copy);
        char *there = finished_elsewhere(path);
        assert_string_equal(there, expected);
        free(there);
        assert_int_equal(nse_search_step(search, NULL), rounds < 1 ? NSE_OK : NSE_DONE);
    }
    nse_search_free(search);
    free(expected);
}

/* Killed ten times wherever it is, also while it writes, and started again: the result is that of an undisturbed run. */
static void killed(void **state) {
    (void)state;
    char *expected = undisturbed(), byte;
    const char *checkpoint = in_folder("killed"), *path = in_folder("killed.result");
    int kills = 0, status = -SIGKILL;
    srand(7);
    while (status == -SIGKILL) {
        int ready[2];
        assert_int_equal(pipe(ready), 0);
        const pid_t child = spawn("run", checkpoint, path, ready[1]);
        close(ready[1]);
        if (kills < 10) {
            assert_int_equal(read(ready[0], &byte, 1), 1); /* the search is made or loaded */
            usleep((useconds_t)(rand() % 40000));
            kill(child, SIGKILL);
            ++kills;
        }
        close(ready[0]);
        status = exit_status(child);
    }
    assert_int_equal(status, 0);
    assert_true(kills >= 3);
    char *result = read_text(path);
    assert_string_equal(result, expected);
    free(result);
    /* The last save is that of the end; nothing else is left behind. */
    nse_search *search = NULL;
    assert_int_equal(load(checkpoint, NULL, &search), NSE_OK);
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    nse_search_free(search);
    assert_int_not_equal(access(in_folder(".killed.partial"), F_OK), 0);
    free(expected);
}

/* Without steps and seconds the file is written at the end of every round. */
static void option_saves_rounds(void **state) {
    (void)state;
    char option[256];
    const char *path = in_folder("rounds");
    nse_search *search, *copy = NULL;
    nse_buffer status = NSE_BUFFER_INIT, options = NSE_BUFFER_INIT;
    snprintf(option, sizeof option, "{\"path\": \"%s\"}", path);
    search = start(option, NULL);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(load(path, NULL, &copy), NSE_OK);
    assert_int_equal(nse_search_status(copy, &status, NULL), NSE_OK);
    assert_non_null(strstr(status.data, "\"completed\":1,\"done\":false,\"event\":null"));
    assert_int_equal(nse_search_options(copy, &options, NULL), NSE_OK);
    assert_non_null(strstr(options.data, "nse-checkpoint-"));
    nse_buffer_free(&status);
    nse_buffer_free(&options);
    nse_search_free(copy);
    nse_search_free(search);
}

/* A checkpoint that cannot be written stops the step, not the search. */
static void option_without_a_folder(void **state) {
    (void)state;
    char option[256], *expected = undisturbed();
    const char *path = in_folder("later/checkpoint");
    snprintf(option, sizeof option, "{\"path\": \"%s\", \"steps\": 1}", path);
    nse_search *search = start(option, NULL);
    for (int i = 0; i < 20; ++i) expect_error(nse_search_step(search, &error), NSE_ERR_IO, &error, path, "\"path\":");
    assert_int_equal(mkdir(in_folder("later"), 0700), 0);
    finish(search);
    char *result = result_of(search);
    assert_string_equal(result, expected);
    nse_search_free(search);
    nse_search *copy = NULL;
    assert_int_equal(load(path, NULL, &copy), NSE_OK);
    char *again = result_of(copy);
    assert_string_equal(again, expected);
    nse_search_free(copy);
    free(result), free(again), free(expected);
}

/* Progress of a loaded search goes where its own description says. */
typedef struct {
    nse_search *search;
    int calls, freed;
    nse_status saved, described;
} listener;

static int32_t on_event(void *user, const nse_event *event) {
    listener *l = user;
    nse_buffer options = NSE_BUFFER_INIT;
    assert_true(event->round >= 1 && event->round <= event->rounds && event->step <= event->steps);
    l->saved = nse_search_save(l->search, in_folder("inside"), NULL);
    l->described = nse_search_options(l->search, &options, NULL);
    nse_buffer_free(&options);
    ++l->calls;
    return 0;
}

static void on_free(void *user) { ++((listener *)user)->freed; }

static void events_of_a_loaded_search(void **state) {
    (void)state;
    listener l = {NULL, 0, 0, NSE_OK, NSE_ERR_PANIC};
    nse_events events = NSE_EVENTS_INIT;
    const char *path = in_folder("events");
    nse_search *search = start("null", NULL), *none = (nse_search *)1;
    events.on_event = on_event, events.user = &l, events.user_free = on_free;
    assert_int_equal(nse_search_save(search, path, NULL), NSE_OK);
    nse_search_free(search);
    expect_error(load(in_folder("none"), &events, &none), NSE_ERR_IO, &error, "none", "\"path\":");
    assert_null(none);
    assert_int_equal(l.freed, 1);
    expect_error(load(NULL, &events, &none), NSE_ERR_INVALID_ARGUMENT, &error, "path: NULL", "path");
    assert_int_equal(l.freed, 2);
    assert_int_equal(load(path, &events, NULL), NSE_ERR_INVALID_ARGUMENT);
    nse_error_free(error);
    assert_int_equal(l.freed, 3);
    assert_int_equal(load(path, &events, &l.search), NSE_OK);
    assert_int_equal(nse_search_step(l.search, NULL), NSE_OK);
    assert_true(l.calls > 3);
    assert_int_equal(l.saved, NSE_ERR_BUSY);
    assert_int_equal(l.described, NSE_OK);
    assert_int_not_equal(access(in_folder("inside"), F_OK), 0);
    nse_search_free(l.search);
    for (int i = 0; i < 1000 && l.freed == 3; ++i) usleep(1000);
    assert_int_equal(l.freed, 4);
}

static int setup(void **state) {
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int teardown(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_anywhere),
        cmocka_unit_test(saved_between_rounds),
        cmocka_unit_test(killed),
        cmocka_unit_test(option_saves_rounds),
        cmocka_unit_test(option_without_a_folder),
        cmocka_unit_test(events_of_a_loaded_search),
    };
    if (argc > 1) return other_process(argc, argv);
    return cmocka_run_group_tests_name("checkpoint", tests, setup, teardown);
}
