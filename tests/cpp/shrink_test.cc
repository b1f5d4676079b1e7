// ABS by one option, through the binding.

#include "support.hpp"

#include <string>

using support::contains;

namespace {

std::string options(const std::string &strategy, const std::string &more = "") {
    return R"({"strategy": )" + strategy + more + R"(, "seed": 7, "branches": "single", "objective": {"low": 0, "high": 100000000},
               "train": {"epochs": 2, "batch": 16, "lr": 0.1}, "score": {"calibration": 48}, "held_out": 0.2, "threads": 1,
               "candidates": {"count": 4, "extras": 0, "too_few": "accept"}})";
}

const char *const shrinks = R"({"shrink": {"drop": {"per_cell": 1}, "until": 8, "warm_up": 1, "ramp": {"epochs": 9}}})";

std::string finished(nse::Search &search) {
    while (search.step()) {
    }
    return support::without_seconds(search.history());
}

TEST(Shrink, LeavesASmallSpaceAndSearchesIt) {
    nse::Search search(support::space(), support::dataset(), options(shrinks));
    const std::string history = finished(search);
    // 4 x 4 x 4 architectures, 3 x 3 x 3, and 2 x 2 x 2.
    EXPECT_EQ(support::number(search.status(), "completed"), 3);
    EXPECT_FALSE(search.front().empty());
    EXPECT_TRUE(contains(history, R"("stays":false)")) << history;
    EXPECT_TRUE(contains(history, R"({"operator":null,"score":)")) << history;
}

TEST(Shrink, GoesOnFromAFileBetweenRounds) {
    nse::Search alone(support::space(), support::dataset(), options(shrinks));
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    {
        nse::Search first(support::space(), support::dataset(), options(shrinks));
        first.step();
        first.save(path);
    }
    nse::Search second = nse::Search::load(path, support::dataset());
    EXPECT_EQ(finished(second), finished(alone));
    EXPECT_EQ(support::text(second.front()), support::text(alone.front()));
}

TEST(Shrink, EvolvesByTheAngleToo) {
    nse::Search search(support::space(), support::dataset(), options(R"("evolve")", R"(, "scorer": "angle", "active": 3, "rounds": 2)"));
    EXPECT_TRUE(contains(finished(search), R"("scores":[[{"operator":"mbconv_k3_t1")"));
    EXPECT_EQ(support::number(search.status(), "completed"), 2);
}

TEST(Shrink, ABadValueIsNamed) {
    const auto error = support::error_of([] { nse::Search(support::space(), support::dataset(), options(R"({"shrink": {"until": 0.5}})")); });
    ASSERT_TRUE(error);
    EXPECT_STREQ(error->name(), "NSE_ERR_CONFIG");
    EXPECT_TRUE(contains(error->what(), "/strategy/shrink/until")) << error->what();
}

} // namespace
