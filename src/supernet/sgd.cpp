// Steps of SGD: our own for 32-bit floats on CPU, for which libtorch's has more to do by tensor than by number where many are small; else libtorch's.

#include "guard.h"
#include "level.h"
#include "parts.h"

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

bool reads(const at::Tensor &tensor, int64_t count) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous() && tensor.numel() == count;
}

// All weights, one behind the other; none if there are some that our kernels do not read.
std::vector<Weight> own(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *momenta, size_t count) {
    std::vector<Weight> weights;
    weights.reserve(count);
    int64_t all = 0;
    for (size_t i = 0; i < count; ++i) {
        const int64_t size = parameters[i]->numel();
        for (const at::Tensor *tensor : {parameters[i], gradients[i], momenta[i]}) {
            if (!reads(*tensor, size)) return {};
        }
        const auto numbers = [](const at::Tensor &tensor) { return tensor.mutable_data_ptr<float>(); };
        weights.push_back({numbers(*parameters[i]), numbers(*gradients[i]), numbers(*momenta[i]), all += size});
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

// One step of SGD, with Nesterov momentum if that is above 0, on `count` parameters, of which the first `decayed` have weight decay. All or nothing: when a
// gradient is not finite, nothing changes and *finite is 0.
extern "C" char *nse_shim_sgd(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *momenta, size_t count, size_t decayed,
                              double lr, double momentum, double weight_decay, int *finite) {
    return nse::guarded([&] {
        const at::NoGradGuard no_grad;
        *finite = 1;
        if (count == 0) return;
        if (const std::vector<Weight> weights = own(parameters, gradients, momenta, count); !weights.empty()) {
            const nse::Level &l = nse::level();
            std::atomic<bool> all{true};
            each(weights, [&](size_t i, int64_t from, int64_t size) {
                if (!l.finite(weights[i].gradient + from, size)) all.store(false, std::memory_order_relaxed);
            });
            *finite = all.load(std::memory_order_relaxed);
            if (!*finite) return;
            const nse::Sgd with{static_cast<float>(lr), static_cast<float>(momentum), static_cast<float>(weight_decay)}, without{with.lr, with.momentum, 0};
            each(weights, [&](size_t i, int64_t from, int64_t size) {
                const Weight &w = weights[i];
                l.sgd(w.value + from, w.gradient + from, momentum > 0 ? w.momentum + from : nullptr, size, i < decayed ? with : without);
            });
            return;
        }
        const auto list = [](at::Tensor *const *tensors, size_t from, size_t to) {
            std::vector<at::Tensor> all;
            for (size_t i = from; i < to; ++i) all.push_back(*tensors[i]);
            return all;
        };
        auto g = list(gradients, 0, count);
        auto bad = at::zeros({1}, g[0].options().dtype(at::kFloat));
        at::_amp_foreach_non_finite_check_and_unscale_(g, bad, at::ones({1}, bad.options()));
        const auto step = [&](size_t from, size_t to, double decay) {
            if (from == to) return;
            // libtorch wants no buffers where there is no momentum.
            at::_fused_sgd_(list(parameters, from, to), at::TensorList(g).slice(from, to - from), list(momenta, from, momentum > 0 ? to : from), decay,
                            momentum, lr, /*dampening=*/0, /*nesterov=*/momentum > 0, /*maximize=*/false, /*is_first_step=*/false, {}, bad);
        };
        step(0, decayed, weight_decay);
        step(decayed, count, 0);
        *finite = bad.item<float>() == 0;
    });
}
