// Searches that are saved and read back.

#include "support.hpp"

#include <filesystem>
#include <iterator>
#include <memory>
#include <stdexcept>

using support::contains;

namespace {

struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
};

/// Everything that a finished search has found.
std::string results(const nse::Search &search) {
    std::string results = support::without_seconds(search.history()) + support::text(search.front());
    for (const double score : search.scores().values) {
        results += std::to_string(score) + ' ';
    }
    return results;
}

std::string finished(nse::Search search) {
    while (search.step()) {
    }
    return results(search);
}

std::string uninterrupted() {
    static const std::string once = finished(support::search());
    return once;
}

/// The options of the tests, with a checkpoint after every second step.
std::string with_checkpoint(const std::string &path) {
    std::string options = support::search_options();
    return options.replace(options.find('{'), 1, R"({"checkpoint": {"path": ")" + path + R"(", "steps": 2}, )");
}

/// A search that was cut short in training or scoring, `kind`, of its second round.
nse::Search interrupted(std::uint32_t kind, const std::string &options = support::search_options()) {
    nse::Search search(support::space(), support::dataset(), options,
                       [kind](const nse::Event &event) { return event.round == 2 && event.kind == kind && event.step >= 2; });
    EXPECT_TRUE(search.step());
    const auto error = support::error_of([&] { search.step(); });
    EXPECT_TRUE(error && error->code() == NSE_ERR_CANCELLED);
    return search;
}

TEST(Checkpoint, IsLookedAtWithoutImages) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    nse::Search search = support::search();
    search.step();
    search.save(path);
    nse::Search seen = nse::Search::look(path);
    EXPECT_EQ(seen.history(), search.history());
    EXPECT_TRUE(contains(seen.report("html"), "1 of 2 rounds are complete."));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, seen.step());
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, seen.save(path));
}

TEST(Checkpoint, OfAnyMomentEndsLikeAnUninterruptedSearch) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    nse::Search between = support::search();
    const auto check = [&](const nse::Search &search, const char *when) {
        search.save(path);
        nse::Search loaded = nse::Search::load(path, support::dataset());
        EXPECT_EQ(loaded.options(), search.options()) << when;
        EXPECT_EQ(loaded.space().to_json(), search.space().to_json()) << when;
        EXPECT_EQ(results(loaded), results(search)) << when;
        EXPECT_EQ(finished(std::move(loaded)), uninterrupted()) << when;
    };
    check(between, "before the first round");
    between.step();
    check(between, "between two rounds");
    check(interrupted(NSE_EVENT_TRAIN), "while it trains");
    check(interrupted(NSE_EVENT_SCORE), "while it scores");
    between.step();
    check(between, "at its end");
    EXPECT_EQ(results(between), uninterrupted()) << "saving changed the search itself";
}

TEST(Checkpoint, GoesOnWithItsHeldOutImagesAndItsTable) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    const nse::Dataset train = support::dataset(), held_out = support::dataset(30);
    const nse::Latency latency = support::latency(support::space()), other = support::latency(support::space(), 2);
    std::string options = support::search_options();
    options.replace(options.find(R"("low": 1)"), 8, R"("cost": "latency", "low": 1)");
    nse::Search search(support::space(), train, nse::SearchParts().held_out(held_out).latency(latency), options);
    EXPECT_TRUE(search.step());
    search.save(path);
    EXPECT_FALSE(search.step());

    EXPECT_EQ(finished(nse::Search::load(path, train, nse::SearchParts().held_out(held_out).latency(latency), options)),
              results(search));
    EXPECT_EQ(finished(nse::Search::load(path, train, held_out)), results(search));
    EXPECT_ERROR(NSE_ERR_FORMAT, (void)nse::Search::load(path, train));
    EXPECT_ERROR(NSE_ERR_FORMAT, (void)nse::Search::load(path, support::dataset(93), held_out));
    EXPECT_ERROR(NSE_ERR_FORMAT, (void)nse::Search::load(path, train, nse::SearchParts().held_out(held_out).latency(other)));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT,
                 (void)nse::Search::load(path, train, nse::SearchParts().held_out(held_out).continued(search)));
}

TEST(Checkpoint, IsWrittenWhileAStepRuns) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    interrupted(NSE_EVENT_TRAIN, with_checkpoint(path)).reset();
    nse::Search loaded = nse::Search::load(path, support::dataset());
    EXPECT_EQ(support::number(loaded.status(), "completed"), 1);
    const std::string before = support::content(path);
    EXPECT_EQ(finished(std::move(loaded)), uninterrupted());
    EXPECT_NE(support::content(path), before) << "a search that was loaded is saved too";
    EXPECT_EQ(results(nse::Search::load(path, support::dataset())), uninterrupted());
}

TEST(Checkpoint, AFileThatCannotBeWrittenStopsTheStepAndTheSearchGoesOn) {
    const support::Folder folder;
    const std::string path = folder.file("later/search.nse");
    nse::Search search(support::space(), support::dataset(), with_checkpoint(path));
    ASSERT_ERROR(error, NSE_ERR_IO, search.step());
    EXPECT_TRUE(contains(error->detail(), path)) << error->detail();
    std::filesystem::create_directory(folder.file("later"));
    EXPECT_EQ(finished(std::move(search)), uninterrupted());
    EXPECT_EQ(results(nse::Search::load(path, support::dataset())), uninterrupted());
}

TEST(Checkpoint, OptionsMayDifferOnlyWhereTheyChangeNothing) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse"), other = folder.file("other.nse");
    support::search().save(path);
    ASSERT_ERROR(seed, NSE_ERR_CONFIG, (void)nse::Search::load(path, support::dataset(), support::search_options(2, 4, 8)));
    EXPECT_TRUE(contains(seed->detail(), R"("pointer":"/seed")")) << seed->detail();
    ASSERT_ERROR(epochs, NSE_ERR_CONFIG, (void)nse::Search::load(path, support::dataset(), support::search_options(2, 5)));
    EXPECT_TRUE(contains(epochs->detail(), R"("pointer":"/train/epochs")")) << epochs->detail();
    EXPECT_ERROR(NSE_ERR_CONFIG, (void)nse::Search::load(path, support::dataset(), "{}"));
    EXPECT_EQ(finished(nse::Search::load(path, support::dataset(), with_checkpoint(other))), uninterrupted());
    EXPECT_EQ(results(nse::Search::load(other, support::dataset())), uninterrupted());
}

TEST(Checkpoint, AFileThatIsNoneIsRefused) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    ASSERT_ERROR(missing, NSE_ERR_IO, (void)nse::Search::load(path, support::dataset()));
    EXPECT_TRUE(contains(missing->detail(), path)) << missing->detail();
    interrupted(NSE_EVENT_TRAIN).save(path);
    const std::string good = support::content(path);
    for (const std::size_t at : {std::size_t{0}, good.size() / 4, good.size() / 2, good.size() - 1}) {
        std::string flipped = good;
        flipped[at] = static_cast<char>(flipped[at] ^ 4);
        for (const std::string &damaged : {flipped, good.substr(0, at)}) {
            const std::string file = folder.file("damaged.nse", damaged);
            ASSERT_ERROR(error, NSE_ERR_FORMAT, (void)nse::Search::load(file, support::dataset()));
            EXPECT_TRUE(contains(error->detail(), file)) << error->detail();
        }
    }
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Search::load(std::string_view("a\0b", 3), support::dataset()));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Search::load(path, nse::Dataset()));
}

TEST(Checkpoint, IsReplacedWholeOrNotAtAll) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    nse::Search search = support::search(2, 1);
    search.save(path);
    const std::string first = support::content(path);
    search.step();
    ASSERT_ERROR(error, NSE_ERR_IO, search.save(folder.file("no/such/folder.nse")));
    EXPECT_TRUE(contains(error->detail(), "no/such/folder.nse")) << error->detail();
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, search.save(std::string_view("a\0b", 3)));
    EXPECT_EQ(support::content(path), first);
    search.save(path);
    EXPECT_NE(support::content(path), first);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(std::filesystem::path(path).parent_path()), {}), 1)
        << "something was left behind";
}

TEST(Checkpoint, SavingInsideACallbackIsBusy) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    int looked = 0;
    nse::Search *self = nullptr;
    nse::Search search(support::space(), support::dataset(), support::search_options(1, 1), [&](const nse::Event &) {
        EXPECT_ERROR(NSE_ERR_BUSY, self->save(path));
        EXPECT_TRUE(contains(self->options(), R"("seed":7)"));
        EXPECT_TRUE(self->space());
        ++looked;
    });
    self = &search;
    search.step();
    EXPECT_GT(looked, 0);
    EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(Checkpoint, ALoadedSearchHasACallbackOfItsOwn) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    interrupted(NSE_EVENT_TRAIN).save(path);
    auto token = std::make_shared<int>(0);
    bool throws = true;
    nse::Search search = nse::Search::load(path, support::dataset(), "", [&throws, token](const nse::Event &event) {
        EXPECT_EQ(event.round, 2u);
        if (throws) {
            throw Stop();
        }
    });
    EXPECT_THROW(search.step(), Stop);
    throws = false;
    EXPECT_FALSE(search.step());
    EXPECT_EQ(results(search), uninterrupted());
    EXPECT_EQ(token.use_count(), 2);
    search.reset();
    EXPECT_EQ(token.use_count(), 1);
    EXPECT_ERROR(NSE_ERR_IO, (void)nse::Search::load(folder.file("none"), support::dataset(), "", [token](const nse::Event &) {}));
    EXPECT_EQ(token.use_count(), 1) << "a load that fails keeps the callback";
}

} // namespace
