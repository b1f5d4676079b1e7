// What the cells of a pass leave for its backward, and that.
#pragma once

#include "branch.h"
#include "leaves.h"

#include <memory>
#include <utility>
#include <vector>

namespace nse {

// What backward of a cell needs, of its selected branches.
struct Passed {
    at::Tensor x;
    bool shortcut = false;
    float factor = 1;
    std::vector<std::vector<Unit>> branches;
    std::vector<Outputs> outputs;
    // Of weight, scale and shift of every unit.
    std::vector<Target> targets;
    // What it gave along both paths, where there are two.
    at::Tensor selected, unselected;

    // Leaves the gradients of weights where they are to go, and returns that of the input, if it is wanted. Once.
    at::Tensor backward(const at::Tensor &gradient, bool wanted);
};

// What the cells of a pass leave for its backward.
struct Tape {
    // In a row nothing but the next cell reads what one gives. Then libtorch's graph has none of them: it begins with what the last gave.
    const bool row;
    // Whether gradients of weights are wanted; else there is a row.
    const bool weights;
    Leaves leaves;
    std::vector<Passed> cells;
    at::Tensor last;
    // Whether there is a cell of two paths.
    bool paths = false;

    Tape(bool row, bool weights) : row(row), weights(weights) {}

    // Of the pass that goes forward on this thread, or null.
    static std::shared_ptr<Tape> &current();
};

// Gradients of a loss: sums, and others, undefined where it does not depend on a value.
struct Gradients {
    std::vector<const Sum *> sums;
    std::vector<at::Tensor> others;

    at::Tensor of(size_t i, const at::Tensor &value) const;
};

Gradients gradients(const at::Tensor &loss, at::Tensor *const *values, size_t count, Tape *tape);

// Of a row of cells with two paths, first to last: the products of the gradients of their outputs and the outputs along the selected and the unselected path.
std::vector<std::pair<double, double>> products(const at::Tensor &loss, Tape &tape);

}  // namespace nse
