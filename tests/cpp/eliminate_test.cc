// BNAS by one option, through the binding.

#include "support.hpp"

#include <cstddef>
#include <string>

using support::contains;

namespace {

nse::Space binary() {
    return nse::Space::preset("bnas-cifar", R"({"input": {"channels": 1, "height": 8, "width": 8}, "channels": 4, "cells": 3, "nodes": 2,
                                                "operators": ["none", "skip_connect", "sep_conv_3x3", "max_pool_3x3"]})");
}

const char *const told = R"({"strategy": {"eliminate": {"times": 2}}, "seed": 3, "objective": {"cost": "bits", "low": 0, "high": 1e9}})";

// How many operators that do something a network has; skips are worth nothing here.
double worth(const nse::Arch &arch) {
    const std::string json = arch.to_json();
    double found = 0.5;
    for (std::size_t at = json.find("sep_conv"); at != std::string::npos; at = json.find("sep_conv", at + 1)) found += 0.02;
    return found;
}

TEST(Eliminate, TheHostEvaluatesUntilOneNetworkIsLeft) {
    nse::Search search = nse::Search::told(binary(), told);
    int asked = 0;
    for (;;) {
        const nse::Asked given = search.ask(4);
        if (given.done) break;
        for (const nse::Arch &arch : given.archs) {
            nse::Told result;
            result.code = arch.code();
            result.accuracy = worth(arch);
            EXPECT_EQ(search.tell(result), nse::Effect::counted);
            ++asked;
        }
    }
    // Two, two and one of four choices, twice each, and the last.
    EXPECT_LE(asked, 2 * (2 + 2 + 1) + 1);
    EXPECT_EQ(search.front().size(), 1u);
    const std::string described = search.best(1e9).arch.describe();
    EXPECT_TRUE(contains(described, R"("genotype":"Genotype(normal=[()")) << described;
    EXPECT_TRUE(contains(described, R"("binary":{"macs":)")) << described;
}

TEST(Eliminate, PublishedCountsOfBinaryNetworks) {
    const nse::Arch arch = nse::Arch::preset("bnas-xnor-1");
    const std::string described = arch.describe();
    EXPECT_TRUE(contains(described, R"("bits":5360432,)")) << described;
    EXPECT_EQ(arch.cost().params, 2499814u);
    EXPECT_TRUE(contains(nse::Space::preset("bnas-cifar").describe(), R"("operations":{)"));
}

TEST(Eliminate, ABadValueIsNamed) {
    const auto error = support::error_of([] {
        (void)nse::Search::told(binary(), R"({"strategy": {"eliminate": {"rule": "best"}}, "objective": {"low": 0, "high": 1}})");
    });
    ASSERT_TRUE(error);
    EXPECT_STREQ(error->name(), "NSE_ERR_CONFIG");
    EXPECT_TRUE(contains(error->what(), "/strategy/eliminate")) << error->what();
}

} // namespace
