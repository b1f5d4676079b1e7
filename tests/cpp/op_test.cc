// Rounds and trainings that are begun and polled.

#include "support.hpp"

#include <stdexcept>
#include <thread>

namespace {

TEST(Operation, RoundsThatArePolledEndAsBlockingOnes) {
    int events = 0;
    nse::Search search(support::space(), support::dataset(), support::search_options(2), [&](const nse::Event &) { ++events; });
    nse::Operation round = search.step_async();
    ASSERT_ERROR(busy, NSE_ERR_BUSY, static_cast<void>(search.step_async()));
    nse_status status = NSE_PENDING;
    while (status == NSE_PENDING) {
        status = round.poll(1);
    }
    EXPECT_EQ(status, NSE_OK);
    EXPECT_GT(events, 2);
    EXPECT_EQ(search.step_async().poll(), NSE_DONE);
    nse::Search blocking = support::search(2);
    while (blocking.step()) {
    }
    EXPECT_EQ(support::text(search.front()), support::text(blocking.front()));
}

TEST(Operation, CancelsAndExceptionsReachWhoPolls) {
    bool throws = false;
    nse::Search search(support::space(), support::dataset(), support::search_options(2), [&](const nse::Event &) {
        if (throws) {
            throw std::runtime_error("enough");
        }
    });
    nse::Operation round = search.step_async();
    round.cancel();
    ASSERT_ERROR(cancelled, NSE_ERR_CANCELLED, static_cast<void>(round.poll()));
    throws = true;
    round = search.step_async();
    EXPECT_THROW(static_cast<void>(round.poll()), std::runtime_error);
    throws = false;
    while (true) { // the round that the exception cancelled may still end
        try {
            search.step();
            break;
        } catch (const nse::Error &error) {
            ASSERT_EQ(error.code(), NSE_ERR_BUSY);
            std::this_thread::yield();
        }
    }
    ASSERT_ERROR(empty, NSE_ERR_INVALID_HANDLE, static_cast<void>(nse::Operation().poll()));
}

TEST(Operation, AModelIsTakenOnce) {
    const nse::Arch arch = nse::Arch::uniform(support::space(), "mbconv_k3_t1");
    nse::Operation training = nse::Model::train_async(arch, support::dataset(), R"({"train": {"epochs": 1, "batch": 16}})");
    EXPECT_EQ(training.poll(), NSE_OK);
    const nse::Model model = nse::Model::take(training);
    EXPECT_GE(model.evaluate(support::dataset()).accuracy, 0.0);
    ASSERT_ERROR(taken, NSE_ERR_NOT_FOUND, static_cast<void>(nse::Model::take(training)));
}

} // namespace
