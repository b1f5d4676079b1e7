// A search inside a loop of the test's own: it pushes one batch at a time, and hears what comes next.

#include "dlpack.hpp"
#include "support.hpp"

#include <atomic>
#include <cmath>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using nse::Phase;
using support::classes;
using support::contains;
using support::side;

namespace {

constexpr std::uint32_t count = 12, size = side * side;
constexpr std::uint64_t steps_per_epoch = 4;

struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
};

/// Two rounds of two epochs, an architecture step after every second weight step.
constexpr const char *options =
    R"({"seed": 5, "rounds": 2, "active": 3, "objective": {"low": 1, "high": 100000000}, "threads": 1, "train": {"epochs": 2},
        "fitness": {"interval": 2}, "candidates": {"count": 4, "extras": 0, "too_few": "accept"},
        "score": {"calibration": 24}})";

struct Floats {
    std::vector<float> images;
    std::vector<std::uint32_t> labels;

    [[nodiscard]] nse::Batch batch(double lr = 0.1) const { return {images.data(), labels.data(), count, lr}; }
};

/// The trainer of the host: it has images, and its place in them.
struct Trainer {
    support::Images all = support::images(96);
    std::uint32_t scored = 0; // batches since training was over

    /// The batch that comes next; none where the epoch or the evaluation is at its end.
    [[nodiscard]] Floats load(const nse::Pushed &now) const {
        const bool trains = now.next == Phase::weight || now.next == Phase::architecture;
        if ((now.next == Phase::weight && now.step == steps_per_epoch * now.epoch) || (now.next == Phase::evaluate && scored == 4)) {
            return {};
        }
        const std::uint32_t first = static_cast<std::uint32_t>(trains ? now.step : scored) % (96 / count) * count;
        Floats floats;
        for (std::uint32_t i = first * size; i < (first + count) * size; ++i) {
            floats.images.push_back(static_cast<float>(all.pixels[i]) / 100.0F - 1.0F);
        }
        floats.labels.assign(all.labels.begin() + first, all.labels.begin() + first + count);
        return floats;
    }
    void pushed(Phase phase) { scored = phase == Phase::calibrate || phase == Phase::evaluate ? scored + 1 : 0; }
};

/// What comes next, done.
nse::Pushed advance(nse::Search &search, Trainer &trainer, const nse::Pushed &now) {
    const Floats floats = trainer.load(now);
    const nse::Pushed then = floats.labels.empty() ? search.end() : search.push(now.next, floats.batch());
    trainer.pushed(floats.labels.empty() ? Phase::end : now.next);
    return then;
}

std::string finished(nse::Search &search, Trainer trainer = {}) {
    for (nse::Pushed now = search.next(); now.next != Phase::done;) {
        now = advance(search, trainer, now);
    }
    return support::without_seconds(search.history()) + support::text(search.front());
}

nse::Search pushed_search() { return nse::Search::pushed(support::space(), options); }

std::string undisturbed() {
    static const std::string once = [] {
        nse::Search search = pushed_search();
        return finished(search);
    }();
    return once;
}

/// A search that has come to this phase, and its trainer.
struct At {
    nse::Search search;
    Trainer trainer;
    nse::Pushed now;
    explicit At(Phase phase, nse::Search of = pushed_search()) : search(std::move(of)), now(search.next()) {
        while (now.next != phase && now.next != Phase::done) {
            now = advance(search, trainer, now);
        }
        EXPECT_EQ(now.next, phase);
    }
};

TEST(Push, TheLoopOfTheHostRunsToTheEnd) {
    nse::Search search = pushed_search();
    Trainer trainer;
    std::vector<int> pushes(6);
    nse::Pushed now = search.next();
    EXPECT_TRUE(now.next == Phase::weight && now.completed == 0 && now.rounds == 2 && now.epoch == 1 && now.epochs == 2);
    EXPECT_TRUE(std::isnan(now.loss) && std::isnan(now.accuracy) && std::isnan(now.lr));
    while (now.next != Phase::done) {
        const bool ends = trainer.load(now).labels.empty();
        const Phase phase = now.next;
        now = advance(search, trainer, now);
        ++pushes[static_cast<std::size_t>(ends ? Phase::end : phase)];
        EXPECT_EQ(std::isnan(now.loss), ends || (phase != Phase::weight && phase != Phase::architecture));
        EXPECT_EQ(std::isnan(now.accuracy), ends || (phase != Phase::weight && phase != Phase::evaluate));
        EXPECT_TRUE(ends || phase != Phase::weight ? std::isnan(now.lr) : now.lr == 0.1);
    }
    EXPECT_EQ(pushes, (std::vector<int>{0, 16, 8, 4, 4, 6}));
    EXPECT_EQ(now.completed, 2u);
    EXPECT_EQ(support::number(search.status(), "completed"), 2);
    EXPECT_FALSE(search.front().empty());
    EXPECT_GT(search.best().accuracy, 0.3);
    EXPECT_EQ(search.next().next, Phase::done);
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT, search.push(Phase::weight, Floats{}.batch()));
    EXPECT_EQ(error->detail(), R"({"argument":"batch"})");
}

TEST(Push, TheSameBatchesGiveTheSameSearch) {
    nse::Search search = pushed_search();
    EXPECT_EQ(finished(search), undisturbed());
    EXPECT_TRUE(contains(undisturbed(), R"("round":2)")) << undisturbed();
}

TEST(Push, TensorsGiveTheSameAndAreDeletedOnce) {
    nse::Search search = pushed_search();
    Trainer trainer;
    int deleted[2] = {0, 0}, tensors = 0;
    const auto push = [&](Phase phase, Floats &floats) {
        return search.push_dlpack(phase, support::tensor(floats.images.data(), 2, 32, {count, 1, side, side}, deleted[0]),
                                  support::tensor(floats.labels.data(), 1, 32, {count}, deleted[1]), 0.1);
    };
    for (nse::Pushed now = search.next(); now.next != Phase::done;) {
        Floats floats = trainer.load(now);
        const Phase phase = floats.labels.empty() ? Phase::end : now.next;
        if (phase == Phase::weight) { // refused, and nothing happened
            EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, push(Phase::evaluate, floats));
            ++tensors;
        }
        now = phase == Phase::end ? search.end() : push(phase, floats);
        tensors += phase != Phase::end;
        EXPECT_TRUE(deleted[0] == tensors && deleted[1] == tensors);
        trainer.pushed(phase);
    }
    EXPECT_EQ(support::without_seconds(search.history()) + support::text(search.front()), undisturbed());

    Floats floats = trainer.load({Phase::weight});
    nse::Search empty;
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE,
                 empty.push_dlpack(Phase::weight, support::tensor(floats.images.data(), 2, 32, {count, 1, side, side}, deleted[0]),
                                   support::tensor(floats.labels.data(), 1, 32, {count}, deleted[1])));
    EXPECT_TRUE(deleted[0] == tensors + 1 && deleted[1] == tensors + 1);
}

TEST(Push, WhatDoesNotFitIsRefusedAndNothingHappens) {
    nse::Search search = pushed_search();
    Trainer trainer;
    Floats floats = trainer.load(search.next());
    const auto refused = [&](nse_status code, const char *says, Phase phase, const nse::Batch &batch) {
        ASSERT_ERROR(error, code, search.push(phase, batch));
        EXPECT_TRUE(contains(error->what(), says)) << error->what();
        EXPECT_TRUE(search.next().next == Phase::weight && search.next().step == 0);
    };
    const nse::Batch good = floats.batch();
    refused(NSE_ERR_INVALID_ARGUMENT, "an architecture step was given, a weight step comes next", Phase::architecture, good);
    refused(NSE_ERR_INVALID_ARGUMENT, "the calibration was given", Phase::calibrate, good);
    refused(NSE_ERR_INVALID_ARGUMENT, "phase 0 is not one of", Phase::done, good);
    refused(NSE_ERR_INVALID_ARGUMENT, "phase 77 is not one of", static_cast<Phase>(77), good);
    refused(NSE_ERR_INVALID_ARGUMENT, "comes without images", Phase::end, good);
    refused(NSE_ERR_INVALID_ARGUMENT, "the end was given", Phase::end, {});
    refused(NSE_ERR_INVALID_ARGUMENT, "must not be NULL", Phase::weight, {nullptr, good.labels, count, 0.1});
    refused(NSE_ERR_INVALID_ARGUMENT, "must not be NULL", Phase::weight, {good.images, nullptr, count, 0.1});
    refused(NSE_ERR_INVALID_ARGUMENT, "1 images", Phase::weight, {good.images, good.labels, 1, 0.1});
    refused(NSE_ERR_INVALID_ARGUMENT, "lr must be given", Phase::weight, {good.images, good.labels, count, 0});
    refused(NSE_ERR_INVALID_ARGUMENT, "lr -1", Phase::weight, {good.images, good.labels, count, -1});
    floats.labels[5] = classes;
    refused(NSE_ERR_INVALID_ARGUMENT, "label 3 of image 5", Phase::weight, good);
    floats.labels[5] = 0;
    floats.images[7] = std::nanf("");
    refused(NSE_ERR_DIVERGED, "round 1, step 1", Phase::weight, good);
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, search.end());
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, search.step());
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)search.step_async());
    EXPECT_EQ(finished(search), undisturbed());
}

TEST(Push, TheWrongKindOfSearch) {
    const support::Folder folder;
    nse::Search search = support::search(1, 1);
    const Floats floats = Trainer().load({Phase::weight});
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, search.push(Phase::weight, floats.batch()));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)search.next());
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Search::pushed(support::space(), support::dataset(), options));
    search.save(folder.file("datasets.nse"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Search::load_pushed(folder.file("datasets.nse")));
    pushed_search().save(folder.file("pushed.nse"));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Search::load(folder.file("pushed.nse"), support::dataset()));

    nse::Search empty;
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, empty.push(Phase::weight, floats.batch()));
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, empty.end());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)empty.next());
    EXPECT_ERROR(NSE_ERR_INVALID_HANDLE, (void)empty.estimate());
}

TEST(Push, GoesOnFromAFileInAnyPhase) {
    const support::Folder folder;
    const std::string path = folder.file("search.nse");
    nse::Search search = pushed_search();
    Trainer trainer;
    int pushes = 0;
    for (nse::Pushed now = search.next(); now.next != Phase::done;) {
        now = advance(search, trainer, now);
        if (++pushes % 5 == 0) {
            search.save(path);
            search = nse::Search::load_pushed(path);
            now = search.next();
            trainer.scored = 0; // scoring begins again
        }
    }
    EXPECT_EQ(support::without_seconds(search.history()) + support::text(search.front()), undisturbed());
    EXPECT_EQ(support::text(nse::Search::load_pushed(path, options).front()), support::text(search.front()));
    ASSERT_ERROR(other, NSE_ERR_CONFIG, (void)nse::Search::load_pushed(path, R"({"objective": {"low": 2, "high": 3}})"));
    EXPECT_TRUE(contains(other->detail(), R"("pointer":)")) << other->detail();
}

TEST(Push, PartsAreUsed) {
    const nse::Space space = support::space();
    nse::Search first = pushed_search();
    finished(first);
    nse::Search second = nse::Search::pushed(space, nse::SearchParts().continued(first), options);
    EXPECT_EQ(support::text(second.front()), support::text(first.front()));

    const support::Folder folder;
    const nse::Latency table = support::latency(space);
    const std::string timed = R"({"active": 3, "objective": {"cost": "latency", "low": 1, "high": 1000}})";
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Search::pushed(space, timed));
    nse::Search::pushed(space, nse::SearchParts().latency(table), timed).save(folder.file("timed.nse"));
    EXPECT_TRUE(nse::Search::load_pushed(folder.file("timed.nse"), nse::SearchParts().latency(table)));
    EXPECT_ERROR(NSE_ERR_FORMAT, (void)nse::Search::load_pushed(folder.file("timed.nse"), nse::SearchParts().latency(support::latency(space, 2))));
}

/// A callback is told when the work of its push is done: true cancels nothing any more, and an exception is thrown all the same.
TEST(Push, EventsComeInThePushThatMadeThem) {
    const std::thread::id here = std::this_thread::get_id();
    int told = 0, finishes = 0;
    bool throws = false;
    nse::Search *self = nullptr;
    const auto busy = [&self] {
        EXPECT_ERROR(NSE_ERR_BUSY, (void)self->next());
        EXPECT_ERROR(NSE_ERR_BUSY, self->end());
        EXPECT_ERROR(NSE_ERR_BUSY, (void)self->estimate());
    };
    nse::Search search = nse::Search::pushed(support::space(), options, [&](const nse::Event &event) {
        ++told;
        finishes += event.kind == NSE_EVENT_FINISH;
        EXPECT_EQ(std::this_thread::get_id(), here);
        busy();
        if (throws) {
            throw Stop();
        }
        return event.kind == NSE_EVENT_TRAIN;
    });
    self = &search;
    Trainer trainer;
    nse::Pushed now = advance(search, trainer, search.next());
    EXPECT_TRUE(told == 1 && now.step == 1);
    now = advance(search, trainer, now);
    EXPECT_TRUE(told == 1 && now.next == Phase::architecture) << "half a step has an event";
    throws = true;
    EXPECT_THROW(advance(search, trainer, now), Stop);
    now = search.next();
    EXPECT_TRUE(told == 2 && now.step == 2 && now.next == Phase::weight) << "the batch was not used";
    throws = false;

    while (now.next != Phase::evaluate || trainer.scored < 4) {
        now = advance(search, trainer, now);
    }
    throws = true;
    told = 0;
    EXPECT_THROW(search.end(), Stop);
    EXPECT_EQ(told, 1) << "an event was delivered after the exception";
    EXPECT_EQ(search.next().completed, 1u);
    throws = false;
    EXPECT_EQ(finished(search), undisturbed());
    EXPECT_EQ(finishes, 1) << "of the second round";
}

TEST(Push, ACancelFromAnotherThreadUndoesNothing) {
    nse::Search search = pushed_search();
    std::atomic<bool> stop{false}, impatient{false};
    std::thread canceller([&] {
        while (!stop) {
            if (impatient) {
                search.cancel();
            }
        }
    });
    Trainer trainer;
    int cancels = 0;
    nse::Pushed now = search.next();
    const auto attempt = [&] {
        try {
            now = advance(search, trainer, now);
            return true;
        } catch (const nse::Error &error) {
            EXPECT_EQ(error.code(), NSE_ERR_CANCELLED) << error.what();
            ++cancels;
            return false;
        }
    };
    while (now.next != Phase::done) {
        impatient = true;
        const bool used = attempt();
        impatient = false;
        if (!used) {
            // Once more, now that nobody cancels; the canceller may still be in its last call.
            while (!attempt()) {
            }
        }
    }
    stop = true;
    canceller.join();
    EXPECT_GT(cancels, 0);
    EXPECT_EQ(support::without_seconds(search.history()) + support::text(search.front()), undisturbed());
}

TEST(Push, ASecondPushIsBusy) {
    std::function<void()> during;
    nse::Search search = nse::Search::pushed(support::space(), options, [&](const nse::Event &) { during(); });
    const Floats floats = Trainer().load(search.next());
    int busy = 0;
    during = [&] {
        std::thread([&] {
            EXPECT_ERROR(NSE_ERR_BUSY, search.push(Phase::weight, floats.batch()));
            ++busy;
        }).join();
    };
    EXPECT_EQ(search.push(Phase::weight, floats.batch()).step, 1u);
    EXPECT_EQ(busy, 1);
}

TEST(Push, TheScheduleOfTheOptionsGivesTheLearningRate) {
    std::string scheduled = options;
    scheduled.replace(0, 1, R"({"pushed": {"steps_per_epoch": 4}, )");
    nse::Search search = nse::Search::pushed(support::space(), scheduled);
    const Floats floats = Trainer().load(search.next());
    const double by_options = search.push(Phase::weight, floats.batch(0)).lr, own = search.push(Phase::weight, floats.batch(0.3)).lr;
    EXPECT_GT(by_options, 0);
    EXPECT_NE(by_options, own);
    EXPECT_EQ(own, 0.3);
}

TEST(Estimate, SaysWhatASearchTakesAndChangesNothing) {
    nse::Search search = support::search(2, 1);
    search.step();
    const std::string estimate = search.estimate();
    EXPECT_TRUE(contains(estimate, R"("device":"cpu")")) << estimate;
    EXPECT_EQ(support::number(estimate, "steps"), support::number(search.history(), "steps")) << estimate;
    EXPECT_EQ(support::number(estimate, "candidates"), 6) << estimate;
    EXPECT_EQ(support::number(estimate, "rounds"), 1) << estimate;
    EXPECT_GT(support::number(estimate, "peak"), support::number(estimate, "weights")) << estimate;
    EXPECT_GT(support::number(estimate, "search"), support::number(estimate, "weight_step")) << estimate;

    At half(Phase::evaluate);
    const std::string of_pushed = half.search.estimate();
    EXPECT_TRUE(contains(of_pushed, R"("steps":null)") && contains(of_pushed, R"("round":null)")) << of_pushed;
    EXPECT_EQ(finished(half.search, half.trainer), undisturbed());
}

TEST(Estimate, WhatIsTooLargeIsOutOfMemory) {
    // Images of more bytes than an address can name.
    const nse::Space huge = nse::Space::preset("nse-27-small", R"({"input": {"channels": 256, "height": 4096, "width": 4096}})");
    nse::Search search =
        nse::Search::pushed(huge, R"({"active": 2, "objective": {"low": 1, "high": 1e20}, "train": {"batch": 65536}})");
    ASSERT_ERROR(error, NSE_ERR_OUT_OF_MEMORY, (void)search.estimate());
    EXPECT_STREQ(error->name(), "NSE_ERR_OUT_OF_MEMORY");
    EXPECT_EQ(search.next().next, Phase::weight);
}

} // namespace
