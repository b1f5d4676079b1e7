// ABS: search a network for Fashion-MNIST in a space that shrinks, by the angles of its operators (docs/abs.md).
//
//     abs DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Against the quickstart one option has
// changed: "strategy", in place of what evolution is told ("rounds", "active"). The whole space has weights, so it is a smaller one,
// with one branch open per cell, as ABS has it. The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

namespace {

// One million multiply-accumulates at most; candidates cost no less than 0.7 million.
constexpr std::uint64_t budget = 1'000'000;
constexpr auto space_overrides = R"({
    "channels": [8, 16, 32], "tail": 128,
    "operators": ["mbconv_k3_t3", "mbconv_k3_t6", "mbconv_k5_t3", "mbconv_k5_t6", "mbconv_k7_t3", "mbconv_k7_t6"]
})";
// After every round the 7 worst of all cells leave, until no more than 10,000 architectures are left.
constexpr auto search_options = R"({
    "seed": 1, "strategy": {"shrink": {"drop": {"worst": 7}, "until": 10000}},
    "branches": "single",
    "objective": {"low": 700000, "high": 1000000},
    "train": {"epochs": 1, "batch": 64, "lr": 0.1},
    "candidates": {"count": 12, "extras": 4},
    "score": {"calibration": 256, "images": 1000}
})";

nse::Dataset open_dataset(const std::string &folder, const std::string &part) {
    const std::string start = folder + "/" + part;
    return nse::Dataset::open(R"({"format": "idx", "images": ")" + start + R"(-images-idx3-ubyte.gz", "labels": ")" + start +
                              R"(-labels-idx1-ubyte.gz"})");
}

// A callback may also return bool: true would cancel.
void show(const nse::Event &event) {
    if (event.step % 10 == 0 && event.kind != NSE_EVENT_FINISH) {
        std::printf("\r%s round %d/%d, step %d/%d, loss %.3f, %.0f images/s, %.0f s left   ",
                    event.kind == NSE_EVENT_SCORE ? "score" : "train", static_cast<int>(event.round),
                    static_cast<int>(event.rounds), static_cast<int>(event.step), static_cast<int>(event.steps), event.loss,
                    event.images_per_second, event.seconds_left);
        std::fflush(stdout);
    }
}

// Operators that have weights, of all cells.
int operators_left(const nse::Search &search) {
    const auto active = search.active();
    return std::accumulate(active.values.begin(), active.values.end(), 0);
}

void run(const std::string &data, double fraction) {
    const nse::Dataset all = open_dataset(data, "train");
    const auto [rest, train] = all.split(fraction);

    const nse::Space space = nse::Space::preset("nse-27-small", space_overrides);

    nse::Search search(space, train, search_options, show);
    std::printf("%d operators\n", operators_left(search));
    for (bool more = true; more;) {
        more = search.step();
        std::printf("\n%d operators left\n", operators_left(search));
    }

    const auto [best, accuracy] = search.best(budget);
    const auto [macs, params] = best.cost();
    std::printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f in the supernet\n", best.to_json().c_str(),
                static_cast<int>(macs), static_cast<int>(params), accuracy);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: abs DATA [FRACTION]\n");
        return 2;
    }
    try {
        run(argv[1], argc > 2 ? std::atof(argv[2]) : 0.2);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
