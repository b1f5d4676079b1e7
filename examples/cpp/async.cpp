// Async: rounds that are begun and polled, in a program that has other things to do; cancelled halfway, and gone on with.
//
//     async DATA
//
// DATA is a folder with the four IDX files of Fashion-MNIST. Ctrl-C cancels too; then the search is saved in async.nse, and a second
// start goes on from there. The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>

namespace {

constexpr auto space_overrides = R"({"channels": [8, 16, 32], "stem_stride": 2, "tail": 64})";
constexpr auto search_options = R"({
    "seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
    "train": {"epochs": 1, "batch": 32, "lr": 0.1},
    "candidates": {"count": 12, "extras": 4}, "score": {"calibration": 256}
})";
constexpr auto saved = "async.nse";
// The step of the first round at which this program changes its mind.
constexpr std::uint64_t cancel_at = 10;

volatile std::sig_atomic_t interrupted = 0;

nse::Dataset open_dataset(const std::string &folder) {
    const nse::Dataset all =
        nse::Dataset::open(R"({"format": "idx", "images": ")" + folder + R"(/train-images-idx3-ubyte.gz", "labels": ")" + folder +
                           R"(/train-labels-idx1-ubyte.gz"})");
    return all.split(0.04).second;
}

int run(const std::string &folder) {
    // What the events have said, for the loop: they come inside poll, on this thread.
    std::uint64_t at_round = 0, step = 0, steps = 0;
    const auto on_event = [&](const nse::Event &event) { at_round = event.round, step = event.step, steps = event.steps; };

    const nse::Dataset train = open_dataset(folder);
    const bool resumed = std::filesystem::exists(saved);
    nse::Search search =
        resumed ? nse::Search::load(saved, train, {}, on_event)
                : nse::Search(nse::Space::preset("nse-27-small", space_overrides), train, search_options, on_event);
    bool changes_mind = !resumed;
    if (resumed) {
        std::printf("going on from %s\n", saved);
    }

    for (nse_status status = NSE_OK; status != NSE_DONE;) {
        nse::Operation round = search.step_async();
        try {
            while ((status = round.poll(20)) == NSE_PENDING) {
                // Here the program does whatever else it is for.
                std::printf("\rround %d, step %d/%d   ", static_cast<int>(at_round), static_cast<int>(step), static_cast<int>(steps));
                std::fflush(stdout);
                if (interrupted != 0 || (changes_mind && step >= cancel_at)) {
                    round.cancel();
                }
            }
            std::printf("\nround %d is complete\n", static_cast<int>(at_round));
        } catch (const nse::Error &error) {
            if (error.code() != NSE_ERR_CANCELLED) {
                throw;
            }
            if (interrupted != 0) {
                search.save(saved);
                std::printf("\nsaved in %s\n", saved);
                return 130;
            }
            std::printf("\ncancelled, and going on\n");
            status = NSE_OK;
        }
        changes_mind = false;
    }
    std::filesystem::remove(saved);
    std::printf("%s\n", search.front_json().c_str());
    return 0;
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: async DATA\n");
        return 2;
    }
    std::signal(SIGINT, [](int) { interrupted = 1; }); // nothing of nse in there: the loop looks at it
    try {
        return run(argv[1]);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
