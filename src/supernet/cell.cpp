#include "cell.h"

#include "pool.h"
#include "tape.h"

#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>

namespace nse {
namespace {

using torch::autograd::Node;
using torch::autograd::variable_list;

// Backward of the selected result, in libtorch's graph. Its inputs are the cell's, and those weights of which the tape has no gradients.
struct CellBackward : Node {
    Passed cell;
    // Which of its targets are inputs, and go nowhere yet.
    std::vector<size_t> inputs;
    std::shared_ptr<Tape> tape;

    variable_list apply(variable_list &&gradients) override {
        const at::NoGradGuard no_grad;
        variable_list found(num_outputs());
        if (!gradients[0].defined()) return found;
        for (size_t i = 0; i < inputs.size(); ++i) {
            if (task_should_compute_output(i + 1)) cell.targets[inputs[i]].tensor = &found[i + 1];
        }
        const at::Tensor gradient = std::move(gradients[0]);
        found[0] = cell.backward(gradient, task_should_compute_output(0));
        return found;
    }

    void release_variables() override { cell.x.reset(), cell.outputs.clear(); }
};

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
    const std::shared_ptr<Tape> tape = at::GradMode::is_enabled() ? Tape::current() : nullptr;
    const bool row = tape && tape->row;
    bool kept = row && (tape->weights || tape->paths);
    if (!row && at::GradMode::is_enabled()) {
        kept = input.requires_grad();
        for (const Branch &branch : cell.branches) {
            for (const Unit &unit : branch.units) {
                kept = kept || unit.weight.requires_grad() || unit.scale.requires_grad() || unit.shift.requires_grad();
            }
        }
    }
    const at::NoGradGuard no_grad;
    const at::Tensor x = together(input);
    const size_t count = cell.branches.size();
    std::vector<Outputs> outputs;
    outputs.reserve(count);
    for (const Branch &branch : cell.branches) {
        outputs.push_back(forward(x, branch.units, cell.statistics, cell.weight, kept && branch.selected));
    }
    const auto mean = [&](bool Branch::*takes_part) {
        std::vector<Input> taken;
        taken.reserve(count);
        const Size *size = nullptr;
        for (size_t b = 0; b < count; ++b) {
            if (!(cell.branches[b].*takes_part)) continue;
            const Output &out = outputs[b].units.back();
            taken.push_back(out.input(cell.branches[b].units.back().shape.relu)), size = &out.size;
        }
        const float factor = 1.0f / static_cast<float>(taken.size() + (cell.shortcut ? 1 : 0));
        at::Tensor y;
        if (size) {
            y = map(size->images, size->channels, size->height, size->width);
            merge(taken, cell.shortcut ? x.const_data_ptr<float>() : nullptr, factor, y);
        }
        return std::make_pair(y, factor);
    };
    at::Tensor other;
    if (both) {
        other = mean(&Branch::unselected).first;
        if (!other.defined()) other = input.detach();
    }
    auto [y, factor] = mean(&Branch::selected);
    Passed passed;
    if (row && both) passed.selected = y.defined() ? y : input, passed.unselected = other, tape->paths = true;
    if (y.defined() && kept) {
        passed.x = x, passed.shortcut = cell.shortcut, passed.factor = factor;
        passed.branches.reserve(count), passed.outputs.reserve(count), passed.targets.reserve(12 * count);
        for (size_t b = 0; b < count; ++b) {
            if (!cell.branches[b].selected) continue;
            passed.branches.push_back(std::move(cell.branches[b].units));
            passed.outputs.push_back(std::move(outputs[b]));
        }
    }
    if (row) {
        for (const auto &branch : passed.branches) {
            for (const Unit &unit : branch) {
                for (const at::Tensor *weight : {&unit.weight, &unit.scale, &unit.shift}) passed.targets.push_back(tape->weights ? tape->leaves.begin(*weight) : Target());
            }
        }
        if (y.defined() || both) tape->cells.push_back(std::move(passed));
        if (y.defined()) tape->last = y.set_requires_grad(true);
    } else if (y.defined() && kept) {
        const auto node = c10::make_intrusive<CellBackward>();
        // Without the input's node, this one would not be reached for its weights.
        if (input.requires_grad()) node->tape = tape;
        variable_list inputs{input};
        for (const auto &branch : passed.branches) {
            for (const Unit &unit : branch) {
                for (const at::Tensor *weight : {&unit.weight, &unit.scale, &unit.shift}) {
                    const Target target = node->tape ? node->tape->leaves.begin(*weight) : Target();
                    if (!target.wanted()) node->inputs.push_back(passed.targets.size()), inputs.push_back(*weight);
                    passed.targets.push_back(target);
                }
            }
        }
        node->cell = std::move(passed);
        node->set_next_edges(torch::autograd::collect_next_edges(inputs));
        torch::autograd::set_history(y, node);
    }
    return {y.defined() ? y : input, other};
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
