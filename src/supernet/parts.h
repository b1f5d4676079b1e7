// How work is cut for threads: by its size alone, so that results do not depend on how many threads there are; and the sums of the parts.
#pragma once

#include "kernels/kernels.h"
#include "pool.h"

#include <ATen/TensorIterator.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
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

// Rows of a map, and of every channel its mean and the sum of squares around that.
struct Spread {
    double count = 0;
    std::vector<double> mean, squares;
};

// The statistics of a map by part. To be kept for the next map: asking for as much memory each time costs more than what is computed here.
class MomentParts {
    bool wanted;
    int64_t channels = 0;
    std::vector<int64_t> counts;
    std::vector<float> pivots;
    std::vector<double> sums, squares;
    Spread found;

  public:
    explicit MomentParts(bool wanted) : wanted(wanted) {}

    void begin(int64_t parts, int64_t channels) {
        if (!wanted) return;
        this->channels = channels;
        counts.resize(parts), pivots.resize(parts * channels), sums.resize(parts * channels), squares.resize(parts * channels);
    }

    // Room for a part of so many rows, of which the caller fills channels [from, to).
    Moments part(int64_t number, int64_t rows, int64_t from, int64_t to) {
        if (!wanted) return {nullptr, nullptr, nullptr};
        counts[number] = rows;
        double *const sum = &sums[number * channels], *const square = &squares[number * channels];
        std::fill(sum + from, sum + to, 0.0), std::fill(square + from, square + to, 0.0);
        return {&pivots[number * channels], sum, square};
    }

    // The parts' put together pairwise (Chan, Golub and LeVeque 1983).
    const Spread &all() {
        found.count = 0, found.mean.assign(channels, 0.0), found.squares.assign(channels, 0.0);
        double *const mean = found.mean.data(), *const squares = found.squares.data();
        for (size_t part = 0; part < counts.size(); ++part) {
            const double n = static_cast<double>(counts[part]), all = found.count + n, share = n / all, both = found.count * share, each = 1 / n;
            const float *const pivot = &pivots[part * channels];
            const double *const sum = &sums[part * channels], *const square = &this->squares[part * channels];
            for (int64_t c = 0; c < channels; ++c) {
                const double above = sum[c] * each, apart = pivot[c] + above - mean[c];
                squares[c] += square[c] - sum[c] * above + apart * apart * both;
                mean[c] += apart * share;
            }
            found.count = all;
        }
        for (int64_t c = 0; c < channels; ++c) squares[c] = std::max(squares[c], 0.0);
        return found;
    }
};

// Gradients of one batch-norm's output: sums by part, kept for the next as above.
struct SumParts {
    int64_t channels = 0, parts = 0;
    std::vector<double> plain, product;

    void begin(int64_t parts, int64_t channels) {
        this->parts = parts, this->channels = channels;
        plain.resize(parts * channels), product.resize(parts * channels);
    }

    // Of a part, of which the caller fills channels [from, to).
    Sums part(int64_t number, const float *mean, int64_t from, int64_t to) {
        double *const plain = &this->plain[number * channels], *const product = &this->product[number * channels];
        std::fill(plain + from, plain + to, 0.0), std::fill(product + from, product + to, 0.0);
        return {plain, product, mean};
    }

    // All in the place of the first.
    void add_up() {
        for (int64_t part = 1; part < parts; ++part) {
            for (int64_t c = 0; c < channels; ++c) plain[c] += plain[part * channels + c], product[c] += product[part * channels + c];
        }
    }
};

// Sums of a weight's gradient by part, which are zero to begin with.
class Partial {
    int64_t count, size;
    Floats values;

  public:
    // What is read in whole vectors may end behind the last value.
    Partial(int64_t count, int64_t size) : count(count), size(size), values(count > 0 ? count * size + 64 : 0) {}

    // `length` sums of a part from `from` on belong to the caller now. Returns the part; null where there is none.
    float *part(int64_t number, int64_t from, int64_t length) const {
        if (!values.get()) return nullptr;
        float *const part = values.get() + number * size;
        std::fill(part + from, part + from + length, 0.0f);
        return part;
    }

    void sum(int64_t from, int64_t length, float *to) const {
        const float *of = values.get() + from;
        std::copy(of, of + length, to);
        for (int64_t part = 1; part < count; ++part) {
            of += size;
            for (int64_t i = 0; i < length; ++i) to[i] += of[i];
        }
    }
};

// Memory of this thread for the kernels, `count` floats.
inline float *scratch(int64_t count) {
    struct Free {
        void operator()(float *p) const { std::free(p); }
    };
    static thread_local std::unique_ptr<float, Free> memory;
    static thread_local int64_t room = 0;
    if (count > room) {
        memory.reset(), room = 0;
        const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + 4095) / 4096 * 4096;
        memory.reset(static_cast<float *>(std::aligned_alloc(4096, bytes)));
        if (!memory) throw std::bad_alloc();
        room = count;
    }
    return memory.get();
}

}  // namespace nse
