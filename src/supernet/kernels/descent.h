// What an optimizer does with weights and their gradients.
#pragma once

#include "kernels.h"
#include "lanes.h"

namespace {

using nse::Sgd;

// What is not a number, or not finite, differs from itself when it is taken away.
bool finite(const float *values, int64_t count) {
    V all = {};
    for (int64_t i = 0; i < count; i += LANES) {
        const V value = load(values + i, count - i);
        all += value - value;
    }
    for (int lane = 0; lane < LANES; ++lane) {
        if (all[lane] != 0) return false;
    }
    return true;
}

void sgd(float *value, const float *gradient, float *momentum, int64_t count, const Sgd &by) {
    for (int64_t i = 0; i < count; i += LANES) {
        const int64_t left = count - i;
        const V weight = load(value + i, left), slope = load(gradient + i, left) + weight * by.decay;
        V step = slope;
        if (momentum) {
            const V moved = load(momentum + i, left) * by.momentum + slope;
            store(momentum + i, moved, left);
            step = slope + moved * by.momentum;
        }
        store(value + i, weight - step * by.lr, left);
    }
}

}  // namespace
