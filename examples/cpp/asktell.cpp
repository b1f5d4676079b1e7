// Asktell: a search that asks for architectures, and workers of this program that say how good they are.
//
//     asktell DATA
//
// DATA is a folder with the four IDX files of Fashion-MNIST. A worker here is a thread that trains what it is given for a moment; it
// could as well be a machine far away. The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdio>
#include <future>
#include <string>
#include <vector>

namespace {

constexpr std::size_t workers = 4;
constexpr auto space_overrides = R"({"channels": [8, 16, 32], "stem_stride": 2, "tail": 64})";
constexpr auto search_options = R"({
    "seed": 1, "rounds": 2, "active": 4, "objective": {"low": 150000, "high": 350000},
    "candidates": {"count": 8, "extras": 0}
})";
constexpr auto model_options = R"({"train": {"epochs": 1, "batch": 32, "lr": 0.1}, "calibration": 512})";

nse::Told evaluate(const nse::Arch &arch, const nse::Dataset &train, const nse::Dataset &held_out) {
    nse::Told result;
    result.code = arch.code();
    try {
        result.accuracy = nse::Model::train(arch, train, model_options).evaluate(held_out).accuracy;
    } catch (const nse::Error &error) {
        if (error.code() != NSE_ERR_DIVERGED) {
            throw;
        }
        result.failed = true; // that is a result too
    }
    return result;
}

void run(const std::string &folder) {
    const nse::Dataset all =
        nse::Dataset::open(R"({"format": "idx", "images": ")" + folder + R"(/train-images-idx3-ubyte.gz", "labels": ")" + folder +
                           R"(/train-labels-idx1-ubyte.gz"})");
    const nse::Dataset some = all.split(0.03).second;
    const auto parts = some.split(0.3);
    nse::Search search = nse::Search::told(nse::Space::preset("nse-27-small", space_overrides), search_options);

    for (;;) {
        const nse::Asked asked = search.ask(workers);
        if (asked.archs.empty()) { // done
            break;
        }
        std::vector<std::future<nse::Told>> results;
        for (const nse::Arch &arch : asked.archs) {
            results.push_back(std::async(std::launch::async, [&] { return evaluate(arch, parts.first, parts.second); }));
        }
        // Told in the order asked: then the same search gives the same architectures every time. Any other order will do.
        for (std::future<nse::Told> &pending : results) {
            const nse::Told result = pending.get(); // what a worker threw is thrown here
            search.tell(result);
            std::printf("%s: accuracy %.4f\n", result.code.c_str(), result.accuracy);
        }
    }
    std::printf("%s\n", search.front_json().c_str());
}

} // namespace

int main(int argc, char **argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: asktell DATA\n");
        return 2;
    }
    try {
        run(argv[1]);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
