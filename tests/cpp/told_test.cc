// A search that is asked and told, codes, budgets, and a front asked again.

#include "support.hpp"

#include <set>
#include <string>
#include <vector>

using support::contains;

namespace {

std::string options() {
    return R"({"seed": 4, "rounds": 2, "active": 3, "objective": {"low": 1, "high": 1e9}, "candidates": {"count": 8}})";
}

nse::Search told() { return nse::Search::told(support::space(), options()); }

/// To the end, three at a time; the codes in the order asked.
std::vector<std::string> finish(nse::Search &search) {
    std::vector<std::string> codes;
    for (;;) {
        const nse::Asked asked = search.ask(3);
        if (asked.done) {
            EXPECT_TRUE(asked.archs.empty());
            return codes;
        }
        for (const nse::Arch &arch : asked.archs) {
            nse::Told result;
            result.code = arch.code();
            result.accuracy = 0.5 + static_cast<double>(arch.cost().params % 400) / 1000;
            const nse::Effect effect = search.tell(result);
            EXPECT_TRUE(effect == nse::Effect::counted || effect == nse::Effect::late);
            codes.push_back(result.code);
        }
    }
}

TEST(Told, AsksForNewArchitecturesUntilTheLastRound) {
    nse::Search search = told(), again = told();
    const std::vector<std::string> codes = finish(search);
    EXPECT_EQ(codes, finish(again));
    EXPECT_GE(codes.size(), 16u);
    EXPECT_EQ(std::set<std::string>(codes.begin(), codes.end()).size(), codes.size());
    EXPECT_FALSE(search.front().empty());
    EXPECT_EQ(search.pending(), "[]");
}

TEST(Told, SaysWhatBecameOfAResult) {
    nse::Search search = told();
    nse::Told result;
    result.code = search.ask(1).archs.at(0).code();
    EXPECT_TRUE(contains(search.pending(), result.code));
    result.accuracy = 0.5;
    EXPECT_EQ(search.tell(result), nse::Effect::counted);
    EXPECT_EQ(search.tell(result), nse::Effect::repeated);
    result.failed = true;
    ASSERT_ERROR(conflict, NSE_ERR_CONFLICT, (void)search.tell(result));
    EXPECT_TRUE(contains(conflict->detail(), "a failure"));
    result.failed = false;
    result.cost = 12;
    ASSERT_ERROR(cost, NSE_ERR_CONFLICT, (void)search.tell(result));
    EXPECT_TRUE(contains(cost->detail(), "at cost 12"));
    const std::string lost = search.ask(1).archs.at(0).code();
    search.forget(lost);
    result = nse::Told();
    result.code = lost;
    EXPECT_EQ(search.tell(result), nse::Effect::unasked);
    ASSERT_ERROR(garbage, NSE_ERR_INVALID_ARGUMENT, search.forget("garbage"));
    ASSERT_ERROR(stepped, NSE_ERR_INVALID_ARGUMENT, (void)search.step());
    EXPECT_TRUE(contains(stepped->what(), "told its results"));
}

TEST(Told, GoesOnFromAFile) {
    const support::Folder folder;
    const std::string path = folder.file("told.nse");
    nse::Search search = told();
    nse::Told result;
    result.code = search.ask(1).archs.at(0).code();
    result.accuracy = 0.7;
    (void)search.tell(result);
    search.save(path);
    nse::Search loaded = nse::Search::load_told(path);
    EXPECT_EQ(loaded.tell(result), nse::Effect::repeated);
    EXPECT_EQ(finish(loaded), finish(search));
}

TEST(Told, CodesBudgetsAndFronts) {
    const nse::Space space = support::space();
    nse::Search search = told();
    finish(search);
    const std::vector<nse::Scored> front = search.front();
    const nse::Arch &arch = front.at(0).arch;
    EXPECT_EQ(nse::Arch::from_code(space, arch.code()).to_json(), arch.to_json());
    ASSERT_ERROR(other, NSE_ERR_INVALID_ARGUMENT, (void)nse::Arch::from_code(nse::Space::preset("nse-27"), arch.code()));
    EXPECT_TRUE(contains(other->what(), "another space"));
    EXPECT_TRUE(contains(search.front_json(), arch.code()));
    EXPECT_EQ(search.front_json(), search.front_json("macs"));
    EXPECT_TRUE(contains(search.front_json("params"), R"("unit":"parameters")"));
    ASSERT_ERROR(cost, NSE_ERR_CONFIG, (void)search.front_json("joules"));
    ASSERT_ERROR(missing, NSE_ERR_MISSING_LATENCY, (void)search.front_json(nse::Latency::create()));
    EXPECT_TRUE(contains(space.budget(R"({"high": 1})"), R"("satisfiable":false)"));
    EXPECT_TRUE(contains(space.budget(R"({"high": 1e9})"), R"("satisfiable":true)"));
    EXPECT_GT(support::number(space.budget(R"({"high": 1e9})"), "middle"), support::number(space.budget(R"({"high": 1})"), "above"));
    ASSERT_ERROR(table, NSE_ERR_MISSING_LATENCY, (void)space.budget(R"({"cost": "latency", "high": 1})", nse::Latency::create()));
}

} // namespace
