// BNAS: search cells with binary weights for Fashion-MNIST, by sampled networks (docs/bnas.md).
//
//     bnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the quickstart,
// in a space of stacked cells whose weights are binary, with "strategy" in place of what evolution is told ("rounds", "active", "candidates"). The
// budget is one of bits. The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

namespace {

// Bits at most: 1 for every binary weight, 32 for every other number.
constexpr std::uint64_t budget = 300'000;
// Three cells of two nodes, with four choices for every edge.
constexpr auto space_overrides = R"({
    "input": {"channels": 1, "height": 28, "width": 28}, "channels": 8, "cells": 3, "nodes": 2,
    "operators": ["none", "skip_connect", "max_pool_3x3", "sep_conv_3x3"]
})";
// Every round samples networks of the worse half of each edge's operators, trains each of them a little, and takes the worst operator away.
constexpr auto search_options = R"({
    "seed": 1, "strategy": {"eliminate": {"times": 1, "epochs": 0.5}},
    "scorer": {"accuracy": {"samples": 1}}, "channel_sampling": 2,
    "objective": {"cost": "bits", "low": 0, "high": 300000},
    "train": {"epochs": 1, "batch": 64, "lr": 0.1},
    "score": {"calibration": 128, "images": 300}
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

    const nse::Space space = nse::Space::preset("bnas-cifar", space_overrides);

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
        std::fprintf(stderr, "usage: bnas DATA [FRACTION]\n");
        return 2;
    }
    try {
        run(argv[1], argc > 2 ? std::atof(argv[2]) : 0.2);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
