// The inner loops of a depthwise convolution on planes [row][column][LANES] of one vector of channels. Every value that is read meets all
// the taps that it belongs to while it is in a register; what lies outside of the plane is not computed.
//
// `run<...>` handles kernel, stride and dilation that are known when this is compiled; `any` the others.
#pragma once

#include "lanes.h"

#include <utility>

namespace {

template <int K, int S, int D>
struct Shape {
    static constexpr int kernel = K, stride = S, dilation = D, padding = D * (K - 1) / 2;
};

template <int... I, typename F>
INLINE void each(std::integer_sequence<int, I...>, F &&body) {
    (body(std::integral_constant<int, I>{}), ...);
}
template <int N, typename F>
INLINE void each(F &&body) {
    each(std::make_integer_sequence<int, N>(), body);
}

// What a column of input gives to R neighbouring outputs, the first of which begins at column 0 of `row`.
template <typename T, int R, bool INSIDE>
INLINE void columns(const float *in, int64_t row, int64_t left, int64_t width, const V *weight, V *sum) {
    constexpr int span = (R - 1) * T::stride + (T::kernel - 1) * T::dilation + 1;
    each<span>([&](auto i) __attribute__((always_inline)) {
        if (!INSIDE && (left + i < 0 || left + i >= width)) return;
        const V value = load(in + (row * width + left + i) * LANES);
        each<T::kernel>([&](auto k) __attribute__((always_inline)) {
            constexpr int at = i - k * T::dilation;
            if constexpr (at >= 0 && at % T::stride == 0 && at / T::stride < R) sum[at / T::stride] += value * weight[k];
        });
    });
}

// Outputs [first, last) of a row: out[x] = sum over taps of weight * in. `out` has room for R more.
template <typename T, int R>
void convolve(const float *in, int64_t height, int64_t width, const float *taps, int64_t y, int64_t first, int64_t last, float *out) {
    constexpr int span = (R - 1) * T::stride + (T::kernel - 1) * T::dilation + 1;
    for (int64_t x = first; x < last; x += R) {
        V sum[R];
        each<R>([&](auto r) __attribute__((always_inline)) { sum[r] = V{}; });
        const int64_t left = x * T::stride - T::padding;
        const bool inside = left >= 0 && left + span <= width;
        for (int k = 0; k < T::kernel; ++k) {
            const int64_t row = y * T::stride + k * T::dilation - T::padding;
            if (row < 0 || row >= height) continue;
            V weight[T::kernel];
            each<T::kernel>([&](auto i) __attribute__((always_inline)) { weight[i] = load(taps + (k * T::kernel + i) * LANES); });
            if (inside) columns<T, R, true>(in, row, left, width, weight, sum);
            else columns<T, R, false>(in, row, left, width, weight, sum);
        }
        each<R>([&](auto r) __attribute__((always_inline)) { store(out + (x + r) * LANES, sum[r]); });
    }
}

// The same of a row of the input's gradient, where the stride is not 1: every value of the output's gradient is spread. R is a multiple of the stride.
template <typename T, int R>
void spread_row(const float *in, int64_t height, int64_t width, const float *taps, int64_t y, int64_t first, int64_t last, float *out) {
    constexpr int before = T::padding / T::stride, span = before + (R - 1 + T::padding) / T::stride + 1;
    for (int64_t x = first; x < last; x += R) {
        V sum[R];
        each<R>([&](auto r) __attribute__((always_inline)) { sum[r] = V{}; });
        const int64_t left = x / T::stride - before;
        for (int k = 0; k < T::kernel; ++k) {
            const int64_t from = y + T::padding - k * T::dilation;
            if (from < 0 || from % T::stride || from / T::stride >= height) continue;
            V weight[T::kernel];
            each<T::kernel>([&](auto i) __attribute__((always_inline)) { weight[i] = load(taps + (k * T::kernel + i) * LANES); });
            const int64_t row = from / T::stride;
            each<span>([&](auto i) __attribute__((always_inline)) {
                if (left + i < 0 || left + i >= width) return;
                const V value = load(in + (row * width + left + i) * LANES);
                each<T::kernel>([&](auto kx) __attribute__((always_inline)) {
                    constexpr int at = (i - before) * T::stride + kx * T::dilation - T::padding;
                    if constexpr (at >= 0 && at < R) sum[at] += value * weight[kx];
                });
            });
        }
        each<R>([&](auto r) __attribute__((always_inline)) { store(out + (x + r) * LANES, sum[r]); });
    }
}

// taps[k][kx] += sum over rows [top, bottom) of outputs of gradient * in, for L rows of the kernel from k on.
template <typename T, int R, int L>
void correlate(const float *in, const float *gradient, const nse::Plane &p, int64_t top, int64_t bottom, int k, float *taps) {
    constexpr int span = (R - 1) * T::stride + (T::kernel - 1) * T::dilation + 1;
    V sum[L][T::kernel];
    each<L * T::kernel>([&](auto i) __attribute__((always_inline)) { sum[i / T::kernel][i % T::kernel] = V{}; });
    for (int64_t y = top; y < bottom; ++y) {
        for (int64_t x = 0; x < p.out_width; x += R) {
            V value[R];
            each<R>([&](auto r) __attribute__((always_inline)) {
                value[r] = x + r < p.out_width ? load(gradient + (y * p.out_width + x + r) * LANES) : V{};
            });
            const int64_t left = x * T::stride - T::padding;
            const bool inside = left >= 0 && left + span <= p.width;
            each<L>([&](auto l) __attribute__((always_inline)) {
                const int64_t row = y * T::stride + (k + l) * T::dilation - T::padding;
                if (row < 0 || row >= p.height) return;
                each<span>([&](auto i) __attribute__((always_inline)) {
                    if (!inside && (left + i < 0 || left + i >= p.width)) return;
                    const V from = load(in + (row * p.width + left + i) * LANES);
                    each<T::kernel>([&](auto kx) __attribute__((always_inline)) {
                        constexpr int at = i - kx * T::dilation;
                        if constexpr (at >= 0 && at % T::stride == 0 && at / T::stride < R) sum[l][kx] += from * value[at / T::stride];
                    });
                });
            });
        }
    }
    each<L * T::kernel>([&](auto i) __attribute__((always_inline)) {
        float *to = taps + (k * T::kernel + i) * LANES;
        store(to, load(to) + sum[i / T::kernel][i % T::kernel]);
    });
}

// Any shape: one output, or one tap, at a time.
void convolve_any(const float *in, const nse::Plane &p, const float *taps, int64_t y, int64_t first, int64_t last, float *out) {
    const int64_t padding = p.dilation * (p.kernel - 1) / 2;
    for (int64_t x = first; x < last; ++x) {
        V sum = {};
        for (int64_t k = 0; k < p.kernel * p.kernel; ++k) {
            const int64_t row = y * p.stride + k / p.kernel * p.dilation - padding, column = x * p.stride + k % p.kernel * p.dilation - padding;
            if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
            sum += load(in + (row * p.width + column) * LANES) * load(taps + k * LANES);
        }
        store(out + x * LANES, sum);
    }
}

void spread_row_any(const float *in, const nse::Plane &p, const float *taps, int64_t y, int64_t first, int64_t last, float *out) {
    const int64_t padding = p.dilation * (p.kernel - 1) / 2;
    for (int64_t x = first; x < last; ++x) {
        V sum = {};
        for (int64_t k = 0; k < p.kernel * p.kernel; ++k) {
            const int64_t row = y + padding - k / p.kernel * p.dilation, column = x + padding - k % p.kernel * p.dilation;
            if (row < 0 || column < 0 || row % p.stride || column % p.stride) continue;
            if (row / p.stride >= p.out_height || column / p.stride >= p.out_width) continue;
            sum += load(in + (row / p.stride * p.out_width + column / p.stride) * LANES) * load(taps + k * LANES);
        }
        store(out + x * LANES, sum);
    }
}

void correlate_any(const float *in, const float *gradient, const nse::Plane &p, int64_t top, int64_t bottom, float *taps) {
    const int64_t padding = p.dilation * (p.kernel - 1) / 2;
    for (int64_t k = 0; k < p.kernel * p.kernel; ++k) {
        V sum = {};
        for (int64_t i = top * p.out_width; i < bottom * p.out_width; ++i) {
            const int64_t row = i / p.out_width * p.stride + k / p.kernel * p.dilation - padding;
            const int64_t column = i % p.out_width * p.stride + k % p.kernel * p.dilation - padding;
            if (row < 0 || row >= p.height || column < 0 || column >= p.width) continue;
            sum += load(in + (row * p.width + column) * LANES) * load(gradient + i * LANES);
        }
        store(taps + k * LANES, load(taps + k * LANES) + sum);
    }
}

}  // namespace
