// A user's program in C++ without exceptions, the same as app.c.
#include <nse/nse.hpp>

#include <cstdio>

namespace {

nse::Result<std::uint64_t> run() {
    const auto space = nse::Space::from_json(R"({"name": "mine", "input": {"channels": 1, "height": 12, "width": 12},
        "classes": 2, "stem": {"channels": 4, "stride": 1}, "tail": {"channels": 8}, "cells": [{"kind": "reduce", "channels": 8}],
        "operators": ["mbconv_k3_t1", "conv_k3_t1"]})");
    if (!space.ok()) {
        return space.error();
    }
    const auto source = [](std::uint32_t first, std::uint32_t count, std::uint8_t *pixels, std::uint32_t *labels) {
        for (std::uint32_t i = 0; i < count; ++i) {
            labels[i] = (first + i) % 2;
            for (std::uint32_t at = 0; at < 144; ++at) {
                pixels[i * 144 + at] = (labels[i] == 1 ? at : at / 12) % 4 < 2 ? 200 : 20;
            }
        }
    };
    const auto train = nse::Dataset::from_source({1, 12, 12}, 32, source);
    if (!train.ok()) {
        return train.error();
    }
    const auto arch = nse::Arch::uniform(*space, "mbconv_k3_t1");
    if (!arch.ok()) {
        return arch.error();
    }
    const auto model = nse::Model::train(*arch, *train, R"({"train": {"epochs": 1, "batch": 16}})");
    if (!model.ok()) {
        return model.error();
    }
    const auto cost = arch->cost();
    return cost.ok() ? nse::Result<std::uint64_t>(cost->params) : cost.error();
}

} // namespace

int main() {
    const auto params = run();
    const auto info = nse::runtime_info();
    if (!params.ok() || !info.ok()) {
        const nse::Error &error = (params.ok() ? info.error() : params.error());
        std::fprintf(stderr, "%s: %s\n", error.name(), error.what());
        return 1;
    }
    std::printf("%s\n%d parameters\n", info->c_str(), static_cast<int>(*params));
}
