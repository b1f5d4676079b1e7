// Memory for the maps that our own kernels write: blocks are kept and used again, so that a training step asks the system for none. Only
// tensors made here live in it; what libtorch allocates for itself or for the host is not touched.
#pragma once

#include <ATen/core/Tensor.h>

namespace nse {

// 32-bit floats, not initialised, [images, channels, height, width] with the channels together in memory.
at::Tensor map(int64_t images, int64_t channels, int64_t height, int64_t width);

// Gives the blocks back that no tensor uses.
void trim();

}  // namespace nse
