// Batch-norm of maps whose statistics are found in parts, by several threads. A thread has one of each.
#pragma once

#include "kept.h"
#include "level.h"

#include <algorithm>
#include <cstdint>

namespace nse {

// Rows of a map, and of every channel its mean and the sum of squares around that.
struct Spread {
    double rows;
    const double *mean, *squares;
};

// The statistics of a map.
class MomentParts {
    int64_t parts = 0, channels = 0;
    int64_t *rows = nullptr;
    Moments first{nullptr, nullptr, nullptr};
    double *mean = nullptr;
    Kept<int64_t> counts;
    Kept<float> pivots;
    Kept<double> sums;

  public:
    void begin(int64_t parts, int64_t channels) {
        const int64_t size = parts * channels;
        this->parts = parts, this->channels = channels;
        rows = counts.get(parts), first.pivot = pivots.get(size);
        first.sum = sums.get(2 * size + 2 * channels), first.square = first.sum + size, mean = first.square + size;
    }

    // Room for a part of so many rows, of which the caller fills channels [from, to).
    Moments part(int64_t number, int64_t rows, int64_t from, int64_t to) {
        this->rows[number] = rows;
        const Moments own = first.of(number * channels);
        std::fill(own.sum + from, own.sum + to, 0.0), std::fill(own.square + from, own.square + to, 0.0);
        return own;
    }

    Spread all() {
        double *const squares = mean + channels;
        level().spread(first, rows, parts, channels, mean, squares);
        int64_t all = 0;
        for (int64_t part = 0; part < parts; ++part) all += rows[part];
        return {static_cast<double>(all), mean, squares};
    }
};

// Sums over the gradient of a batch-norm's output.
class SumParts {
    int64_t parts = 0, channels = 0;
    double *plain = nullptr, *product = nullptr;
    Kept<double> sums;
    Kept<float> numbers;

  public:
    void begin(int64_t parts, int64_t channels) {
        this->parts = parts, this->channels = channels;
        plain = sums.get(2 * parts * channels), product = plain + parts * channels;
    }

    // Of a part, of which the caller fills channels [from, to).
    Sums part(int64_t number, const float *mean, int64_t from, int64_t to) {
        double *const own = plain + number * channels, *const others = product + number * channels;
        std::fill(own + from, own + to, 0.0), std::fill(others + from, others + to, 0.0);
        return {own, others, mean};
    }

    // `gradient` crosses the batch-norm, until the next does; and gradients of scale and shift, which may be null. Once after every `begin`.
    void cross(const Norm &norm, int64_t rows, Gradient &gradient, float *scale, float *shift) {
        float *const by_map = numbers.get(2 * channels), *const constant = by_map + channels;
        level().norm_backward(norm, {plain, product, nullptr}, parts, rows, channels, by_map, constant, scale, shift);
        gradient.by_value = norm.scale, gradient.by_map = by_map, gradient.constant = constant;
    }
};

}  // namespace nse
