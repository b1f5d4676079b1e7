#include "cell.h"

#include "leaves.h"
#include "pool.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace nse {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

at::Tensor alike(const at::Tensor &x) { return map(x.size(0), x.size(1), x.size(2), x.size(3)); }

// Backward of the selected result. Its inputs are the cell's, and weight, scale and shift of every unit of every selected branch, but for those that
// `leaves` has.
struct CellBackward : Node {
    at::Tensor x;
    std::vector<std::vector<Unit>> branches;
    std::vector<std::vector<Output>> outputs;
    bool shortcut = false;
    float factor = 1;
    // Where gradients of weights go, three of every unit; which of them are inputs, and go nowhere yet; and what owns the sums of others.
    std::vector<Target> targets;
    std::vector<size_t> of_graph;
    std::shared_ptr<Leaves> leaves;
    // The cell in front, where this node is in the graph for both: then the inputs are that one's.
    c10::intrusive_ptr<CellBackward> before;

    variable_list apply(variable_list &&gradients) override {
        const at::NoGradGuard no_grad;
        for (CellBackward *cell = this;; cell = cell->before.get()) {
            gradients = cell->through(std::move(gradients));
            if (!cell->before || !gradients[0].defined()) return std::move(gradients);
        }
    }

    void release_variables() override {
        for (CellBackward *cell = this; cell; cell = cell->before.get()) cell->x.reset(), cell->outputs.clear();
    }

  private:
    // Of this cell alone.
    variable_list through(variable_list &&gradients) {
        variable_list found(before ? 1 : num_outputs());
        if (!gradients[0].defined()) return variable_list(num_outputs());
        TORCH_CHECK(outputs.size() == branches.size(), "this graph was run backward before");
        const at::Tensor gradient = together(gradients[0]);
        gradients.clear();
        float *input = nullptr;
        if (before || task_should_compute_output(0)) found[0] = alike(x), input = found[0].data_ptr<float>();
        bool add = false;
        if (input && shortcut) {
            merge({{gradient.const_data_ptr<float>(), nullptr, nullptr, false}}, nullptr, factor, found[0]);
            add = true;
        }
        for (size_t i = 0; i < of_graph.size(); ++i) {
            if (task_should_compute_output(i + 1)) targets[of_graph[i]].tensor = &found[i + 1];
        }
        const Target *of = targets.data();
        for (size_t b = 0; b < branches.size(); ++b) {
            backward(x, branches[b], outputs[b], gradient, factor, of, input, add);
            of += 3 * branches[b].size();
            add = true;
        }
        outputs.clear(), x.reset();
        return found;
    }
};

// Which cell gave this, or null.
c10::intrusive_ptr<CellBackward> in_front(const at::Tensor &x) {
    CellBackward *const node = dynamic_cast<CellBackward *>(x.grad_fn().get());
    return node ? c10::intrusive_ptr<CellBackward>::reclaim_copy(node) : c10::intrusive_ptr<CellBackward>();
}

at::Tensor merged(const at::Tensor &x, const std::vector<const Output *> &branches, const std::vector<bool> &relu, bool shortcut, float factor) {
    const Size &size = branches[0]->size;
    at::Tensor out = map(size.images, size.channels, size.height, size.width);
    std::vector<Input> inputs;
    for (size_t i = 0; i < branches.size(); ++i) inputs.push_back(branches[i]->input(relu[i]));
    merge(inputs, shortcut ? x.const_data_ptr<float>() : nullptr, factor, out);
    return out;
}

// Its inputs are the convolution's and its weight.
struct ConvolutionBackward : Node {
    at::Tensor x;
    std::vector<Unit> unit;
    // What the convolution gave, where only its average went on.
    at::Tensor averaged;

    variable_list apply(variable_list &&gradients) override {
        const at::NoGradGuard no_grad;
        if (!gradients[0].defined()) return variable_list(2);
        TORCH_CHECK(x.defined(), "this graph was run backward before");
        at::Tensor gradient = gradients[0];
        gradients.clear();
        if (averaged.defined()) average_backward(averaged, unit[0].shape.relu, gradient), gradient = std::move(averaged);
        gradient = together(gradient);
        auto [input, weight] = convolution_backward(gradient, x, unit[0], task_should_compute_output(0), task_should_compute_output(1));
        return {input, weight};
    }

    void release_variables() override { x.reset(), averaged.reset(); }
};

at::Tensor convolve(const at::Tensor &input, const at::Tensor &weight, const Convolution &shape, bool averaged) {
    const bool graph = at::GradMode::is_enabled() && (input.requires_grad() || weight.requires_grad());
    const at::NoGradGuard no_grad;
    const Unit unit{shape, weight, {}, {}, {}, {}};
    const at::Tensor x = together(input), map = convolution(x, unit);
    at::Tensor y = averaged ? average(map, shape.relu) : map;
    if (graph) {
        const auto node = c10::make_intrusive<ConvolutionBackward>();
        node->x = x;
        if (averaged) node->averaged = map;
        node->unit.push_back(unit);
        node->set_next_edges(torch::autograd::collect_next_edges(input, weight));
        torch::autograd::set_history(y, node);
    }
    return y;
}

}  // namespace

std::pair<at::Tensor, at::Tensor> run(const at::Tensor &input, Cell cell, bool both) {
    const bool graph = at::GradMode::is_enabled();
    const at::NoGradGuard no_grad;
    const at::Tensor x = together(input);
    bool trained = input.requires_grad();
    for (const Branch &branch : cell.branches) {
        for (const Unit &unit : branch.units) {
            trained = trained || unit.weight.requires_grad() || unit.scale.requires_grad() || unit.shift.requires_grad();
        }
    }
    std::vector<std::vector<Output>> outputs;
    for (const Branch &branch : cell.branches) {
        outputs.push_back(forward(x, branch.units, cell.statistics, cell.weight, graph && trained && branch.selected));
    }
    const auto mean = [&](bool Branch::*takes_part) {
        std::vector<const Output *> taken;
        std::vector<bool> relu;
        for (size_t b = 0; b < outputs.size(); ++b) {
            if (!(cell.branches[b].*takes_part)) continue;
            taken.push_back(&outputs[b].back());
            relu.push_back(cell.branches[b].units.back().shape.relu);
        }
        const float factor = 1.0f / static_cast<float>(taken.size() + (cell.shortcut ? 1 : 0));
        return std::make_pair(taken.empty() ? at::Tensor() : merged(x, taken, relu, cell.shortcut, factor), factor);
    };
    at::Tensor other;
    if (both) {
        other = mean(&Branch::unselected).first;
        if (!other.defined()) other = input.detach();
    }
    auto [y, factor] = mean(&Branch::selected);
    if (!y.defined()) return {input, other};
    if (graph && trained) {
        const auto node = c10::make_intrusive<CellBackward>();
        // Without the input's node, this one would not be reached for its weights.
        if (input.requires_grad()) node->leaves = Leaves::current();
        variable_list inputs{input};
        for (size_t b = 0; b < outputs.size(); ++b) {
            if (!cell.branches[b].selected) continue;
            for (const Unit &unit : cell.branches[b].units) {
                for (const at::Tensor *weight : {&unit.weight, &unit.scale, &unit.shift}) {
                    Target target;
                    if (!node->leaves || !node->leaves->begin(*weight, target)) {
                        node->of_graph.push_back(node->targets.size());
                        inputs.push_back(*weight);
                    }
                    node->targets.push_back(target);
                }
            }
            node->branches.push_back(std::move(cell.branches[b].units));
            node->outputs.push_back(std::move(outputs[b]));
        }
        node->x = x, node->shortcut = cell.shortcut, node->factor = factor;
        if (node->leaves && node->leaves->chain && inputs.size() == 1) node->before = in_front(input);
        node->set_next_edges(node->before ? torch::autograd::edge_list(node->before->next_edges()) : torch::autograd::collect_next_edges(inputs));
        torch::autograd::set_history(y, node);
    }
    return {y, other};
}

at::Tensor join(const at::Tensor &input, const std::vector<at::Tensor> &branches, bool shortcut) {
    const at::NoGradGuard no_grad;
    const at::Tensor x = together(input);
    std::vector<Input> inputs;
    for (const at::Tensor &branch : branches) {
        TORCH_CHECK(branch.is_contiguous(at::MemoryFormat::ChannelsLast), "a branch whose channels are not together");
        inputs.push_back({branch.const_data_ptr<float>(), nullptr, nullptr, false});
    }
    at::Tensor out = alike(branches[0]);
    merge(inputs, shortcut ? x.const_data_ptr<float>() : nullptr, 1.0f / static_cast<float>(branches.size() + (shortcut ? 1 : 0)), out);
    return out;
}

at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const Convolution &shape) { return convolve(x, weight, shape, false); }

at::Tensor convolve_and_average(const at::Tensor &x, const at::Tensor &weight, const Convolution &shape) { return convolve(x, weight, shape, true); }

}  // namespace nse
