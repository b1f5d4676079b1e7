// Ownership: handles move, are freed once, and an empty object is safe.

#include "support.hpp"

#include <type_traits>
#include <utility>

using support::contains;

template <class T> constexpr bool move_only = std::is_nothrow_move_constructible_v<T> && std::is_nothrow_move_assignable_v<T> &&
                                              !std::is_copy_constructible_v<T> && !std::is_copy_assignable_v<T> &&
                                              std::is_nothrow_default_constructible_v<T>;
static_assert(move_only<nse::Space> && move_only<nse::Dataset> && move_only<nse::Arch> && move_only<nse::Latency> &&
              move_only<nse::Search> && move_only<nse::Model>);
static_assert(std::is_base_of_v<std::runtime_error, nse::Error> && std::is_nothrow_copy_constructible_v<nse::Error>);
static_assert(!std::is_convertible_v<nse_space *, nse::Space>, "ownership is never taken silently");

namespace {

/// Whether the library still knows this handle.
bool alive(const nse_space *handle) {
    nse_buffer text = NSE_BUFFER_INIT;
    const nse_status status = nse_space_to_json(handle, &text, nullptr);
    nse_buffer_free(&text);
    EXPECT_TRUE(status == NSE_OK || status == NSE_ERR_INVALID_HANDLE);
    return status == NSE_OK;
}

TEST(Handle, TheEndOfTheObjectFreesIt) {
    nse_space *raw = nullptr;
    {
        const nse::Space space = support::space();
        raw = space.get();
        EXPECT_TRUE(alive(raw));
    }
    EXPECT_FALSE(alive(raw));
}

TEST(Handle, MoveConstructionHandsItOver) {
    nse::Space from = support::space();
    nse_space *const raw = from.get();
    const nse::Space to = std::move(from);
    EXPECT_EQ(to.get(), raw);
    EXPECT_FALSE(from); // NOLINT: what a moved-from object is, is the point
    EXPECT_TRUE(alive(raw));
}

TEST(Handle, MoveAssignmentFreesTheOldOne) {
    nse::Space from = support::space(), to = support::space();
    nse_space *const kept = from.get(), *const freed = to.get();
    to = std::move(from);
    EXPECT_EQ(to.get(), kept);
    EXPECT_FALSE(from); // NOLINT
    EXPECT_TRUE(alive(kept));
    EXPECT_FALSE(alive(freed));
}

TEST(Handle, AMovedFromObjectFreesNothingAtItsEnd) {
    nse::Space assigned;
    nse_space *raw = nullptr;
    {
        nse::Space first = support::space();
        raw = first.get();
        nse::Space second = std::move(first);
        assigned = std::move(second);
    }
    EXPECT_EQ(assigned.get(), raw);
    EXPECT_TRUE(alive(raw));
}

TEST(Handle, SelfMoveKeepsIt) {
    nse::Space space = support::space();
    nse_space *const raw = space.get();
    nse::Space &same = space;
    space = std::move(same);
    EXPECT_EQ(space.get(), raw);
    EXPECT_TRUE(alive(raw));
}

TEST(Handle, ResetFreesAndReleaseDoesNot) {
    nse::Space space = support::space();
    nse_space *const first = space.get();
    space.reset();
    EXPECT_FALSE(space);
    EXPECT_FALSE(alive(first));
    space.reset(); // of nothing

    space = support::space();
    nse_space *const second = space.release();
    EXPECT_FALSE(space);
    EXPECT_TRUE(alive(second));

    nse::Space owner(second);
    nse_space *const third = support::space().release();
    owner.reset(third);
    EXPECT_FALSE(alive(second));
    EXPECT_EQ(owner.get(), third);
    EXPECT_TRUE(alive(third));
}

TEST(Handle, OutTakesWhatACFunctionMakes) {
    nse::Space space = support::space();
    nse_space *const before = space.get();
    ASSERT_EQ(nse_space_preset("nse-27-small", nullptr, space.out(), nullptr), NSE_OK);
    EXPECT_FALSE(alive(before));
    EXPECT_TRUE(contains(space.describe(), "nse-27-small"));
}

TEST(Handle, ObjectsOutliveWhatTheyWereMadeFrom) {
    nse::Space space = support::space();
    const nse::Arch arch = nse::Arch::uniform(space, "mbconv_k3_t1");
    nse::Dataset all = support::dataset();
    const auto [first, second] = all.split(0.25);
    nse::Search search(space, all, support::search_options());
    space.reset();
    all.reset();
    EXPECT_GT(arch.cost().macs, 0u);
    EXPECT_EQ(support::number(first.info(), "images") + support::number(second.info(), "images"), 96);
    EXPECT_EQ(search.active().cells, 3u);
}

TEST(Handle, EveryCallOfAnEmptyObjectThrows) {
    const nse::Space space;
    const nse::Dataset dataset;
    const nse::Arch arch;
    nse::Latency latency;
    nse::Search search;
    const nse::Model model;
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)space.to_json());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)space.describe());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)dataset.info());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)dataset.split(0.5));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Arch::from_json(space, "{}"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Arch::uniform(space, "mbconv_k3_t1"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)arch.to_json());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)arch.cost());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)arch.space());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)arch.describe());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, latency.set("linear,1,24,3,0,0,0,0,0", 1));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)latency.to_text("csv"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)latency.missing(support::space()));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)latency.arch(nse::Arch::preset("nsenet-27")));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Latency::create().missing(space));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Latency::create().arch(arch));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Latency::measure(space));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, search.step());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, search.cancel());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, search.save("nowhere.nse"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.space());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.options());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Search::load("nowhere.nse", dataset));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.status());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.scores());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.active());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.front());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.best());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.history());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)search.report("svg"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Model::train(arch, dataset));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)model.evaluate(dataset));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, model.export_to("torchscript", "nowhere.pt"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)model.export_memory("onnx"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)model.history());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)model.arch());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)model.describe());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Model::from_search(search, arch));
}

TEST(Handle, AMovedFromObjectThrowsWhereverItIsUsed) {
    nse::Space space = support::space();
    nse::Dataset train = support::dataset();
    nse::Search search(space, train, support::search_options());
    const nse::Space kept_space = std::move(space);
    const nse::Search kept_search = std::move(search);
    ASSERT_ERROR(getter, NSE_ERR_INVALID_HANDLE, (void)search.status()); // NOLINT
    EXPECT_TRUE(contains(getter->what(), "NULL is not a handle of a search")) << getter->what();
    ASSERT_ERROR(maker, NSE_ERR_INVALID_HANDLE, nse::Search(space, train, support::search_options())); // NOLINT
    EXPECT_TRUE(contains(maker->detail(), "desc.space")) << maker->detail();
    EXPECT_TRUE(contains(kept_search.status(), R"("completed":0)")) << kept_search.status();
}

TEST(Handle, AnEmptyHeldOutSetIsNotTakenForNone) {
    const nse::Dataset none;
    ASSERT_ERROR(error, NSE_ERR_INVALID_HANDLE, nse::Search(support::space(), support::dataset(), none, support::search_options()));
    EXPECT_TRUE(contains(error->detail(), "desc.held_out")) << error->detail();
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)nse::Search::load("nowhere.nse", support::dataset(), none));
}

TEST(Handle, AnEmptyTableOrSearchIsNotTakenForNone) {
    nse::Latency table = nse::Latency::create();
    nse::Search old = support::search(1, 1);
    const nse::Latency kept_table = std::move(table);
    const nse::Search kept_old = std::move(old);
    ASSERT_ERROR(described, NSE_ERR_INVALID_HANDLE, (void)support::space().describe(table)); // NOLINT
    EXPECT_EQ(described->detail(), R"({"argument":"latency"})");
    const auto search_of = [](const nse::SearchParts &parts) {
        return nse::Search::create(support::space(), support::dataset(), parts, support::search_options());
    };
    ASSERT_ERROR(timed, NSE_ERR_INVALID_HANDLE, (void)search_of(nse::SearchParts().latency(table).start(nse::Arch())));
    EXPECT_EQ(timed->detail(), R"({"argument":"desc.latency"})");
    ASSERT_ERROR(continued, NSE_ERR_INVALID_HANDLE, (void)search_of(nse::SearchParts().continued(old))); // NOLINT
    EXPECT_EQ(continued->detail(), R"({"argument":"desc.continued"})");
}

TEST(Handle, AStaleHandleThrows) {
    nse::Latency latency = support::latency(support::space());
    nse_latency *const raw = latency.release();
    latency.reset(raw);
    latency.reset();
    nse::Latency stale(raw);
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)stale.to_text("csv"));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)support::space().describe(stale));
    nse::Search search = support::search();
    nse::Search stale_search(search.get());
    search.reset();
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, stale_search.save("nowhere.nse"));
    ASSERT_ERROR(error, NSE_ERR_INVALID_HANDLE,
                 nse::Search(support::space(), support::dataset(), nse::SearchParts().latency(stale).continued(stale_search),
                             support::search_options()));
    EXPECT_TRUE(contains(error->what(), "desc.latency")) << error->what();
}

} // namespace
