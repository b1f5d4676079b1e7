// Rows of a map, read and summed: what the convolutions share, and the passes that have no convolution.
#pragma once

#include "cells.h"
#include "kernels.h"

#include <utility>

namespace {

using nse::Gradient;
using nse::Input;
using nse::Moments;
using nse::Sums;

// What is stored might be a part of what says how to read, for all that the compiler knows: loops that store have that by value, or what all pixels share
// in registers.

// One vector of an input, `count` channels from channel c on of the pixel at `from`.
INLINE V read(const Input &in, const float *from, int64_t c, int64_t count) {
    V value = load(from, count);
    if (in.scale) value = value * load(in.scale + c, count) + load(in.shift + c, count);
    return in.relu ? relu(value) : value;
}

INLINE V read(const Gradient &g, int64_t at, int64_t c, int64_t count) {
    V value = load(g.values + at, count) * g.factor;
    if (!g.map) return value;
    const V map = load(g.map + at, count);
    if (g.scale) value = where_positive(map * load(g.scale + c, count) + load(g.shift + c, count), value);
    if (!g.by_map) return value;
    return value * load(g.by_value + c, count) + map * load(g.by_map + c, count) + load(g.constant + c, count);
}

INLINE V read(const Input &in, int64_t at, int64_t c, int64_t count) { return read(in, in.values + at, c, count); }

// One vector of channels of an input or a gradient, from channel c on, pixel by pixel: what all pixels share stays in registers.
template <typename Map>
struct Lanes;

template <>
struct Lanes<Input> {
    const float *values;
    int64_t channels, count;
    bool scaled, relu;
    V scale, shift;

    INLINE Lanes(const Input &in, int64_t channels, int64_t c)
        : values(in.values + c), channels(channels), count(channels - c), scaled(in.scale), relu(in.relu),
          scale(scaled ? load(in.scale + c, count) : V{}), shift(scaled ? load(in.shift + c, count) : V{}) {}

    INLINE V read(int64_t pixel) const {
        V value = load(values + pixel * channels, count);
        if (scaled) value = value * scale + shift;
        return relu ? ::relu(value) : value;
    }
};

template <>
struct Lanes<Gradient> {
    const float *values, *map;
    int64_t channels, count;
    bool masked, normed;
    V factor, scale, shift, by_value, by_map, constant;

    INLINE Lanes(const Gradient &g, int64_t channels, int64_t c)
        : values(g.values + c), map(g.map ? g.map + c : nullptr), channels(channels), count(channels - c), masked(g.map && g.scale), normed(g.map && g.by_map),
          factor(all(g.factor)), scale(masked ? load(g.scale + c, count) : V{}), shift(masked ? load(g.shift + c, count) : V{}),
          by_value(normed ? load(g.by_value + c, count) : V{}), by_map(normed ? load(g.by_map + c, count) : V{}), constant(normed ? load(g.constant + c, count) : V{}) {}

    INLINE V read(int64_t pixel) const {
        V value = load(values + pixel * channels, count) * factor;
        const V at = map ? load(map + pixel * channels, count) : V{};
        if (masked) value = where_positive(at * scale + shift, value);
        return normed ? value * by_value + at * by_map + constant : value;
    }
};

// N of them side by side.
template <typename Map, int N>
struct Several {
    Lanes<Map> of[N];

    INLINE Several(const Map &map, int64_t channels, int64_t c) : Several(map, channels, c, std::make_integer_sequence<int, N>()) {}
    template <int... I>
    INLINE Several(const Map &map, int64_t channels, int64_t c, std::integer_sequence<int, I...>) : of{Lanes<Map>(map, channels, c + I * LANES)...} {}
};

// Rows [from, to) of an input or a gradient into cells along the channels, out[row][ld], with zeros up to a whole vector. As many values behind them
// as they are themselves are asked for, of `soon`, unless that is null.
template <bool LOW, typename Map>
INLINE void gather(const Map map, int64_t channels, int64_t from, int64_t to, float *out, int64_t ld, const float *soon = nullptr) {
    if (soon) soon += (to - from) * channels;
    for (int64_t row = from; row < to; ++row, out += ld) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const int64_t at = row * channels + c;
            if (soon) ahead(soon + at);
            put<LOW>(out, c, read(map, at, c, channels - c));
        }
    }
}

// The same of channels [first, last) into cells along the rows, out[cell][ld]; beside a last row that is alone are zeros. Where a cell is a pair,
// gathered[row][ldg] is filled as above too, unless it is null; it has room for a row more.
template <bool LOW, typename Map>
INLINE void stack(const Map map, int64_t channels, int64_t first, int64_t last, int64_t from, int64_t to, float *out, int64_t ld, float *gathered = nullptr, int64_t ldg = 0) {
    for (int64_t row = from; row < to; row += IN_CELL<LOW>, out += ld) {
        const bool alone = row + 1 >= to || IN_CELL<LOW> == 1;
        for (int64_t c = first; c < last; c += LANES) {
            const int64_t at = row * channels + c, count = last - c;
            const V cells = beside<LOW>(read(map, at, c, count), alone ? V{} : read(map, at + channels, c, count));
            store(out + c - first, cells);
            if (IN_CELL<LOW> == 2 && gathered) apart(cells, gathered, gathered + ldg, c - first);
        }
        if (gathered) gathered += IN_CELL<LOW> * ldg;
    }
}

// As many rows as 32-bit sums may hold.
constexpr int64_t ROWS = 128;

// So many rows ahead memory is asked for where nothing else is computed meanwhile.
constexpr int64_t SOON = 8;

// Calls body(c, N) for ranges of N vectors of channels: four at a time while there are so many, so that a row is read in longer pieces.
template <typename F>
INLINE void in_pieces(int64_t channels, F &&body) {
    int64_t c = 0;
    for (; c + 3 * LANES < channels; c += 4 * LANES) body(c, std::integral_constant<int, 4>{});
    for (; c < channels; c += LANES) body(c, std::integral_constant<int, 1>{});
}

void moments(const float *map, int64_t channels, int64_t from, int64_t to, Moments m) {
    for (int64_t begin = from; begin < to; begin += ROWS) {
        const int64_t end = least(to, begin + ROWS);
        in_pieces(channels, [&](int64_t c, auto vectors) __attribute__((always_inline)) {
            constexpr int N = vectors;
            V pivot[N], sum[N], square[N];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) pivot[n] = load(m.pivot + c + n * LANES, channels - c - n * LANES), sum[n] = square[n] = V{};
            for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) {
                    const V above = load(map + row * channels + c + n * LANES, channels - c - n * LANES) - pivot[n];
                    sum[n] += above, square[n] += above * above;
                }
            }
            for (int n = 0; n < N; ++n) {
                const int64_t at = c + n * LANES;
                flush(m.sum + at, sum[n], channels - at), flush(m.square + at, square[n], channels - at);
            }
        });
    }
}

// Sums over `rows` rows of value(lanes, row, c, count), one vector of a gradient, with lanes of `of`; the map begins with those rows.
template <typename Map, typename F>
INLINE void sum_up(const Map &of, const float *map, int64_t channels, int64_t rows, Sums s, F &&value) {
    for (int64_t begin = 0; begin < rows; begin += ROWS) {
        const int64_t end = least(rows, begin + ROWS);
        in_pieces(channels, [&](int64_t c, auto vectors) __attribute__((always_inline)) {
            constexpr int N = vectors;
            const Several<Map, N> lanes(of, channels, c);
            V mean[N], plain[N], product[N];
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) mean[n] = load(s.mean + c + n * LANES, channels - c - n * LANES), plain[n] = product[n] = V{};
            for (int64_t row = begin; row < end; ++row) {
#pragma GCC unroll 4
                for (int n = 0; n < N; ++n) {
                    const int64_t channel = c + n * LANES, count = channels - channel;
                    ahead(map + (row + SOON) * channels + channel);
                    const V g = value(lanes.of[n], row, channel, count);
                    plain[n] += g, product[n] += g * (load(map + row * channels + channel, count) - mean[n]);
                }
            }
            for (int n = 0; n < N; ++n) {
                const int64_t at = c + n * LANES;
                flush(s.plain + at, plain[n], channels - at), flush(s.product + at, product[n], channels - at);
            }
        });
    }
}

void sums(const Gradient &g, const float *map, int64_t channels, int64_t from, int64_t to, Sums s) {
    sum_up(g, map + from * channels, channels, to - from, s, [&](const Lanes<Gradient> &lanes, int64_t row, int64_t, int64_t) __attribute__((always_inline)) { return lanes.read(from + row); });
}

void merge(const Input *inputs, int64_t count, const float *plain, float factor, float *out, bool past, int64_t channels, int64_t from, int64_t to) {
    past = past && whole_lines(out, channels);
    for (int64_t row = from; row < to; ++row) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const int64_t at = row * channels + c, soon = at + SOON * channels;
            V sum = {};
            if (plain) ahead(plain + soon), sum = load(plain + at, channels - c);
            for (int64_t i = 0; i < count; ++i) ahead(inputs[i].values + soon), sum += read(inputs[i], inputs[i].values + at, c, channels - c);
            if (past) store_past(out + at, sum * factor);
            else store(out + at, sum * factor, channels - c);
        }
    }
    if (past) written_past();
}

void average(const float *map, int64_t pixels, int64_t channels, bool relu, float *averages, int64_t from, int64_t to) {
    const float part = 1.0f / static_cast<float>(pixels);
    for (int64_t image = from; image < to; ++image) {
        for (int64_t c = 0; c < channels; c += LANES) {
            const float *const first = map + image * pixels * channels + c;
            V all = {};
            for (int64_t begin = 0; begin < pixels; begin += ROWS) {
                V sum = {};
                for (int64_t pixel = begin; pixel < least(pixels, begin + ROWS); ++pixel) {
                    const V value = load(first + pixel * channels, channels - c);
                    sum += relu ? ::relu(value) : value;
                }
                all += sum;
            }
            store(averages + image * channels + c, all * part, channels - c);
        }
    }
}

void average_backward(float *map, int64_t pixels, int64_t channels, bool relu, const float *gradient, int64_t from, int64_t to) {
    const float part = 1.0f / static_cast<float>(pixels);
    for (int64_t image = from; image < to; ++image) {
        for (int64_t pixel = 0; pixel < pixels; ++pixel) {
            for (int64_t c = 0; c < channels; c += LANES) {
                float *const at = map + (image * pixels + pixel) * channels + c;
                const V value = load(gradient + image * channels + c, channels - c) * part;
                store(at, relu ? where_positive(load(at, channels - c), value) : value, channels - c);
            }
        }
    }
}

void add_up(const float *rows, int64_t parts, int64_t apart, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        V sum = load(rows + i, count - i);
        for (int64_t part = 1; part < parts; ++part) sum += load(rows + part * apart + i, count - i);
        store(to + i, sum, count - i);
    }
}

double dot(const float *a, const float *b, int64_t count) {
    constexpr int N = 4;
    double all = 0;
    for (int64_t i = 0; i < count;) {
        V sum[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; ++n) sum[n] = V{};
        for (const int64_t last = least(count, i + ROWS * N * LANES); i < last; i += N * LANES) {
#pragma GCC unroll 4
            for (int n = 0; n < N; ++n) {
                const int64_t at = i + n * LANES;
                if (at < last) sum[n] += load(a + at, last - at) * load(b + at, last - at);
            }
        }
        for (int n = 0; n < N; ++n) {
            for (int lane = 0; lane < LANES; ++lane) all += sum[n][lane];
        }
    }
    return all;
}

// Where the input was not positive its gradient is zero; sums of what is left, which goes to `left`, whole lines of the cache past it if PAST. Both begin with pixel
// `from` of the input.
template <bool PAST = false>
void mask(const float *gradient, float *left, const Input &in, int64_t channels, int64_t from, int64_t to, Sums s) {
    sum_up(in, in.values + from * channels, channels, to - from, s, [&](const Lanes<Input> &lanes, int64_t row, int64_t c, int64_t count) __attribute__((always_inline)) {
        const int64_t at = row * channels + c;
        const V given = load(gradient + at, count), value = lanes.relu ? where_positive(lanes.read(from + row), given) : given;
        if (PAST) store_past(left + at, value);
        else store(left + at, value, count);
        return value;
    });
}

// A copy, written past the caches.
INLINE void leave(const float *from, float *to, int64_t count) {
    const float *const last = to + count;
    for (; to < last && reinterpret_cast<uintptr_t>(to) % 64; ++to, ++from) *to = *from;
    for (; to + LANES <= last; to += LANES, from += LANES) store_past(to, load(from));
    for (; to < last; ++to, ++from) *to = *from;
}

}  // namespace
