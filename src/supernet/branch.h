// A chain of convolutions, each with batch-norm and most with ReLU, on CPU: forward keeps only what every convolution gives, and backward
// makes the rest again while it reads.
#pragma once

#include "convolution.h"
#include "leaves.h"

#include <vector>

namespace nse {

// A convolution, its batch-norm's scale and shift, and where the statistics are given or averaged, those.
struct Unit {
    Convolution shape;
    at::Tensor weight, scale, shift, mean, variance;
};

// Where statistics come from: the batch; the batch, averaged into those of the unit with this weight; those of the unit.
enum class Statistics { Batch, Average, Given };

// What a unit gave, before its batch-norm, and that.
struct Output {
    Size size;
    Floats map;
    Norm norm;

    // `numbers`: four of every channel, where the batch-norm is to be.
    Output(const Size &size, float *numbers)
        : size(size), map(size.numbers()), norm{numbers, numbers + size.channels, numbers + 2 * size.channels, numbers + 3 * size.channels} {}

    Input input(bool relu) const { return {map.get(), norm.scale, norm.shift, relu}; }
};

struct Outputs {
    std::vector<Output> units;
    // All their batch-norms: not behind the maps, which with these would be too large by a bit for where others of their size have been.
    Floats numbers{0};
};

// Outputs of all units, or with `keep` false of the last alone.
Outputs forward(const at::Tensor &x, const std::vector<Unit> &units, Statistics statistics, double weight, bool keep);

// `gradient` is that of the chain's output, times `factor`. Adds to `in_gradient` if `add`, else writes it; null: not wanted. Outputs are given up on the way.
// The gradients of weight, scale and shift go to `targets`, three of every unit.
void backward(const at::Tensor &x, const std::vector<Unit> &units, Outputs &outputs, const at::Tensor &gradient, float factor,
              const Target *targets, float *in_gradient, bool add);

// One convolution alone, and the gradients of its input and weight, as far as they are wanted.
at::Tensor convolution(const at::Tensor &x, const Unit &unit);
std::pair<at::Tensor, at::Tensor> convolution_backward(const at::Tensor &gradient, const at::Tensor &x, const Unit &unit, bool input, bool weight);

// A map of the same size, not initialised.
at::Tensor alike(const at::Tensor &x);

// The map with its channels together, which may be itself.
at::Tensor together(const at::Tensor &x);

// Averages [image][channel] over the pixels of a map, as they are or relu; and the gradient of that, in the place of the map.
at::Tensor average(const at::Tensor &map, bool relu);
void average_backward(at::Tensor &map, bool relu, const at::Tensor &gradient);

// Sum of products of two maps of the same size.
double dot(const at::Tensor &a, const at::Tensor &b);

// merge of kernels.h over whole maps.
void merge(const std::vector<Input> &inputs, const float *plain, float factor, at::Tensor &out);

}  // namespace nse
