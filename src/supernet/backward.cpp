// A backward pass that hands out every gradient as soon as it is there, while those of the layers before are still being computed.

#include "guard.h"

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
