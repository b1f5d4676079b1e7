// The C face of what tch does not expose: fused optimizer kernels, building a TorchScript module from source text, and our own kernels.
// Every function returns NULL, or a message to free with nse_shim_free; no exception leaves this file.

#include "cell.h"
#include "guard.h"
#include "pool.h"

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

using nse::guarded;

// Whether our kernels round what they multiply to bfloat16.
thread_local bool low = false;

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

// A unit and a branch of nse_shim_cell. Mean and variance are null where the batch's are taken.
struct nse_shim_unit {
    int64_t kernel[2], stride[2], dilation, groups;
    const at::Tensor *weight, *scale, *shift, *mean, *variance;
    bool relu;
};
struct nse_shim_branch {
    const nse_shim_unit *units;
    size_t count;
    bool selected, unselected;
};

void nse_shim_free(char *message) { free(message); }

uint64_t nse_shim_torch_version() { return TORCH_ABI_VERSION; }

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

// From now on this thread's convolutions, and on CUDA its linear layers, are in bfloat16, or no more; on CPU, our own.
char *nse_shim_bfloat16(int cuda, int on) {
    return guarded([&] {
        if (!cuda) {
            low = on != 0;
            return;
        }
        // The cache has weights of before the last step.
        at::autocast::clear_cache();
        at::autocast::set_autocast_dtype(at::kCUDA, at::kBFloat16);
        at::autocast::set_autocast_enabled(at::kCUDA, on != 0);
    });
}

// nse::convolve, or nse::convolve_and_average of ReLU; `stride` is two numbers, and *out a new tensor.
char *nse_shim_convolve(const at::Tensor *x, const at::Tensor *weight, const int64_t *stride, int64_t dilation, int64_t groups, bool average,
                        bool relu, at::Tensor **out) {
    return guarded([&] {
        const nse::Convolution shape{{weight->size(2), weight->size(3)}, {stride[0], stride[1]}, dilation, groups, relu, low};
        *out = new at::Tensor(average ? nse::convolve_and_average(*x, *weight, shape) : nse::convolve(*x, *weight, shape));
    });
}

// nse::run; *other is NULL where `other` is not wanted (NULL).
char *nse_shim_cell(const at::Tensor *x, const nse_shim_branch *branches, size_t count, bool shortcut, int statistics, double weight,
                    at::Tensor **out, at::Tensor **other) {
    return guarded([&] {
        nse::Cell cell{{}, shortcut, static_cast<nse::Statistics>(statistics), weight};
        const auto tensor = [](const at::Tensor *t) { return t ? *t : at::Tensor(); };
        for (size_t b = 0; b < count; ++b) {
            nse::Branch branch{{}, branches[b].selected, branches[b].unselected};
            branch.units.reserve(branches[b].count);
            for (size_t i = 0; i < branches[b].count; ++i) {
                const nse_shim_unit &u = branches[b].units[i];
                branch.units.push_back({{{u.kernel[0], u.kernel[1]}, {u.stride[0], u.stride[1]}, u.dilation, u.groups, u.relu, low},
                                        *u.weight, *u.scale, *u.shift, tensor(u.mean), tensor(u.variance)});
            }
            cell.branches.push_back(std::move(branch));
        }
        auto [y, beside] = nse::run(*x, std::move(cell), other != nullptr);
        *out = new at::Tensor(std::move(y));
        if (other) *other = new at::Tensor(std::move(beside));
    });
}

// nse::join of at least one branch.
char *nse_shim_join(const at::Tensor *x, at::Tensor *const *branches, size_t count, bool shortcut, at::Tensor **out) {
    return guarded([&] { *out = new at::Tensor(nse::join(*x, list(branches, count), shortcut)); });
}

char *nse_shim_dot(const at::Tensor *a, const at::Tensor *b, double *out) {
    return guarded([&] { *out = nse::dot(*a, *b); });
}

// Takes the kernels of one instruction level, "level_bf16", "level_v4", "level_v3" or "level_v2"; false: this processor has it not.
bool nse_shim_level(const char *name) { return nse::use(name); }

const char *nse_shim_level_name() { return nse::level().name; }

void nse_shim_trim() { nse::trim(); }

// Writes a TorchScript archive whose `forward` is `source`, with the given tensors as parameters and buffers, and `metadata` as the
// extra file nse.json. What would be in the file goes to `take`, which cannot fail: after a failed write libtorch's writer throws
// again in its destructor, and ends the process.
char *nse_shim_torchscript(const char *const *names, at::Tensor *const *tensors, const unsigned char *buffers, size_t count,
                           const char *source, const char *metadata, void (*take)(void *, const void *, size_t), void *archive) {
    return guarded([&] {
        at::NoGradGuard no_grad;
        Tree tree;
        for (size_t i = 0; i < count; ++i) {
            tree.add(names[i], tensors[i]->detach().clone().set_requires_grad(buffers[i] == 0), buffers[i] != 0);
        }
        torch::jit::Module module = tree.build("nse_model");
        module.define(source);
        module.eval();
        const auto write = [&](const void *bytes, size_t length) { return take(archive, bytes, length), length; };
        torch::jit::ExportModule(module, write, {{"nse.json", metadata}});
    });
}

}
