// One cell of a supernet with autograd: branches, and what becomes of them.
#pragma once

#include "branch.h"

namespace nse {

struct Branch {
    std::vector<Unit> units;
    // Which of the two results it takes part in.
    bool selected, unselected;
};

struct Cell {
    std::vector<Branch> branches;
    // Whether the input is added to them.
    bool shortcut;
    Statistics statistics;
    double weight;
};

// Mean of the selected branches (and of the input), with gradient, and of the unselected ones, without; a branch that is both is computed
// once. The second is undefined unless `both`.
std::pair<at::Tensor, at::Tensor> run(const at::Tensor &x, Cell cell, bool both);

// Mean of branches that were run alone, and of the input with `shortcut`: the same bits as of a cell with these branches. Without gradient.
at::Tensor join(const at::Tensor &x, const std::vector<at::Tensor> &branches, bool shortcut);

// One convolution alone, with autograd, and with "same" padding. weight: [out, in / groups, height, width].
at::Tensor convolve(const at::Tensor &x, const at::Tensor &weight, const Convolution &shape);

// The same, and behind it ReLU if `shape` has it, and the average over all pixels: [image][channel].
at::Tensor convolve_and_average(const at::Tensor &x, const at::Tensor &weight, const Convolution &shape);

}  // namespace nse
