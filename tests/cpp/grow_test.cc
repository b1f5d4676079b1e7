// PNAS by one option, through the binding.

#include "support.hpp"

#include <set>
#include <string>

using support::contains;

namespace {

nse::Space blocks() {
    return nse::Space::preset("pnas-cifar", R"({"input": {"channels": 1, "height": 12, "width": 12}, "classes": 3, "channels": 4, "cells": 3,
        "nodes": 2, "operators": ["identity", "sep_conv_3x3"]})");
}

std::string options(const std::string &grow) {
    return R"({"strategy": {"grow": )" + grow + R"(}, "seed": 3, "objective": {"low": 0, "high": 1e9},
        "train": {"epochs": 1, "batch": 24}, "score": {"calibration": 48}, "held_out": 0.25})";
}

const char *const small = R"({"beam": 3, "predictor": {"lstm": {"members": 2, "epochs": 10}}})";

int blocks_of(const nse::Arch &arch) { return static_cast<int>(support::number(arch.space().to_json(), "nodes")); }

TEST(Grow, AsksForCellsOfOneBlockMoreInEveryRound) {
    nse::Search search = nse::Search::told(blocks(), options(small));
    int counts[3] = {0, 0, 0};
    std::set<std::string> codes;
    for (;;) {
        const nse::Asked asked = search.ask(4);
        if (asked.done) break;
        for (const nse::Arch &arch : asked.archs) {
            nse::Told result;
            result.code = arch.code();
            result.accuracy = contains(arch.to_json(), "sep_conv_3x3") ? 0.7 : 0.4;
            EXPECT_EQ(search.tell(result), nse::Effect::counted);
            ++counts[blocks_of(arch)];
            codes.insert(result.code);
        }
    }
    EXPECT_EQ(counts[1], 10);
    EXPECT_EQ(counts[2], 3);
    EXPECT_EQ(codes.size(), 13u);
    EXPECT_TRUE(contains(search.history(), R"("foretold":{"before":)")) << search.history();
}

TEST(Grow, TrainsCellsAndGoesOnFromAFile) {
    nse::Search whole(blocks(), support::dataset(), options(small));
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    {
        nse::Search first(blocks(), support::dataset(), options(small));
        EXPECT_TRUE(first.step());
        first.save(path);
    }
    nse::Search second = nse::Search::load(path, support::dataset());
    for (nse::Search *search : {&whole, &second}) {
        while (search->step()) {
        }
    }
    EXPECT_EQ(support::without_seconds(second.history()), support::without_seconds(whole.history()));
    const auto best = whole.best(1e9);
    const auto model = nse::Model::train(best.arch, support::dataset(), R"({"train": {"epochs": 1, "batch": 16}})");
    EXPECT_GT(model.evaluate(support::dataset()).accuracy, 0);
}

TEST(Grow, PublishedCountsAndCanonicalForms) {
    const auto cost = nse::Arch::preset("pnasnet-5-large").cost();
    EXPECT_EQ(cost.params, 86061989u);
    EXPECT_EQ(cost.macs, 24937400112u);
    const auto canonical = [](const std::string &text) {
        const auto described = nse::Arch::from_json(blocks(), R"({"genotype": "Genotype(normal=[)" + text + "])\"}").describe();
        const auto at = described.find("\"canonical\"");
        return described.substr(at, described.find("reduce_concat", at) - at);
    };
    EXPECT_EQ(canonical("('identity', 0), ('sep_conv_3x3', 1), ('identity', 1), ('identity', 0)"),
              canonical("('identity', 0), ('identity', 1), ('sep_conv_3x3', 1), ('identity', 0)"));
}

TEST(Grow, ABadValueIsNamed) {
    const auto error = support::error_of([] { nse::Search(blocks(), support::dataset(), options(R"({"beam": 0})")); });
    ASSERT_TRUE(error);
    EXPECT_STREQ(error->name(), "NSE_ERR_CONFIG");
    EXPECT_TRUE(contains(error->what(), "/strategy/grow/beam")) << error->what();
}

} // namespace
