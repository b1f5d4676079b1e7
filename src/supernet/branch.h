// A chain of convolutions, each with batch-norm and most with ReLU, on CPU: forward keeps only what every convolution gives, and backward
// makes the rest again while it reads.
#pragma once

#include "kernels/kernels.h"

#include <ATen/core/Tensor.h>

#include <array>
#include <memory>
#include <vector>

namespace nse {

// The kernels in use: the best that this processor has. `use` takes one by name, for tests, and says whether the processor has it.
const Level &level();
bool use(const char *name);

struct Convolution {
    std::array<int64_t, 2> kernel, stride;
    int64_t dilation, groups;
    bool relu;
    // Whether products are of numbers rounded to bfloat16, as far as kernels.h has that: in dense convolutions between even numbers of channels.
    bool low = false;

    std::array<int64_t, 2> padding() const { return {dilation * (kernel[0] - 1) / 2, dilation * (kernel[1] - 1) / 2}; }
};

// A convolution, its batch-norm's scale and shift, and where the statistics are given or averaged, those.
struct Unit {
    Convolution shape;
    at::Tensor weight, scale, shift, mean, variance;
};

// Where statistics come from: the batch; the batch, averaged into those of the unit with this weight; those of the unit.
enum class Statistics { Batch, Average, Given };

// What a unit gave, before its batch-norm, and that batch-norm as map * scale + shift.
struct Output {
    at::Tensor map;
    // Those below, one behind the other, by channel.
    std::unique_ptr<float[]> numbers;

    // One over the standard deviation.
    float *inverse() const { return numbers.get(); }
    float *mean() const { return numbers.get() + map.size(1); }
    float *scale() const { return numbers.get() + 2 * map.size(1); }
    float *shift() const { return numbers.get() + 3 * map.size(1); }

    Input input(bool relu) const { return {map.const_data_ptr<float>(), scale(), shift(), relu}; }
};

constexpr double EPSILON = 1e-5;

// Outputs of all units, or with `keep` false of the last alone.
std::vector<Output> forward(const at::Tensor &x, const std::vector<Unit> &units, Statistics statistics, double weight, bool keep);

// What backward is to find: of the input, and by unit of its weight, scale and shift.
struct Wanted {
    bool input;
    std::vector<std::array<bool, 3>> units;
};

// `gradient` is that of the chain's output, times `factor`. Adds to `in_gradient` if `add`, else writes it. Outputs are given up on the way.
// Returns the gradients of weight, scale and shift, unit after unit; undefined where not wanted.
std::vector<at::Tensor> backward(const at::Tensor &x, const std::vector<Unit> &units, std::vector<Output> &outputs, const at::Tensor &gradient,
                                 float factor, const Wanted &wanted, const at::Tensor &in_gradient, bool add);

// One convolution alone, and the gradients of its input and weight, as far as they are wanted.
at::Tensor convolution(const at::Tensor &x, const Unit &unit);
std::pair<at::Tensor, at::Tensor> convolution_backward(const at::Tensor &gradient, const at::Tensor &x, const Unit &unit, bool input, bool weight);

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
