// The C face of what tch does not expose: the fused optimizer kernel, building a TorchScript module from source text, and our own kernels.
// Every function returns NULL, or a message to free with nse_shim_free; no exception leaves this file.

#include "depthwise.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/export.h>
#include <torch/headeronly/version.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

namespace {

template <typename F>
char *guarded(F body) noexcept {
    try {
        body();
        return nullptr;
    } catch (const c10::Error &e) {
        return strdup(e.what_without_backtrace());
    } catch (const std::exception &e) {
        return strdup(e.what());
    } catch (...) {
        return strdup("unknown C++ exception");
    }
}

std::vector<at::Tensor> list(at::Tensor *const *tensors, size_t count) {
    std::vector<at::Tensor> out;
    out.reserve(count);
    for (size_t i = 0; i < count; ++i) out.push_back(*tensors[i]);
    return out;
}

// A tree of modules from dotted names: "cell0.branch.weight" is the tensor `weight` of module `branch` of module `cell0`.
struct Tree {
    std::map<std::string, Tree> children;
    std::map<std::string, std::pair<at::Tensor, bool>> tensors;

    void add(const std::string &name, const at::Tensor &tensor, bool buffer) {
        const size_t dot = name.find('.');
        if (dot == std::string::npos) tensors.emplace(name, std::make_pair(tensor, buffer));
        else children[name.substr(0, dot)].add(name.substr(dot + 1), tensor, buffer);
    }

    torch::jit::Module build(const std::string &type) const {
        torch::jit::Module module(type);
        for (const auto &[name, entry] : tensors) module.register_parameter(name, entry.first, entry.second);
        for (const auto &[name, child] : children) module.register_module(name, child.build(type + "_" + name));
        return module;
    }
};

}  // namespace

extern "C" {

void nse_shim_free(char *message) { free(message); }

uint64_t nse_shim_torch_version() { return TORCH_ABI_VERSION; }

// One step of SGD with momentum on `count` parameters, all or nothing: when a gradient is not finite, nothing changes
// and *finite is 0.
char *nse_shim_sgd(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *momenta, size_t count,
                   size_t decayed, double lr, double momentum, double weight_decay, int *finite) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        *finite = 1;
        if (count == 0) return;
        auto p = list(parameters, count), g = list(gradients, count), m = list(momenta, count);
        auto bad = at::zeros({1}, g[0].options().dtype(at::kFloat));
        at::_amp_foreach_non_finite_check_and_unscale_(g, bad, at::ones({1}, bad.options()));
        // The first `decayed` parameters have weight decay, the others none.
        const at::TensorList ps(p), gs(g), ms(m);
        const auto step = [&](size_t from, size_t to, double decay) {
            if (from == to) return;
            at::_fused_sgd_(ps.slice(from, to - from), gs.slice(from, to - from), ms.slice(from, to - from), decay, momentum, lr,
                            /*dampening=*/0, /*nesterov=*/momentum > 0, /*maximize=*/false, /*is_first_step=*/false, {}, bad);
        };
        step(0, decayed, weight_decay);
        step(decayed, count, 0);
        *finite = bad.item<float>() == 0;
    });
}

// Shortens the gradients to the length `most` together, when they are longer.
char *nse_shim_clip(at::Tensor *const *gradients, size_t count, double most) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        if (count == 0) return;
        const auto g = list(gradients, count);
        const at::Tensor length = at::stack(at::_foreach_norm(g, 2)).norm();
        at::_foreach_mul_(g, at::clamp_max(most / (length + 1e-6), 1.0));
    });
}

// One step of AdamW, all or nothing as above. `steps`: one number for each parameter, how many steps it has made.
char *nse_shim_adamw(at::Tensor *const *parameters, at::Tensor *const *gradients, at::Tensor *const *first, at::Tensor *const *second,
                     at::Tensor *const *steps, size_t count, size_t decayed, double lr, double weight_decay, int *finite) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        *finite = 1;
        if (count == 0) return;
        auto p = list(parameters, count), g = list(gradients, count), m = list(first, count), v = list(second, count),
             t = list(steps, count);
        auto bad = at::zeros({1}, g[0].options().dtype(at::kFloat));
        at::_amp_foreach_non_finite_check_and_unscale_(g, bad, at::ones({1}, bad.options()));
        *finite = bad.item<float>() == 0;
        if (!*finite) return;
        at::_foreach_add_(t, 1);
        const at::TensorList ps(p), gs(g), ms(m), vs(v), ts(t);
        const auto step = [&](size_t from, size_t to, double decay) {
            const size_t n = to - from;
            if (n == 0) return;
            at::_fused_adamw_(ps.slice(from, n), gs.slice(from, n), ms.slice(from, n), vs.slice(from, n), {}, ts.slice(from, n), lr, 0.9,
                              0.999, decay, 1e-8, /*amsgrad=*/false, /*maximize=*/false);
        };
        step(0, decayed, weight_decay);
        step(decayed, count, 0);
    });
}

// averages += part * (values - averages).
char *nse_shim_average(at::Tensor *const *averages, at::Tensor *const *values, size_t count, double part) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        if (count > 0) at::_foreach_lerp_(list(averages, count), list(values, count), part);
    });
}

// Convolutions and linear layers of this thread in bfloat16 from now on, or no more.
char *nse_shim_bfloat16(int cuda, int on) {
    return guarded([&] {
        const at::DeviceType device = cuda ? at::kCUDA : at::kCPU;
        // The cache has weights of before the last step.
        at::autocast::clear_cache();
        at::autocast::set_autocast_dtype(device, at::kBFloat16);
        at::autocast::set_autocast_enabled(device, on != 0);
    });
}

// Depthwise convolution with autograd; *out is a new tensor.
char *nse_shim_depthwise(const at::Tensor *x, const at::Tensor *weight, int64_t stride, int64_t dilation, at::Tensor **out) {
    return guarded([&] { *out = new at::Tensor(nse_depthwise(*x, *weight, stride, dilation)); });
}

// Writes a TorchScript archive whose `forward` is `source`, with the given tensors as parameters and buffers, and `metadata` as the
// extra file nse.json. What would be in the file goes to `take`, which cannot fail: after a failed write libtorch's writer throws
// again in its destructor, and ends the process.
char *nse_shim_torchscript(const char *const *names, at::Tensor *const *tensors, const unsigned char *buffers, size_t count,
                           const char *source, const char *metadata, void (*take)(void *, const void *, size_t), void *archive) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        Tree tree;
        for (size_t i = 0; i < count; ++i) tree.add(names[i], tensors[i]->detach().clone(), buffers[i] != 0);
        torch::jit::Module module = tree.build("nse_model");
        module.define(source);
        module.eval();
        const auto write = [&](const void *bytes, size_t length) { return take(archive, bytes, length), length; };
        torch::jit::ExportModule(module, write, {{"nse.json", metadata}});
    });
}

}
