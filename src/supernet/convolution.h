// One convolution on CPU, on as many threads as there are.
#pragma once

#include "norms.h"

#include <ATen/core/Tensor.h>

#include <array>

namespace nse {

struct Convolution {
    std::array<int64_t, 2> kernel, stride;
    int64_t dilation, groups;
    bool relu;
    // Whether products are of numbers rounded to bfloat16, as far as kernels.h has that: in dense convolutions between even numbers of channels.
    bool low = false;
};

// Of a map, whose channels are together in memory.
struct Size {
    int64_t images = 0, channels = 0, height = 0, width = 0;

    static Size of(const at::Tensor &map) { return {map.size(0), map.size(1), map.size(2), map.size(3)}; }
    int64_t pixels() const { return images * height * width; }
    int64_t numbers() const { return pixels() * channels; }
    // Whether it is not expected to be in a cache still when it is read.
    bool past() const { return numbers() >= 1 << 20; }
    // Of what a convolution gives.
    Size behind(const Convolution &c, int64_t outs) const {
        return {images, outs, (height + c.stride[0] - 1) / c.stride[0], (width + c.stride[1] - 1) / c.stride[1]};
    }
};

// weight: [out][in / groups][height][width]. `moments`, of what it gives, are null where they are not wanted.
void convolve(const Convolution &, const float *weight, const Input &in, const Size &from, const Size &to, float *out, MomentParts *moments);

// What its backward is to find: the gradients of input and weight, if not null. To that of the input may be added what is there; and `sums`, null where they
// are not wanted, are those of the batch-norm in front, whose means are `mean`.
struct Wanted {
    float *input, *weight;
    bool add = false;
    SumParts *sums = nullptr;
    const float *mean = nullptr;
};

void convolve_backward(const Convolution &, const float *weight, const Gradient &, const Size &to, const Input &in, const Size &from, const Wanted &);

// to[column][row] of from[row][column], whose rows are so far apart.
void transpose(const float *from, int64_t rows, int64_t apart, int64_t columns, float *to);

}  // namespace nse
