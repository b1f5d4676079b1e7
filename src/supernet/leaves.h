// Memory for the gradients of a pass's weights, which cells add up themselves: in libtorch's graph each of some hundreds would be a node of its own.
#pragma once

#include "pool.h"

#include <ATen/core/Tensor.h>

#include <c10/util/flat_hash_map.h>

#include <deque>
#include <memory>

namespace nse {

// The gradient of one weight: a piece of a block.
struct Sum {
    c10::Storage block;
    int64_t first = 0;

    // Backward came by.
    bool begun() const { return block; }
    float *values() const { return static_cast<float *>(block.mutable_data()) + first; }
    at::Tensor tensor(at::IntArrayRef sizes) const { return view(block, first, sizes); }
};

class Leaves;

// Where backward leaves one gradient: in a sum, in a tensor, or nowhere.
struct Target {
    Leaves *leaves = nullptr;
    Sum *sum = nullptr;
    at::Tensor *tensor = nullptr;

    bool wanted() const { return sum || tensor; }

    // Where to write it; null if it is not wanted. `apart` is what it is in until `end`, if there is a sum already.
    float *begin(at::IntArrayRef sizes, at::Tensor &apart) const;

    void end(const at::Tensor &apart) const {
        if (apart.defined()) sum->tensor(apart.sizes()).add_(apart);
    }
};

class Leaves {
    std::deque<Sum> sums;
    ska::flat_hash_map<const at::TensorImpl *, Sum *> by_weight{512};
    // What is cut last, as far as it is taken.
    c10::Storage block;
    int64_t taken = 0, size = 0;

  public:
    // Where the gradient of this weight is to go; it is used as often as it is asked for, and has the sum. Nowhere: it has none, or is what the graph
    // computed from others.
    Target begin(const at::Tensor &weight) {
        if (!weight.requires_grad() || !weight.is_leaf()) return {};
        Sum *&sum = by_weight[weight.unsafeGetTensorImpl()];
        if (!sum) sum = &sums.emplace_back();
        return {this, sum};
    }

    // Memory for a sum of so many, not initialised.
    float *room(Sum &sum, int64_t count) {
        // Small enough that little is taken long before it is needed.
        constexpr int64_t BLOCK = 1 << 16, APART = 16;
        if (taken + count > size) {
            size = std::max(count, BLOCK), taken = 0;
            block = nse::block(size);
        }
        sum.block = block, sum.first = taken;
        taken += (count + APART - 1) / APART * APART;
        return sum.values();
    }

    // Null: not gathered.
    const Sum *of(const at::Tensor &weight) const {
        const auto at = by_weight.find(weight.unsafeGetTensorImpl());
        return at == by_weight.end() ? nullptr : at->second;
    }
};

inline float *Target::begin(at::IntArrayRef sizes, at::Tensor &apart) const {
    if (!wanted()) return nullptr;
    if (sum && !sum->begun()) return leaves->room(*sum, c10::multiply_integers(sizes));
    at::Tensor &to = sum ? apart : *tensor;
    to = floats(sizes);
    return to.mutable_data_ptr<float>();
}

}  // namespace nse
