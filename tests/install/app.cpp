// A user's program in C++, the same as app.c.
#include <nse/nse.hpp>

#include <iostream>

int main() try {
    const nse::Space space = nse::Space::from_json(R"({"name": "mine", "input": {"channels": 1, "height": 12, "width": 12},
        "classes": 2, "stem": {"channels": 4, "stride": 1}, "tail": {"channels": 8}, "cells": [{"kind": "reduce", "channels": 8}],
        "operators": ["mbconv_k3_t1", "conv_k3_t1"]})");
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint32_t> labels;
    for (std::uint32_t i = 0; i < 32; ++i) {
        labels.push_back(i % 2);
        for (std::uint32_t at = 0; at < 144; ++at) {
            pixels.push_back((i % 2 == 1 ? at : at / 12) % 4 < 2 ? 200 : 20);
        }
    }
    const nse::Dataset train = nse::Dataset::from_memory({1, 12, 12}, pixels, labels);
    const nse::Arch arch = nse::Arch::uniform(space, "mbconv_k3_t1");
    const nse::Model model = nse::Model::train(arch, train, R"({"train": {"epochs": 1, "batch": 16}})");
    static_cast<void>(model.evaluate(train));
    std::cout << nse::runtime_info() << '\n' << arch.cost().params << " parameters\n";
} catch (const nse::Error &error) {
    std::cerr << error.name() << ": " << error.what() << '\n';
    return 1;
}
