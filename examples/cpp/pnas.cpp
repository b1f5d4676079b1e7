// PNAS: search a cell for Fashion-MNIST that grows block by block (docs/pnas.md).
//
//     pnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the quickstart, in a
// space of blocks, with "strategy" in place of what evolution is told ("rounds", "active", "candidates"). The
// programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

// Three million multiply-accumulates at most.
constexpr std::uint64_t budget = 3'000'000;
// Three cells of up to three blocks, with two operators: 10 cells of one block.
constexpr auto space_overrides = R"({
    "input": {"channels": 1, "height": 28, "width": 28}, "channels": 8, "cells": 3, "nodes": 3,
    "operators": ["sep_conv_3x3", "max_pool_3x3"]
})";
// All cells of one block; then the three of two blocks, and of three, that are foretold to be best.
constexpr auto search_options = R"({
    "seed": 1, "strategy": {"grow": {"beam": 3}},
    "objective": {"low": 0, "high": 3000000},
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

// The most accurate cell so far; accuracies are those of cells that were trained alone.
void best_so_far(const nse::Search &search) {
    const auto [best, accuracy] = search.best(budget);
    std::printf("\naccuracy %.4f: %s\n", accuracy, best.to_json().c_str());
}

void run(const std::string &data, double fraction) {
    const nse::Dataset all = open_dataset(data, "train");
    const auto [rest, train] = all.split(fraction);

    const nse::Space space = nse::Space::preset("pnas-cifar", space_overrides);

    nse::Search search(space, train, search_options, show);
    for (bool more = true; more;) {
        more = search.step();
        best_so_far(search);
    }

    const auto [best, accuracy] = search.best(budget);
    const auto [macs, params] = best.cost();
    std::printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f\n", best.to_json().c_str(),
                static_cast<int>(macs), static_cast<int>(params), accuracy);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: pnas DATA [FRACTION]\n");
        return 2;
    }
    try {
        run(argv[1], argc > 2 ? std::atof(argv[2]) : 0.2);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
