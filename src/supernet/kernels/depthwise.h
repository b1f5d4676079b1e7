// Depthwise convolution, forward and backward, with the batch-norm and ReLU of the map before in its load: for every image and vector of
// channels the planes are brought together, worked on, and written back with the sums that the next batch-norm needs.
#pragma once

#include "rows.h"
#include "taps.h"

namespace {

using nse::DepthwiseBackward;
using nse::DepthwiseForward;
using nse::Plane;

// Outputs in registers at a time, for planes that are wide enough and for narrow ones.
constexpr int WIDE = REGISTERS == 32 ? 8 : 4, NARROW = 4;

// The loops for one shape.
struct Loops {
    void (*convolve)(const float *, int64_t, int64_t, const float *, int64_t, int64_t, float *);
    void (*input)(const float *, int64_t, int64_t, const float *, int64_t, int64_t, float *);
    void (*weight)(const float *, const float *, const Plane &, float *);
};

template <typename T, int R>
void correlate_all(const float *in, const float *gradient, const Plane &p, float *taps) {
    // As many rows of the kernel at once as leave room for the gradient and what is read.
    constexpr int room = (REGISTERS - R - 2) / T::kernel, rows = room < 1 ? 1 : room < T::kernel ? room : T::kernel;
    int k = 0;
    for (; k + rows <= T::kernel; k += rows) correlate<T, R, rows>(in, gradient, p, k, taps);
    if constexpr (T::kernel % rows != 0) correlate<T, R, T::kernel % rows>(in, gradient, p, k, taps);
}

template <typename T, int R>
constexpr Loops loops() {
    // At stride 1 the gradient of the input is a convolution with the kernel turned round, as packed behind it.
    if constexpr (T::stride == 1) return {convolve<T, R>, convolve<T, R>, correlate_all<T, R>};
    else return {convolve<T, R>, spread_row<T, R>, correlate_all<T, R>};
}

template <int K, int S, int D>
INLINE const Loops *known(const Plane &p) {
    static constexpr Loops wide = loops<Shape<K, S, D>, WIDE>(), narrow = loops<Shape<K, S, D>, NARROW>();
    if (p.kernel != K || p.stride != S || p.dilation != D) return nullptr;
    return p.out_width <= NARROW ? &narrow : &wide;
}

template <int K>
INLINE const Loops *known(const Plane &p) {
    const Loops *at = known<K, 1, 1>(p);
    return at ? at : known<K, 2, 1>(p);
}

// The shapes in the published pools; null for others.
const Loops *find(const Plane &p) {
    const Loops *const all[] = {known<3>(p), known<5>(p), known<7>(p), known<9>(p), known<11>(p),
                                known<3, 1, 2>(p), known<3, 2, 2>(p), known<3, 1, 3>(p), known<3, 2, 3>(p)};
    for (const Loops *loops : all) {
        if (loops) return loops;
    }
    return nullptr;
}

// [vector of channels][taps, and the same turned round][LANES]
void pack_taps(const float *weight, float *packed, int64_t channels, int64_t taps) {
    for (int64_t c = 0; c < channels; c += LANES, packed += 2 * taps * LANES) {
        for (int64_t k = 0; k < taps; ++k) {
            for (int64_t i = 0; i < LANES; ++i) {
                const float value = c + i < channels ? weight[(c + i) * taps + k] : 0.0f;
                packed[k * LANES + i] = packed[(2 * taps - 1 - k) * LANES + i] = value;
            }
        }
    }
}

int64_t depthwise_scratch(const Plane &p) { return (p.height * p.width + p.out_height * p.out_width + most(p.width, p.out_width) + 2 * WIDE + 2) * LANES; }

// How far the plane that is worked on next is from that of a block: the next block's, or of the next image, `image` floats on, the first's.
INLINE int64_t to_next(int64_t b, int64_t block, int64_t last_block, int64_t image) { return b + 1 < last_block ? LANES : image - (b - block) * LANES; }

// Asks for part y of `parts` of a plane.
INLINE void ahead(const float *plane, int64_t channels, int64_t pixels, int64_t y, int64_t parts) {
    for (int64_t i = pixels * y / parts; i < pixels * (y + 1) / parts; ++i) ahead(plane + i * channels);
}

void depthwise_forward(const DepthwiseForward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, Moments m, float *scratch) {
    const Plane &p = d.plane;
    const Loops *loops = find(p);
    const int64_t taps = p.kernel * p.kernel, in = p.height * p.width, out = p.out_height * p.out_width, channels = p.channels;
    float *const plane = scratch, *const row = scratch + in * LANES;
    for (int64_t n = image; n < last_image; ++n) {
        for (int64_t b = block; b < last_block; ++b) {
            const int64_t c = b * LANES, count = channels - c;
            const float *from = d.in.values + n * in * channels + c, *weight = d.weight + 2 * b * taps * LANES;
            float *to = d.out + n * out * channels + c;
            const float *const next = from + to_next(b, block, last_block, in * channels);
            for (int64_t i = 0; i < in; ++i) store(plane + i * LANES, read(d.in, from + i * channels, c, count));
            for (int64_t y = 0; y < p.out_height; ++y) {
                ahead(next, channels, in, y, p.out_height);
                if (loops) loops->convolve(plane, p.height, p.width, weight, y, p.out_width, row);
                else convolve_any(plane, p, weight, y, row);
                if (m.pivot && n == image && y == 0) store(m.pivot + c, load(row), count);
                const V pivot = m.pivot ? load(m.pivot + c, count) : V{};
                V sum = {}, square = {};
                for (int64_t x = 0; x < p.out_width; ++x, to += channels) {
                    const V value = load(row + x * LANES), above = value - pivot;
                    sum += above, square += above * above;
                    store(to, value, count);
                }
                if (m.pivot) flush(m.sum + c, sum, count), flush(m.square + c, square, count);
            }
        }
    }
}

void depthwise_backward(const DepthwiseBackward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, float *tap_sums, Sums s, float *scratch) {
    const Plane &p = d.plane;
    const Loops *loops = find(p);
    const int64_t taps = p.kernel * p.kernel, in = p.height * p.width, out = p.out_height * p.out_width, channels = p.channels;
    float *const plane = scratch, *const upper = scratch + in * LANES, *const row = upper + out * LANES;
    for (int64_t n = image; n < last_image; ++n) {
        for (int64_t b = block; b < last_block; ++b) {
            const int64_t c = b * LANES, count = channels - c;
            const float *from = d.in.values + n * in * channels + c, *weight = d.weight + 2 * b * taps * LANES;
            for (int64_t i = 0; i < out; ++i) store(upper + i * LANES, read(d.out, (n * out + i) * channels + c, c, count));
            for (int64_t i = 0; i < in; ++i) store(plane + i * LANES, read(d.in, from + i * channels, c, count));
            if (d.weight_gradient) {
                if (loops) loops->weight(plane, upper, p, tap_sums + b * taps * LANES);
                else correlate_any(plane, upper, p, tap_sums + b * taps * LANES);
            }
            if (!d.in_gradient) continue;
            float *to = d.in_gradient + n * in * channels + c;
            const float *const next = from + to_next(b, block, last_block, in * channels);
            const int64_t next_out = n * out * channels + c + to_next(b, block, last_block, out * channels);
            const V mean = s.plain ? load(s.mean + c, count) : V{};
            for (int64_t y = 0; y < p.height; ++y) {
                ahead(next, channels, in, y, p.height);
                ahead(d.out.values + next_out, channels, out, y, p.height);
                if (d.out.map) ahead(d.out.map + next_out, channels, out, y, p.height);
                if (!loops) spread_row_any(upper, p, weight, y, row);
                else loops->input(upper, p.out_height, p.out_width, weight + (p.stride == 1 ? taps * LANES : 0), y, p.width, row);
                V plain = {}, product = {};
                for (int64_t x = 0; x < p.width; ++x, to += channels, from += channels) {
                    V value = load(row + x * LANES);
                    if (d.in.relu) value = where_positive(load(plane + (y * p.width + x) * LANES), value);
                    if (s.plain) plain += value, product += value * (load(from, count) - mean);
                    store(to, d.add ? value + load(to, count) : value, count);
                }
                if (s.plain) flush(s.plain + c, plain, count), flush(s.product + c, product, count);
            }
        }
    }
}

}  // namespace
