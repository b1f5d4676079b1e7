/* fork before the first call, after it, in the middle of work of another thread, with exec behind it: the parent goes on as if nothing
 * had happened, and a child that must not call gets NSE_ERR_FORKED from every function of the header, at once.
 */
#define _GNU_SOURCE
#include "calls.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>
#include <signal.h>
#include <sys/wait.h>

static uint8_t room[1 << 16];
static atomic_int freed;

static void count_free(void *user) {
    (void)user;
    ++freed;
}

/* The child's exit code; a child that hangs is killed, and reported so. */
static int finished(pid_t child) {
    int status = 0;
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status)) fprintf(stderr, "fork.c: a child ended with signal %d%s\n", WTERMSIG(status), WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* The search trains a round, and the answer is always the same. */
static void work(const nse_search *search) {
    nse_buffer history = NSE_BUFFER_INIT;
    CHECK(nse_search_step(search, NULL) >= 0);
    EXPECT(nse_search_history(search, &history, NULL), NSE_OK);
    CHECK(history.len > 0);
    nse_buffer_free(&history);
}

/* Constants of the library, which need none of its state. */
static int answers_everywhere(const char *name) {
    static const char *const names[] = {"nse_status_name", "nse_version_number", "nse_version_string", "nse_abi_check"};
    for (size_t i = 0; i < COUNT_OF(names); ++i) {
        if (strcmp(name, names[i]) == 0) return 1;
    }
    return 0;
}

/* Calls everything, with the parent's handles and with none. */
static void forked_child(const void *const *handles) {
    alarm(30);
    const int before = freed;
    for (size_t i = 0; i < COUNT_OF(functions); ++i) {
        const function *f = &functions[i];
        for (int real = 0; real < 2; ++real) {
            value v[MOST_ARGUMENTS] = {{.n = 0}};
            nse_error *error = (nse_error *)room;
            nse_buffer buffer = NSE_BUFFER_INIT;
            for (int a = 0; real && a < f->count; ++a) {
                const place *p = &f->arguments[a];
                for (int k = 0; p->kind == 'h' && kinds[k] != NULL; ++k) {
                    if (strcmp(kinds[k], p->type) == 0) v[a].p = handles[k];
                }
                if (p->kind == 'H') v[a].p = room + 16 * a;
                if (p->kind == 'e') v[a].p = &error;
                if (p->kind == 'b') v[a].p = &buffer;
                if (p->kind == 't') v[a].p = fitting_text(f->name, p->name);
            }
            const int64_t got = f->call(v);
            if (f->result == 't') CHECK(got != 0);
            if (f->result != 's' || answers_everywhere(f->name)) continue;
            if (got != NSE_ERR_FORKED) host_fail(f->name, real, "NSE_ERR_FORKED comes from it in a forked child", (nse_status)got);
            CHECK(buffer.data == NULL);
            for (int a = 0; real && a < f->count; ++a) {
                if (f->arguments[a].kind == 'e') CHECK(error == NULL);
                if (f->arguments[a].kind == 'H') CHECK(*(void *const *)v[a].p == NULL);
            }
        }
    }
    /* What the parent's objects hold is the parent's. */
    CHECK(freed == before);
    /* A callback that this call itself was given is given back, as ever. */
    nse_events events = NSE_EVENTS_INIT;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *none = (nse_search *)room;
    events.user_free = count_free, desc.events = &events;
    EXPECT(nse_search_create(&desc, &none, NULL), NSE_ERR_FORKED);
    CHECK(none == NULL && freed == before + 1);
}

static void before_first_use(void) {
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        nse_search *search = host_search(NULL);
        work(search);
        nse_search_free(search);
        exit(7);
    }
    CHECK(finished(child) == 7);
}

static const void *handles[16];

static void take(const char *kind, const void *handle) {
    for (int k = 0; kinds[k] != NULL; ++k) {
        if (strcmp(kinds[k], kind) == 0) handles[k] = handle;
    }
}

static void *train(void *search) {
    for (int i = 0; i < 2; ++i) CHECK(nse_search_step(search, NULL) >= 0);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "new") == 0) { /* after exec: a process like any other */
        alarm(60);
        nse_model_free(host_model());
        return 9;
    }
    alarm(240);
    before_first_use();

    nse_events events = NSE_EVENTS_INIT;
    events.user_free = count_free;
    nse_search *search = host_search(&events);
    nse_error *error = NULL;
    nse_op *op = NULL;
    nse_space *none = NULL;
    work(search);
    EXPECT(nse_space_from_json("{", &none, &error), NSE_ERR_CONFIG);
    nse_search *other = host_search(NULL);
    EXPECT(nse_search_step_async(other, &op, NULL), NSE_OK);
    take("nse_search", search), take("nse_error", error), take("nse_op", op), take("nse_space", host_space());
    take("nse_dataset", host_images(24)), take("nse_arch", host_arch()), take("nse_model", host_model());

    /* Both ways to leave: at once, and through what is registered with atexit, libtorch's included. */
    for (int code = 3; code < 5; ++code) {
        pid_t child = fork();
        if (child == 0) {
            forked_child(handles);
            if (code == 3) _exit(code);
            exit(code);
        }
        CHECK(finished(child) == code);
    }
    work(search);

    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        execl("/proc/self/exe", argv[0], "new", (char *)NULL);
        _exit(1);
    }
    CHECK(finished(child) == 9);

    /* Again and again while another thread is inside the library, and this one holds nothing. */
    pthread_t trainer;
    nse_search *busy = host_search(NULL);
    CHECK(pthread_create(&trainer, NULL, train, busy) == 0);
    for (int i = 0; i < 40; ++i) {
        child = fork();
        if (child == 0) {
            forked_child(handles);
            _exit(5);
        }
        CHECK(finished(child) == 5);
    }
    pthread_join(trainer, NULL);
    CHECK(nse_op_poll(op, NSE_FOREVER, NULL) >= 0);
    CHECK(freed == 0);
    for (size_t i = 0; i < COUNT_OF(functions); ++i) {
        for (int k = 0; is_free(&functions[i]) && kinds[k] != NULL; ++k) {
            if (strcmp(functions[i].arguments[0].type, kinds[k]) == 0) functions[i].call(&(value){.p = handles[k]});
        }
    }
    nse_search_free(other);
    nse_search_free(busy);
    for (int i = 0; i < 1000 && freed == 0; ++i) usleep(10000); /* the thread of the search gives it back */
    CHECK(freed == 1);
    return 0;
}
