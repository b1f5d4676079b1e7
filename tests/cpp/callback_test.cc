// Callbacks: what they are told, how they cancel, what becomes of their exceptions, and when they are freed.

#include "support.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>

using support::contains;

namespace {

struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
};

/// Rounds of so many steps that a cancel on the first event is sure to come before the last.
constexpr int long_round = 20;

nse::Search search_with(std::function<bool(const nse::Event &)> on_event, int rounds = 2, int epochs = long_round) {
    return nse::Search(support::space(), support::dataset(), support::search_options(rounds, epochs), std::move(on_event));
}

nse::Arch small_arch() { return nse::Arch::uniform(support::space(), "mbconv_k3_t1"); }

std::string model_options(int epochs) {
    return R"({"train": {"epochs": )" + std::to_string(epochs) + R"(, "batch": 16, "lr": 0.1}, "calibration": 48, "threads": 1})";
}

/// Counts how often it is destroyed while it holds the count.
class Counted {
  public:
    explicit Counted(int &destroyed) : destroyed_(&destroyed) {}
    Counted(Counted &&other) noexcept : destroyed_(std::exchange(other.destroyed_, nullptr)) {}
    Counted(const Counted &) = delete;
    Counted &operator=(const Counted &) = delete;
    Counted &operator=(Counted &&) = delete;
    ~Counted() {
        if (destroyed_ != nullptr) {
            ++*destroyed_;
        }
    }
    void operator()(const nse::Event &) const {}

  private:
    int *destroyed_;
};

void count_events(const nse::Event &event);
int counted_events = 0;
void count_events(const nse::Event &) { ++counted_events; }

TEST(Callback, IsToldOfTrainingScoringAndTheEndOnTheCallingThread) {
    const std::thread::id here = std::this_thread::get_id();
    int train = 0, score = 0, finish = 0;
    nse::Search search(support::space(), support::dataset(), support::search_options(1), [&](const nse::Event &event) {
        EXPECT_EQ(std::this_thread::get_id(), here);
        EXPECT_EQ(event.round, 1u);
        EXPECT_EQ(event.rounds, 1u);
        EXPECT_LE(event.step, event.steps);
        train += event.kind == NSE_EVENT_TRAIN;
        score += event.kind == NSE_EVENT_SCORE;
        finish += event.kind == NSE_EVENT_FINISH;
    });
    EXPECT_FALSE(search.step());
    EXPECT_GT(train, 0);
    EXPECT_GT(score, 0);
    EXPECT_EQ(finish, 1);
}

TEST(Callback, AnyKindOfCallableWillDo) {
    counted_events = 0;
    nse::Search by_function(support::space(), support::dataset(), support::search_options(1), count_events);
    by_function.step();
    EXPECT_GT(counted_events, 0);

    int seen = 0; // shared with a callable that is not copied
    auto counter = [&seen](const nse::Event &) { ++seen; };
    nse::Search by_reference(support::space(), support::dataset(), support::search_options(1), std::ref(counter));
    by_reference.step();
    EXPECT_GT(seen, 0);

    auto owned = std::make_unique<int>(0);
    int *const count = owned.get();
    nse::Search by_move(support::space(), support::dataset(), support::dataset(30), support::search_options(1),
                        [owned = std::move(owned)](const nse::Event &) mutable { ++*owned; });
    by_move.step();
    EXPECT_GT(*count, 0);
}

TEST(Callback, TrueCancelsAndTheNextStepGoesOn) {
    bool cancel = true;
    nse::Search search = search_with([&](const nse::Event &) { return cancel; });
    ASSERT_ERROR(error, NSE_ERR_CANCELLED, search.step());
    EXPECT_STREQ(error->name(), "NSE_ERR_CANCELLED");
    EXPECT_EQ(support::number(search.status(), "completed"), 0);
    EXPECT_TRUE(search.front().empty());
    cancel = false;
    EXPECT_TRUE(search.step());
    EXPECT_EQ(support::number(search.status(), "completed"), 1);
    EXPECT_FALSE(search.front().empty());

    nse::Search undisturbed = search_with([](const nse::Event &) { return false; });
    EXPECT_TRUE(undisturbed.step());
    EXPECT_EQ(support::text(search.front()), support::text(undisturbed.front()));
}

TEST(Callback, AnExceptionCancelsIsThrownAgainAndTheSearchGoesOn) {
    int calls = 0;
    bool throws = true;
    nse::Search search = search_with([&](const nse::Event &) -> bool {
        ++calls;
        if (throws) {
            throw Stop();
        }
        return false;
    });
    EXPECT_THROW(search.step(), Stop);
    EXPECT_EQ(calls, 1) << "an event was delivered after the exception";
    EXPECT_EQ(support::number(search.status(), "completed"), 0);
    EXPECT_THROW(search.step(), Stop);
    EXPECT_EQ(calls, 2);
    throws = false;
    EXPECT_TRUE(search.step()) << "the round was lost";
    EXPECT_EQ(support::number(search.status(), "completed"), 1);
}

TEST(Callback, AnExceptionThatIsNoStdExceptionComesThroughToo) {
    nse::Search search = search_with([](const nse::Event &) -> bool { throw 42; });
    try {
        search.step();
        FAIL() << "nothing was thrown";
    } catch (int value) {
        EXPECT_EQ(value, 42);
    }
}

TEST(Callback, AnExceptionAfterTheWorkIsDoneIsStillThrown) {
    nse::Search search = search_with(
        [](const nse::Event &event) -> bool {
            if (event.kind == NSE_EVENT_FINISH) {
                throw Stop();
            }
            return false;
        },
        1, 1);
    EXPECT_THROW(search.step(), Stop);
    EXPECT_EQ(support::number(search.status(), "completed"), 1);
    EXPECT_FALSE(search.step());
    EXPECT_FALSE(search.front().empty());

    EXPECT_THROW((void)nse::Model::train(small_arch(), support::dataset(), model_options(1),
                                         [](const nse::Event &event) {
                                             if (event.kind == NSE_EVENT_FINISH) {
                                                 throw Stop();
                                             }
                                         }),
                 Stop);
}

TEST(Callback, TheFirstOfTwoSearchesKeepsItsExceptionWhenOneStepsTheOther) {
    nse::Search inner = search_with([](const nse::Event &) -> bool { throw std::logic_error("inner"); });
    int caught = 0;
    nse::Search outer = search_with([&](const nse::Event &) -> bool {
        EXPECT_THROW(inner.step(), std::logic_error);
        ++caught;
        throw Stop();
    });
    EXPECT_THROW(outer.step(), Stop);
    EXPECT_EQ(caught, 1);
}

TEST(Callback, GettersWorkInsideAndASecondStepIsBusy) {
    int looked = 0;
    nse::Search *self = nullptr;
    nse::Search search = search_with([&](const nse::Event &) {
        EXPECT_EQ(self->scores().cells, 3u);
        EXPECT_TRUE(self->front().empty());
        EXPECT_TRUE(contains(self->status(), R"("done":false)"));
        const auto error = support::error_of([&] { self->step(); });
        EXPECT_TRUE(error && error->code() == NSE_ERR_BUSY);
        ++looked;
        self->cancel();
        return false;
    });
    self = &search;
    EXPECT_ERROR(NSE_ERR_CANCELLED, search.step());
    EXPECT_GT(looked, 0);
}

TEST(Callback, ItsOwnSearchMayEndInside) {
    auto token = std::make_shared<int>(0);
    const std::weak_ptr<int> left = token;
    nse::Search search;
    search = search_with([&search, token = std::move(token)](const nse::Event &) -> bool {
        search.reset();
        throw Stop();
    });
    EXPECT_THROW(search.step(), Stop);
    EXPECT_FALSE(search);
    EXPECT_TRUE(left.expired()) << "the callback was not freed";
}

TEST(Callback, CancelFromAnotherThread) {
    std::atomic<bool> running{false};
    nse::Search search = search_with(
        [&](const nse::Event &) {
            running = true;
            return false;
        },
        1, 500); // many seconds, but for the cancel
    std::thread other([&] {
        while (!running) {
            std::this_thread::yield();
        }
        search.cancel();
    });
    const auto error = support::error_of([&] { search.step(); });
    other.join();
    ASSERT_TRUE(error.has_value()) << "the step went on to its end";
    EXPECT_EQ(error->code(), NSE_ERR_CANCELLED);
    EXPECT_EQ(support::number(search.status(), "completed"), 0);
}

TEST(Callback, CancelWithoutAStepDoesNothing) {
    nse::Search search = support::search(1, 1);
    search.cancel();
    EXPECT_FALSE(search.step());
}

TEST(Callback, IsFreedOnceWithItsSearch) {
    int destroyed = 0;
    {
        nse::Search search(support::space(), support::dataset(), support::search_options(1, 1), Counted(destroyed));
        search.step();
        nse::Search moved = std::move(search);
        EXPECT_EQ(destroyed, 0);
    }
    EXPECT_EQ(destroyed, 1);
}

TEST(Callback, IsFreedOnceWhenTheCallFails) {
    int destroyed = 0;
    EXPECT_ERROR(NSE_ERR_CONFIG, nse::Search(support::space(), support::dataset(), "{}", Counted(destroyed)));
    EXPECT_EQ(destroyed, 1);
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE,
                 nse::Search(nse::Space(), support::dataset(), support::search_options(), Counted(destroyed)));
    EXPECT_EQ(destroyed, 2);
    EXPECT_ERROR(NSE_ERR_CONFIG, (void)nse::Model::train(small_arch(), support::dataset(), "7", Counted(destroyed)));
    EXPECT_EQ(destroyed, 3);
}

TEST(Callback, OfATrainingIsToldCancelsAndIsFreed) {
    int destroyed = 0, finish = 0;
    auto on_event = [&finish, counted = Counted(destroyed)](const nse::Event &event) {
        counted(event);
        finish += event.kind == NSE_EVENT_FINISH;
    };
    const nse::Model model = nse::Model::train(small_arch(), support::dataset(), model_options(1), std::move(on_event));
    EXPECT_EQ(finish, 1);
    EXPECT_EQ(destroyed, 1);
    EXPECT_ERROR(NSE_ERR_CANCELLED, (void)nse::Model::train(small_arch(), support::dataset(), model_options(500),
                                                            [](const nse::Event &) { return true; }));
    EXPECT_THROW((void)nse::Model::train(small_arch(), support::dataset(), model_options(500),
                                         [](const nse::Event &) { throw Stop(); }),
                 Stop);
}

} // namespace
