#include "tape.h"

#include "guard.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>

namespace nse {
namespace {

std::vector<at::Tensor> grad(const at::Tensor &loss, const std::vector<at::Tensor> &inputs) {
    return torch::autograd::grad({loss}, inputs, {}, /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
}

// Backward through a row, from the gradient of what the last cell gave; at(cell, gradient) at each, as long as there is one that is `wanted` in front of it.
template <typename Wanted, typename At>
void through(Tape &tape, at::Tensor gradient, Wanted wanted, At at) {
    const at::NoGradGuard no_grad;
    tape.last.reset();
    size_t left = std::count_if(tape.cells.begin(), tape.cells.end(), wanted);
    while (left > 0) {
        Passed cell = std::move(tape.cells.back());
        tape.cells.pop_back();
        at(cell, gradient);
        if (wanted(cell)) left -= 1;
        // One with no branches gives what it is given.
        if (!cell.branches.empty()) gradient = cell.backward(gradient, left > 0);
    }
}

}  // namespace

at::Tensor Passed::backward(const at::Tensor &gradient, bool wanted) {
    TORCH_CHECK(outputs.size() == branches.size(), "this graph was run backward before");
    at::Tensor found = wanted ? alike(x) : at::Tensor();
    float *const input = wanted ? found.mutable_data_ptr<float>() : nullptr;
    const at::Tensor behind = together(gradient);
    bool add = false;
    if (wanted && shortcut) {
        merge({{behind.const_data_ptr<float>(), nullptr, nullptr, false}}, nullptr, factor, found);
        add = true;
    }
    const Target *of = targets.data();
    for (size_t b = 0; b < branches.size(); ++b) {
        nse::backward(x, branches[b], outputs[b], behind, factor, of, input, add);
        of += 3 * branches[b].size();
        add = true;
    }
    outputs.clear(), x.reset();
    return found;
}

std::shared_ptr<Tape> &Tape::current() {
    static thread_local std::shared_ptr<Tape> current;
    return current;
}

at::Tensor Gradients::of(size_t i, const at::Tensor &value) const {
    if (sums[i] && sums[i]->begun()) return sums[i]->tensor(value.sizes());
    return others[i].defined() ? others[i] : at::zeros_like(value.detach());
}

Gradients gradients(const at::Tensor &loss, at::Tensor *const *values, size_t count, Tape *tape) {
    Gradients all{std::vector<const Sum *>(count), std::vector<at::Tensor>(count)};
    std::vector<at::Tensor> inputs;
    for (size_t i = 0; i < count; ++i) {
        if (tape) all.sums[i] = tape->leaves.of(*values[i]);
        if (!all.sums[i]) inputs.push_back(*values[i]);
    }
    const bool row = tape && tape->last.defined();
    if (row) inputs.push_back(tape->last);
    std::vector<at::Tensor> found = grad(loss, inputs);
    auto other = found.begin();
    for (size_t i = 0; i < count; ++i) {
        if (!all.sums[i]) all.others[i] = std::move(*other++);
    }
    inputs.clear();
    if (row) through(*tape, std::move(*other), [](const Passed &) { return true; }, [](const Passed &, const at::Tensor &) {});
    return all;
}

std::vector<std::pair<double, double>> products(const at::Tensor &loss, Tape &tape) {
    std::vector<std::pair<double, double>> found;
    at::Tensor gradient = grad(loss, {tape.last})[0];
    const auto wanted = [](const Passed &cell) { return cell.selected.defined(); };
    through(tape, std::move(gradient), wanted, [&](const Passed &cell, const at::Tensor &gradient) {
        if (wanted(cell)) found.emplace_back(nse::dot(gradient, cell.selected), nse::dot(gradient, cell.unselected));
    });
    std::reverse(found.begin(), found.end());
    return found;
}

}  // namespace nse

// From now on the cells of this thread leave what they pass on *tape, until it is freed. `row`: nothing but the next cell reads what one gives; then gradients of
// `weights` may not be wanted.
extern "C" char *nse_shim_tape(bool row, bool weights, std::shared_ptr<nse::Tape> **tape) {
    return nse::guarded([&] {
        nse::Tape::current() = std::make_shared<nse::Tape>(row, weights);
        *tape = new std::shared_ptr<nse::Tape>(nse::Tape::current());
    });
}

extern "C" void nse_shim_free_tape(std::shared_ptr<nse::Tape> *tape) {
    if (nse::Tape::current() == *tape) nse::Tape::current().reset();
    delete tape;
}

// Gradients of a loss in `count` values, new tensors in `gradients`: zeros of what it does not depend on. `tape` is NULL, or what was begun in front
// of the pass.
extern "C" char *nse_shim_gradients(const at::Tensor *loss, at::Tensor *const *values, size_t count, const std::shared_ptr<nse::Tape> *tape,
                                    at::Tensor **gradients) {
    return nse::guarded([&] {
        const nse::Gradients all = nse::gradients(*loss, values, count, tape ? tape->get() : nullptr);
        std::vector<at::Tensor> found;
        for (size_t i = 0; i < count; ++i) found.push_back(all.of(i, *values[i]));
        for (size_t i = 0; i < count; ++i) gradients[i] = new at::Tensor(std::move(found[i]));
    });
}

// nse::products of `cells` cells with two paths, to two numbers of each.
extern "C" char *nse_shim_products(const at::Tensor *loss, const std::shared_ptr<nse::Tape> *tape, size_t cells, double *products) {
    return nse::guarded([&] {
        const auto found = nse::products(*loss, **tape);
        TORCH_CHECK(found.size() == cells, "products of ", found.size(), " cells instead of ", cells);
        for (const auto &[selected, unselected] : found) *products++ = selected, *products++ = unselected;
    });
}
