// Backward passes: one that gives all gradients together, and one that hands out every gradient as soon as it is there, while those of the layers
// before are still being computed.

#include "guard.h"
#include "leaves.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <stdexcept>
#include <utility>
#include <vector>

namespace {

// Hooks of a pass, which end with it.
class Hooks {
    std::vector<std::pair<at::Tensor, unsigned>> hooks;

  public:
    template <typename F>
    void add(const at::Tensor &value, F hook) {
        hooks.emplace_back(value, value.register_hook(std::move(hook)));
    }

    ~Hooks() {
        for (const auto &[value, hook] : hooks) value.remove_hook(hook);
    }
};

}  // namespace

// Gradients of a loss in `count` leaves. `ready` is called once for each leaf that the loss depends on, one at a time, with its number and a tensor
// that it is to free; false ends the pass.
extern "C" char *nse_shim_backward(const at::Tensor *loss, at::Tensor *const *leaves, size_t count,
                                   bool (*ready)(void *user, size_t leaf, at::Tensor *gradient), void *user) {
    return nse::guarded([&] {
        std::vector<at::Tensor> inputs;
        Hooks hooks;
        for (size_t i = 0; i < count; ++i) {
            inputs.push_back(*leaves[i]);
            hooks.add(*leaves[i], [=](const at::Tensor &gradient) {
                if (!ready(user, i, new at::Tensor(gradient))) throw std::runtime_error("a gradient was not taken");
            });
        }
        torch::autograd::grad({*loss}, inputs, {}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
    });
}

// From now on the cells of this thread gather the gradients of their weights in *leaves, or have none if they are not `wanted`, until it is freed. `chain`:
// nothing but the next cell reads what one gives.
extern "C" char *nse_shim_leaves(bool wanted, bool chain, std::shared_ptr<nse::Leaves> **leaves) {
    return nse::guarded([&] {
        nse::Leaves::current() = std::make_shared<nse::Leaves>(wanted, chain);
        *leaves = new std::shared_ptr<nse::Leaves>(nse::Leaves::current());
    });
}

extern "C" void nse_shim_free_leaves(std::shared_ptr<nse::Leaves> *leaves) {
    if (nse::Leaves::current() == *leaves) nse::Leaves::current().reset();
    delete leaves;
}

// Gradients of a loss in `count` values, new tensors in `gradients`: zeros of what it does not depend on. `leaves` is NULL, or what was begun in front
// of the pass.
extern "C" char *nse_shim_gradients(const at::Tensor *loss, at::Tensor *const *values, size_t count, const std::shared_ptr<nse::Leaves> *leaves,
                                    at::Tensor **gradients) {
    return nse::guarded([&] {
        std::vector<at::Tensor> inputs, found;
        std::vector<const nse::Sum *> sums(count);
        for (size_t i = 0; i < count; ++i) {
            if (leaves) sums[i] = (*leaves)->of(*values[i]);
            if (!sums[i]) inputs.push_back(*values[i]);
        }
        const auto others = torch::autograd::grad({*loss}, inputs, {}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
        auto other = others.begin();
        found.reserve(count);
        for (size_t i = 0; i < count; ++i) {
            if (!sums[i]) found.push_back(*other++);
            else if (sums[i]->begun()) found.push_back(sums[i]->tensor(values[i]->sizes()));
            else found.emplace_back();
            if (!found[i].defined()) found[i] = at::zeros_like(values[i]->detach());
        }
        for (size_t i = 0; i < count; ++i) gradients[i] = new at::Tensor(std::move(found[i]));
    });
}
