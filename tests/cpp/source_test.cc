// Images of the host: written by a callable, in DLPack tensors, used where they are. Who frees what, and exceptions.

#include "dlpack.hpp"
#include "support.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

using support::classes;
using support::contains;
using support::side;
using support::tensor;

namespace {

constexpr nse::Shape shape{1, side, side};
constexpr std::uint32_t count = 96;
constexpr std::size_t size = std::size_t{side} * side;

struct Stop : std::runtime_error {
    Stop() : std::runtime_error("stop") {}
};

/// Writes the images of `made`.
struct Copy {
    const support::Images &made;
    int calls = 0;
    void operator()(std::uint32_t first, std::uint32_t images, std::uint8_t *pixels, std::uint32_t *labels) {
        ++calls;
        std::copy_n(made.pixels.data() + first * size, images * size, pixels);
        std::copy_n(made.labels.data() + first, images, labels);
    }
};

/// What a search on these images finds, which shows whether they are the same.
std::string found(const nse::Dataset &dataset) {
    nse::Search search(support::space(), dataset, support::search_options(1, 1));
    search.step();
    return support::text(search.front());
}

TEST(Source, WritesWhatMemoryWouldHave) {
    const support::Images made = support::images(count);
    Copy copy{made};
    const nse::Dataset dataset = nse::Dataset::from_source(shape, count, copy, classes);
    EXPECT_GT(copy.calls, 0);
    EXPECT_EQ(found(dataset), found(support::dataset(count)));
}

void zeros(std::uint32_t, std::uint32_t images, std::uint8_t *, std::uint32_t *labels) { std::fill_n(labels, images, 0u); }

TEST(Source, AnyKindOfCallableWillDo) {
    const support::Images made = support::images(6);
    EXPECT_EQ(support::number(nse::Dataset::from_source(shape, 5, zeros).info(), "images"), 5);
    EXPECT_EQ(support::number(nse::Dataset::from_source(shape, 5, &zeros).info(), "classes"), 1);
    EXPECT_EQ(support::number(nse::Dataset::from_source(shape, 6, Copy{made}).info(), "classes"), 3);
    Copy copy{made};
    EXPECT_TRUE(nse::Dataset::from_source(shape, 6, std::ref(copy)));
    const std::function<void(std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *)> function = std::ref(copy);
    EXPECT_TRUE(nse::Dataset::from_source(shape, 6, function));
    EXPECT_EQ(copy.calls, 2);
    auto owned = std::make_unique<int>(0);
    int *const calls = owned.get();
    auto keeps = [owned = std::move(owned)](std::uint32_t, std::uint32_t images, std::uint8_t *, std::uint32_t *labels) mutable -> std::int32_t {
        ++*owned;
        std::fill_n(labels, images, 1u);
        return 0;
    };
    EXPECT_TRUE(nse::Dataset::from_source(shape, 3, keeps));
    EXPECT_EQ(*calls, 1);
}

TEST(Source, WhatItThrowsIsThrownAgain) {
    const nse::Shape large{1, 1024, 1024}; // one image at a time
    int calls = 0;
    const auto throws = [&](std::uint32_t first, std::uint32_t, std::uint8_t *, std::uint32_t *labels) {
        ++calls;
        if (first == 2) {
            throw Stop();
        }
        *labels = 0;
    };
    EXPECT_THROW((void)nse::Dataset::from_source(large, 5, throws), Stop);
    EXPECT_EQ(calls, 3);
    try {
        (void)nse::Dataset::from_source(shape, 1, [](std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *) { throw 42; });
        FAIL() << "nothing was thrown";
    } catch (int value) {
        EXPECT_EQ(value, 42);
    }
}

TEST(Source, ItMayUseTheLibrary) {
    const auto nested = [](std::uint32_t, std::uint32_t images, std::uint8_t *, std::uint32_t *labels) {
        std::fill_n(labels, images, 0u);
        EXPECT_ERROR(NSE_ERR_CONFIG, (void)nse::Space::from_json("{"));
        EXPECT_THROW((void)nse::Dataset::from_source(shape, 1,
                                                     [](std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *) { throw 1; }),
                     int);
    };
    EXPECT_TRUE(nse::Dataset::from_source(shape, 2, nested));
}

TEST(Source, ItsOwnFailureAndItsLabels) {
    const auto fails = [](std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *) -> std::int32_t { return 7; };
    ASSERT_ERROR(error, NSE_ERR_CALLBACK, (void)nse::Dataset::from_source(shape, 2, fails));
    EXPECT_EQ(support::number(error->detail(), "code"), 7);
    EXPECT_TRUE(contains(error->what(), "images 0 to 1")) << error->what();
    const support::Images made = support::images(6);
    ASSERT_ERROR(label, NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::from_source(shape, 6, Copy{made}, 2));
    EXPECT_TRUE(contains(label->what(), "label 2 of image 2")) << label->what();
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::from_source(shape, 0, Copy{made}));
}

TEST(Borrow, KeepsTheOwnerUntilTheLastViewIsGone) {
    const support::Images made = support::images(count);
    auto pixels = std::make_shared<std::vector<std::uint8_t>>(made.pixels);
    const std::weak_ptr<std::vector<std::uint8_t>> alive = pixels;
    nse_images images = NSE_IMAGES_INIT;
    images.channels = 1;
    images.height = images.width = side;
    images.count = count;
    images.classes = classes;
    images.pixels = pixels->data();
    images.labels = made.labels.data();
    nse::Dataset whole = nse::Dataset::borrow(images, std::move(pixels));
    auto [first, second] = whole.split(0.25);
    EXPECT_EQ(found(whole), found(support::dataset(count)));
    whole.reset();
    first.reset();
    EXPECT_FALSE(alive.expired());
    std::thread([part = std::move(second)]() mutable { part.reset(); }).join();
    for (int i = 0; i < 2000 && !alive.expired(); ++i) { // the thread of the search may still be at its end
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(alive.expired());
}

TEST(Borrow, DestroysTheOwnerWhenItFails) {
    auto owner = std::make_shared<int>(0);
    const nse_images nothing = NSE_IMAGES_INIT;
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::borrow(nothing, owner));
    EXPECT_EQ(owner.use_count(), 1);
}

TEST(Borrow, TakesAVectorOver) {
    support::Images made = support::images(count);
    const nse::Dataset dataset = nse::Dataset::borrow(shape, std::move(made.pixels), made.labels, classes);
    EXPECT_EQ(found(dataset), found(support::dataset(count)));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::borrow(shape, std::vector<std::uint8_t>(7), {0, 1}));
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::borrow(shape, std::vector<std::uint8_t>(size), {5}, 5));
}

TEST(DLPack, IsCopiedOrBorrowedAndDeletedOnce) {
    support::Images made = support::images(count);
    std::vector<std::int64_t> labels(made.labels.begin(), made.labels.end());
    for (const std::uint32_t flags : {0u, std::uint32_t{NSE_BORROW}}) {
        int images_deleted = 0, labels_deleted = 0;
        {
            const nse::Dataset dataset = nse::Dataset::from_dlpack(tensor(made.pixels.data(), 1, 8, {count, 1, side, side}, images_deleted),
                                                                   tensor(labels.data(), 0, 64, {count}, labels_deleted), classes, flags);
            EXPECT_EQ(images_deleted, flags == NSE_BORROW ? 0 : 1);
            EXPECT_EQ(labels_deleted, 1);
            EXPECT_EQ(support::number(dataset.info(), "images"), count);
            if (flags == 0) {
                EXPECT_EQ(found(dataset), found(support::dataset(count)));
            }
        }
        EXPECT_EQ(images_deleted, 1);
    }
}

TEST(DLPack, IsDeletedOnceWhenItIsRefused) {
    std::array<float, 4> floats{};
    int images_deleted = 0, labels_deleted = 0;
    ASSERT_ERROR(error, NSE_ERR_INVALID_ARGUMENT,
                 (void)nse::Dataset::from_dlpack(tensor(floats.data(), 2, 32, {1, 1, 2, 2}, images_deleted),
                                                 tensor(floats.data(), 1, 32, {1}, labels_deleted)));
    EXPECT_TRUE(contains(error->what(), "images: elements of float32 instead of uint8")) << error->what();
    EXPECT_EQ(images_deleted, 1);
    EXPECT_EQ(labels_deleted, 1);
    EXPECT_ERROR(NSE_ERR_INVALID_ARGUMENT, (void)nse::Dataset::from_dlpack(nullptr, nullptr));
}

} // namespace
