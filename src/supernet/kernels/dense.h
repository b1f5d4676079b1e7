// 1x1 convolutions as matrix products, forward and backward in one pass over the rows: batch-norm and ReLU of the map before happen while
// it is read, statistics of the result while it is written. The weight is packed into panels of one vector of columns.
#pragma once

#include "rows.h"

#include <utility>

namespace {

using nse::DenseBackward;
using nse::DenseForward;

// A tile of results stays in registers: TALL rows of two vectors.
constexpr int TALL = REGISTERS == 32 ? 12 : LANES == 8 ? 6 : 5;

// out[r][columns] (+)= sum over p < depth of a[r * rows + p * steps] * b[p * ldb + ...]; the vectors of b are `apart` floats from each other.
struct Product {
    const float *a;
    int64_t rows, steps, depth;
    const float *b;
    int64_t ldb, apart;
    float *out;
    int64_t ldo, columns;
    bool add;
};

template <int R, int N>
void tile(const Product &p) {
    V sum[R][N];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) sum[r][n] = V{};
    }
    const float *a = p.a, *b = p.b;
    const int64_t rows = p.rows, steps = p.steps, ldb = p.ldb, apart = p.apart;
    for (int64_t i = 0; i < p.depth; ++i, a += steps, b += ldb) {
        V wide[N];
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) wide[n] = load(b + n * apart);
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const V value = all(a[r * rows]);
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n) sum[r][n] += value * wide[n];
        }
    }
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) {
            float *to = p.out + r * p.ldo + n * LANES;
            const int64_t count = p.columns - n * LANES;
            store(to, p.add ? sum[r][n] + load(to, count) : sum[r][n], count);
        }
    }
}

typedef void (*Tile)(const Product &);

template <int N, typename R>
struct Tiles;
template <int N, int... R>
struct Tiles<N, std::integer_sequence<int, R...>> {
    static constexpr Tile of[] = {tile<R + 1, N>...};
};
using Heights = std::make_integer_sequence<int, TALL>;

// `height` x `p.columns` results, in tiles of about equal height.
INLINE void multiply(Product p, int64_t height, int64_t panel) {
    const float *a = p.a, *b = p.b;
    float *out = p.out;
    const int64_t columns = p.columns, count = blocks(height, TALL);
    for (int64_t column = 0; column < columns;) {
        const bool wide = columns - column > LANES;
        p.b = b + column / LANES * panel;
        p.columns = columns - column;
        for (int64_t i = 0; i < count; ++i) {
            const int64_t from = height * i / count, to = height * (i + 1) / count;
            p.a = a + from * p.rows;
            p.out = out + from * p.ldo + column;
            (wide ? Tiles<2, Heights>::of : Tiles<1, Heights>::of)[to - from - 1](p);
        }
        column += wide ? 2 * LANES : LANES;
    }
}

// Distance of rows in scratch: whole vectors, and not a power of two that would fall onto few cache lines.
INLINE int64_t distance(int64_t channels) {
    const int64_t whole = padded(channels);
    return whole % 256 == 0 ? whole + LANES : whole;
}

// Rows that are worked on at a time: both sides of them should stay in the second cache.
INLINE int64_t height(int64_t in, int64_t out) { return least(most(96 * 1024 / (in + out) / TALL * TALL, 4 * TALL), 16 * TALL); }

int64_t dense_scratch(int64_t in, int64_t out) { return height(in, out) * (distance(in) + distance(out)) + 2 * LANES; }

int64_t dense_size(int64_t from, int64_t to, int64_t groups) { return padded(to / groups) * (from / groups) * groups + LANES; }

// [group][vector of to][from][LANES], from value(to, from).
template <typename F>
INLINE void pack(float *packed, int64_t from, int64_t to, int64_t groups, F value) {
    for (int64_t g = 0; g < groups; ++g) {
        for (int64_t t = 0; t < to / groups; t += LANES) {
            for (int64_t f = 0; f < from / groups; ++f) {
                for (int64_t i = 0; i < LANES; ++i) *packed++ = t + i < to / groups ? value(g, t + i, f) : 0.0f;
            }
        }
    }
}

void pack_forward(const float *weight, float *packed, int64_t in, int64_t out, int64_t groups) {
    const int64_t ins = in / groups, outs = out / groups;
    pack(packed, in, out, groups, [=](int64_t g, int64_t o, int64_t i) { return weight[(g * outs + o) * ins + i]; });
}

void pack_backward(const float *weight, float *packed, int64_t in, int64_t out, int64_t groups) {
    const int64_t ins = in / groups, outs = out / groups;
    pack(packed, out, in, groups, [=](int64_t g, int64_t i, int64_t o) { return weight[(g * outs + o) * ins + i]; });
}

void dense_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    const int64_t ins = d.in_channels / d.groups, outs = d.out_channels / d.groups, tall = height(d.in_channels, d.out_channels);
    const bool plain = !d.in.scale && !d.in.relu;
    const int64_t ld = plain ? d.in_channels : distance(d.in_channels);
    for (int64_t begin = from; begin < to; begin += tall) {
        const int64_t end = least(to, begin + tall);
        const float *rows = plain ? d.in.values + begin * ld : scratch;
        if (!plain) gather(d.in, d.in_channels, begin, end, scratch, ld);
        for (int64_t g = 0; g < d.groups; ++g) {
            const float *weight = d.weight + g * padded(outs) * ins;
            float *out = d.out + begin * d.out_channels + g * outs;
            multiply({rows + g * ins, ld, 1, ins, weight, LANES, ins * LANES, out, d.out_channels, outs, false}, end - begin, ins * LANES);
        }
        if (!m.pivot) continue;
        if (begin == from) {
            for (int64_t c = 0; c < d.out_channels; ++c) m.pivot[c] = d.out[begin * d.out_channels + c];
        }
        moments(d.out, d.out_channels, begin, end, m);
    }
}

int64_t dense_gradient_width(int64_t in, int64_t groups) { return padded(in / groups); }

void dense_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, Sums s, float *scratch) {
    const int64_t ins = d.in_channels / d.groups, outs = d.out_channels / d.groups, tall = height(d.in_channels, d.out_channels);
    const int64_t ldi = distance(d.in_channels), ldo = distance(d.out_channels), width = padded(ins);
    float *const upper = scratch, *const lower = scratch + tall * ldo;
    for (int64_t begin = from; begin < to; begin += tall) {
        const int64_t end = least(to, begin + tall), rows = end - begin;
        gather(d.out, d.out_channels, begin, end, upper, ldo);
        if (d.weight_gradient) {
            gather(d.in, d.in_channels, begin, end, lower, ldi);
            for (int64_t g = 0; g < d.groups; ++g) {
                multiply({upper + g * outs, 1, ldo, rows, lower + g * ins, ldi, LANES, weight + g * outs * width, width, width, true}, outs, LANES);
            }
        }
        if (!d.in_gradient) continue;
        for (int64_t g = 0; g < d.groups; ++g) {
            const float *packed = d.weight + g * padded(ins) * outs;
            float *out = d.in_gradient + begin * d.in_channels + g * ins;
            multiply({upper + g * outs, ldo, 1, outs, packed, LANES, outs * LANES, out, d.in_channels, ins, d.add}, rows, outs * LANES);
        }
        if (s.plain) mask(d.in_gradient, d.in, d.in_channels, begin, end, s);
    }
}

}  // namespace
