// A convolution of signs by signs, without gradient: sixty-four of them in a word, and what differs is counted. Sums are whole numbers, so that they
// are those of floats, to the bit. What lies outside a map counts nothing.

#include "branch.h"
#include "guard.h"
#include "parts.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nse {
namespace {

// One pixel of the output: `count` places of the kernel lie inside the map, each with the pixel that it meets and its weights, [words][outputs].
// y[o] = scale[o] * (bits - 2 * differing bits), for outputs in multiples of 8.
struct Pixel {
    const uint64_t *const *maps, *const *weights;
    int64_t count, words, outputs;
    const float *scale;
    int32_t bits;
};

void plain(const Pixel &p, float *y) {
    for (int64_t o = 0; o < p.outputs; ++o) {
        int32_t differing = 0;
        for (int64_t t = 0; t < p.count; ++t) {
            for (int64_t w = 0; w < p.words; ++w) differing += __builtin_popcountll(p.maps[t][w] ^ p.weights[t][w * p.outputs + o]);
        }
        y[o] = p.scale[o] * static_cast<float>(p.bits - 2 * differing);
    }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) void avx2(const Pixel &p, float *y) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
    for (int64_t o = 0; o < p.outputs; o += 8) {
        __m256i sums[2] = {zero, zero};
        for (int64_t t = 0; t < p.count; ++t) {
            for (int64_t w = 0; w < p.words; ++w) {
                const __m256i map = _mm256_set1_epi64x(static_cast<long long>(p.maps[t][w]));
                const uint64_t *weight = p.weights[t] + w * p.outputs + o;
                for (int half = 0; half < 2; ++half) {
                    const __m256i bits = _mm256_xor_si256(map, _mm256_loadu_si256(reinterpret_cast<const __m256i *>(weight + 4 * half)));
                    const __m256i first = _mm256_shuffle_epi8(table, _mm256_and_si256(bits, low));
                    const __m256i second = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(bits, 4), low));
                    sums[half] = _mm256_add_epi64(sums[half], _mm256_sad_epu8(_mm256_add_epi8(first, second), zero));
                }
            }
        }
        alignas(32) int64_t differing[8];
        _mm256_store_si256(reinterpret_cast<__m256i *>(differing), sums[0]);
        _mm256_store_si256(reinterpret_cast<__m256i *>(differing + 4), sums[1]);
        for (int i = 0; i < 8; ++i) y[o + i] = p.scale[o + i] * static_cast<float>(p.bits - 2 * static_cast<int32_t>(differing[i]));
    }
}

// VECTORS of eight outputs at a time.
template <int VECTORS>
__attribute__((target("avx512f,avx512dq,avx512vl,avx512vpopcntdq"), always_inline)) inline void some(const Pixel &p, int64_t o, float *y) {
    __m512i sums[VECTORS];
    for (int v = 0; v < VECTORS; ++v) sums[v] = _mm512_setzero_si512();
    for (int64_t t = 0; t < p.count; ++t) {
        for (int64_t w = 0; w < p.words; ++w) {
            const __m512i map = _mm512_set1_epi64(static_cast<long long>(p.maps[t][w]));
            const uint64_t *weight = p.weights[t] + w * p.outputs + o;
            for (int v = 0; v < VECTORS; ++v) {
                sums[v] = _mm512_add_epi64(sums[v], _mm512_popcnt_epi64(_mm512_xor_si512(map, _mm512_loadu_si512(weight + 8 * v))));
            }
        }
    }
    const __m512i bits = _mm512_set1_epi64(p.bits);
    for (int v = 0; v < VECTORS; ++v) {
        const __m256 sum = _mm512_cvtepi64_ps(_mm512_sub_epi64(bits, _mm512_slli_epi64(sums[v], 1)));
        _mm256_storeu_ps(y + o + 8 * v, _mm256_mul_ps(sum, _mm256_loadu_ps(p.scale + o + 8 * v)));
    }
}

__attribute__((target("avx512f,avx512dq,avx512vl,avx512vpopcntdq"))) void vpopcnt(const Pixel &p, float *y) {
    int64_t o = 0;
    for (; o + 32 <= p.outputs; o += 32) some<4>(p, o, y);
    for (; o < p.outputs; o += 8) some<1>(p, o, y);
}

#endif

// The signs of up to 64 numbers, a bit each, that lie `step` apart.
uint64_t plain_word(const float *from, int64_t count, int64_t step) {
    uint64_t word = 0;
    for (int64_t i = 0; i < count; ++i) word |= static_cast<uint64_t>(from[i * step] >= 0) << i;
    return word;
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) uint64_t avx2_word(const float *from, int64_t count, int64_t step) {
    const __m256i places = _mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(static_cast<int>(step)));
    uint64_t word = 0;
    int64_t i = 0;
    for (; i + 8 <= count; i += 8) {
        const __m256 numbers = step == 1 ? _mm256_loadu_ps(from + i) : _mm256_i32gather_ps(from + i * step, places, 4);
        const int signs = _mm256_movemask_ps(_mm256_cmp_ps(numbers, _mm256_setzero_ps(), _CMP_GE_OQ));
        word |= static_cast<uint64_t>(static_cast<unsigned>(signs)) << i;
    }
    return i == count ? word : word | plain_word(from + i * step, count - i, step) << i;
}

__attribute__((target("avx512f"))) uint64_t avx512_word(const float *from, int64_t count, int64_t step) {
    const __m512i sixteen = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m512i places = _mm512_mullo_epi32(sixteen, _mm512_set1_epi32(static_cast<int>(step)));
    uint64_t word = 0;
    int64_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512 numbers = step == 1 ? _mm512_loadu_ps(from + i) : _mm512_i32gather_ps(places, from + i * step, 4);
        word |= static_cast<uint64_t>(_mm512_cmp_ps_mask(numbers, _mm512_setzero_ps(), _CMP_GE_OQ)) << i;
    }
    return i == count ? word : word | plain_word(from + i * step, count - i, step) << i;
}

#endif

struct Kernels {
    void (*pixel)(const Pixel &, float *);
    uint64_t (*word)(const float *, int64_t, int64_t);
};

// As good as the instruction level of the other kernels allows.
Kernels kernels() {
#if defined(__x86_64__)
    if (level().lanes == 16) return {__builtin_cpu_supports("avx512vpopcntdq") ? vpopcnt : avx2, avx512_word};
    if (level().lanes == 8) return {avx2, avx2_word};
#endif
    return {plain, plain_word};
}

int64_t whole(int64_t count, int64_t size) { return (count + size - 1) / size; }

// `signs` of x, [images, channels, height, width], by those of weight, [outputs, channels, height, width], times a number for each output.
at::Tensor convolve_signs(const at::Tensor &input, const at::Tensor &weights, const at::Tensor &scales, const int64_t *stride, int64_t dilation) {
    const at::NoGradGuard no_grad;
    const at::Tensor x = together(input), weight = weights.contiguous();
    const int64_t images = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
    const int64_t outputs = weight.size(0), rows = weight.size(2), columns = weight.size(3), taps = rows * columns;
    const int64_t out_height = whole(height, stride[0]), out_width = whole(width, stride[1]);
    const int64_t words = whole(channels, 64), lanes = whole(outputs, 8) * 8;
    const int64_t above = dilation * (rows - 1) / 2, left = dilation * (columns - 1) / 2;

    const Kernels run = kernels();
    const auto size = [&](int64_t word) { return std::min<int64_t>(64, channels - 64 * word); };

    std::vector<uint64_t> packed(static_cast<size_t>(taps * words * lanes));
    std::vector<float> scale(static_cast<size_t>(lanes));
    const float *const w = weight.const_data_ptr<float>();
    Parts(lanes / 8, 1, 64, 8 * taps * channels).each([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t o = 8 * begin; o < std::min(8 * end, outputs); ++o) {
            for (int64_t i = 0; i < taps * words; ++i) {
                const int64_t tap = i / words, word = i % words;
                packed[static_cast<size_t>(i * lanes + o)] = run.word(w + (o * channels + 64 * word) * taps + tap, size(word), taps);
            }
        }
    });
    const at::Tensor plain_scales = scales.contiguous();
    std::memcpy(scale.data(), plain_scales.const_data_ptr<float>(), static_cast<size_t>(outputs) * sizeof(float));

    at::Tensor map = at::empty({images * height * width, words}, at::kLong);
    uint64_t *const bits = reinterpret_cast<uint64_t *>(map.data_ptr<int64_t>());
    const float *const values = x.const_data_ptr<float>();
    Parts(images * height * width, 64, 64, channels).each([&](int64_t, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            for (int64_t word = 0; word < words; ++word) bits[i * words + word] = run.word(values + i * channels + 64 * word, size(word), 1);
        }
    });

    at::Tensor y = at::empty({images, outputs, out_height, out_width}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
    float *const to = y.data_ptr<float>();
    Parts(images * out_height, 1, 64, out_width * outputs).each([&](int64_t, int64_t begin, int64_t end) {
        std::vector<const uint64_t *> maps(static_cast<size_t>(taps)), weights_of(static_cast<size_t>(taps));
        std::vector<float> ragged(static_cast<size_t>(lanes));
        for (int64_t line = begin; line < end; ++line) {
            const int64_t image = line / out_height, row = line % out_height * stride[0] - above;
            for (int64_t column = 0; column < out_width; ++column) {
                Pixel pixel{maps.data(), weights_of.data(), 0, words, lanes, scale.data(), 0};
                for (int64_t t = 0; t < taps; ++t) {
                    const int64_t r = row + t / columns * dilation, c = column * stride[1] - left + t % columns * dilation;
                    if (r < 0 || r >= height || c < 0 || c >= width) continue;
                    maps[static_cast<size_t>(pixel.count)] = bits + ((image * height + r) * width + c) * words;
                    weights_of[static_cast<size_t>(pixel.count++)] = packed.data() + t * words * lanes;
                }
                pixel.bits = static_cast<int32_t>(pixel.count * channels);
                float *const out = to + (line * out_width + column) * outputs;
                run.pixel(pixel, lanes == outputs ? out : ragged.data());
                if (lanes != outputs) std::memcpy(out, ragged.data(), static_cast<size_t>(outputs) * sizeof(float));
            }
        }
    });
    return y;
}

}  // namespace
}  // namespace nse

// *out is a new tensor; `stride` is two numbers, padding "same". 32-bit floats on CPU, all channels in one group.
extern "C" char *nse_shim_xnor(const at::Tensor *x, const at::Tensor *weight, const at::Tensor *scale, const int64_t *stride, int64_t dilation,
                               at::Tensor **out) {
    return nse::guarded([&] { *out = new at::Tensor(nse::convolve_signs(*x, *weight, *scale, stride, dilation)); });
}
