// A host that uses the same libtorch, set up in its own odd way: nothing of that is another before, while and after the library
// works, and what the library computes does not depend on it.
#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <c10/core/InferenceMode.h>
#include <c10/core/DefaultDtype.h>
#include <c10/core/GradMode.h>

#include <cfenv>
#include <clocale>
#include <csignal>
#include <string>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

// libtorch has one too, which aborts.
#undef CHECK
#include "support.h"

extern char **environ;

namespace {

std::string read(nse_status (*function)(const nse_search *, nse_buffer *, nse_error **), const nse_search *search) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, function(search, &buffer, &error));
    std::string text(buffer.data, buffer.len);
    nse_buffer_free(&buffer);
    return text;
}

// Everything that a host may have set, as lines of text; a difference can then be read.
std::vector<std::string> state() {
    std::vector<std::string> lines;
    const auto add = [&](const char *name, auto value) { lines.push_back(std::string(name) + ' ' + std::to_string(value)); };
    auto &context = at::globalContext();
    add("threads", at::get_num_threads());
    add("interop threads", at::get_num_interop_threads());
    add("grad mode", c10::GradMode::is_enabled());
    add("inference mode", c10::InferenceMode::is_enabled());
    add("autocast cpu", at::autocast::is_autocast_enabled(at::kCPU));
    add("autocast cuda", at::autocast::is_autocast_enabled(at::kCUDA));
    add("autocast dtype", static_cast<int>(at::autocast::get_autocast_dtype(at::kCPU)));
    add("autocast cache", at::autocast::is_autocast_cache_enabled());
    add("cudnn", context.userEnabledCuDNN());
    add("cudnn benchmark", context.benchmarkCuDNN());
    add("cudnn deterministic", context.deterministicCuDNN());
    add("mkldnn", context.userEnabledMkldnn());
    add("deterministic algorithms", context.deterministicAlgorithms());
    add("matmul precision", static_cast<int>(context.float32MatmulPrecision()));
    add("default dtype", static_cast<int>(c10::get_default_dtype_as_scalartype()));
    const at::Tensor generator = at::detail::getDefaultCPUGenerator().get_state();
    lines.push_back("generator " + std::string(static_cast<const char *>(generator.data_ptr()), generator.nbytes()));

    add("rounding", std::fegetround());
    add("floating-point exceptions", std::fetestexcept(FE_ALL_EXCEPT));
#if defined(__x86_64__)
    add("mxcsr", _mm_getcsr() & ~0x3fu);
#endif
    lines.push_back(std::string("locale ") + std::setlocale(LC_ALL, nullptr));
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    for (int signal = 1; signal < NSIG; ++signal) {
        struct sigaction action {};
        // Two of them are the C library's own, and cannot be asked for.
        if (sigaction(signal, nullptr, &action) != 0) continue;
        add("handler", reinterpret_cast<std::uintptr_t>(action.sa_handler));
        add("flags", action.sa_flags);
        add("blocked", sigismember(&mask, signal));
    }
    for (char **variable = environ; *variable != nullptr; ++variable) lines.push_back(std::string("environment ") + *variable);
    char folder[4096];
    lines.push_back(getcwd(folder, sizeof folder));
    const mode_t rights = umask(0);
    umask(rights);
    add("umask", rights);
    return lines;
}

void unchanged(const std::vector<std::string> &before, const char *when) {
    const std::vector<std::string> now = state();
    for (std::size_t i = 0; i < before.size() && i < now.size(); ++i) {
        if (before[i] != now[i]) {
            std::fprintf(stderr, "%s: \"%.60s\" became \"%.60s\"\n", when, before[i].c_str(), now[i].c_str());
            std::exit(1);
        }
    }
    CHECK(before.size() == now.size());
}

struct Host {
    std::vector<std::string> before;
    int events = 0;
};

std::int32_t seen(void *user, const nse_event *) {
    auto *host = static_cast<Host *>(user);
    unchanged(host->before, "in a callback");
    ++host->events;
    return 0;
}

// A search, a model, an evaluation and an export; gives what was computed.
std::string work(const std::string &file) {
    Host host{state()};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = seen;
    events.user = &host;
    nse_search *search = make_search(5, 2, &events);
    unchanged(host.before, "after nse_search_create");
    EXPECT(NSE_OK, nse_search_step(search, &error));
    EXPECT(NSE_DONE, nse_search_step(search, &error));
    unchanged(host.before, "after the rounds");
    std::string history = read(nse_search_history, search), report = read(nse_search_status, search);
    for (std::size_t at; (at = history.find("\"seconds\"")) != std::string::npos;) history.erase(at, history.find('\n', at) - at);
    nse_search_free(search);
    nse_model *model = make_model(&events);
    unchanged(host.before, "after nse_model_train");
    nse_dataset *images = make_images(60);
    double loss = 0, accuracy = 0;
    EXPECT(NSE_OK, nse_model_evaluate(model, images, &loss, &accuracy, &error));
    EXPECT(NSE_OK, nse_model_export(model, "torchscript", file.c_str(), &error));
    CHECK(unlink(file.c_str()) == 0);
    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_runtime_info(&info, &error));
    nse_buffer_free(&info);
    nse_dataset_free(images);
    nse_model_free(model);
    unchanged(host.before, "after nse_model_export");
    CHECK(host.events > 10);
    return history + std::to_string(loss) + ' ' + std::to_string(accuracy);
}

// Random numbers and a product, which the host would compute without the library.
std::string own() {
    const at::Tensor a = at::rand({40, 40}, at::kFloat), b = at::randn({40, 40}, at::kFloat);
    const at::Tensor c = at::mm(a, b);
    return std::string(static_cast<const char *>(c.data_ptr()), c.nbytes());
}

} // namespace

int main(int argc, char **argv) {
    CHECK(argc == 2);
    const std::string file = std::string(argv[1]) + "/guest.pt", plain = work(file);

    std::signal(SIGUSR1, [](int) {});
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
    at::manual_seed(11);
    c10::GradMode::set_enabled(false);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::globalContext().setBenchmarkCuDNN(true);
    at::globalContext().setDeterministicCuDNN(true);
    c10::set_default_dtype(caffe2::TypeMeta::Make<double>());
    CHECK(work(file) == plain);
    {
        const c10::InferenceMode inference;
        CHECK(work(file) == plain);
    }

    // The host's numbers, with and without the library in between.
    at::manual_seed(11);
    const std::string first = own(), second = own();
    CHECK(first != second);
    at::manual_seed(11);
    CHECK(own() == first);
    CHECK(work(file) == plain);
    CHECK(own() == second);

    // Threads inherit the floating-point state of the thread that begins them; those of the library have the default.
    at::globalContext().setFlushDenormal(true);
    std::fesetround(FE_UPWARD);
    CHECK(work(file) == plain);
    std::fesetround(FE_TONEAREST);
    EXPECT(NSE_OK, nse_shutdown(NSE_FOREVER, &error));
    return 0;
}
