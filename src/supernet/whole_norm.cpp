// Batch normalisation over the images of all ranks, each of which has some of them (Peng et al. 2018, "MegDet"): statistics forward, and sums
// of gradients backward, go between the ranks.

#include "guard.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include <cmath>
#include <stdexcept>
#include <vector>

namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

// `all` becomes the `count` numbers of every rank, in order. False: it failed.
using Gather = bool (*)(void *user, const double *own, size_t count, double *all);

struct Ranks {
    void *user;
    Gather gather;
    size_t size;

    std::vector<double> all(const std::vector<double> &own) const {
        std::vector<double> all(own.size() * size);
        if (!gather(user, own.data(), own.size(), all.data())) throw std::runtime_error("a batch-norm of all ranks was not finished");
        return all;
    }
};

void append(std::vector<double> &to, const at::Tensor &numbers) {
    const at::Tensor doubles = numbers.to(at::kCPU, at::kDouble).contiguous();
    to.insert(to.end(), doubles.const_data_ptr<double>(), doubles.const_data_ptr<double>() + doubles.numel());
}

// One number for each channel, on the device and of the kind of a map.
at::Tensor channels(const double *numbers, int64_t count, const at::Tensor &map) {
    return at::tensor(at::ArrayRef<double>(numbers, count), at::kDouble).to(map.options());
}

at::Tensor over(const at::Tensor &channels) { return channels.view({1, -1, 1, 1}); }

const std::vector<int64_t> POSITIONS{0, 2, 3};

struct NormBackward : Node {
    Ranks ranks;
    // `inverse` of the standard deviation; `count` images and positions of all ranks.
    at::Tensor x, scale, mean, inverse;
    double count;

    variable_list apply(variable_list &&gradients) override {
        const at::NoGradGuard no_grad;
        TORCH_CHECK(x.defined(), "this graph was run backward before");
        const at::Tensor gradient = gradients[0].defined() ? gradients[0] : at::zeros_like(x);
        const at::Tensor above = x - over(mean);
        const at::Tensor plain = gradient.sum(POSITIONS), product = (gradient * above).sum(POSITIONS);
        std::vector<double> own;
        append(own, plain), append(own, product);
        const std::vector<double> all = ranks.all(own);
        std::vector<double> sums(own.size());
        for (size_t i = 0; i < all.size(); ++i) sums[i % sums.size()] += all[i] / count;
        variable_list found(3);
        if (task_should_compute_output(0)) {
            const int64_t size = plain.numel();
            const at::Tensor mean_gradient = channels(sums.data(), size, x);
            const at::Tensor slope = channels(sums.data() + size, size, x) * inverse * inverse;
            found[0] = (gradient - over(mean_gradient) - above * over(slope)) * over(scale * inverse);
        }
        // Of the images here alone: gradients of weights are added up later.
        found[1] = product * inverse, found[2] = plain;
        return found;
    }

    void release_variables() override { x.reset(); }
};

at::Tensor norm(const at::Tensor &x, const at::Tensor &scale, const at::Tensor &shift, double epsilon, const Ranks &ranks) {
    const bool graph = at::GradMode::is_enabled();
    const at::NoGradGuard no_grad;
    const int64_t size = x.size(1);
    const auto [variance, mean] = at::var_mean(x, POSITIONS, /*correction=*/0);
    std::vector<double> own{static_cast<double>(x.numel() / size)};
    append(own, mean), append(own, variance);
    const std::vector<double> all = ranks.all(own);
    // The ranks' put together pairwise (Chan, Golub and LeVeque 1983), on every rank in the same order.
    double count = 0;
    std::vector<double> means(size), squares(size);
    for (size_t rank = 0; rank < ranks.size; ++rank) {
        const double *of = &all[rank * own.size()], n = of[0], sum = count + n;
        for (int64_t c = 0; c < size; ++c) {
            const double apart = of[1 + c] - means[c];
            squares[c] += of[1 + size + c] * n + apart * apart * count * n / sum;
            means[c] += apart * n / sum;
        }
        count = sum;
    }
    std::vector<double> inverses(size);
    for (int64_t c = 0; c < size; ++c) squares[c] /= count, inverses[c] = 1 / std::sqrt(squares[c] + epsilon);
    const at::Tensor mean_of_all = channels(means.data(), size, x);
    at::Tensor y = std::get<0>(at::native_batch_norm(x, scale, shift, mean_of_all, channels(squares.data(), size, x), false, 0, epsilon));
    if (graph && (x.requires_grad() || scale.requires_grad() || shift.requires_grad())) {
        const auto node = c10::make_intrusive<NormBackward>();
        node->ranks = ranks, node->count = count;
        node->x = x.detach(), node->scale = scale.detach(), node->mean = mean_of_all, node->inverse = channels(inverses.data(), size, x);
        node->set_next_edges(torch::autograd::collect_next_edges(x, scale, shift));
        torch::autograd::set_history(y, node);
    }
    return y;
}

}  // namespace

// *out is a new tensor. `gather` is called now, and in the backward pass, always in the same order on all ranks.
extern "C" char *nse_shim_whole_norm(const at::Tensor *x, const at::Tensor *scale, const at::Tensor *shift, double epsilon, size_t ranks,
                                     Gather gather, void *user, at::Tensor **out) {
    return nse::guarded([&] { *out = new at::Tensor(norm(*x, *scale, *shift, epsilon, {user, gather, ranks})); });
}
