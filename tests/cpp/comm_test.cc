// A search shared by ranks, here threads with collectives of their own.

#include "support.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using support::contains;

namespace {

/// Where ranks meet: what each of them gave is there until all have read it.
struct Room {
    explicit Room(std::size_t size) : given(size) {}

    template <class Read> void meet(std::size_t rank, const void *own, Read read) {
        given[rank] = own;
        wait();
        read();
        wait();
    }
    void wait() {
        std::unique_lock<std::mutex> lock(mutex);
        const int now = turn;
        if (++here == given.size()) {
            here = 0;
            ++turn;
            moved.notify_all();
        }
        moved.wait(lock, [&] { return turn != now; });
    }

    std::vector<const void *> given;
    std::mutex mutex;
    std::condition_variable moved;
    std::size_t here = 0;
    int turn = 0, destroyed = 0;
};

class Rank {
  public:
    Rank(Room &room, std::size_t rank) : room_(&room, [](Room *r) { ++r->destroyed; }), rank_(rank) {}

    void sum(std::int64_t *numbers, std::size_t count) {
        fold(numbers, count, [](std::int64_t a, std::int64_t b) { return a + b; });
    }
    void max(double *numbers, std::size_t count) {
        fold(numbers, count, [](double a, double b) { return std::max(a, b); });
    }
    std::int32_t broadcast(std::uint8_t *bytes, std::size_t count) {
        std::vector<std::uint8_t> first(count);
        room_->meet(rank_, bytes, [&] { std::memcpy(first.data(), room_->given[0], count); });
        std::memcpy(bytes, first.data(), count);
        return 0;
    }
    void gather(const std::uint8_t *own, std::size_t count, std::uint8_t *all) {
        room_->meet(rank_, own, [&] {
            for (std::size_t r = 0; r < room_->given.size(); ++r) {
                std::memcpy(all + r * count, room_->given[r], count);
            }
        });
    }
    void barrier() { room_->wait(); }

  private:
    template <class T, class Fold> void fold(T *numbers, std::size_t count, Fold fold) {
        std::vector<T> result(count);
        room_->meet(rank_, numbers, [&] {
            for (std::size_t r = 0; r < room_->given.size(); ++r) {
                const T *const other = static_cast<const T *>(room_->given[r]);
                for (std::size_t i = 0; i < count; ++i) {
                    result[i] = r == 0 ? other[i] : fold(result[i], other[i]);
                }
            }
        });
        std::copy(result.begin(), result.end(), numbers);
    }

    std::shared_ptr<Room> room_;
    std::size_t rank_;
};

std::string options() { return R"({"shards": 2, )" + support::search_options(1, 1).substr(1); }

/// What is found, with the fitness to the last bit.
std::vector<double> found(const nse::SearchParts &parts) {
    nse::Search search(support::space(), support::dataset(), parts, options());
    while (search.step()) {
    }
    std::vector<double> values = search.scores().values;
    for (const nse::Scored &scored : search.front()) {
        values.push_back(scored.accuracy);
    }
    values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return v != v; }), values.end());
    return values;
}

TEST(Comm, RanksFindWhatOneFinds) {
    const std::vector<double> alone = found({});
    std::vector<std::vector<double>> shared(2);
    Room room(2);
    std::vector<std::thread> threads;
    for (std::size_t rank = 0; rank < 2; ++rank) {
        threads.emplace_back([&, rank] {
            const nse::Comm comm = nse::Comm::create(static_cast<std::uint32_t>(rank), 2, Rank(room, rank), std::chrono::seconds(60));
            comm.test();
            EXPECT_TRUE(contains(comm.info(), "\"timeout_ms\":60000"));
            shared[rank] = found(nse::SearchParts().comm(comm));
        });
    }
    for (std::thread &thread : threads) {
        thread.join();
    }
    EXPECT_FALSE(alone.empty());
    EXPECT_EQ(shared[0], alone);
    EXPECT_EQ(shared[1], alone);
}

/// What throws is no collective.
struct Broken {
    std::shared_ptr<int> alive;
    void sum(std::int64_t *, std::size_t) { throw std::runtime_error("no network"); }
    void max(double *, std::size_t) {}
    void broadcast(std::uint8_t *, std::size_t) {}
    void gather(const std::uint8_t *, std::size_t, std::uint8_t *) {}
    void barrier() {}
};

TEST(Comm, WhatIsThrownIsAFailureAndTheObjectIsDestroyed) {
    const auto alive = std::make_shared<int>();
    try {
        const nse::Comm comm = nse::Comm::create(0, 1, Broken{alive});
        FAIL() << "a sum that throws";
    } catch (const nse::Error &error) {
        EXPECT_EQ(error.code(), NSE_ERR_COLLECTIVE);
        EXPECT_TRUE(contains(error.what(), "the host's function returned -1")) << error.what();
    }
    for (int i = 0; i < 1000 && alive.use_count() > 1; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10)); // on a thread of its own
    }
    EXPECT_EQ(alive.use_count(), 1);
    try {
        const nse::Comm comm = nse::Comm::create(0, 1, Broken{alive}, std::chrono::milliseconds(-1));
        FAIL() << "a negative time limit";
    } catch (const nse::Error &error) {
        EXPECT_EQ(error.code(), NSE_ERR_INVALID_ARGUMENT);
    }
}

TEST(Comm, WithoutALauncherThereIsOneRank) {
    const nse::Comm comm = nse::Comm::launched();
    EXPECT_TRUE(contains(comm.info(), "\"kind\":\"alone\",\"local_rank\":0,\"rank\":0,\"size\":1")) << comm.info();
    EXPECT_EQ(found(nse::SearchParts().comm(comm)), found({}));
}

TEST(Comm, AnEmptyOneIsNoGroup) {
    try {
        found(nse::SearchParts().comm(nse::Comm()));
        FAIL() << "an empty group";
    } catch (const nse::Error &error) {
        EXPECT_EQ(error.code(), NSE_ERR_INVALID_HANDLE);
    }
}

} // namespace
