/* A fork in the middle of the very first call: the child may get NSE_OK or NSE_ERR_FORKED from its own calls, and never waits for a lock
 * that the other thread had. What could be waited for is what a library does once, so this looks for that: whatever the first call
 * registers (for forks) is caught here, and a child is forked in that very moment.
 */
#define _GNU_SOURCE
#include "host.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

static atomic_int started;

static void fork_and_call(void) {
    const pid_t child = fork();
    if (child == 0) {
        nse_buffer names = NSE_BUFFER_INIT;
        alarm(20);
        const nse_status status = nse_space_presets(&names, NULL);
        _exit(status == NSE_OK || status == NSE_ERR_FORKED ? 3 : 4);
    }
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

/* What pthread_atfork calls; the program's comes before that of the C library. */
int __register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void), void *file) {
    int (*next)(void (*)(void), void (*)(void), void (*)(void), void *);
    *(void **)&next = dlsym(RTLD_NEXT, "__register_atfork");
    if (started) fork_and_call();
    return next(before, parent, child, file);
}

static void *call_first(void *unused) {
    nse_buffer names = NSE_BUFFER_INIT;
    started = 1;
    EXPECT(nse_space_presets(&names, NULL), NSE_OK);
    nse_buffer_free(&names);
    return unused;
}

int main(void) {
    pthread_t first;
    alarm(60);
    CHECK(pthread_create(&first, NULL, call_first, NULL) == 0);
    while (!started) {
    }
    for (int i = 0; i < 20; ++i) fork_and_call();
    pthread_join(first, NULL);
    return 0;
}
