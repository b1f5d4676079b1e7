// Batch-norm, channel by channel: what the sums over parts of a map say of the whole.
#pragma once

#include "kernels.h"

namespace {

using nse::EPSILON, nse::Norm;

void spread(const Moments &of, const int64_t *rows, int64_t parts, int64_t channels, double *__restrict mean, double *__restrict squares) {
    for (int64_t c = 0; c < channels; ++c) mean[c] = squares[c] = 0;
    double seen = 0;
    for (int64_t part = 0; part < parts; ++part) {
        const double n = static_cast<double>(rows[part]), all = seen + n, share = n / all, both = seen * share, each = 1 / n;
        const Moments own = of.of(part * channels);
        for (int64_t c = 0; c < channels; ++c) {
            const double above = own.sum[c] * each, apart = own.pivot[c] + above - mean[c];
            squares[c] += own.square[c] - own.sum[c] * above + apart * apart * both;
            mean[c] += apart * share;
        }
        seen = all;
    }
    for (int64_t c = 0; c < channels; ++c) squares[c] = squares[c] < 0 ? 0 : squares[c];
}

void norm_forward(const double *__restrict mean, const double *__restrict squares, double count, const float *__restrict scale, const float *__restrict shift, int64_t channels, const Norm &to) {
    float *__restrict const own_mean = to.mean, *__restrict const own_inverse = to.inverse, *__restrict const own_scale = to.scale, *__restrict const own_shift = to.shift;
    for (int64_t c = 0; c < channels; ++c) {
        const double inverse = 1 / __builtin_sqrt(squares[c] / count + EPSILON), factor = scale[c] * inverse;
        own_mean[c] = static_cast<float>(mean[c]), own_inverse[c] = static_cast<float>(inverse);
        own_scale[c] = static_cast<float>(factor), own_shift[c] = static_cast<float>(shift[c] - mean[c] * factor);
    }
}

void norm_backward(const Norm &norm, const Sums &sums, int64_t parts, int64_t rows, int64_t channels, float *__restrict by_map, float *__restrict constant, float *scale, float *shift) {
    double *__restrict const plain = sums.plain, *__restrict const product = sums.product;
    for (int64_t part = 1; part < parts; ++part) {
        const double *__restrict const more = plain + part * channels, *__restrict const others = product + part * channels;
        for (int64_t c = 0; c < channels; ++c) plain[c] += more[c], product[c] += others[c];
    }
    const double each = 1 / static_cast<double>(rows);
    for (int64_t c = 0; c < channels; ++c) {
        const double s = norm.scale[c], inverse = norm.inverse[c], slope = -s * inverse * inverse * product[c] * each;
        by_map[c] = static_cast<float>(slope);
        constant[c] = static_cast<float>(-s * plain[c] * each - slope * norm.mean[c]);
    }
    if (scale) {
        for (int64_t c = 0; c < channels; ++c) scale[c] = static_cast<float>(norm.inverse[c] * product[c]);
    }
    if (shift) {
        for (int64_t c = 0; c < channels; ++c) shift[c] = static_cast<float>(plain[c]);
    }
}

}  // namespace
