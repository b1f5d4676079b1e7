// Gradients of a pass's weights that cells gather themselves: in libtorch's graph each of some hundreds would be a node of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <unordered_map>

namespace nse {

class Leaves {
    // None yet: undefined.
    std::unordered_map<const at::TensorImpl *, at::Tensor> gradients;

  public:
    // Those of the pass that goes forward on this thread, or null.
    static std::shared_ptr<Leaves> &current() {
        static thread_local std::shared_ptr<Leaves> current;
        return current;
    }

    // From now on the gradient of this weight is gathered. False: it has none, or is what the graph computed from others.
    bool take(const at::Tensor &weight) {
        const bool leaf = weight.requires_grad() && weight.is_leaf();
        if (leaf) gradients.try_emplace(weight.unsafeGetTensorImpl());
        return leaf;
    }

    bool has(const at::Tensor &weight) const { return gradients.count(weight.unsafeGetTensorImpl()) > 0; }

    // A weight that is used more than once has the sum.
    void add(const at::Tensor &weight, at::Tensor gradient) {
        at::Tensor &sum = gradients.at(weight.unsafeGetTensorImpl());
        if (sum.defined()) sum.add_(gradient);
        else sum = std::move(gradient);
    }

    at::Tensor of(const at::Tensor &weight) const { return gradients.at(weight.unsafeGetTensorImpl()); }
};

}  // namespace nse
