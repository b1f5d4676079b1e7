// How work is cut for threads: by its size alone, so that results do not depend on how many threads there are.
#pragma once

#include "kept.h"
#include "level.h"
#include "pool.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <vector>

namespace nse {

// Has a piece of work done by this thread and those that help it; false: nobody does. In workers.rs, once it is known.
using Share = bool (*)(int64_t count, void (*body)(void *, int64_t, int64_t), void *context);
extern std::atomic<Share> share;

// So few numbers are not worth waking other threads for.
constexpr int64_t SMALL = 1 << 14;

// body(begin, end) for ranges that make up 0..count, on our threads or libtorch's (cores.rs) if there is enough to work on. Not at::parallel_for: that is OpenMP in whoever includes it, and
// would bring a second OpenMP along; going over a tensor happens inside libtorch.
template <typename F>
void in_parallel(int64_t count, int64_t numbers_in_all, F body) {
    if (numbers_in_all < SMALL) return body(0, count);
    struct Shared {
        F &body;
        std::mutex lock;
        std::exception_ptr failed;
    } shared{body, {}, {}};
    const auto range = [](void *context, int64_t begin, int64_t end) noexcept {
        Shared &shared = *static_cast<Shared *>(context);
        try {
            shared.body(begin, end);
        } catch (...) {
            const std::lock_guard<std::mutex> locked(shared.lock);
            shared.failed = std::current_exception();
        }
    };
    const Share with_others = share.load(std::memory_order_relaxed);
    if (with_others && with_others(count, range, &shared)) {
        if (shared.failed) std::rethrow_exception(shared.failed);
        return;
    }
    const at::Tensor numbers = at::empty({count}, at::kByte);
    at::TensorIterator over = at::TensorIterator::borrowing_nullary_op(numbers);
    const char *const first = static_cast<const char *>(numbers.const_data_ptr());
    over.for_each(
        [&](char **data, const int64_t *, int64_t size, int64_t repeats) {
            // One dimension, as it lies in memory.
            TORCH_CHECK(repeats == 1, "a range of one dimension was cut into ", repeats);
            const int64_t begin = data[0] - first;
            body(begin, begin + size);
        },
        1);
}

// 0..size in parts of about equal length and at least `least`, at most `most` of them.
struct Parts {
    int64_t size, count, numbers;

    // `numbers`: how many each of 0..size stands for.
    Parts(int64_t size, int64_t least, int64_t most, int64_t numbers)
        : size(size), count(std::max<int64_t>(1, std::min(most, size / least))), numbers(size * numbers) {}

    int64_t from(int64_t part) const { return size * part / count; }

    template <typename F>
    void each(F body) const {
        in_parallel(count, numbers, [&](int64_t begin, int64_t end) {
            for (int64_t part = begin; part < end; ++part) body(part, from(part), from(part + 1));
        });
    }
};

// Where the outputs of a dense convolution may be cut: anywhere if it is pointwise, else at rows of images, or only at images.
struct Cut {
    // More parts would go over the weights, and begin with sums of their own, more often than it pays.
    static constexpr int64_t MOST = 16;
    // So many cost about as much as reading a number and writing one.
    static constexpr int64_t PRODUCTS = 16;
    int64_t step, least, numbers;

    // `summed`: whether gradients of weights are, over the outputs of a part.
    Cut(const Dense &d, int64_t images, bool rows, bool summed)
        : step(d.pointwise() ? 1 : rows ? d.out_width : d.out_height * d.out_width),
          least(fewest(d, images, step, summed)),
          numbers(step * std::max({d.in, d.out, d.in * d.out / d.groups * d.taps() / PRODUCTS})) {}

    Parts parts(int64_t outputs, int64_t most) const { return Parts(outputs / step, least, most, numbers); }

  private:
    // Of what it may be cut at: lines are worked on many at a time, or going over the weights costs more than it should; and sums of products of bfloat16
    // are over pairs of images, of which one that is alone costs as much.
    static int64_t fewest(const Dense &d, int64_t images, int64_t step, bool summed) {
        if (d.pointwise()) return 32;
        if (step == d.out_width) return d.lines() ? 16 : 1;
        return d.across(images) || (d.lines() && step <= 256) ? Dense::ACROSS : d.low && summed ? 2 : 1;
    }
};

// Images in parts, and where there are few images blocks of channels too.
struct Grid {
    Parts images, blocks;

    Grid(int64_t images, int64_t blocks, int64_t numbers)
        : images(images, 1, 16, numbers), blocks(blocks, 1, std::max<int64_t>(1, 16 / this->images.count), 1) {}

    template <typename F>
    void each(F body) const {
        in_parallel(images.count * blocks.count, images.numbers, [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) {
                const int64_t part = i / blocks.count, block = i % blocks.count;
                body(part, images.from(part), images.from(part + 1), blocks.from(block), blocks.from(block + 1));
            }
        });
    }
};

// Sums of a weight's gradient by part, which are zero to begin with. One at a time in a thread.
class Partial {
    int64_t count, size;
    Floats many;
    float *values = nullptr;

  public:
    Partial(int64_t count, int64_t size) : count(count), size(size), many(0) {
        // What is read in whole vectors may end behind the last value.
        const int64_t all = count * size + 64;
        // Of more, other threads should have the memory in between.
        constexpr int64_t FEW = 1 << 18;
        static thread_local Kept<float> few;
        if (count == 0) return;
        if (all > FEW) many = Floats(all);
        values = all > FEW ? many.get() : few.get(all);
    }

    // `length` sums of a part from `from` on belong to the caller now. Returns the part; null where there is none.
    float *part(int64_t number, int64_t from, int64_t length) const {
        if (!values) return nullptr;
        float *const part = values + number * size;
        std::fill(part + from, part + from + length, 0.0f);
        return part;
    }

    void sum(int64_t from, int64_t length, float *to) const { level().add_up(values + from, count, size, length, to); }
};

// Of this thread for the kernels, `count` floats.
inline float *scratch(int64_t count) {
    static thread_local Kept<float> scratch;
    return scratch.get(count);
}

}  // namespace nse
