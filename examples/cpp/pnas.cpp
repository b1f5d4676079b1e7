// PNAS: search a cell for Fashion-MNIST that grows block by block (docs/pnas.md).
//
//     pnas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like the search of the quickstart, in a
// space of blocks and with another "strategy". The programs in examples/c and examples/go do the same, step by step.
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

void run(const std::string &data, double fraction) {
    const nse::Dataset all = open_dataset(data, "train");
    const auto [rest, train] = all.split(fraction);
    const nse::Space space = nse::Space::preset("pnas-cifar", space_overrides);

    // Each cell of a round is trained by itself, and then scored.
    int cells = 0;
    nse::Search search(space, train, search_options, [&](const nse::Event &event) { cells += event.kind == NSE_EVENT_SCORE; });
    for (bool more = true; more; cells = 0) {
        more = search.step();
        std::printf("%d cells\n", cells);
    }

    // Of any size; accuracies are those of cells that were trained alone.
    const auto [best, accuracy] = search.best(budget);
    std::printf("best: %s\naccuracy %.4f\n", best.to_json().c_str(), accuracy);
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
