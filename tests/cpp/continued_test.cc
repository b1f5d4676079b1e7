// A finished search goes on in a space with more operators.

#include "support.hpp"

#include <algorithm>
#include <string>

using support::contains;

namespace {

/// The cells of the tiny space, every list of operators with two more at its end.
nse::Space larger_space() {
    std::string json = support::space_json();
    for (const std::string last : {R"("mbconv_k5_t1"]})", R"("conv_k3_t1"])"}) {
        const std::size_t end = json.find(last) + last.find(']');
        json.insert(end, R"(, "mbconv_k7_t1", "rec_k3_t1")");
    }
    return nse::Space::from_json(json);
}

nse::Search finished() {
    nse::Search search = support::search(2);
    while (search.step()) {
    }
    return search;
}

TEST(Continued, BeginsWithTheFrontThatItWasGivenAndKeepsItActive) {
    const nse::Search old = finished();
    const nse::Space space = larger_space();
    nse::Search search(space, support::dataset(), nse::SearchParts().continued(old), support::search_options(2));
    ASSERT_FALSE(old.front().empty());
    EXPECT_EQ(support::text(search.front()), support::text(old.front()));
    EXPECT_EQ(support::number(search.status(), "completed"), 0);
    const nse::Matrix<std::uint8_t> active = search.active();
    EXPECT_EQ(active.operators, 6u);
    EXPECT_GT(std::count(active.values.begin(), active.values.end(), 1), 0);
    EXPECT_TRUE(search.step());
    EXPECT_FALSE(search.step());
    EXPECT_FALSE(search.front().empty());
    EXPECT_EQ(search.space().to_json(), space.to_json());
}

TEST(Continued, OutlivesTheOldSearchAndIsSavedToo) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    nse::Search old = finished();
    nse::Search search(larger_space(), support::dataset(), nse::SearchParts().continued(old), support::search_options(2));
    old.reset();
    search.save(path);
    nse::Search loaded = nse::Search::load(path, support::dataset());
    EXPECT_EQ(support::text(loaded.front()), support::text(search.front()));
    for (nse::Search *each : {&search, &loaded}) {
        EXPECT_TRUE(each->step());
        EXPECT_FALSE(each->step());
    }
    EXPECT_EQ(support::without_seconds(loaded.history()), support::without_seconds(search.history()));
    EXPECT_EQ(support::text(loaded.front()), support::text(search.front()));
}

TEST(Continued, OnlyAFinishedSearchWithTheSameCellsWillDo) {
    const nse::Space space = larger_space();
    const auto start = [&](const nse::Search &old) {
        return nse::Search(space, support::dataset(), nse::SearchParts().continued(old), support::search_options());
    };
    nse::Search half = support::search(2, 1);
    half.step();
    ASSERT_ERROR(unfinished, NSE_ERR_INVALID_ARGUMENT, (void)start(half));
    EXPECT_EQ(unfinished->detail(), R"({"argument":"continued"})");
    EXPECT_TRUE(contains(unfinished->what(), "1 of 2 rounds")) << unfinished->what();

    std::string wider = support::space_json();
    wider.replace(wider.find(R"("channels": 8)"), 13, R"("channels": 9)");
    nse::Search other(nse::Space::from_json(wider), support::dataset(), support::search_options(1, 1));
    other.step();
    ASSERT_ERROR(cells, NSE_ERR_INVALID_ARGUMENT, (void)start(other));
    EXPECT_TRUE(contains(cells->what(), "cell 1")) << cells->what();
}

TEST(Continued, ASearchThatIsAtWorkIsBusy) {
    int looked = 0;
    nse::Search *self = nullptr;
    nse::Search search(support::space(), support::dataset(), support::search_options(1, 1), [&](const nse::Event &) {
        EXPECT_ERROR(NSE_ERR_BUSY, nse::Search(larger_space(), support::dataset(), nse::SearchParts().continued(*self),
                                               support::search_options()));
        ++looked;
    });
    self = &search;
    search.step();
    EXPECT_GT(looked, 0);
}

TEST(Continued, ArchitecturesAreAStartToo) {
    const nse::Space small = nse::Space::from_json(support::space_json()), space = larger_space();
    const nse::Search old = finished();
    const std::vector<nse::Scored> front = old.front();
    nse::SearchParts parts;
    for (const nse::Scored &member : front) {
        parts.start(member.arch);
    }
    nse::Search search(space, support::dataset(), parts, support::search_options(2));
    ASSERT_EQ(search.front().size(), front.size());
    for (std::size_t i = 0; i < front.size(); ++i) {
        EXPECT_EQ(search.front()[i].accuracy, 0.0);
        EXPECT_EQ(search.front()[i].arch.cost().macs, front[i].arch.cost().macs);
    }
    EXPECT_TRUE(search.step());
    nse::Arch empty = nse::Arch::uniform(small, "mbconv_k5_t1");
    empty.reset();
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, nse::Search(space, support::dataset(), nse::SearchParts().start(empty), support::search_options(2)));
    EXPECT_THROW(nse::Search(space, support::dataset(), parts.continued(old), support::search_options(2)), nse::Error);
}

} // namespace
