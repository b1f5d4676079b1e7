/* The library leaves the host's signals alone: no handler and no mask changes, its threads take none, and a host that lives on timer
 * signals can train and do files as ever.
 */
#define _GNU_SOURCE
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <sys/time.h>

static atomic_long ticks, strayed;
static pid_t main_thread;

static void tick(int number) {
    (void)number;
    const int before = errno;
    ++ticks;
    if ((pid_t)syscall(SYS_gettid) != main_thread) ++strayed;
    errno = before;
}

static void handlers(struct sigaction *all) {
    for (int i = 1; i < NSIG; ++i) {
        memset(&all[i], 0, sizeof all[i]);
        sigaction(i, NULL, &all[i]);
    }
}

static void same_handlers(const struct sigaction *before) {
    struct sigaction now[NSIG];
    sigset_t mask, wanted;
    handlers(now);
    for (int i = 1; i < NSIG; ++i) {
        if (now[i].sa_handler == before[i].sa_handler && now[i].sa_flags == before[i].sa_flags) continue;
        fprintf(stderr, "signals.c: the handler of signal %d was changed\n", i);
        exit(1);
    }
    CHECK(pthread_sigmask(SIG_SETMASK, NULL, &mask) == 0);
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR2);
    for (int i = 1; i < NSIG; ++i) CHECK(sigismember(&mask, i) == sigismember(&wanted, i));
}

/* Every thread but this one has all signals blocked: but SIGKILL and SIGSTOP, and the two that the C library keeps for itself. */
static int threads_without_signals(void) {
    const unsigned long long all = ~0ull & ~(1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1) | 1ull << 31 | 1ull << 32);
    DIR *tasks = opendir("/proc/self/task");
    int seen = 0;
    CHECK(tasks != NULL);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], line[256], name[64] = "";
        if (task->d_name[0] == '.' || atoi(task->d_name) == main_thread) continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/status", task->d_name);
        FILE *status = fopen(path, "r");
        if (status == NULL) continue; /* it has ended */
        while (fgets(line, sizeof line, status) != NULL) {
            sscanf(line, "Name: %63s", name);
            unsigned long long blocked;
            if (sscanf(line, "SigBlk: %llx", &blocked) != 1) continue;
            ++seen;
            if ((blocked & all) == all) continue;
            fprintf(stderr, "signals.c: thread %s blocks %#llx only\n", name, blocked);
            exit(1);
        }
        fclose(status);
    }
    closedir(tasks);
    return seen;
}

static int32_t look(void *user, const nse_event *event) {
    (void)event;
    const int seen = threads_without_signals();
    if (seen > *(int *)user) *(int *)user = seen;
    return 0;
}

int main(int argc, char **argv) {
    CHECK(argc == 2); /* a folder to write in */
    struct sigaction before[NSIG], action = {.sa_handler = tick};
    struct itimerval often = {{0, 1000}, {0, 1000}}, off = {{0, 0}, {0, 0}};
    sigset_t mask;
    char path[4096], export[4096];
    alarm(0);
    main_thread = (pid_t)syscall(SYS_gettid);
    snprintf(path, sizeof path, "%s/signals.saved", argv[1]);
    snprintf(export, sizeof export, "%s/signals.pt", argv[1]);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    CHECK(pthread_sigmask(SIG_SETMASK, &mask, NULL) == 0);
    /* No SA_RESTART: whatever waits in the kernel is interrupted. */
    CHECK(sigaction(SIGALRM, &action, NULL) == 0 && sigaction(SIGPROF, &action, NULL) == 0);
    signal(SIGPIPE, SIG_IGN);
    handlers(before);

    CHECK(setitimer(ITIMER_REAL, &often, NULL) == 0 && setitimer(ITIMER_PROF, &often, NULL) == 0);
    int threads = 0;
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = look, events.user = &threads;
    nse_search *search = host_search(&events);
    nse_status status;
    do {
        status = nse_search_step(search, NULL);
        CHECK(status >= 0);
        for (int i = 0; i < 40; ++i) EXPECT(nse_search_save(search, path, NULL), NSE_OK);
    } while (status != NSE_DONE);
    nse_model *model = host_model();
    for (int i = 0; i < 5; ++i) EXPECT(nse_model_export(model, "torchscript", export, NULL), NSE_OK);
    for (int i = 0; i < 10; ++i) {
        nse_search_desc desc = NSE_SEARCH_DESC_INIT;
        nse_dataset *images = host_images(96);
        nse_search *again = NULL;
        desc.train = images;
        EXPECT(nse_search_load(path, &desc, &again, NULL), NSE_OK);
        EXPECT(nse_search_step(again, NULL), NSE_DONE);
        nse_search_free(again);
        nse_dataset_free(images);
    }
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0 && setitimer(ITIMER_PROF, &off, NULL) == 0);
    CHECK(threads > 0);
    CHECK(ticks > 20);
    CHECK(strayed == 0);
    same_handlers(before);
    nse_model_free(model);
    nse_search_free(search);
    same_handlers(before);
    remove(path);
    remove(export);
    return 0;
}
