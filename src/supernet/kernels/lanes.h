// One vector of 32-bit floats at the instruction level that this file is compiled for. Everything in kernels/*.h is compiled once for every
// level, into a namespace of its own; nothing of the standard library that leaves code behind may be used here, for the linker would keep one
// copy of it, and that one might not run on an older processor.
#pragma once

#include <cstdint>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

#define INLINE __attribute__((always_inline)) inline

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16, REGISTERS = 32;
#elif defined(__AVX__)
constexpr int LANES = 8, REGISTERS = 16;
#else
constexpr int LANES = 4, REGISTERS = 16;
#endif

typedef float V __attribute__((vector_size(LANES * 4)));
typedef float Unaligned __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint32_t Bits __attribute__((vector_size(LANES * 4)));
typedef int32_t Word __attribute__((may_alias));

INLINE V load(const float *from) { return *reinterpret_cast<const Unaligned *>(from); }
INLINE void store(float *to, V value) { *reinterpret_cast<Unaligned *>(to) = value; }
INLINE V all(float value) { return value - V{}; }

#if defined(__AVX512F__)
INLINE __mmask16 first(int64_t count) { return count >= LANES ? 0xffff : static_cast<__mmask16>((1u << count) - 1); }
#endif

// The first `count` values, at most a vector of them; zeros behind.
INLINE V load(const float *from, int64_t count) {
#if defined(__AVX512F__)
    return reinterpret_cast<V>(_mm512_maskz_loadu_ps(first(count), from));
#else
    if (count >= LANES) return load(from);
    V value = {};
    for (int i = 0; i < count; ++i) value[i] = from[i];
    return value;
#endif
}

INLINE void store(float *to, V value, int64_t count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, first(count), reinterpret_cast<__m512>(value));
#else
    if (count >= LANES) return store(to, value);
    for (int i = 0; i < count; ++i) to[i] = value[i];
#endif
}

// Asks for memory that is read soon, while there is something else to compute; it need not be anybody's.
INLINE void ahead(const float *from) { __builtin_prefetch(from, 0, 2); }

// A vector that is a whole line of the cache can be written past it: such a line need not be read first, and what is in the cache stays. Other threads
// see it after written_past().
INLINE bool whole_lines(const float *to, int64_t apart) { return LANES * sizeof(float) == 64 && reinterpret_cast<uintptr_t>(to) % 64 == 0 && apart % LANES == 0; }

INLINE void store_past(float *to, V value) {
#if defined(__AVX512F__)
    _mm512_stream_ps(to, reinterpret_cast<__m512>(value));
#else
    store(to, value);
#endif
}

INLINE void written_past() {
#if defined(__AVX512F__)
    _mm_sfence();
#endif
}

// To the nearest bfloat16, of two to the even one; what is not a number stays so.
INLINE V rounded(V value) {
    const Bits bits = reinterpret_cast<Bits>(value), up = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    return value == value ? reinterpret_cast<V>(up) : value;
}

// As libtorch's: what is not a number stays so, and a loss shows it.
INLINE V relu(V value) { return value < V{} ? V{} : value; }
INLINE V where_positive(V sign, V value) { return sign > V{} ? value : V{}; }

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t blocks(int64_t count, int64_t size) { return (count + size - 1) / size; }
INLINE int64_t padded(int64_t count) { return blocks(count, LANES) * LANES; }

// Adds the first `count` of 32-bit sums to 64-bit ones.
INLINE void flush(double *to, V sums, int64_t count) {
#if defined(__AVX512F__)
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(reinterpret_cast<__m512>(sums)));
    const __m512d high = _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(reinterpret_cast<__m512d>(sums), 1)));
    if (count >= LANES) {
        // Not under a mask, from which what is added next would have to wait until it is in the cache.
        _mm512_storeu_pd(to, _mm512_loadu_pd(to) + low), _mm512_storeu_pd(to + 8, _mm512_loadu_pd(to + 8) + high);
        return;
    }
    const __mmask8 some = static_cast<__mmask8>(first(count)), others = static_cast<__mmask8>(first(count) >> 8);
    _mm512_mask_storeu_pd(to, some, _mm512_maskz_loadu_pd(some, to) + low);
    _mm512_mask_storeu_pd(to + 8, others, _mm512_maskz_loadu_pd(others, to + 8) + high);
#else
    for (int i = 0; i < LANES; ++i) {
        if (i < count) to[i] += sums[i];
    }
#endif
}

}  // namespace
