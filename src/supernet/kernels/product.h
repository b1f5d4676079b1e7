// Matrix products: the inner loop of every convolution in which channels meet. The right side is packed into panels of one vector of columns,
// or lies in rows.
#pragma once

#include "cells.h"
#include "rows.h"

#include <utility>

namespace {

// A tile of results stays in registers: TALL rows of two vectors.
constexpr int TALL = REGISTERS == 32 ? 12 : LANES == 8 ? 6 : 5;

// A stretch of what is summed over: where it begins on both sides, and how long it is, in cells.
struct Stretch {
    int64_t a, b, depth;
};

// out[r][columns] (+)= sum over stretches and p < depth of a[stretch.a + r * rows + p * steps] * b[stretch.b + p * ldb + ...], of cells; the vectors of b are
// `apart` cells from each other.
struct Product {
    const float *a;
    int64_t rows, steps;
    const float *b;
    int64_t ldb, apart;
    const Stretch *stretches;
    int64_t count;
    float *out;
    int64_t ldo, columns;
    bool add;
    // For the statistics of what is written, which is all of the sum; with no pivot, nothing. `first`: the first row's are the pivots.
    Moments seen = {nullptr, nullptr, nullptr};
    bool first = false;
    bool past = false;  // whether whole lines of the cache are written, and past it
    // Asked for on the way, a line for each number that is summed over.
    const float *ahead = nullptr;
    int64_t line = 0;
};

// What is read after some products: ranges of memory, of which every tile asks for a part.
struct Ahead {
    struct Range {
        const float *from, *to;
    };
    Range ranges[3];
    int64_t count, next = 0;

    static constexpr int64_t LINE = 16;

    template <bool LOW>
    void part_of(Product &p) {
        while (next < count && ranges[next].from >= ranges[next].to) ++next;
        p.line = next < count ? LINE * IN_CELL<LOW> : 0;
        if (next == count) return;
        p.ahead = ranges[next].from;
        // Stretches of a product are as long as each other.
        if (p.count > 0) ranges[next].from += p.count * p.stretches[0].depth * p.line;
    }
};

template <bool LOW, int R, int N>
void tile(const Product &p) {
    V sum[R][N];
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 2
        for (int n = 0; n < N; ++n) sum[r][n] = V{};
    }
    const int64_t rows = p.rows, steps = p.steps, ldb = p.ldb, apart = p.apart, line = p.line;
    const float *next = line ? p.ahead : p.a;
    for (const Stretch *s = p.stretches, *end = s + p.count; s != end; ++s) {
        const float *a = p.a + s->a, *b = p.b + s->b;
        for (int64_t i = s->depth; i > 0; --i, a += steps, b += ldb, next += line) {
            ahead(next);
            if (LOW) ahead(next + line / 2);
            V wide[N];
#pragma GCC unroll 2
            for (int n = 0; n < N; ++n) wide[n] = load(b + n * apart);
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r) {
                const V value = broadcast(a + r * rows);
#pragma GCC unroll 2
                for (int n = 0; n < N; ++n) sum[r][n] = multiplied<LOW>(sum[r][n], value, wide[n]);
            }
        }
    }
    // What is stored might be a part of p, for all that the compiler knows.
    const bool add = p.add, past = p.past, first = p.first;
    const int64_t ldo = p.ldo, columns = p.columns;
    float *const out = p.out;
    const Moments seen = p.seen;
#pragma GCC unroll 2
    for (int n = 0; n < N; ++n) {
        const int64_t count = columns - n * LANES;
        float *to = out + n * LANES;
        if (add) {
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r, to += ldo) store(to, sum[r][n] + load(to, count), count);
        } else if (past) {
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r, to += ldo) store_past(to, sum[r][n]);
        } else {
#pragma GCC unroll 12
            for (int r = 0; r < R; ++r, to += ldo) store(to, sum[r][n], count);
        }
        if (!seen.pivot) continue;
        if (first) store(seen.pivot + n * LANES, sum[0][n], count);
        const V pivot = load(seen.pivot + n * LANES, count);
        // Two sums each, for additions wait for each other.
        V all[2] = {}, squares[2] = {};
#pragma GCC unroll 12
        for (int r = 0; r < R; ++r) {
            const V above = sum[r][n] - pivot;
            all[r % 2] += above, squares[r % 2] += above * above;
        }
        flush(seen.sum + n * LANES, all[0] + all[1], count), flush(seen.square + n * LANES, squares[0] + squares[1], count);
    }
}

typedef void (*Tile)(const Product &);

template <bool LOW, int N, typename R>
struct Tiles;
template <bool LOW, int N, int... R>
struct Tiles<LOW, N, std::integer_sequence<int, R...>> {
    static constexpr Tile of[] = {tile<LOW, R + 1, N>...};
};
using Heights = std::make_integer_sequence<int, TALL>;

// One tile of at most TALL rows, and of two vectors of columns if there are so many.
template <bool LOW>
INLINE void tile(const Product &p, int64_t height) {
    constexpr bool pairs = IN_CELL<LOW> == 2;
    (p.columns > LANES ? Tiles<pairs, 2, Heights>::of : Tiles<pairs, 1, Heights>::of)[height - 1](p);
}

// Calls body(from, to) for 0..count in ranges of about equal length that one tile is high enough for.
template <typename F>
INLINE void in_tiles(int64_t count, F &&body) {
    const int64_t tiles = blocks(count, TALL);
    for (int64_t i = 0; i < tiles; ++i) body(count * i / tiles, count * (i + 1) / tiles);
}

// Calls body(p, column) for as many columns at a time as a tile has, with b and columns of p as they are there; panels of b are `panel` cells long.
template <typename F>
INLINE void in_columns(Product p, int64_t panel, F &&body) {
    const float *b = p.b;
    const int64_t columns = p.columns;
    for (int64_t column = 0; column < columns; column += 2 * LANES) {
        p.b = b + column / LANES * panel;
        p.columns = columns - column;
        body(p, column);
    }
}

// `height` x `p.columns` results.
template <bool LOW>
INLINE void multiply(const Product &p, int64_t height, int64_t panel, Ahead &ahead) {
    in_columns(p, panel, [&](Product p, int64_t column) __attribute__((always_inline)) {
        const float *a = p.a;
        float *out = p.out + column;
        const bool first = p.first;
        p.seen = p.seen.of(column);
        in_tiles(height, [&](int64_t from, int64_t to) __attribute__((always_inline)) {
            p.a = a + from * p.rows;
            p.out = out + from * p.ldo;
            p.first = first && from == 0;
            ahead.part_of<LOW>(p);
            tile<LOW>(p, to - from);
        });
    });
}

// Distance of rows in scratch, in cells: whole vectors of channels, and not a power of two that would fall onto few cache lines.
template <bool LOW = false>
INLINE int64_t distance(int64_t channels) {
    const int64_t whole = padded(channels) / IN_CELL<LOW>;
    return whole % 256 == 0 ? whole + LANES : whole;
}

// `count` values so far apart, at most a vector of them; zeros behind.
INLINE V pick(const float *from, int64_t step, int64_t count) {
    V value = {};
    if (count == LANES) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; ++i) value[i] = from[i * step];
    } else {
        for (int64_t i = 0; i < count; ++i) value[i] = from[i * step];
    }
    return value;
}

// Panels [first, last) of [group][vector of to][tap][cell of from][LANES] from a weight of [group][...] in which neighbours among to and from are so far apart,
// and taps are neighbours.
template <bool LOW>
INLINE void pack(const float *weight, float *packed, int64_t first, int64_t last, int64_t group, int64_t to, int64_t to_step, int64_t taps, int64_t from, int64_t from_step) {
    const int64_t vectors = blocks(to, LANES), cells = from / IN_CELL<LOW>, step = from_step * IN_CELL<LOW>;
    for (int64_t panel = first; panel < last; ++panel) {
        const int64_t t = panel % vectors * LANES, count = least(LANES, to - t);
        const float *const columns = weight + panel / vectors * group + t * to_step;
        float *const out = packed + panel * taps * cells * LANES;
        // A few at a time, so that what is read for one tap is still near for the next.
        for (int64_t few = 0; few < cells; few += LANES) {
            for (int64_t tap = 0; tap < taps; ++tap) {
                for (int64_t f = few; f < least(cells, few + LANES); ++f) {
                    const float *const at = columns + f * step + tap;
                    float *const vector = out + (tap * cells + f) * LANES;
                    store(vector, beside<LOW>(pick(at, to_step, count), IN_CELL<LOW> == 2 ? pick(at + from_step, to_step, count) : V{}));
                }
            }
        }
    }
}

}  // namespace
