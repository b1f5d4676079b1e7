// What the kernels take and give: plain pointers, no tensors. All maps are [images x rows x columns][channels], channels together.
#pragma once

#include <cstdint>

namespace nse {

// How a convolution reads the map before it: relu(values * scale + shift), or the values as they are where there is no scale.
struct Input {
    const float *values, *scale, *shift;
    bool relu;
};

// The gradient of a convolution's output behind its batch-norm: values * by_value + map * by_map + constant. Without by_map the gradient
// has no batch-norm to cross, and is values * factor.
struct Gradient {
    const float *values, *map;
    const float *by_value, *by_map, *constant;
    float factor;
    // Not null: values count only where map * scale + shift is positive.
    const float *scale, *shift;
};

// For the statistics of an output: sums of what is above a pivot, and of its square, in 64 bits; pivots are values of the map itself, so that
// nothing cancels. With no pivot, nothing is summed.
struct Moments {
    float *pivot;
    double *sum, *square;

    // Of channels from `channel` on.
    Moments of(int64_t channel) const { return pivot ? Moments{pivot + channel, sum + channel, square + channel} : *this; }
};

// Of the gradient g of a batch-norm's output: sums of g, and of g * (map - mean).
struct Sums {
    double *plain, *product;
    const float *mean;
};

// A batch-norm, as map * scale + shift, and what it comes from: the map's mean, and one over its standard deviation.
struct Norm {
    float *inverse, *mean, *scale, *shift;
};

// Added to a variance.
constexpr double EPSILON = 1e-5;

struct Plane {
    int64_t height, width, out_height, out_width, channels;
    int64_t kernel, stride, dilation;
};

// A convolution in which all channels of a group meet; [0] is along the rows of an image. Outputs are ceil(size / stride), padding is on
// both sides alike: "same" for an odd kernel.
struct Dense {
    int64_t in, out, groups;
    int64_t height, width, out_height, out_width;
    int64_t kernel[2], stride[2], dilation;
    // Whether what is multiplied is rounded to bfloat16 first, both sides and both ways; sums are 32-bit floats. Then groups have even numbers of channels.
    bool low;

    int64_t taps() const { return kernel[0] * kernel[1]; }
    // Whether an output needs nothing but the pixel where it is.
    bool pointwise() const { return taps() == 1 && stride[0] == 1 && stride[1] == 1; }
    // Whether it is along rows or columns, and large enough that a filter with fewer products (filtering.h) is worth the digit that it may lose.
    bool lines() const {
        const bool along = kernel[0] == 1 || kernel[1] == 1, known = taps() == 5 || taps() == 7, dense = groups == 1 && dilation == 1 && stride[0] == 1 && stride[1] == 1;
        const int64_t size = kernel[0] > 1 ? height : width, shortest = taps() == 5 ? 4 : 7, channels = in < out ? in : out;
        return !low && along && known && dense && size >= shortest && channels >= 32 && size * channels > 1024;
    }
    // Whether there are images enough to put a place of several of them into one tile, which pays where rows are short.
    bool across(int64_t images) const { return out_width <= 8 && images >= ACROSS; }
    static constexpr int64_t ACROSS = 4;
};

struct DenseForward {
    Dense shape;
    Input in;
    const float *weight;  // as pack_forward leaves it
    float *out;
    bool past;            // whether the output is too large for the caches, and may be written past them
};

struct DenseBackward {
    Dense shape;
    Gradient out;
    Input in;
    const float *weight;  // as pack_backward leaves it
    float *in_gradient;   // null: not wanted
    bool add;             // to what is there
    bool past;            // whether it may be written past the caches
    int64_t first, last;  // channels of the output whose weights' gradients are wanted
};

struct DepthwiseForward {
    Input in;
    Plane plane;
    const float *weight;  // as pack_taps leaves it
    float *out;
    bool past;
};

struct DepthwiseBackward {
    Gradient out;
    Input in;
    Plane plane;
    const float *weight;
    float *in_gradient;  // null: not wanted
    bool add;            // to what is there
    bool past;
    bool weight_gradient;
};

// Learning rate, Nesterov momentum and weight decay.
struct Sgd {
    float lr, momentum, decay;
};

// One instruction level. Ranges are half open.
struct Level {
    const char *name;
    int64_t lanes;

    // Floats that a packed weight takes, either way, and packing: [out][in / groups][taps] values, or [channels][taps]. Panels [first, last): each
    // group has one for every vector of its outputs, backward of its inputs; and blocks of channels.
    int64_t (*dense_size)(const Dense &);
    void (*pack_forward)(const float *weight, float *packed, const Dense &, int64_t first, int64_t last);
    void (*pack_backward)(const float *weight, float *packed, const Dense &, int64_t first, int64_t last);
    void (*pack_taps)(const float *weight, float *packed, int64_t channels, int64_t taps, int64_t first, int64_t last);

    // Outputs [from, to), counted over columns, rows and images; unless it is pointwise whole rows forward, and whole images backward.
    // `scratch`: as many floats as dense_scratch says, where so many outputs' weights' gradients are found at once.
    int64_t (*dense_scratch)(const Dense &, int64_t outs);
    void (*dense_forward)(const DenseForward &, int64_t from, int64_t to, Moments, float *scratch);
    // weight: [out][taps][in / groups] for outputs from `first` on, every out of so many floats, added to.
    int64_t (*dense_gradient_width)(const Dense &);
    void (*dense_backward)(const DenseBackward &, int64_t from, int64_t to, float *weight, Sums, float *scratch);

    // Images and blocks of `lanes` channels.
    int64_t (*depthwise_scratch)(const Plane &);
    void (*depthwise_forward)(const DepthwiseForward &, int64_t image, int64_t last_image, int64_t block, int64_t last_block, Moments, float *scratch);
    // taps: as packed, added to.
    void (*depthwise_backward)(const DepthwiseBackward &, int64_t image, int64_t last_image, int64_t block, int64_t last_block, float *taps, Sums, float *scratch);

    // The statistics of parts of so many rows, [part][channel], put together pairwise (Chan, Golub and LeVeque 1983): mean, and sum of squares around it.
    void (*spread)(const Moments &, const int64_t *rows, int64_t parts, int64_t channels, double *mean, double *squares);
    // The batch-norm with this scale and shift behind a map with those of so many rows.
    void (*norm_forward)(const double *mean, const double *squares, double rows, const float *scale, const float *shift, int64_t channels, const Norm &);
    // Its gradient, from sums of parts, which are added up in the place of the first: by_map and constant of Gradient, whose by_value is the batch-norm's scale;
    // and those of scale and shift, which may be null.
    void (*norm_backward)(const Norm &, const Sums &, int64_t parts, int64_t rows, int64_t channels, float *by_map, float *constant, float *scale, float *shift);

    // Statistics of rows of a gradient.
    void (*sums)(const Gradient &, const float *map, int64_t channels, int64_t from, int64_t to, Sums);
    // out = factor * (sum over `count` inputs + plain), as they are read; plain may be null. `past`: whether it may be written past the caches.
    void (*merge)(const Input *inputs, int64_t count, const float *plain, float factor, float *out, bool past, int64_t channels, int64_t from, int64_t to);
    // Averages [image][channel] over the pixels of images [from, to), as they are or relu; and the gradient of that, in the place of the map.
    void (*average)(const float *map, int64_t pixels, int64_t channels, bool relu, float *averages, int64_t from, int64_t to);
    void (*average_backward)(float *map, int64_t pixels, int64_t channels, bool relu, const float *gradient, int64_t from, int64_t to);
    // Sums of `parts` rows that are so far apart.
    void (*add_up)(const float *rows, int64_t parts, int64_t apart, int64_t count, float *to);
    // Sum of products.
    double (*dot)(const float *a, const float *b, int64_t count);

    // Whether all are finite; and a step of SGD, with no momentum if that is null.
    bool (*finite)(const float *values, int64_t count);
    void (*sgd)(float *value, const float *gradient, float *momentum, int64_t count, const Sgd &);
};

extern const Level level_bf16, level_v4, level_v3, level_v2;

}  // namespace nse
