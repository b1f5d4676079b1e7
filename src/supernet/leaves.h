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

    // Where the gradient of this weight is to go; it is used as often as it is asked for, and has the sum. Null: it has none, or is what the graph
    // computed from others.
    at::Tensor *begin(const at::Tensor &weight) {
        const bool leaf = weight.requires_grad() && weight.is_leaf();
        return leaf ? &gradients[weight.unsafeGetTensorImpl()] : nullptr;
    }

    static void add(at::Tensor &sum, at::Tensor gradient) {
        if (sum.defined()) sum.add_(gradient);
        else sum = std::move(gradient);
    }

    // Null: not gathered. Undefined: backward did not come by.
    const at::Tensor *of(const at::Tensor &weight) const {
        const auto at = gradients.find(weight.unsafeGetTensorImpl());
        return at == gradients.end() ? nullptr : &at->second;
    }
};

}  // namespace nse
