// Depthwise convolution with autograd. x: [images, channels, height, width], weight: [channels, 1, kernel, kernel]. Our own kernel for 32-bit
// floats on CPU and more than a few images, the library's otherwise. Padding keeps the size at stride 1 and gives ceil(size / stride) otherwise.

#pragma once

#include <ATen/core/Tensor.h>

at::Tensor nse_depthwise(const at::Tensor &x, const at::Tensor &weight, int64_t stride, int64_t dilation);
