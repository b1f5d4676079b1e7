// Steps of SGD: our own for 32-bit floats on CPU, for which libtorch's has more to do by tensor than by number where many are small; else libtorch's.

#include "guard.h"
#include "level.h"
#include "parts.h"
#include "tape.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <atomic>
#include <vector>

namespace {

// What a tensor has, and how many numbers are in it and in those before.
struct Weight {
    float *value, *gradient, *momentum;
    int64_t last;
};

// Null: our kernels do not read it.
float *numbers(const at::Tensor &tensor, int64_t count) {
    const bool own = tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.numel() == count;
    return own ? tensor.mutable_data_ptr<float>() : nullptr;
}

// All weights, one behind the other, with the numbers of gradient(i, how many); none if there are some that our kernels do not read.
template <typename F>
std::vector<Weight> own(at::Tensor *const *parameters, at::Tensor *const *momenta, size_t count, F gradient) {
    std::vector<Weight> weights;
    weights.reserve(count);
    int64_t all = 0;
    for (size_t i = 0; i < count; ++i) {
        const int64_t size = parameters[i]->numel();
        const Weight weight{numbers(*parameters[i], size), gradient(i, size), numbers(*momenta[i], size), all += size};
        if (size > 0 && !(weight.value && weight.gradient && weight.momentum)) return {};
        weights.push_back(weight);
    }
    return weights;
}

// body(weight, where it begins, how many numbers) for all of them, in parallel.
template <typename F>
void each(const std::vector<Weight> &weights, F body) {
    nse::Parts(weights.back().last, nse::SMALL, 64, 1).each([&](int64_t, int64_t begin, int64_t end) {
        const auto past = [](int64_t at, const Weight &weight) { return at < weight.last; };
        for (size_t i = std::upper_bound(weights.begin(), weights.end(), begin, past) - weights.begin(); begin < end; ++i) {
            const int64_t first = i == 0 ? 0 : weights[i - 1].last, last = std::min(end, weights[i].last);
            body(i, begin - first, last - begin);
            begin = last;
        }
    });
}

}  // namespace

// How a step goes: with Nesterov momentum if that is above 0, and with weight decay of the first `decayed` parameters. All or nothing: when a gradient is not
// finite, nothing changes. Returns whether all were.
struct nse_shim_recipe {
    size_t decayed;
    double lr, momentum, weight_decay;

    bool step(const std::vector<Weight> &weights) const {
        const nse::Level &l = nse::level();
        std::atomic<bool> finite{true};
        each(weights, [&](size_t i, int64_t from, int64_t size) {
            if (!l.finite(weights[i].gradient + from, size)) finite.store(false, std::memory_order_relaxed);
        });
        if (!finite.load(std::memory_order_relaxed)) return false;
        const nse::Sgd with{static_cast<float>(lr), static_cast<float>(momentum), static_cast<float>(weight_decay)}, without{with.lr, with.momentum, 0};
        each(weights, [&](size_t i, int64_t from, int64_t size) {
            const Weight &w = weights[i];
            l.sgd(w.value + from, w.gradient + from, momentum > 0 ? w.momentum + from : nullptr, size, i < decayed ? with : without);
        });
        return true;
    }

    // libtorch's.
    bool step(at::Tensor *const *parameters, const std::vector<at::Tensor> &gradients, at::Tensor *const *momenta) const {
        const auto list = [](at::Tensor *const *tensors, size_t from, size_t to) {
            std::vector<at::Tensor> all;
            for (size_t i = from; i < to; ++i) all.push_back(*tensors[i]);
            return all;
        };
        const at::TensorList g(gradients);
        auto bad = at::zeros({1}, g[0].options().dtype(at::kFloat));
        at::_amp_foreach_non_finite_check_and_unscale_(g, bad, at::ones({1}, bad.options()));
        const auto some = [&](size_t from, size_t to, double decay) {
            if (from == to) return;
            // libtorch wants no buffers where there is no momentum.
            at::_fused_sgd_(list(parameters, from, to), g.slice(from, to - from), list(momenta, from, momentum > 0 ? to : from), decay, momentum, lr,
                            /*dampening=*/0, /*nesterov=*/momentum > 0, /*maximize=*/false, /*is_first_step=*/false, {}, bad);
        };
        some(0, decayed, weight_decay);
        some(decayed, g.size(), 0);
        return bad.item<float>() == 0;
    }
};

extern "C" {

// One step of SGD on `count` parameters.
char *nse_shim_sgd(const nse_shim_recipe *recipe, at::Tensor *const *gradients, at::Tensor *const *parameters, at::Tensor *const *momenta, size_t count,
                   bool *finite) {
    return nse::guarded([&] {
        const at::NoGradGuard no_grad;
        *finite = true;
        if (count == 0) return;
        const auto weights = own(parameters, momenta, count, [&](size_t i, int64_t size) { return numbers(*gradients[i], size); });
        if (!weights.empty()) return void(*finite = recipe->step(weights));
        std::vector<at::Tensor> all;
        for (size_t i = 0; i < count; ++i) all.push_back(*gradients[i]);
        *finite = recipe->step(parameters, all, momenta);
    });
}

// The same with the gradients of a loss of the pass that `tape` was begun in front of.
char *nse_shim_descend(const nse_shim_recipe *recipe, const at::Tensor *loss, const std::shared_ptr<nse::Tape> *tape, at::Tensor *const *parameters,
                       at::Tensor *const *momenta, size_t count, bool *finite) {
    return nse::guarded([&] {
        *finite = true;
        if (count == 0) return;
        const nse::Gradients gradients = nse::gradients(*loss, parameters, count, tape->get());
        const at::NoGradGuard no_grad;
        std::vector<at::Tensor> all(count);
        const auto weights = own(parameters, momenta, count, [&](size_t i, int64_t size) {
            if (gradients.sums[i] && gradients.sums[i]->begun()) return gradients.sums[i]->values();
            all[i] = gradients.of(i, *parameters[i]);
            return numbers(all[i], size);
        });
        if (!weights.empty()) return void(*finite = recipe->step(weights));
        for (size_t i = 0; i < count; ++i) all[i] = gradients.of(i, *parameters[i]);
        *finite = recipe->step(parameters, all, momenta);
    });
}

}
