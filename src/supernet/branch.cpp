#include "branch.h"

#include "parts.h"

#include <ATen/ops/empty.h>

#include <numeric>

namespace nse {
namespace {

// The batch-norm of one unit from the moments of its map, or from given statistics where there are none.
void normalise(const Output &out, const Unit &unit, MomentParts *moments, Statistics statistics, double weight) {
    static thread_local Kept<double> kept;
    const int64_t channels = out.size.channels;
    const at::Tensor scale = unit.scale.contiguous(), shift = unit.shift.contiguous();
    float *mean = nullptr, *variance = nullptr;
    if (statistics != Statistics::Batch) mean = unit.mean.data_ptr<float>(), variance = unit.variance.data_ptr<float>();
    Spread spread{1, nullptr, nullptr};
    if (moments) {
        spread = moments->all();
    } else {
        double *const given = kept.get(2 * channels);
        std::copy_n(variance, channels, std::copy_n(mean, channels, given));
        spread.mean = given, spread.squares = given + channels;
    }
    if (statistics == Statistics::Average) {
        for (int64_t c = 0; c < channels; ++c) {
            mean[c] = static_cast<float>((1 - weight) * mean[c] + weight * spread.mean[c]);
            variance[c] = static_cast<float>((1 - weight) * variance[c] + weight * spread.squares[c] / (spread.rows - 1));
        }
    }
    level().norm_forward(spread.mean, spread.squares, spread.rows, scale.const_data_ptr<float>(), shift.const_data_ptr<float>(), channels, out.norm);
}

Input plain(const at::Tensor &x) { return {x.const_data_ptr<float>(), nullptr, nullptr, false}; }

}  // namespace

at::Tensor convolution(const at::Tensor &x, const Unit &unit) {
    const Size from = Size::of(x), to = from.behind(unit.shape, unit.weight.size(0));
    at::Tensor out = map(to.images, to.channels, to.height, to.width);
    convolve(unit.shape, unit.weight.contiguous().const_data_ptr<float>(), plain(x), from, to, out.data_ptr<float>(), nullptr);
    return out;
}

std::pair<at::Tensor, at::Tensor> convolution_backward(const at::Tensor &gradient, const at::Tensor &x, const Unit &unit, bool input, bool weight) {
    const Gradient g{gradient.const_data_ptr<float>(), nullptr, nullptr, nullptr, nullptr, 1.0f, nullptr, nullptr};
    std::pair<at::Tensor, at::Tensor> found;
    if (input) found.first = alike(x);
    if (weight) found.second = floats(unit.weight.sizes());
    const auto room = [](at::Tensor &tensor) { return tensor.defined() ? tensor.data_ptr<float>() : nullptr; };
    const Wanted wanted{room(found.first), room(found.second)};
    convolve_backward(unit.shape, unit.weight.contiguous().const_data_ptr<float>(), g, Size::of(gradient), plain(x), Size::of(x), wanted);
    return found;
}

at::Tensor alike(const at::Tensor &x) { return map(x.size(0), x.size(1), x.size(2), x.size(3)); }

at::Tensor together(const at::Tensor &x) {
    const auto format = at::MemoryFormat::ChannelsLast;
    // More would be read at too many places at once.
    constexpr int64_t FEW = 16;
    if (x.is_contiguous(format) || !x.is_contiguous() || x.size(1) > FEW) return x.contiguous(format);
    const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
    at::Tensor y = alike(x);
    const float *const from = x.const_data_ptr<float>();
    float *const to = y.data_ptr<float>();
    in_parallel(x.size(0), x.numel(), [&](int64_t begin, int64_t end) {
        for (int64_t image = begin; image < end; ++image) transpose(from + image * channels * pixels, channels, pixels, pixels, to + image * channels * pixels);
    });
    return y;
}

at::Tensor average(const at::Tensor &map, bool relu) {
    const int64_t images = map.size(0), channels = map.size(1), pixels = map.size(2) * map.size(3);
    at::Tensor averages = at::empty({images, channels}, at::kFloat);
    const float *const from = map.const_data_ptr<float>();
    float *const to = averages.data_ptr<float>();
    in_parallel(images, map.numel(), [&](int64_t begin, int64_t end) { level().average(from, pixels, channels, relu, to, begin, end); });
    return averages;
}

void average_backward(at::Tensor &map, bool relu, const at::Tensor &gradient) {
    const int64_t channels = map.size(1), pixels = map.size(2) * map.size(3);
    const at::Tensor of = gradient.contiguous();
    const float *const from = of.const_data_ptr<float>();
    float *const to = map.data_ptr<float>();
    in_parallel(map.size(0), map.numel(), [&](int64_t begin, int64_t end) { level().average_backward(to, pixels, channels, relu, from, begin, end); });
}

double dot(const at::Tensor &a, const at::Tensor &b) {
    TORCH_CHECK(a.sizes() == b.sizes(), "a product of maps that differ in size");
    const at::Tensor x = together(a), y = together(b);
    const float *const left = x.const_data_ptr<float>(), *const right = y.const_data_ptr<float>();
    const Parts parts(x.numel(), SMALL, 32, 1);
    std::vector<double> sums(parts.count);
    parts.each([&](int64_t part, int64_t begin, int64_t end) { sums[part] = level().dot(left + begin, right + begin, end - begin); });
    return std::accumulate(sums.begin(), sums.end(), 0.0);
}

void merge(const std::vector<Input> &inputs, const float *plain, float factor, at::Tensor &out) {
    float *to = out.data_ptr<float>();
    const Size size = Size::of(out);
    const int64_t channels = size.channels;
    Parts(size.pixels(), 32, 32, channels).each([&](int64_t, int64_t begin, int64_t end) {
        level().merge(inputs.data(), static_cast<int64_t>(inputs.size()), plain, factor, to, size.past(), channels, begin, end);
    });
}

Outputs forward(const at::Tensor &x, const std::vector<Unit> &units, Statistics statistics, double weight, bool keep) {
    static thread_local MomentParts kept;
    MomentParts *const moments = statistics == Statistics::Given ? nullptr : &kept;
    int64_t channels = 0;
    for (const Unit &unit : units) channels += unit.weight.size(0);
    Outputs outputs{{}, Floats(4 * channels)};
    outputs.units.reserve(units.size());
    float *numbers = outputs.numbers.get();
    Input in = plain(x);
    Size from = Size::of(x);
    for (const Unit &unit : units) {
        Output out(from.behind(unit.shape, unit.weight.size(0)), numbers);
        numbers += 4 * out.size.channels;
        convolve(unit.shape, unit.weight.contiguous().const_data_ptr<float>(), in, from, out.size, out.map.get(), moments);
        normalise(out, unit, moments, statistics, weight);
        if (!keep) outputs.units.clear();
        in = out.input(unit.shape.relu), from = out.size;
        outputs.units.push_back(std::move(out));
    }
    return outputs;
}

void backward(const at::Tensor &x, const std::vector<Unit> &units, Outputs &all, const at::Tensor &gradient, float factor,
              const Target *targets, float *in_gradient, bool add) {
    const Level &l = level();
    std::vector<Output> &outputs = all.units;
    static thread_local SumParts kept;
    // By its name every thread would find sums of its own.
    SumParts &sums = kept;
    size_t first = 0;
    while (!in_gradient && first + 1 < units.size() && std::none_of(targets + 3 * first, targets + 3 * first + 3, [](const Target &t) { return t.wanted(); })) ++first;
    Floats held(0);
    for (size_t i = units.size(); i-- > first;) {
        const Output &out = outputs[i];
        const Norm &norm = out.norm;
        const bool last = i + 1 == units.size();
        const int64_t channels = out.size.channels, rows = out.size.pixels();
        Gradient g{last ? gradient.const_data_ptr<float>() : held.get(), out.map.get(), nullptr, nullptr, nullptr, last ? factor : 1.0f, nullptr, nullptr};
        if (last) {
            if (units[i].shape.relu) g.scale = norm.scale, g.shift = norm.shift;
            const Parts parts(rows, 32, 32, channels);
            sums.begin(parts.count, channels);
            parts.each([&](int64_t part, int64_t begin, int64_t end) { l.sums(g, g.map, channels, begin, end, sums.part(part, norm.mean, 0, channels)); });
        }
        const Target *const of = targets + 3 * i;
        at::Tensor apart[3];
        float *const of_weight = of[0].begin(units[i].weight.sizes(), apart[0]);
        float *const of_scale = of[1].begin(channels, apart[1]), *const of_shift = of[2].begin(channels, apart[2]);
        sums.cross(norm, rows, g, of_scale, of_shift);
        Floats before(0);
        Wanted wanted{in_gradient, of_weight, add};
        if (i > first) {
            before = Floats(outputs[i - 1].size.numbers());
            wanted = {before.get(), of_weight, false, &sums, outputs[i - 1].norm.mean};
        }
        const Input in = i > 0 ? outputs[i - 1].input(units[i - 1].shape.relu) : plain(x);
        if (wanted.input || wanted.weight) {
            const Size from = i > 0 ? outputs[i - 1].size : Size::of(x);
            convolve_backward(units[i].shape, units[i].weight.contiguous().const_data_ptr<float>(), g, out.size, in, from, wanted);
        }
        for (int n = 0; n < 3; ++n) of[n].end(apart[n]);
        held = std::move(before);
        outputs.pop_back();
    }
    all = Outputs();
}

}  // namespace nse
