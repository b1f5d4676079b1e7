#include "branch.h"

#include "parts.h"
#include "pool.h"

#include <ATen/ops/empty.h>

#include <cmath>
#include <numeric>

namespace nse {

std::atomic<Share> share{nullptr};
namespace {

// So many numbers are not expected to be in a cache still when they are read.
constexpr int64_t BEYOND = 1 << 20;

bool depthwise(const Convolution &c, int64_t in, int64_t out) {
    return c.groups == in && in == out && c.kernel[0] == c.kernel[1] && c.stride[0] == c.stride[1];
}

int64_t pixels(const at::Tensor &map) { return map.size(0) * map.size(2) * map.size(3); }

bool past(const at::Tensor &map) { return map.numel() >= BEYOND; }

Plane plane(const Convolution &c, int64_t height, int64_t width, int64_t channels) {
    const auto out = [&](int64_t size) { return (size + c.stride[0] - 1) / c.stride[0]; };
    return {height, width, out(height), out(width), channels, c.kernel[0], c.stride[0], c.dilation};
}

Dense dense(const Convolution &c, const at::Tensor &from, int64_t out) {
    const auto size = [&](int axis) { return (from.size(2 + axis) + c.stride[axis] - 1) / c.stride[axis]; };
    const bool low = c.low && from.size(1) / c.groups % 2 == 0 && out / c.groups % 2 == 0;
    return {from.size(1), out, c.groups, from.size(2), from.size(3), size(0), size(1), {c.kernel[0], c.kernel[1]}, {c.stride[0], c.stride[1]}, c.dilation, low};
}

// The gradient in front of a batch-norm, as a function of the one behind it, and those of its scale and shift.
struct NormBackward {
    const std::unique_ptr<float[]> numbers;
    const float *by_value, *by_map, *constant;
    at::Tensor scale, shift;

    NormBackward(const Output &o, const SumParts &sums, int64_t count, bool want_scale, bool want_shift)
        : numbers(std::make_unique_for_overwrite<float[]>(2 * sums.channels)), by_value(o.scale()), by_map(numbers.get()), constant(by_map + sums.channels) {
        const int64_t channels = sums.channels;
        float *const slopes = numbers.get(), *const constants = slopes + channels;
        for (int64_t c = 0; c < channels; ++c) {
            const double s = o.scale()[c], inverse = o.inverse()[c], slope = -s * inverse * inverse * sums.product[c] / count;
            slopes[c] = static_cast<float>(slope);
            constants[c] = static_cast<float>(-s * sums.plain[c] / count - slope * o.mean()[c]);
        }
        if (want_scale) {
            scale = floats({channels});
            float *const to = scale.data_ptr<float>();
            for (int64_t c = 0; c < channels; ++c) to[c] = static_cast<float>(static_cast<double>(o.inverse()[c]) * sums.product[c]);
        }
        if (want_shift) {
            shift = floats({channels});
            std::copy_n(sums.plain.data(), channels, shift.data_ptr<float>());
        }
    }
};

// The weight of a dense convolution for one of both ways, of which `columns` are the results.
Floats pack(const Level &l, decltype(Level::pack_forward) way, const float *weight, const Dense &shape, int64_t columns) {
    const int64_t panels = shape.groups * ((columns / shape.groups + l.lanes - 1) / l.lanes), size = l.dense_size(shape);
    Floats packed(size);
    float *const to = packed.get();
    in_parallel(panels, size, [&](int64_t first, int64_t last) { way(weight, to, shape, first, last); });
    return packed;
}

Floats pack_taps(const Level &l, const float *weight, int64_t channels, int64_t taps) {
    const int64_t blocks = (channels + l.lanes - 1) / l.lanes, size = blocks * l.lanes * taps * 2;
    Floats packed(size);
    float *const to = packed.get();
    in_parallel(blocks, size, [&](int64_t first, int64_t last) { l.pack_taps(weight, to, channels, taps, first, last); });
    return packed;
}

// A convolution forward, with the moments of what it gives.
at::Tensor convolve(const Input &in, const at::Tensor &from, const Unit &unit, MomentParts &moments) {
    const Level &l = level();
    const Convolution &c = unit.shape;
    const int64_t images = from.size(0), height = from.size(2), width = from.size(3), ins = from.size(1), outs = unit.weight.size(0);
    const at::Tensor weight = unit.weight.contiguous();
    const float *w = weight.const_data_ptr<float>();
    if (depthwise(c, ins, outs)) {
        const Plane p = plane(c, height, width, ins);
        at::Tensor out = map(images, outs, p.out_height, p.out_width);
        const int64_t taps = p.kernel * p.kernel, blocks = (ins + l.lanes - 1) / l.lanes;
        const Floats packed = pack_taps(l, w, ins, taps);
        const DepthwiseForward d{in, p, packed.get(), out.data_ptr<float>(), past(out)};
        const Grid grid(images, blocks, ins * height * width);
        moments.begin(grid.images.count, outs);
        grid.each([&](int64_t part, int64_t image, int64_t last_image, int64_t block, int64_t last_block) {
            const Moments m = moments.part(part, (last_image - image) * p.out_height * p.out_width, block * l.lanes, std::min(last_block * l.lanes, ins));
            l.depthwise_forward(d, image, last_image, block, last_block, m, scratch(l.depthwise_scratch(p)));
        });
        return out;
    }
    const Dense shape = dense(c, from, outs);
    at::Tensor out = map(images, outs, shape.out_height, shape.out_width);
    const Floats packed = pack(l, l.pack_forward, w, shape, outs);
    const DenseForward d{shape, in, packed.get(), out.data_ptr<float>(), past(out)};
    const Cut cut(shape, images, images < (shape.lines() ? Dense::ACROSS : Cut::MOST) && !shape.across(images), false);
    const Parts parts = cut.parts(pixels(out), Cut::MOST);
    moments.begin(parts.count, outs);
    parts.each([&](int64_t part, int64_t begin, int64_t end) {
        l.dense_forward(d, begin * cut.step, end * cut.step, moments.part(part, (end - begin) * cut.step, 0, outs), scratch(l.dense_scratch(shape, outs)));
    });
    return out;
}

// The batch-norm of one unit from the moments of its map or from given statistics.
void normalise(Output &out, const Unit &unit, MomentParts &moments, Statistics statistics, double weight) {
    const int64_t channels = out.map.size(1);
    const at::Tensor scales = unit.scale.contiguous(), shifts = unit.shift.contiguous();
    const float *scale = scales.const_data_ptr<float>(), *shift = shifts.const_data_ptr<float>();
    float *mean = nullptr, *variance = nullptr;
    if (statistics != Statistics::Batch) mean = unit.mean.data_ptr<float>(), variance = unit.variance.data_ptr<float>();
    out.numbers = std::make_unique_for_overwrite<float[]>(4 * channels);
    float *const own_mean = out.mean(), *const own_inverse = out.inverse(), *const own_scale = out.scale(), *const own_shift = out.shift();
    const Spread *const spread = statistics == Statistics::Given ? nullptr : &moments.all();
    for (int64_t c = 0; c < channels; ++c) {
        double m, v;
        if (!spread) {
            m = mean[c], v = variance[c];
        } else {
            const double count = spread->count, squares = spread->squares[c];
            m = spread->mean[c], v = squares / count;
            if (statistics == Statistics::Average) {
                mean[c] = static_cast<float>((1 - weight) * mean[c] + weight * m);
                variance[c] = static_cast<float>((1 - weight) * variance[c] + weight * squares / (count - 1));
            }
        }
        const double inverse = 1 / std::sqrt(v + EPSILON), factor = scale[c] * inverse;
        own_mean[c] = static_cast<float>(m), own_inverse[c] = static_cast<float>(inverse);
        own_scale[c] = static_cast<float>(factor), own_shift[c] = static_cast<float>(shift[c] - m * factor);
    }
}

// to[column][row] of from[row][column], whose rows are so far apart.
void transpose(const float *from, int64_t rows, int64_t apart, int64_t columns, float *to) {
    for (int64_t column = 0; column < columns; ++column) {
        for (int64_t row = 0; row < rows; ++row) *to++ = from[row * apart + column];
    }
}

// What a convolution's backward gives besides the gradient of its input.
struct Found {
    at::Tensor in_gradient, weight;
};

// `sums`: of the batch-norm before, of which `before` is the map; null where the input is the chain's own. Then the gradient goes into
// `target`, or is added to it.
Found convolve_backward(const Gradient &gradient, const at::Tensor &out, const Input &in, const at::Tensor &from, const Unit &unit,
                        const Output *before, SumParts *sums, bool want_input, bool want_weight, const at::Tensor &target, bool add) {
    const Level &l = level();
    const Convolution &c = unit.shape;
    const int64_t images = from.size(0), height = from.size(2), width = from.size(3), ins = from.size(1), outs = out.size(1);
    const at::Tensor weight = unit.weight.contiguous();
    const float *w = weight.const_data_ptr<float>();
    Found found;
    found.in_gradient = before && want_input ? map(images, ins, height, width) : target;
    float *const in_gradient = want_input ? found.in_gradient.data_ptr<float>() : nullptr;
    if (want_weight) found.weight = floats(weight.sizes());
    float *const of_weight = want_weight ? found.weight.data_ptr<float>() : nullptr;
    const auto sums_of = [&](int64_t part, int64_t from, int64_t to) {
        return before && want_input ? sums->part(part, before->mean(), from, to) : Sums{nullptr, nullptr, nullptr};
    };
    if (depthwise(c, ins, outs)) {
        const Plane p = plane(c, height, width, ins);
        const int64_t taps = p.kernel * p.kernel, blocks = (ins + l.lanes - 1) / l.lanes, size = blocks * l.lanes * taps;
        const Floats packed = pack_taps(l, w, ins, taps);
        const DepthwiseBackward d{gradient, in, p, packed.get(), in_gradient, add && !before, past(from), want_weight};
        const Grid grid(images, blocks, ins * height * width);
        const Partial partial(want_weight ? grid.images.count : 0, size);
        if (before) sums->begin(grid.images.count, ins);
        grid.each([&](int64_t part, int64_t image, int64_t last_image, int64_t block, int64_t last_block) {
            const int64_t whole = l.lanes * taps;
            float *to = partial.part(part, block * whole, (last_block - block) * whole);
            l.depthwise_backward(d, image, last_image, block, last_block, to, sums_of(part, block * l.lanes, std::min(last_block * l.lanes, ins)), scratch(l.depthwise_scratch(p)));
        });
        if (!want_weight) return found;
        in_parallel(blocks, size * grid.images.count, [&](int64_t begin, int64_t end) {
            std::vector<float> sums(l.lanes * taps);
            for (int64_t block = begin; block < end; ++block) {
                partial.sum(block * l.lanes * taps, l.lanes * taps, sums.data());
                const int64_t first = block * l.lanes;
                transpose(sums.data(), taps, l.lanes, std::min(l.lanes, ins - first), of_weight + first * taps);
            }
        });
        return found;
    }
    const Dense shape = dense(c, from, outs);
    const Floats packed = pack(l, l.pack_backward, w, shape, ins);
    const int64_t wide = l.dense_gradient_width(shape), size = outs * wide, rows = pixels(out);
    // As many parts as pay for adding up their weight gradients; where not even a few do, these are found output by output, and every part reads all inputs. Lines
    // have more to do for every sum, which should be long.
    const int64_t worth = std::max<int64_t>(4, rows * 512 / size), most = shape.lines() ? rows / 6 : 2 * rows * c.groups;
    const bool apart = want_weight && outs * shape.taps() > most, summed = want_weight && !apart;
    const Cut cut(shape, images, false, summed);
    DenseBackward d{shape, gradient, in, packed.get(), in_gradient, add && !before, past(from), 0, summed ? outs : 0};
    const Parts parts = cut.parts(rows, summed ? std::min(worth, Cut::MOST) : Cut::MOST);
    const Partial partial(summed ? parts.count : 0, size);
    if (before) sums->begin(parts.count, ins);
    if (want_input || !apart) {
        parts.each([&](int64_t part, int64_t begin, int64_t end) {
            float *const to = summed ? partial.part(part, 0, size) : nullptr;
            l.dense_backward(d, begin * cut.step, end * cut.step, to, sums_of(part, 0, ins), scratch(l.dense_scratch(shape, outs)));
        });
    }
    if (!want_weight) return found;
    // Of outputs [begin, end), from sums that begin with the first.
    const auto leave = [&](const Partial &sums, int64_t first, int64_t begin, int64_t end) {
        const int64_t own = ins / c.groups, taps = shape.taps(), depth = own * taps;
        std::vector<float> one(taps > 1 ? depth : 0);
        for (int64_t o = begin; o < end; ++o) {
            float *const to = of_weight + o * depth;
            sums.sum((o - first) * wide, depth, taps > 1 ? one.data() : to);
            if (taps > 1) transpose(one.data(), taps, own, own, to);
        }
    };
    if (!apart) {
        in_parallel(outs, size * parts.count, [&](int64_t begin, int64_t end) { leave(partial, 0, begin, end); });
        return found;
    }
    d.in_gradient = nullptr;
    // Of lines every part brings all inputs to the points, so that there should be few.
    Parts(outs, shape.lines() ? std::min<int64_t>(192, outs / 4) : 16, 16, rows * ins).each([&](int64_t, int64_t begin, int64_t end) {
        DenseBackward some = d;
        some.first = begin, some.last = end;
        const Partial own(1, (end - begin) * wide);
        l.dense_backward(some, 0, rows, own.part(0, 0, (end - begin) * wide), {nullptr, nullptr, nullptr}, scratch(l.dense_scratch(shape, end - begin)));
        leave(own, begin, begin, end);
    });
    return found;
}

Input plain(const at::Tensor &x) { return {x.const_data_ptr<float>(), nullptr, nullptr, false}; }

}  // namespace

at::Tensor convolution(const at::Tensor &x, const Unit &unit) {
    MomentParts none(false);
    return convolve(plain(x), x, unit, none);
}

std::pair<at::Tensor, at::Tensor> convolution_backward(const at::Tensor &gradient, const at::Tensor &x, const Unit &unit, bool input, bool weight) {
    const Gradient g{gradient.const_data_ptr<float>(), nullptr, nullptr, nullptr, nullptr, 1.0f, nullptr, nullptr};
    at::Tensor target = input ? map(x.size(0), x.size(1), x.size(2), x.size(3)) : at::Tensor();
    const Found found = convolve_backward(g, gradient, plain(x), x, unit, nullptr, nullptr, input, weight, target, false);
    return {found.in_gradient, found.weight};
}

at::Tensor together(const at::Tensor &x) {
    const auto format = at::MemoryFormat::ChannelsLast;
    // More would be read at too many places at once.
    constexpr int64_t FEW = 16;
    if (x.is_contiguous(format) || !x.is_contiguous() || x.size(1) > FEW) return x.contiguous(format);
    const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3);
    at::Tensor y = map(x.size(0), channels, x.size(2), x.size(3));
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
    const int64_t channels = out.size(1);
    Parts(pixels(out), 32, 32, channels).each([&](int64_t, int64_t begin, int64_t end) {
        level().merge(inputs.data(), static_cast<int64_t>(inputs.size()), plain, factor, to, past(out), channels, begin, end);
    });
}

std::vector<Output> forward(const at::Tensor &x, const std::vector<Unit> &units, Statistics statistics, double weight, bool keep) {
    static thread_local MomentParts kept(true);
    MomentParts none(false), &moments = statistics == Statistics::Given ? none : kept;
    std::vector<Output> outputs;
    Input in = plain(x);
    for (size_t i = 0; i < units.size(); ++i) {
        Output out;
        out.map = convolve(in, outputs.empty() ? x : outputs.back().map, units[i], moments);
        normalise(out, units[i], moments, statistics, weight);
        if (!keep) outputs.clear();
        outputs.push_back(std::move(out));
        in = outputs.back().input(units[i].shape.relu);
    }
    return outputs;
}

std::vector<at::Tensor> backward(const at::Tensor &x, const std::vector<Unit> &units, std::vector<Output> &outputs, const at::Tensor &gradient,
                                 float factor, const Wanted &wanted, const at::Tensor &in_gradient, bool add) {
    const Level &l = level();
    std::vector<at::Tensor> found(units.size() * 3);
    at::Tensor held = gradient;
    static thread_local SumParts sums;
    for (size_t i = units.size(); i-- > 0;) {
        Output &out = outputs[i];
        const bool last = i + 1 == units.size();
        const int64_t channels = out.map.size(1), rows = pixels(out.map);
        Gradient g{held.const_data_ptr<float>(), out.map.const_data_ptr<float>(), nullptr, nullptr, nullptr, last ? factor : 1.0f, nullptr, nullptr};
        if (last) {
            if (units[i].shape.relu) g.scale = out.scale(), g.shift = out.shift();
            const Parts parts(rows, 32, 32, channels);
            sums.begin(parts.count, channels);
            // By its name every thread would find sums of its own.
            SumParts &own = sums;
            parts.each([&](int64_t part, int64_t begin, int64_t end) { l.sums(g, g.map, channels, begin, end, own.part(part, out.mean(), 0, channels)); });
        }
        sums.add_up();
        const NormBackward norm(out, sums, rows, wanted.units[i][1], wanted.units[i][2]);
        g.by_value = norm.by_value, g.by_map = norm.by_map, g.constant = norm.constant;
        found[i * 3 + 1] = norm.scale, found[i * 3 + 2] = norm.shift;
        bool earlier = wanted.input;
        for (size_t j = 0; j < i; ++j) earlier = earlier || wanted.units[j][0] || wanted.units[j][1] || wanted.units[j][2];
        const Output *before = i > 0 ? &outputs[i - 1] : nullptr;
        const Input in = before ? before->input(units[i - 1].shape.relu) : plain(x);
        const Found of = convolve_backward(g, out.map, in, before ? before->map : x, units[i], before, &sums, earlier, wanted.units[i][0], in_gradient, add);
        found[i * 3] = of.weight;
        out = Output();
        held = of.in_gradient;
        if (!earlier) break;
    }
    return found;
}

}  // namespace nse

extern "C" void nse_shim_share(nse::Share share) { nse::share.store(share, std::memory_order_relaxed); }
