// Convolutions in which channels meet, as matrix products: batch-norm and ReLU of the map before happen while it is read, statistics of the
// result while it is written. Here what only needs the pixel where it is, row by row; windows.h has the others.
#pragma once

#include "lines.h"
#include "windows.h"

namespace {

// Rows that are worked on at a time: both sides of them should stay in the second cache. Few where weights are small, so that reading and computing
// follow each other closely; more where going over the weights costs more than that.
INLINE int64_t tall(const Dense &d) { return least(most(96 * 1024 / (d.in + d.out) / TALL * TALL, 4 * TALL), (d.in + d.out < 384 ? 8 : 16) * TALL); }

int64_t dense_scratch(const Dense &d, int64_t outs) {
    if (d.lines()) return (d.taps() == 5 ? line_scratch<Filter<5>> : line_scratch<Filter<7>>)(d, outs);
    if (!d.pointwise()) return d.low ? window_scratch<true>(d, outs) : window_scratch<false>(d, outs);
    return tall(d) * (distance(d.in) + distance(d.out) + (d.low ? distance<true>(d.out) : 0) + most(d.in, d.out)) + distance(d.out) + 2 * LANES;
}

int64_t dense_size(const Dense &d) {
    const int64_t ins = d.in / d.groups, outs = d.out / d.groups;
    return most(padded(outs) * ins, padded(ins) * outs) / (d.low ? PAIR : 1) * d.taps() * d.groups + LANES;
}

void pack_forward(const float *weight, float *packed, const Dense &d, int64_t first, int64_t last) {
    const int64_t ins = d.in / d.groups, outs = d.out / d.groups, taps = d.taps();
    (d.low ? pack<true> : pack<false>)(weight, packed, first, last, outs * ins * taps, outs, ins * taps, taps, ins, taps);
}

void pack_backward(const float *weight, float *packed, const Dense &d, int64_t first, int64_t last) {
    const int64_t ins = d.in / d.groups, outs = d.out / d.groups, taps = d.taps();
    (d.low ? pack<true> : pack<false>)(weight, packed, first, last, outs * ins * taps, ins, taps, taps, outs, ins * taps);
}

template <bool LOW>
void pointwise_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    const Dense &s = d.shape;
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups, depth = ins / IN_CELL<LOW>, tall = ::tall(s);
    const bool plain = !LOW && !d.in.scale && !d.in.relu;
    const int64_t ld = plain ? s.in : distance<LOW>(s.in);
    float *const held = scratch + tall * distance(s.in);
    // What is whole lines of the cache is written past it at once.
    const bool whole = d.past && whole_lines(d.out, outs), apart = d.past && !whole;
    const Stretch all{0, 0, depth};
    for (int64_t begin = from; begin < to; begin += tall) {
        const int64_t end = least(to, begin + tall);
        float *const out = d.out + begin * s.out, *const now = apart ? held : out;
        const float *rows = plain ? d.in.values + begin * ld : scratch;
        Ahead next{{{d.in.values + end * s.in, d.in.values + least(to, end + tall) * s.in}}, 1};
        if (!plain) gather<LOW>(d.in, s.in, begin, end, scratch, ld);
        for (int64_t g = 0; g < s.groups; ++g) {
            const float *weight = d.weight + g * padded(outs) * depth;
            multiply<LOW>({rows + g * depth, ld, 1, weight, LANES, depth * LANES, &all, 1, now + g * outs, s.out, outs, false, m.of(g * outs), begin == from, whole}, end - begin, depth * LANES, next);
        }
        if (apart) leave(now, out, (end - begin) * s.out);
    }
    if (d.past) written_past();
}

void dense_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    if (d.shape.lines()) return (d.shape.taps() == 5 ? line_forward<Filter<5>> : line_forward<Filter<7>>)(d, from, to, m, scratch);
    const auto way = d.shape.pointwise() ? (d.shape.low ? pointwise_forward<true> : pointwise_forward<false>)
                                         : (d.shape.low ? window_forward<true> : window_forward<false>);
    way(d, from, to, m, scratch);
}

// Floats of one output's weight gradient.
INLINE int64_t gradient_width(const Dense &d) { return padded(d.in / d.groups * d.taps()); }

int64_t dense_gradient_width(const Dense &d) { return gradient_width(d); }

template <bool LOW>
void pointwise_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, int64_t width, Sums sums, float *scratch) {
    const Dense &s = d.shape;
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups, depth = outs / IN_CELL<LOW>, tall = ::tall(s);
    const int64_t first = d.in_gradient ? 0 : d.first, last = d.in_gradient ? s.out : d.last;
    const int64_t ldi = distance(s.in), ldo = distance(last - first), ldg = distance<LOW>(s.out);
    float *const upper = scratch, *const lower = upper + tall * ldo, *const held = lower + tall * ldi, *const gradient = IN_CELL<LOW> == 1 ? upper : held + tall * s.in;
    const bool past = d.past && !d.add, masked_past = past && sums.plain && whole_lines(d.in_gradient, s.in);
    for (int64_t begin = from; begin < to; begin += tall) {
        const int64_t end = least(to, begin + tall), rows = end - begin, then = least(to, end + tall);
        Ahead next{{{d.out.values + end * s.out, d.out.values + then * s.out}}, 1};
        if (d.out.map && d.first < d.last) next.ranges[next.count++] = {d.out.map + end * s.out, d.out.map + then * s.out};
        if (d.first < d.last) next.ranges[next.count++] = {d.in.values + end * s.in, d.in.values + then * s.in};
        if (d.first == d.last) {
            gather<LOW>(d.out, s.out, begin, end, gradient, ldg, d.out.map);
        } else {
            stack<LOW>(d.out, s.out, first, last, begin, end, upper, ldo, d.in_gradient && gradient != upper ? gradient : nullptr, ldg);
            stack<LOW>(d.in, s.in, 0, s.in, begin, end, lower, ldi);
            const Stretch all{0, 0, blocks(rows, IN_CELL<LOW>)};
            in_groups(d, [&](int64_t g, int64_t some, int64_t end) __attribute__((always_inline)) {
                multiply<LOW>({upper + some - first, 1, ldo, lower + g * ins, ldi, LANES, &all, 1, weight + (some - d.first) * width, width, width, true}, end - some, LANES, next);
            });
        }
        if (!d.in_gradient) continue;
        float *const out = d.in_gradient + begin * s.in, *const now = past ? held : out;
        const Stretch all{0, 0, depth};
        for (int64_t g = 0; g < s.groups; ++g) {
            const float *packed = d.weight + g * padded(ins) * depth;
            multiply<LOW>({gradient + g * depth, ldg, 1, packed, LANES, depth * LANES, &all, 1, now + g * ins, s.in, ins, d.add}, rows, depth * LANES, next);
        }
        if (masked_past) {
            mask<true>(now, out, d.in, s.in, begin, end, sums);
        } else {
            if (sums.plain) mask(now, now, d.in, s.in, begin, end, sums);
            if (past) leave(now, out, rows * s.in);
        }
    }
    if (past) written_past();
}

void dense_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, Sums sums, float *scratch) {
    const int64_t width = gradient_width(d.shape);
    if (d.shape.lines()) return (d.shape.taps() == 5 ? line_backward<Filter<5>> : line_backward<Filter<7>>)(d, from, to, weight, width, sums, scratch);
    if (d.shape.pointwise()) return (d.shape.low ? pointwise_backward<true> : pointwise_backward<false>)(d, from, to, weight, width, sums, scratch);
    if (d.in_gradient) return (d.shape.low ? window_backward<true> : window_backward<false>)(d, from, to, weight, width, sums, scratch);
    (d.shape.low ? window_weights<true> : window_weights<false>)(d, from, to, weight, width, scratch);
}

}  // namespace
