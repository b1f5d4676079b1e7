// NEAS by one option, and ensembles as architectures, through the binding.

#include "support.hpp"

#include <string>

using support::contains;

namespace {

std::string options(const std::string &strategy, const std::string &more = "") {
    return R"({"strategy": )" + strategy + more + R"(, "seed": 7, "branches": "single", "objective": {"low": 0, "high": 100000000},
               "train": {"epochs": 1, "batch": 16, "lr": 0.1}, "score": {"calibration": 48}, "held_out": 0.2, "threads": 1,
               "candidates": {"count": 12, "too_few": "accept"}})";
}

const char *const neas = R"({"neas": {"shrink": {"until": 30}, "evolution": {"population": 6, "parents": 3}}})";
const char *const few = R"(, "scorer": {"diversity": {"samples": 2}})";

std::string finished(nse::Search &search) {
    while (search.step()) {
    }
    return support::without_seconds(search.history());
}

TEST(Neas, FindsEnsemblesThatAreTrainedAsAnyArchitecture) {
    nse::Search search(support::space(), support::dataset(), options(neas, few));
    EXPECT_TRUE(contains(finished(search), R"("stays":false)"));
    const auto [best, accuracy] = search.best(1e8);
    EXPECT_TRUE(contains(best.to_json(), R"("paths":[[[)")) << best.to_json();
    EXPECT_EQ(best.code().substr(0, 2), "e1");
    EXPECT_GT(accuracy, 0);
    const nse::Model model = nse::Model::train(best, support::dataset(), R"({"train": {"epochs": 1, "batch": 16}, "calibration": 48})");
    EXPECT_GT(model.evaluate(support::dataset()).accuracy, 0);
    EXPECT_EQ(model.arch().code(), best.code());
}

TEST(Neas, PublishedNetworksAreWhole) {
    EXPECT_EQ(nse::Arch::preset("neas-s").cost().macs, 301500768u);
    EXPECT_EQ(nse::Arch::preset("neas-m").cost().params, 11551936u);
    EXPECT_TRUE(contains(nse::Space::preset("neas").to_json(), R"("divisor": 8)"));
}

TEST(Neas, GoesOnFromAFileBetweenRounds) {
    nse::Search alone(support::space(), support::dataset(), options(neas, few));
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    {
        nse::Search first(support::space(), support::dataset(), options(neas, few));
        first.step();
        first.save(path);
    }
    nse::Search second = nse::Search::load(path, support::dataset());
    EXPECT_EQ(finished(second), finished(alone));
}

TEST(Neas, ABadValueIsNamed) {
    const auto error = support::error_of([] { nse::Search(support::space(), support::dataset(), options(R"({"neas": {"paths": 17}})")); });
    ASSERT_TRUE(error);
    EXPECT_STREQ(error->name(), "NSE_ERR_CONFIG");
    EXPECT_TRUE(contains(error->what(), "/strategy/neas/paths")) << error->what();
}

} // namespace
