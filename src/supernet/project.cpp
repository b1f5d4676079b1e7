// The projection of weights to two values (Gu et al., AAAI 2019, "Projection Convolutional Neural Networks", equations 3.42 to 3.57 as in "Binary
// Neural Networks", Xu et al.), and its backward pass: a rule of its own, which no chain of differentiable steps has.

#include "guard.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

struct ProjectBackward : Node {
    // Weights C [out, in, height, width], J matrices W [J, 1, height, width], and what C was projected to by all of them.
    at::Tensor weight, matrix, projected;
    double lambda, eta;

    variable_list apply(variable_list &&gradients) override {
        const at::NoGradGuard no_grad;
        TORCH_CHECK(weight.defined(), "this graph was run backward before");
        const int64_t count = matrix.size(0);
        // What is computed with is the mean of as many equal projections: each has its part of the gradient.
        const at::Tensor g = (gradients[0].defined() ? gradients[0] : at::zeros_like(weight)) / count;
        const at::Tensor moved = weight + g * eta;
        at::Tensor of_weight = at::zeros_like(weight);
        std::vector<at::Tensor> of_matrices;
        for (int64_t j = 0; j < count; ++j) {
            const at::Tensor one = matrix.narrow(0, j, 1);
            const at::Tensor inside = g * ((one * weight).abs() <= 1).to(g.scalar_type());
            // Of (lambda / 2) |projected - W o (C + eta g)|^2.
            const at::Tensor apart = (one * moved - projected) * lambda;
            of_weight += (inside + apart) * one;
            of_matrices.push_back((inside * weight + apart * moved).sum({0, 1}, /*keepdim=*/true));
        }
        variable_list found(2);
        if (task_should_compute_output(0)) found[0] = of_weight;
        if (task_should_compute_output(1)) found[1] = at::cat(of_matrices, 0);
        return found;
    }

    void release_variables() override { weight.reset(), projected.reset(); }
};

at::Tensor project(const at::Tensor &weight, const at::Tensor &matrix, double lambda, double eta) {
    const bool graph = at::GradMode::is_enabled() && (weight.requires_grad() || matrix.requires_grad());
    const at::NoGradGuard no_grad;
    const at::Tensor scale = weight.abs().mean();
    at::Tensor y = at::where(matrix.mean() * weight >= 0, scale, -scale);
    if (graph) {
        const auto node = c10::make_intrusive<ProjectBackward>();
        node->weight = weight.detach(), node->matrix = matrix.detach(), node->projected = y.detach();
        node->lambda = lambda, node->eta = eta;
        node->set_next_edges(torch::autograd::collect_next_edges(weight, matrix));
        torch::autograd::set_history(y, node);
    }
    return y;
}

}  // namespace

// *out is a new tensor.
extern "C" char *nse_shim_project(const at::Tensor *weight, const at::Tensor *matrix, double lambda, double eta, at::Tensor **out) {
    return nse::guarded([&] { *out = new at::Tensor(project(*weight, *matrix, lambda, eta)); });
}
