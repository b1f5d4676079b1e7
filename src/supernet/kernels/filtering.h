// Filters with fewer products: neighbouring outputs of a filter with several taps, from values of polynomials at as many points as there are
// outputs and taps less one, instead of products of every output with every tap (Toom 1963; Cook 1966; Winograd, Arithmetic Complexity of
// Computations, 1980; Lavin and Gray, CVPR 2016). Taps and inputs are brought to the points, multiplied and added up there over all channels, and brought back.
// All of that is linear, so that gradients go the same ways: those of taps are filters of the inputs by the outputs' gradients.
//
// The points are 1, -1, 2, -2, 1/2, -1/2 and infinity, and zero where that is one of them. More would need larger numbers, and lose digits.
#pragma once

#include "lanes.h"

namespace {

// Outputs of one application.
constexpr int BLOCK = 4;

// Of a pair of points a and -a: a; the coefficients q of what is left of the product of all (x - b) without these two, x^4 + q1 x^2 + q0; and one part in
// so many as taps are scaled by.
struct Pair {
    float a, q0, q1, scale;
};

template <bool ZERO>
struct Points {
    static constexpr int count = ZERO ? 8 : 7, taps = count - BLOCK + 1, infinity = 6, zero = 7;
    static constexpr Pair pairs[3] = {{1, 1, -4.25f, -2 / 9.0f}, {2, 0.25f, -1.25f, ZERO ? 1 / 90.0f : 1 / 45.0f}, {0.5f, 4, -5, ZERO ? 32 / 45.0f : 16 / 45.0f}};

    // Inputs that `count` neighbours see.
    INLINE static void bring_inputs(const V *in, V *values) {
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const Pair p = pairs[i];
            const V *const of = in + ZERO;
            const V even = of[1] * p.q0 + of[3] * p.q1 + of[5], odd = (of[0] * p.q0 + of[2] * p.q1 + of[4]) * p.a;
            values[2 * i] = even + odd, values[2 * i + 1] = even - odd;
        }
        values[infinity] = in[6 + ZERO] - in[ZERO] + (in[2 + ZERO] - in[4 + ZERO]) * 5.25f;
        if (ZERO) values[zero] = in[0] - in[6] + (in[4] - in[2]) * 5.25f;
    }

    // N taps, or outputs' gradients.
    template <int N>
    INLINE static void bring(const V *of, V *values) {
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) {
            const Pair p = pairs[i];
            V even = {}, odd = {};
            float power = p.scale;
#pragma GCC unroll 5
            for (int n = 0; n < N; ++n, power *= p.a) {
                if (n % 2) odd += of[n] * power;
                else even += of[n] * power;
            }
            values[2 * i] = even + odd, values[2 * i + 1] = ZERO ? even - odd : odd - even;
        }
        values[infinity] = of[N - 1];
        if (ZERO) values[zero] = of[0];
    }

    // N outputs, or taps' gradients, from the products.
    template <int N>
    INLINE static void bring_back(const V *products, V *to) {
        V sum[3], difference[3];
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) sum[i] = products[2 * i] + products[2 * i + 1], difference[i] = products[2 * i] - products[2 * i + 1];
        const float two[] = {1, 2, 4, 8, 16}, half[] = {1, 0.5f, 0.25f, 0.125f, 0.0625f};
#pragma GCC unroll 5
        for (int n = 0; n < N; ++n) {
            const V *const of = n % 2 ? difference : sum;
            to[n] = of[0] + of[1] * two[n] + of[2] * half[n];
        }
        if (ZERO) to[0] += products[zero];
        to[N - 1] += products[infinity];
    }
};

// A filter with so many taps, applied to so many blocks of outputs at a time. For two blocks the taps are in two halves, and of the four blocks of products
// that these have with three windows of inputs, three are enough: of a - b with the first half, b with both, and b - c with the second.
template <int TAPS>
struct Filter;

template <>
struct Filter<5> {
    using At = Points<true>;
    static constexpr int taps = 5, blocks = 1, outputs = BLOCK, products = At::count, edge = 2;

    INLINE static void bring_taps(const V *taps, V *values) { At::bring<5>(taps, values); }
    INLINE static void bring_back(const V *products, V *outputs) { At::bring_back<BLOCK>(products, outputs); }
    INLINE static void bring_taps_back(const V *products, V *taps) { At::bring_back<5>(products, taps); }

    // next() is what the next block sees, or the gradients of its outputs, at the points; put(tile, values) takes what is multiplied.
    template <typename Next, typename Put>
    INLINE static void inputs(int64_t tiles, Next &&next, Put &&put) {
        for (int64_t t = 0; t < tiles; ++t) {
            V values[products];
            next(values);
            put(t, values);
        }
    }
    template <typename Next, typename Put>
    INLINE static void gradients(int64_t tiles, Next &&next, Put &&put) { inputs(tiles, next, put); }
};

template <>
struct Filter<7> {
    using At = Points<false>;
    static constexpr int taps = 7, blocks = 2, outputs = 2 * BLOCK, products = 3 * At::count, edge = 3;

    INLINE static void bring_taps(const V *taps, V *values) {
        constexpr int n = At::count;
        const V second[] = {taps[4], taps[5], taps[6], V{}};
        At::bring<4>(taps, values), At::bring<4>(second, values + 2 * n);
#pragma GCC unroll 7
        for (int i = 0; i < n; ++i) values[n + i] = values[i] + values[2 * n + i];
    }

    INLINE static void halves(const V *products, V *first, V *second) {
        constexpr int n = At::count;
        V a[n], b[n];
#pragma GCC unroll 7
        for (int i = 0; i < n; ++i) a[i] = products[i] + products[n + i], b[i] = products[n + i] - products[2 * n + i];
        At::bring_back<BLOCK>(a, first), At::bring_back<BLOCK>(b, second);
    }
    INLINE static void bring_back(const V *products, V *outputs) { halves(products, outputs, outputs + BLOCK); }
    INLINE static void bring_taps_back(const V *products, V *taps) {
        V second[BLOCK];
        halves(products, taps, second);
#pragma GCC unroll 3
        for (int i = 0; i < 3; ++i) taps[BLOCK + i] = second[i];
    }

    template <typename Next, typename Put>
    INLINE static void inputs(int64_t tiles, Next &&next, Put &&put) {
        constexpr int n = At::count;
        V a[n];
        next(a);
        for (int64_t t = 0; t < tiles; ++t) {
            V values[products], c[n];
            V *const b = values + n;
            next(b), next(c);
#pragma GCC unroll 7
            for (int i = 0; i < n; ++i) values[i] = a[i] - b[i], values[2 * n + i] = b[i] - c[i], a[i] = c[i];
            put(t, values);
        }
    }
    template <typename Next, typename Put>
    INLINE static void gradients(int64_t tiles, Next &&next, Put &&put) {
        constexpr int n = At::count;
        for (int64_t t = 0; t < tiles; ++t) {
            V values[products];
            next(values), next(values + 2 * n);
#pragma GCC unroll 7
            for (int i = 0; i < n; ++i) values[n + i] = values[i] + values[2 * n + i];
            put(t, values);
        }
    }
};

}  // namespace
