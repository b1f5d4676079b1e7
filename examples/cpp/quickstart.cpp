// Quickstart: search a network for Fashion-MNIST inside a budget, train it, export it.
//
//     quickstart DATA OUT [FRACTION]
//
// DATA is a folder with the four IDX files, OUT a folder for the results, FRACTION the part of the training images to use.
// The programs in examples/c and examples/go do the same, step by step.
#include <nse/nse.hpp>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

// One million multiply-accumulates at most; candidates cost no less than 0.7 million.
constexpr std::uint64_t budget = 1'000'000;
constexpr auto space_overrides = R"({"channels": [8, 16, 32], "tail": 128})";
constexpr auto search_options = R"({
    "seed": 1, "rounds": 2, "active": 4,
    "objective": {"low": 700000, "high": 1000000},
    "train": {"epochs": 1, "batch": 64, "lr": 0.1},
    "candidates": {"count": 12, "extras": 4},
    "score": {"calibration": 256, "images": 1000}
})";
constexpr auto model_options = R"({"train": {"epochs": 2, "batch": 64, "lr": 0.1}})";

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

void run(const std::string &data, const std::string &out, double fraction) {
    const nse::Dataset all = open_dataset(data, "train"), test = open_dataset(data, "t10k");
    const auto [rest, train] = all.split(fraction);

    const nse::Space space = nse::Space::preset("nse-27-small", space_overrides);

    nse::Search search(space, train, search_options, show);
    for (bool more = true; more;) {
        more = search.step();
        std::printf("\nfront of %d architectures\n", static_cast<int>(search.front().size()));
    }

    const auto [best, accuracy] = search.best(budget);
    const auto [macs, params] = best.cost();
    std::printf("best: %s\n%d multiply-accumulates, %d parameters, accuracy %.4f in the supernet\n", best.to_json().c_str(),
                static_cast<int>(macs), static_cast<int>(params), accuracy);

    const nse::Model model = nse::Model::train(best, train, model_options, show);
    const nse::Evaluation result = model.evaluate(test);
    const std::string path = out + "/model.pt";
    model.export_to("torchscript", path);
    std::printf("\ntest accuracy %.4f, model in %s\n", result.accuracy, path.c_str());
}

} // namespace

int main(int argc, char **argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: quickstart DATA OUT [FRACTION]\n");
        return 2;
    }
    try {
        run(argv[1], argv[2], argc > 3 ? std::atof(argv[3]) : 0.2);
    } catch (const nse::Error &error) {
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
}
