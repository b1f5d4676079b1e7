// A callback must not throw, says the header; one that does ends the process with SIGABRT, at every place where the library calls the
// host. The C++ binding lets callbacks throw (tests/cpp/callback_test.cc). longjmp out of a callback cannot be noticed.
#include "dlpack_part.h"
#include "host.h"

#include <csignal>
#include <stdexcept>
#include <sys/resource.h>
#include <sys/wait.h>

namespace {

int32_t throwing_event(void *, const nse_event *) { throw std::runtime_error("from a callback"); }
void throwing_free(void *) { throw 42; }
int32_t throwing_fill(void *, uint32_t, uint32_t, uint8_t *, uint32_t *) { throw std::runtime_error("from fill"); }
void throwing_deleter(DLManagedTensorVersioned *) { throw 1; }

void in_step(uint32_t flags) {
    nse_events events = NSE_EVENTS_INIT;
    events.flags = flags;
    events.on_event = throwing_event;
    nse_search_step(host_search(&events), nullptr);
}

void in_events() { in_step(0); }
void in_direct_events() { in_step(NSE_EVENTS_DIRECT); }

void in_poll() {
    nse_events events = NSE_EVENTS_INIT;
    nse_op *op = nullptr;
    events.on_event = throwing_event;
    nse_search_step_async(host_search(&events), &op, nullptr);
    nse_op_poll(op, NSE_FOREVER, nullptr);
}

void in_user_free() {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_events events = NSE_EVENTS_INIT;
    nse_search *search = nullptr;
    events.user_free = throwing_free;
    desc.events = &events; // and nothing else, so that it fails
    nse_search_create(&desc, &search, nullptr);
}

void in_user_free_later() {
    nse_events events = NSE_EVENTS_INIT;
    events.user_free = throwing_free;
    nse_search_free(host_search(&events));
    pause();
}

void in_fill() {
    nse_source source = NSE_SOURCE_INIT;
    nse_dataset *dataset = nullptr;
    source.channels = source.height = source.width = source.count = 1;
    source.fill = throwing_fill;
    nse_dataset_from_source(&source, &dataset, nullptr);
}

void in_deleter() {
    DLManagedTensorVersioned tensor = {};
    nse_dataset *dataset = nullptr;
    tensor.version[0] = 1;
    tensor.deleter = throwing_deleter;
    nse_dataset_from_dlpack(&tensor, nullptr, 0, 0, &dataset, nullptr);
}

void expect_abort(const char *name, void (*call)()) {
    const pid_t child = fork();
    if (child == 0) {
        const rlimit none = {0, 0};
        setrlimit(RLIMIT_CORE, &none);
        alarm(60);
        // What the abort says is of no interest here.
        if (freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
        try {
            call();
        } catch (...) {
            _exit(3);
        }
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) return;
    std::fprintf(stderr, "throw.cc: an exception %s ended with status %#x, not with SIGABRT\n", name, status);
    std::exit(1);
}

} // namespace

int main() {
    // Forked before the first call each time: the parent never makes one.
    expect_abort("in events", in_events);
    expect_abort("in direct events", in_direct_events);
    expect_abort("in a poll", in_poll);
    expect_abort("in user_free", in_user_free);
    expect_abort("in user_free of a search", in_user_free_later);
    expect_abort("in fill", in_fill);
    expect_abort("in a deleter", in_deleter);
    return 0;
}
