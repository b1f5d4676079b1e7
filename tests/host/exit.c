/* A process may end at any time and in any way, with work under way and nothing freed: it ends with its own code, at once, and
 * quietly. Without an argument this runs every way in a process of its own; with NSE_TEST_SLOW several times.
 */
#define _GNU_SOURCE
#include "host.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>

#define CODE 23

static const char *way;

static void end(void) {
    if (strstr(way, "quick") != NULL) quick_exit(CODE);
    exit(CODE);
}

/* From the third batch on something is under way in every sense. */
static int32_t ends_in_callback(void *user, const nse_event *event) {
    (void)user;
    if (strstr(way, "callback") != NULL && event->step >= 3) end();
    return 0;
}

/* The number behind the plus, in microseconds. */
static useconds_t delay(useconds_t otherwise) {
    const char *plus = strchr(way, '+');
    return plus != NULL ? (useconds_t)atoi(plus + 1) : otherwise;
}

static void *another_thread(void *unused) {
    (void)unused;
    usleep(delay(30000));
    end();
    return NULL;
}

static void *lives_on(void *search) {
    nse_status status;
    do status = nse_search_step(search, NULL);
    while (status == NSE_OK);
    _exit(status == NSE_DONE ? CODE : 1);
}

static void *makes_more(void *unused) {
    for (;;) {
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_space *space = NULL;
        nse_search *search = NULL;
        nse_op *op = NULL;
        nse_space_from_json(SPACE_TEXT, &space, NULL);
        desc.space = space, desc.train = unused, desc.options_json = SEARCH_TEXT;
        if (nse_search_create(&desc, &search, NULL) == NSE_OK) nse_search_step_async(search, &op, NULL);
        nse_op_free(op);
        nse_space_free(space);
    }
    return NULL;
}

/* The first training of a process, while a thread that never called the library ends it. From then on calls may fail. */
static void stranger(void) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = host_space();
    nse_dataset *images = host_images(96);
    nse_search *search = NULL;
    nse_op *op = NULL;
    pthread_t thread;
    CHECK(pthread_create(&thread, NULL, another_thread, NULL) == 0);
    desc.space = space, desc.train = images, desc.options_json = SEARCH_TEXT;
    if (nse_search_create(&desc, &search, NULL) == NSE_OK && nse_search_step_async(search, &op, NULL) == NSE_OK) {
        nse_op_poll(op, NSE_FOREVER, NULL);
    }
    for (;;) pause();
}

static int child(void) {
    nse_events events = NSE_EVENTS_INIT;
    nse_op *op = NULL;
    pthread_t thread;
    alarm(60);
    if (strstr(way, "stranger") != NULL) stranger();
    events.on_event = ends_in_callback;
    if (strstr(way, "direct") != NULL) events.flags = NSE_EVENTS_DIRECT;
    nse_search *search = host_search(&events), *second = host_search(NULL);
    nse_op *other = NULL;
    EXPECT(nse_search_step_async(second, &other, NULL), NSE_OK);
    if (strcmp(way, "pthread_exit") == 0) {
        CHECK(pthread_create(&thread, NULL, lives_on, search) == 0);
        pthread_exit(NULL);
    }
    if (strstr(way, "callback") != NULL && strstr(way, "direct") == NULL) nse_search_step(search, NULL);
    EXPECT(nse_search_step_async(search, &op, NULL), NSE_OK);
    if (strstr(way, "thread") != NULL) {
        CHECK(pthread_create(&thread, NULL, another_thread, NULL) == 0);
        for (;;) nse_op_poll(op, NSE_FOREVER, NULL);
    }
    if (strstr(way, "making") != NULL) CHECK(pthread_create(&thread, NULL, makes_more, host_images(48)) == 0);
    if (strstr(way, "callback") != NULL) pause();
    usleep(delay(0));
    if (strncmp(way, "return", 6) == 0) return CODE;
    if (strncmp(way, "_exit", 5) == 0) _exit(CODE);
    end();
    return 1;
}

/* Runs this program; the code it ends with, and whether it says anything. */
static void expect_quiet_end(const char *program, const char *which) {
    int errors[2], status = 0;
    char text[512];
    CHECK(pipe2(errors, O_CLOEXEC) == 0);
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(errors[1], 2);
        execl("/proc/self/exe", program, which, (char *)NULL);
        _exit(1);
    }
    close(errors[1]);
    ssize_t said = 0, n;
    while ((n = read(errors[0], text + said, sizeof text - 1 - (size_t)said)) > 0) said += n;
    text[said] = '\0';
    close(errors[0]);
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == CODE && said == 0) return;
    fprintf(stderr, "exit.c: %s: ended with %s %d, and said \"%s\"\n", which, WIFSIGNALED(status) ? "signal" : "code",
            WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), text);
    exit(1);
}

int main(int argc, char **argv) {
    static const char *const ways[] = {
        "exit+0",         "exit+3000",     "exit+12000",           "exit+40000",     "return+7000",  "return+25000",
        "exit thread",    "exit callback", "exit callback direct", "_exit+20000",    "quick+20000",  "quick thread",
        "quick callback", "pthread_exit",  "exit making+20000",    "return making+5000",
        "exit stranger+0",     "exit stranger+10000", "exit stranger+30000", "exit stranger+50000", "exit stranger+70000",
        "exit stranger+90000", "exit stranger+120000",
    };
    if (argc == 2) {
        way = argv[1];
        return child();
    }
    alarm(240);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; ++i) {
        for (int times = 0; times < (getenv("NSE_TEST_SLOW") ? 5 : 1); ++times) expect_quiet_end(argv[0], ways[i]);
    }
    return 0;
}
