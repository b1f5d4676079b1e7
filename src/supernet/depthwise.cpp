// Depthwise convolution on CPU, forward and backward, for 32-bit floats in NCHW: what a mobile network spends most of its time in, and
// where the library's kernels are furthest from the machine (kernels of 5x5 and more, dilation, small planes). Any odd kernel, any stride
// and dilation, "same" padding.
//
// Sixteen images of one channel are worked on at a time: their planes are interleaved into a zero-padded buffer [row][column][image], so that
// every tap is one full vector operation with one weight, whatever the size of the plane, and rows of pure padding are skipped.

#include "depthwise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <vector>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
// The loader picks the version for the processor: AVX-512, AVX2 with FMA, or SSE2.
#define FOR_EVERY_PROCESSOR __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define FOR_EVERY_PROCESSOR
#endif
#define INLINE __attribute__((always_inline)) inline

namespace {

constexpr int64_t LANES = 16;  // images per group
constexpr int64_t FEWEST = 8;  // with fewer images than this the library's kernel is taken
constexpr int64_t RUN = 6;     // neighbouring outputs that share a weight load

struct Sizes {
    int64_t images, channels, height, width, out_height, out_width, kernel, stride, dilation;

    int64_t in() const { return height * width; }
    int64_t out() const { return out_height * out_width; }
    int64_t taps() const { return kernel * kernel; }
    int64_t reach() const { return dilation * (kernel - 1); }
    int64_t padding() const { return reach() / 2; }
    int64_t groups() const { return (images + LANES - 1) / LANES; }
};

// Planes of up to LANES images, interleaved, with zeros around: pixel (y, x) is at pixel(y, x)[image].
struct Planes {
    int64_t height, width, top, left, columns;
    std::vector<float> data;

    // Room for `beyond` more columns: a run of outputs may read behind the last one.
    Planes(int64_t height, int64_t width, int64_t top, int64_t left, int64_t beyond)
        : height(height), width(width), top(top), left(left), columns(left + width + beyond),
          data(static_cast<size_t>((top + height + top) * columns * LANES), 0.0f) {}

    INLINE float *pixel(int64_t y, int64_t x) { return &data[((top + y) * columns + left + x) * LANES]; }
    INLINE const float *pixel(int64_t y, int64_t x) const { return &data[((top + y) * columns + left + x) * LANES]; }

    // Reads planes that are `apart` floats from each other; rows and columns end up `spread` apart. Missing images stay zero.
    INLINE void gather(const float *planes, int64_t apart, int64_t images, int64_t rows, int64_t wide, int64_t spread) {
        if (images < LANES) std::fill(data.begin(), data.end(), 0.0f);
        for (int64_t y = 0; y < rows; ++y) {
            for (int64_t x = 0; x < wide; ++x) {
                float *to = pixel(y * spread, x * spread);
                const float *from = planes + y * wide + x;
                if (images == LANES) {
                    for (int64_t n = 0; n < LANES; ++n) to[n] = from[n * apart];
                } else {
                    for (int64_t n = 0; n < images; ++n) to[n] = from[n * apart];
                }
            }
        }
    }
};

// Taps [first, last) of one dimension that do not read pure padding for output position `o`.
INLINE void useful(int64_t o, int64_t size, const Sizes &z, int64_t stride, int64_t &first, int64_t &last) {
    first = 0, last = z.kernel;
    while (first < last && o * stride + first * z.dilation < z.padding()) ++first;
    while (last > first && o * stride + (last - 1) * z.dilation >= z.padding() + size) --last;
}

// One row of outputs: out[x][image] = sum over taps of weight * input.
INLINE void convolve_row(const Planes &in, const float *weight, const Sizes &z, int64_t stride, int64_t y, int64_t wide, float *out) {
    int64_t first, last;
    useful(y, in.height, z, stride, first, last);
    for (int64_t x = 0; x < wide; x += RUN) {
        float sum[RUN][LANES] = {};
        for (int64_t ky = first; ky < last; ++ky) {
            const float *row = in.pixel(y * stride + ky * z.dilation - z.padding(), x * stride - z.padding());
            for (int64_t kx = 0; kx < z.kernel; ++kx) {
                const float w = weight[ky * z.kernel + kx];
                const float *from = row + kx * z.dilation * LANES;
#pragma GCC unroll 6
                for (int r = 0; r < RUN; ++r) {
                    for (int n = 0; n < LANES; ++n) sum[r][n] += w * from[r * stride * LANES + n];
                }
            }
        }
        for (int64_t r = 0; r < std::min(RUN, wide - x); ++r) std::copy(sum[r], sum[r] + LANES, out + (x + r) * LANES);
    }
}

INLINE void scatter_row(const float *row, float *planes, int64_t apart, int64_t images, int64_t wide) {
    for (int64_t n = 0; n < images; ++n) {
        for (int64_t x = 0; x < wide; ++x) planes[n * apart + x] = row[x * LANES + n];
    }
}

// A group is LANES images of one channel; groups are numbered channel by channel.
struct Group {
    int64_t channel, first, images;
    Group(int64_t number, const Sizes &z)
        : channel(number / z.groups()), first(number % z.groups() * LANES), images(std::min(LANES, z.images - first)) {}
    int64_t plane(const Sizes &z, int64_t size) const { return (first * z.channels + channel) * size; }
};

FOR_EVERY_PROCESSOR
void forward(const float *x, const float *weight, float *y, const Sizes &z, int64_t from, int64_t to) {
    Planes in(z.height, z.width, z.padding(), z.padding(), z.reach() + RUN * z.stride);
    std::vector<float> row((z.out_width + RUN) * LANES);
    for (int64_t number = from; number < to; ++number) {
        const Group group(number, z);
        in.gather(x + group.plane(z, z.in()), z.channels * z.in(), group.images, z.height, z.width, 1);
        float *out = y + group.plane(z, z.out());
        for (int64_t oy = 0; oy < z.out_height; ++oy) {
            convolve_row(in, weight + group.channel * z.taps(), z, z.stride, oy, z.out_width, row.data());
            scatter_row(row.data(), out + oy * z.out_width, z.channels * z.out(), group.images, z.out_width);
        }
    }
}

// The gradient of the input is a convolution of the output's gradient, its rows and columns spread by the stride, with the kernel turned
// round.
FOR_EVERY_PROCESSOR
void input_gradient(const float *gradient, const float *weight, float *dx, const Sizes &z, int64_t from, int64_t to) {
    Planes in(z.height, z.width, z.padding(), z.padding(), z.reach() + RUN);
    std::vector<float> row((z.width + RUN) * LANES), turned(z.taps());
    for (int64_t number = from; number < to; ++number) {
        const Group group(number, z);
        const float *w = weight + group.channel * z.taps();
        std::reverse_copy(w, w + z.taps(), turned.begin());
        in.gather(gradient + group.plane(z, z.out()), z.channels * z.out(), group.images, z.out_height, z.out_width, z.stride);
        float *out = dx + group.plane(z, z.in());
        for (int64_t y = 0; y < z.height; ++y) {
            convolve_row(in, turned.data(), z, 1, y, z.width, row.data());
            scatter_row(row.data(), out + y * z.width, z.channels * z.in(), group.images, z.width);
        }
    }
}

// sums[tap][image] += gradient * input for taps kx, kx + 1, ... of one kernel row.
template <int T>
INLINE void correlate(const Planes &in, const Planes &gradient, const Sizes &z, int64_t ky, int64_t kx, float *sums) {
    float sum[T][LANES] = {};
    for (int64_t y = 0; y < z.out_height; ++y) {
        const int64_t iy = y * z.stride + ky * z.dilation - z.padding();
        if (iy < 0 || iy >= z.height) continue;
        const float *g = gradient.pixel(y, 0), *from = in.pixel(iy, kx * z.dilation - z.padding());
        for (int64_t x = 0; x < z.out_width; ++x, g += LANES, from += z.stride * LANES) {
#pragma GCC unroll 6
            for (int t = 0; t < T; ++t) {
                for (int n = 0; n < LANES; ++n) sum[t][n] += g[n] * from[t * z.dilation * LANES + n];
            }
        }
    }
    for (int t = 0; t < T; ++t) {
        for (int n = 0; n < LANES; ++n) sums[(ky * z.kernel + kx + t) * LANES + n] += sum[t][n];
    }
}

FOR_EVERY_PROCESSOR
void weight_gradient(const float *x, const float *gradient, float *dw, const Sizes &z, int64_t from, int64_t to) {
    Planes in(z.height, z.width, z.padding(), z.padding(), z.reach() + z.stride), g(z.out_height, z.out_width, 0, 0, 0);
    std::vector<float> sums(z.taps() * LANES);
    for (int64_t channel = from; channel < to; ++channel) {
        std::fill(sums.begin(), sums.end(), 0.0f);
        for (int64_t number = channel * z.groups(); number < (channel + 1) * z.groups(); ++number) {
            const Group group(number, z);
            in.gather(x + group.plane(z, z.in()), z.channels * z.in(), group.images, z.height, z.width, 1);
            g.gather(gradient + group.plane(z, z.out()), z.channels * z.out(), group.images, z.out_height, z.out_width, 1);
            for (int64_t ky = 0; ky < z.kernel; ++ky) {
                int64_t kx = 0;
                for (; kx + 5 <= z.kernel; kx += 5) correlate<5>(in, g, z, ky, kx, sums.data());
                for (; kx + 3 <= z.kernel; kx += 3) correlate<3>(in, g, z, ky, kx, sums.data());
                for (; kx < z.kernel; ++kx) correlate<1>(in, g, z, ky, kx, sums.data());
            }
        }
        for (int64_t tap = 0; tap < z.taps(); ++tap) {
            float total = 0;
            for (int64_t n = 0; n < LANES; ++n) total += sums[tap * LANES + n];
            dw[channel * z.taps() + tap] = total;
        }
    }
}

Sizes sizes(const at::Tensor &x, const at::Tensor &weight, int64_t stride, int64_t dilation) {
    const auto out = [&](int64_t in) { return (in + stride - 1) / stride; };
    return {x.size(0), x.size(1), x.size(2), x.size(3), out(x.size(2)), out(x.size(3)), weight.size(2), stride, dilation};
}

struct Depthwise : torch::autograd::Function<Depthwise> {
    static at::Tensor forward(torch::autograd::AutogradContext *ctx, const at::Tensor &input, const at::Tensor &weight, int64_t stride,
                              int64_t dilation) {
        const at::Tensor x = input.contiguous();
        const Sizes z = sizes(x, weight, stride, dilation);
        at::Tensor y = at::empty({z.images, z.channels, z.out_height, z.out_width}, x.options());
        const float *from = x.const_data_ptr<float>(), *w = weight.const_data_ptr<float>();
        float *to = y.data_ptr<float>();
        at::parallel_for(0, z.channels * z.groups(), 1, [&](int64_t a, int64_t b) { ::forward(from, w, to, z, a, b); });
        ctx->save_for_backward({x, weight});
        ctx->saved_data["stride"] = stride;
        ctx->saved_data["dilation"] = dilation;
        return y;
    }

    static torch::autograd::variable_list backward(torch::autograd::AutogradContext *ctx, torch::autograd::variable_list gradients) {
        const auto saved = ctx->get_saved_variables();
        const at::Tensor x = saved[0], weight = saved[1], gradient = gradients[0].contiguous();
        const Sizes z = sizes(x, weight, ctx->saved_data["stride"].toInt(), ctx->saved_data["dilation"].toInt());
        const float *g = gradient.const_data_ptr<float>();
        at::Tensor dx, dw;
        if (ctx->needs_input_grad(0)) {
            dx = at::empty_like(x);
            const float *w = weight.const_data_ptr<float>();
            float *to = dx.data_ptr<float>();
            at::parallel_for(0, z.channels * z.groups(), 1, [&](int64_t a, int64_t b) { input_gradient(g, w, to, z, a, b); });
        }
        if (ctx->needs_input_grad(1)) {
            dw = at::empty_like(weight);
            const float *from = x.const_data_ptr<float>();
            float *to = dw.data_ptr<float>();
            at::parallel_for(0, z.channels, 1, [&](int64_t a, int64_t b) { weight_gradient(from, g, to, z, a, b); });
        }
        return {dx, dw, at::Tensor(), at::Tensor()};
    }
};

}  // namespace

at::Tensor nse_depthwise(const at::Tensor &x, const at::Tensor &weight, int64_t stride, int64_t dilation) {
    if (x.size(0) >= FEWEST && x.scalar_type() == at::kFloat && x.is_cpu()) return Depthwise::apply(x, weight, stride, dilation);
    const int64_t padding = dilation * (weight.size(2) - 1) / 2;
    return at::conv2d(x, weight, {}, {stride, stride}, {padding, padding}, {dilation, dilation}, x.size(1));
}
