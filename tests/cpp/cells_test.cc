// Spaces of stacked cells, through the binding.

#include "support.hpp"

#include <string>

using support::contains;

namespace {

TEST(Cells, ArePublishedOnes) {
    const auto space = nse::Space::preset("nas-bench-201");
    EXPECT_TRUE(contains(space.describe(), R"("single_branch":"15625")")) << space.describe();
    EXPECT_EQ(nse::Space::from_json(space.to_json()).to_json(), space.to_json());
    const std::string text = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";
    const auto arch = nse::Arch::from_json(space, R"({"genotype": ")" + text + R"("})");
    EXPECT_TRUE(contains(arch.describe(), "\"genotype\":\"" + text)) << arch.describe();
    EXPECT_EQ(arch.to_json(), nse::Arch::preset("resnet-201").to_json());
    const auto abs = nse::Arch::preset("darts-abs").cost();
    EXPECT_EQ(abs.params, 5590144u);
    EXPECT_EQ(abs.macs, 618920640u);
}

TEST(Cells, ABadValueIsNamed) {
    const auto space = nse::Space::preset("darts-cifar");
    const auto error = support::error_of([&] { (void)nse::Arch::from_json(space, R"({"genotype": "darts-v3"})"); });
    ASSERT_TRUE(error);
    EXPECT_STREQ(error->name(), "NSE_ERR_CONFIG");
    EXPECT_TRUE(contains(error->what(), "\"darts-v3\" is not a text like Genotype(normal=[...], ...)")) << error->what();
}

TEST(Cells, AreShrunkByTheAngleAndTrained) {
    const auto space = nse::Space::preset(
        "nas-bench-201", R"({"input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "channels": 4, "cells": 1})");
    const std::string options = R"({"strategy": {"shrink": {"drop": {"per_cell": 2}, "until": 1000}}, "branches": "single", "held_out": 0.25,
        "objective": {"low": 0, "high": 1e8}, "train": {"epochs": 1, "batch": 16}, "score": {"calibration": 48},
        "candidates": {"count": 4, "extras": 0, "too_few": "accept"}})";
    nse::Search search(space, support::dataset(), options);
    while (search.step()) {
    }
    EXPECT_TRUE(contains(search.history(), R"("operator":"skip_connect","score":)")) << search.history();
    const auto model = nse::Model::train(search.best(1e8).arch, support::dataset(), R"({"train": {"epochs": 1, "batch": 16}})");
    EXPECT_GT(model.evaluate(support::dataset()).accuracy, 0);
}

} // namespace
