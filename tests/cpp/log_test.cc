// The log, shutdown, and what they do with callables.

#include "support.hpp"

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace {

struct Lines {
    std::mutex mutex;
    std::string text;
};

TEST(Log, TellsACallableAndDestroysItOnce) {
    auto lines = std::make_shared<Lines>();
    nse::set_log([lines](std::int32_t level, std::string_view target, std::string_view message) {
        const std::lock_guard<std::mutex> lock(lines->mutex);
        lines->text += std::to_string(level) + ' ' + std::string(target) + ": " + std::string(message) + '\n';
        throw std::runtime_error("lost");
    });
    EXPECT_EQ(lines.use_count(), 2);
    nse::Search search = support::search(1, 1);
    EXPECT_FALSE(search.step());
    EXPECT_TRUE(support::contains(lines->text, "3 search: created: space \"tiny\"")) << lines->text;
    EXPECT_TRUE(support::contains(lines->text, "3 search: round 1 of 1 finished: ")) << lines->text;
    EXPECT_FALSE(support::contains(lines->text, "\n4 ")) << lines->text;

    nse::set_log_level(NSE_LOG_DEBUG);
    EXPECT_ERROR(NSE_ERR_CONFIG, (void)nse::Space::from_json("{"));
    EXPECT_TRUE(support::contains(lines->text, "\n4 ffi: ")) << lines->text;
    nse::clear_log();
    EXPECT_EQ(lines.use_count(), 1);
    ASSERT_ERROR(level, NSE_ERR_INVALID_ARGUMENT, nse::set_log_level(7));
    EXPECT_TRUE(support::contains(level->what(), "7"));
    nse::set_log_level(NSE_LOG_INFO);
}

TEST(Shutdown, CancelsABlockingCallOfAnotherThread) {
    std::atomic<bool> begun{false};
    nse::Search search(support::space(), support::dataset(), support::search_options(2, 100000),
                       [&](const nse::Event &) { begun = true; });
    std::optional<nse::Error> error;
    std::thread steps([&] { error = support::error_of([&] { (void)search.step(); }); });
    while (!begun) {
        std::this_thread::yield();
    }
    EXPECT_TRUE(nse::shutdown());
    steps.join();
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code(), NSE_ERR_CANCELLED);
    EXPECT_EQ(search.front().size(), 0u);
    ASSERT_ERROR(over, NSE_ERR_CANCELLED, (void)search.step());
    EXPECT_TRUE(support::contains(over->what(), "nse_shutdown")) << over->what();
    EXPECT_TRUE(nse::shutdown(0));

    // What is made afterwards works.
    nse::Search next = support::search(1, 1);
    EXPECT_FALSE(next.step());
    EXPECT_EQ(next.front().empty(), false);
}

} // namespace
