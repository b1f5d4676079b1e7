// Depthwise convolution, forward and backward, with the batch-norm and ReLU of the map before in its load: for every image and vector of
// channels the rows of the plane are brought together, some at a time, worked on, and written back with the sums that the next batch-norm needs.
#pragma once

#include "outputs.h"
#include "taps.h"

namespace {

using nse::DepthwiseBackward;
using nse::DepthwiseForward;
using nse::Plane;

// Outputs in registers at a time, for planes that are wide enough and for narrow ones.
constexpr int WIDE = REGISTERS == 32 ? 8 : 4, NARROW = 4;

// The loops for one shape.
struct Loops {
    void (*convolve)(const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t, float *);
    void (*input)(const float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t, float *);
    void (*weight)(const float *, const float *, const Plane &, int64_t, int64_t, float *);
};

template <typename T, int R>
void correlate_all(const float *in, const float *gradient, const Plane &p, int64_t top, int64_t bottom, float *taps) {
    // As many rows of the kernel at once as leave room for the gradient and what is read.
    constexpr int room = (REGISTERS - R - 2) / T::kernel, rows = room < 1 ? 1 : room < T::kernel ? room : T::kernel;
    int k = 0;
    for (; k + rows <= T::kernel; k += rows) correlate<T, R, rows>(in, gradient, p, top, bottom, k, taps);
    if constexpr (T::kernel % rows != 0) correlate<T, R, T::kernel % rows>(in, gradient, p, top, bottom, k, taps);
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
void pack_taps(const float *weight, float *packed, int64_t channels, int64_t taps, int64_t first, int64_t last) {
    for (int64_t block = first; block < last; ++block) {
        float *const to = packed + block * 2 * taps * LANES;
        for (int64_t i = 0; i < LANES; ++i) {
            const int64_t channel = block * LANES + i;
            const float *const from = channel < channels ? weight + channel * taps : nullptr;
            for (int64_t k = 0; k < taps; ++k) to[k * LANES + i] = to[(2 * taps - 1 - k) * LANES + i] = from ? from[k] : 0.0f;
        }
    }
}

// Rows of a plane that are together, and stay so while they are needed.
struct Rows {
    float *values;
    int64_t width, first = 0, last = 0;

    // As if all rows were there.
    const float *plane() const { return values - first * width * LANES; }

    // Has rows [from, to), which only grow: place(i) is the vector of pixel i.
    template <typename F>
    INLINE void reach(int64_t from, int64_t to, F &&place) {
        const int64_t row = width * LANES, keep = most(last - from, 0), moved = (from - first) * row;
        if (moved > 0) {
            for (int64_t i = 0; i < keep * row; i += LANES) store(values + i, load(values + moved + i));
        }
        float *at = values + keep * row;
        for (int64_t i = (from + keep) * width; i < to * width; ++i, at += LANES) store(at, place(i));
        first = from, last = to;
    }
};

// A part of a plane that is worked on at a time: rows [top, bottom) of outputs.
struct Band {
    int64_t top, bottom;
    // The inputs whose gradient is found with those.
    int64_t own, own_end;
    // The inputs that those outputs see, and these; the outputs that have seen these inputs.
    int64_t seen, seen_end, around, around_end, seeing, seeing_end;

    Band(const Plane &p, int64_t top, int64_t bottom) : top(top), bottom(bottom) {
        const int64_t padding = p.dilation * (p.kernel - 1) / 2;
        own = top * p.stride, own_end = bottom == p.out_height ? p.height : bottom * p.stride;
        seen = most(0, own - padding), seen_end = least(p.height, (bottom - 1) * p.stride + padding + 1);
        around = seen, around_end = most(own_end, seen_end);
        seeing = seen / p.stride, seeing_end = least(p.out_height, (own_end - 1 + padding) / p.stride + 1);
    }
};

// The bands of a plane: as many rows at a time as stay in the second cache with what they see.
struct Bands {
    const Plane &p;
    int64_t rows;

    explicit Bands(const Plane &p) : p(p), rows(p.out_height) {
        const int64_t around = p.dilation * (p.kernel - 1), most_rows = most((BAND / LANES / p.width - around) / p.stride, 4);
        rows = blocks(p.out_height, blocks(p.out_height, most_rows));
    }

    Band at(int64_t top) const { return Band{p, top, least(p.out_height, top + rows)}; }
    Band behind(const Band &band) const { return at(band.bottom < p.out_height ? band.bottom : 0); }

    // Vectors of inputs, and of outputs, that are together at most.
    int64_t ins() const { return least(p.height, (rows + 1) * p.stride + p.dilation * (p.kernel - 1)) * p.width; }
    int64_t outs() const { return least(p.out_height, rows + 2 + p.dilation * (p.kernel - 1) / p.stride) * p.out_width; }

    // Floats of inputs.
    static constexpr int64_t BAND = 32 * 1024;
};

// How much is read, computed and written by turns. A turn has its costs, which are worth it where long rows are written past the caches (LONG): then
// memory and arithmetic go on at the same time.
template <bool LONG>
struct Turns {
    // Calls body(band) for rows of outputs, and body(begin, end) for the pixels of a row.
    template <typename F>
    INLINE static void rows(const Plane &p, const Band &band, F &&body) {
        if (!LONG) return body(band);
        for (int64_t top = band.top; top < band.bottom; ++top) body(Band{p, top, top + 1});
    }
    template <typename F>
    INLINE static void pixels(int64_t width, F &&body) {
        if (!LONG) return body(0, width);
        for (int64_t begin = 0; begin < width; begin += PIECE) body(begin, least(width, begin + PIECE));
    }
    // In which pixels are, of so many rows.
    INLINE static int64_t count(int64_t rows, int64_t width) { return LONG ? rows * blocks(width, PIECE) : rows; }

  private:
    static constexpr int64_t PIECE = 32;
};

// Whether a map is written past the caches in rows that are long enough.
INLINE bool in_turns(const Plane &p, bool past, const float *map) { return past && p.width >= 48 && whole_lines(map, p.channels); }

int64_t depthwise_scratch(const Plane &p) {
    const Bands bands(p);
    return (bands.ins() + bands.outs() + most(p.width, p.out_width) + 2 * WIDE + 2) * LANES;
}

// What is read soon of planes that are worked on one after the other: pixels, of which those behind the last are the next plane's first.
struct Soon {
    const float *plane;
    int64_t channels, pixels, to_next, at = 0, last = 0, some = 0;

    // What is behind row `from` up to row `to`, of the next plane or this one; in so many pieces.
    INLINE void begin(int64_t from, int64_t to, int64_t width, bool in_next, int64_t pieces) {
        at = from * width, last = to * width + (in_next ? pixels : 0), some = blocks(last - at, pieces);
    }

    INLINE void ask() {
        for (const int64_t end = least(last, at + some); at < end; ++at) ahead(plane + at * channels + (at < pixels ? 0 : to_next - pixels * channels));
    }
};

// How far the plane that is worked on next is from that of a block: the next block's, or of the next image, `image` floats on, the first's.
INLINE int64_t to_next(int64_t b, int64_t block, int64_t last_block, int64_t image) { return b + 1 < last_block ? LANES : image - (b - block) * LANES; }

template <bool LONG>
void forward_planes(const DepthwiseForward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, Moments m, float *scratch) {
    const Plane p = d.plane;
    const Loops *loops = find(p);
    const bool past = d.past && whole_lines(d.out, p.channels);
    const Bands bands(p);
    const int64_t taps = p.kernel * p.kernel, in = p.height * p.width, out = p.out_height * p.out_width, channels = p.channels, width = p.out_width;
    float *const row = scratch + bands.ins() * LANES;
    Band band = bands.at(0), next = bands.behind(band);
    for (int64_t n = image; n < last_image; ++n) {
        for (int64_t b = block; b < last_block; ++b) {
            const int64_t c = b * LANES;
            const float *weight = d.weight + 2 * b * taps * LANES;
            Seeing seeing(m, past, n == image, channels, c);
            float *to = d.out + n * out * channels + c;
            const Lanes<Input> lanes(d.in, channels, c);
            Soon soon{lanes.values + n * in * channels, channels, in, to_next(b, block, last_block, in * channels)};
            Rows rows{scratch, p.width};
            do {
                soon.begin(band.seen_end, next.seen_end, p.width, next.top <= band.top, Turns<LONG>::count(band.bottom - band.top, width));
                Turns<LONG>::rows(p, band, [&](const Band &few) __attribute__((always_inline)) {
                    rows.reach(band.seen, few.seen_end, [&](int64_t i) __attribute__((always_inline)) { return lanes.read(n * in + i); });
                    for (int64_t y = few.top; y < few.bottom; ++y) {
                        Turns<LONG>::pixels(width, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                            soon.ask();
                            if (loops) loops->convolve(rows.plane(), p.height, p.width, weight, y, begin, end, row);
                            else convolve_any(rows.plane(), p, weight, y, begin, end, row);
                            for (int64_t x = begin; x < end; ++x, to += channels) seeing.write(to, load(row + x * LANES));
                        });
                        seeing.flush();
                    }
                });
                if (next.top == band.top) break;
                band = next, next = bands.behind(band);
            } while (band.top > 0);
        }
    }
    if (past) written_past();
}

void depthwise_forward(const DepthwiseForward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, Moments m, float *scratch) {
    (in_turns(d.plane, d.past, d.out) ? forward_planes<true> : forward_planes<false>)(d, image, last_image, block, last_block, m, scratch);
}

template <bool LONG>
void backward_planes(const DepthwiseBackward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, float *tap_sums, Sums s, float *scratch) {
    const Plane p = d.plane;
    const Loops *loops = find(p);
    const bool relu = d.in.relu, add = d.add, summed = s.plain, past = d.past && !add && whole_lines(d.in_gradient, p.channels);
    const Bands bands(p);
    const int64_t taps = p.kernel * p.kernel, in = p.height * p.width, out = p.out_height * p.out_width, channels = p.channels, width = p.width;
    float *const upper = scratch + bands.ins() * LANES, *const row = upper + bands.outs() * LANES;
    Band band = bands.at(0), next = bands.behind(band);
    for (int64_t n = image; n < last_image; ++n) {
        for (int64_t b = block; b < last_block; ++b) {
            const int64_t c = b * LANES, count = channels - c, next_out = to_next(b, block, last_block, out * channels);
            const float *weight = d.weight + 2 * b * taps * LANES;
            const Lanes<Input> lanes(d.in, channels, c);
            const Lanes<Gradient> gradient(d.out, channels, c);
            const float *from = lanes.values + n * in * channels;
            float *to = d.in_gradient ? d.in_gradient + n * in * channels + c : nullptr;
            Soon soon{from, channels, in, to_next(b, block, last_block, in * channels)};
            Soon above{gradient.values + n * out * channels, channels, out, next_out}, map{gradient.map ? gradient.map + n * out * channels : nullptr, channels, out, next_out};
            const V mean = summed ? load(s.mean + c, count) : V{};
            Rows ins{scratch, width}, outs{upper, p.out_width};
            do {
                if (to) {
                    const int64_t pieces = Turns<LONG>::count(band.own_end - band.own, width);
                    soon.begin(band.around_end, next.around_end, width, next.top <= band.top, pieces);
                    above.begin(band.seeing_end, next.seeing_end, p.out_width, next.top <= band.top, pieces);
                    if (map.plane) map.begin(band.seeing_end, next.seeing_end, p.out_width, next.top <= band.top, pieces);
                }
                Turns<LONG>::rows(p, band, [&](const Band &few) __attribute__((always_inline)) {
                    outs.reach(band.seeing, few.seeing_end, [&](int64_t i) __attribute__((always_inline)) { return gradient.read(n * out + i); });
                    ins.reach(band.around, few.around_end, [&](int64_t i) __attribute__((always_inline)) { return lanes.read(n * in + i); });
                    if (d.weight_gradient) {
                        float *const of = tap_sums + b * taps * LANES;
                        if (loops) loops->weight(ins.plane(), outs.plane(), p, few.top, few.bottom, of);
                        else correlate_any(ins.plane(), outs.plane(), p, few.top, few.bottom, of);
                    }
                    if (!to) return;
                    for (int64_t y = few.own; y < few.own_end; ++y) {
                        V plain = {}, product = {};
                        const float *in_row = ins.plane() + y * width * LANES;
                        Turns<LONG>::pixels(width, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                            soon.ask(), above.ask(), map.ask();
                            if (!loops) spread_row_any(outs.plane(), p, weight, y, begin, end, row);
                            else loops->input(outs.plane(), p.out_height, p.out_width, weight + (p.stride == 1 ? taps * LANES : 0), y, begin, end, row);
                            for (int64_t x = begin; x < end; ++x, to += channels, from += channels) {
                                V value = load(row + x * LANES);
                                if (relu) value = where_positive(load(in_row + x * LANES), value);
                                if (summed) plain += value, product += value * (load(from, count) - mean);
                                if (past) store_past(to, value);
                                else store(to, add ? value + load(to, count) : value, count);
                            }
                        });
                        if (summed) flush(s.plain + c, plain, count), flush(s.product + c, product, count);
                    }
                });
                if (next.top == band.top) break;
                band = next, next = bands.behind(band);
            } while (band.top > 0);
        }
    }
    if (past) written_past();
}

void depthwise_backward(const DepthwiseBackward &d, int64_t image, int64_t last_image, int64_t block, int64_t last_block, float *tap_sums, Sums s, float *scratch) {
    const bool turns = in_turns(d.plane, d.past && !d.add, d.in_gradient);
    (turns ? backward_planes<true> : backward_planes<false>)(d, image, last_image, block, last_block, tap_sums, s, scratch);
}

}  // namespace
