// NEAS: search an ensemble for Fashion-MNIST, whose paths share their first cells, and train it (docs/neas.md).
//
//     neas DATA [FRACTION]
//
// DATA is a folder with the four IDX files, FRACTION the part of the training images to use. Like abs, with the strategy of ensembles. What is
// found is an architecture as any other. The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <string>

namespace {

// 1.6 million multiply-accumulates at most; candidates cost no less than a million.
constexpr std::uint64_t budget = 1'600'000;
constexpr auto space_overrides = R"({
    "channels": [8, 16, 32], "tail": 128,
    "operators": ["mbconv_k3_t3", "mbconv_k3_t6", "mbconv_k5_t3", "mbconv_k5_t6"]
})";
// Two paths; after every round the 7 worst of all cells leave, until no more than 1000 single networks are left. Then three generations.
constexpr auto search_options = R"({
    "seed": 1, "strategy": {"neas": {"paths": 2, "shrink": {"drop": {"worst": 7}, "until": 1000}, "evolution": {"population": 8, "parents": 4}}},
    "scorer": {"diversity": {"samples": 2}},
    "branches": "single",
    "objective": {"low": 1000000, "high": 1600000},
    "train": {"epochs": 1, "batch": 64, "lr": 0.1},
    "candidates": {"count": 24},
    "score": {"calibration": 256, "images": 1000}
})";
constexpr auto model_options = R"({"seed": 1, "train": {"epochs": 2, "batch": 64, "lr": 0.1}, "calibration": 256})";

nse::Dataset open_dataset(const std::string &folder, const std::string &part) {
    const std::string start = folder + "/" + part;
    return nse::Dataset::open(R"({"format": "idx", "images": ")" + start + R"(-images-idx3-ubyte.gz", "labels": ")" + start +
                              R"(-labels-idx1-ubyte.gz"})");
}

// Operators that have weights, of all cells.
int operators_left(const nse::Search &search) {
    const auto active = search.active();
    return std::accumulate(active.values.begin(), active.values.end(), 0);
}

void run(const std::string &data, double fraction) {
    const nse::Dataset all = open_dataset(data, "train"), test = open_dataset(data, "t10k");
    const auto [rest, train] = all.split(fraction);

    const nse::Space space = nse::Space::preset("nse-27-small", space_overrides);

    nse::Search search(space, train, search_options);
    for (bool more = true; more;) {
        more = search.step();
        std::printf("%d operators left\n", operators_left(search));
    }

    const auto [best, accuracy] = search.best(budget);
    std::printf("best: %s\naccuracy %.4f in the supernet\n", best.to_json().c_str(), accuracy);

    // Every path learns, and what they share gets the mean of their gradients; the model's output is the mean of theirs.
    const nse::Model model = nse::Model::train(best, train, model_options);
    const nse::Evaluation result = model.evaluate(test);
    model.export_to("onnx", "ensemble.onnx");
    std::printf("test accuracy %.4f, model in ensemble.onnx\n", result.accuracy);
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 2) {
        std::fprintf(stderr, "usage: neas DATA [FRACTION]\n");
        return 2;
    }
    try {
        run(argv[1], argc > 2 ? std::atof(argv[2]) : 0.2);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
