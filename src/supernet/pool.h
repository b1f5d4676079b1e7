// Memory for the maps that our own kernels write, and what they need on the way: blocks are kept and used again, so that a training step asks
// the system for none. Nothing else lives in it; what libtorch allocates for itself or for the host is not touched.
#pragma once

#include <ATen/core/Tensor.h>

#include <utility>

namespace nse {

// 32-bit floats, not initialised, [images, channels, height, width] with the channels together in memory.
at::Tensor map(int64_t images, int64_t channels, int64_t height, int64_t width);

// 32-bit floats, not initialised, contiguous.
at::Tensor floats(at::IntArrayRef sizes);

// The same for several tensors, which are views of it, contiguous, from some number on.
c10::Storage block(int64_t count);
at::Tensor view(const c10::Storage &block, int64_t first, at::IntArrayRef sizes);

// 32-bit floats, not initialised, without what a tensor costs besides; of none, null.
class Floats {
    float *values;

  public:
    explicit Floats(int64_t count);
    Floats(Floats &&other) noexcept : values(std::exchange(other.values, nullptr)) {}
    Floats &operator=(Floats &&other) noexcept { return std::swap(values, other.values), *this; }
    ~Floats();
    float *get() const { return values; }
};

// Gives the blocks back that nothing uses.
void trim();

}  // namespace nse
