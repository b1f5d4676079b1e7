// What a product reads at once of what it is summed over is a cell of 32 bits: one float; or, of values rounded to bfloat16 (LOW), two of them where
// the processor multiplies such pairs, else one, as a float.
#pragma once

#include "lanes.h"

namespace {

#if defined(__AVX512BF16__)
constexpr int PAIR = 2;
#else
constexpr int PAIR = 1;
#endif

template <bool LOW>
constexpr int IN_CELL = LOW ? PAIR : 1;

// sum += a * b, of every cell that broadcast(a) and b have.
template <bool LOW>
INLINE V multiplied(V sum, V a, V b) {
#if defined(__AVX512BF16__)
    if constexpr (LOW) return reinterpret_cast<V>(_mm512_dpbf16_ps(reinterpret_cast<__m512>(sum), reinterpret_cast<__m512bh>(a), reinterpret_cast<__m512bh>(b)));
#endif
    return sum + a * b;
}

// The same cell everywhere. A pair of bfloat16 is moved and never computed with, whatever float its bits would be.
INLINE V broadcast(const float *cell) {
#if defined(__AVX512BF16__)
    return reinterpret_cast<V>(_mm512_set1_epi32(*reinterpret_cast<const Word *>(cell)));
#else
    return all(*cell);
#endif
}

// A vector of neighbours along what is summed over, from the one in number `c` on of a row of cells.
template <bool LOW>
INLINE void put(float *row, int64_t c, V value) {
#if defined(__AVX512BF16__)
    if constexpr (LOW) {
        const __m256bh half = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(value));
        return _mm256_storeu_si256(reinterpret_cast<__m256i_u *>(row + c / 2), reinterpret_cast<__m256i>(half));
    }
#endif
    store(row + c, LOW ? rounded(value) : value);
}

// Where a cell is a pair: the two vectors of rows that beside(one, other) has.
INLINE void apart(V both, float *one, float *other, int64_t c) {
#if defined(__AVX512BF16__)
    const __m512i bits = reinterpret_cast<__m512i>(both);
    _mm256_storeu_si256(reinterpret_cast<__m256i_u *>(one + c / 2), _mm512_cvtepi32_epi16(bits));
    _mm256_storeu_si256(reinterpret_cast<__m256i_u *>(other + c / 2), _mm512_cvtepi32_epi16(_mm512_srli_epi32(bits, 16)));
#endif
}

// A vector of what is beside each other in two vectors, which are neighbours along what is summed over; where a cell has one value, the first.
template <bool LOW>
INLINE V beside(V one, V other) {
#if defined(__AVX512BF16__)
    if constexpr (LOW) {
        const auto half = [](V value) __attribute__((always_inline)) { return _mm512_cvtepu16_epi32(reinterpret_cast<__m256i>(_mm512_cvtneps_pbh(reinterpret_cast<__m512>(value)))); };
        return reinterpret_cast<V>(_mm512_or_si512(half(one), _mm512_slli_epi32(half(other), 16)));
    }
#endif
    return LOW ? rounded(one) : one;
}

}  // namespace
