#include "convolution.h"

#include "parts.h"
#include "pool.h"

namespace nse {

std::atomic<Share> share{nullptr};
namespace {

bool depthwise(const Convolution &c, int64_t in, int64_t out) {
    return c.groups == in && in == out && c.kernel[0] == c.kernel[1] && c.stride[0] == c.stride[1];
}

Plane plane(const Convolution &c, const Size &from, const Size &to) {
    return {from.height, from.width, to.height, to.width, from.channels, c.kernel[0], c.stride[0], c.dilation};
}

Dense dense(const Convolution &c, const Size &from, const Size &to) {
    const bool low = c.low && from.channels / c.groups % 2 == 0 && to.channels / c.groups % 2 == 0;
    return {from.channels, to.channels, c.groups, from.height, from.width, to.height, to.width, {c.kernel[0], c.kernel[1]}, {c.stride[0], c.stride[1]}, c.dilation, low};
}

// A weight as the kernels read it, until the next is packed.
float *packed(int64_t size) {
    static thread_local Kept<float> kept;
    return kept.get(size);
}

// Of a dense convolution for one of both ways, of which `columns` are the results.
const float *pack(const Level &l, decltype(Level::pack_forward) way, const float *weight, const Dense &shape, int64_t columns) {
    const int64_t panels = shape.groups * ((columns / shape.groups + l.lanes - 1) / l.lanes), size = l.dense_size(shape);
    float *const to = packed(size);
    in_parallel(panels, size, [&](int64_t first, int64_t last) { way(weight, to, shape, first, last); });
    return to;
}

const float *pack_taps(const Level &l, const float *weight, int64_t channels, int64_t taps) {
    const int64_t blocks = (channels + l.lanes - 1) / l.lanes, size = blocks * l.lanes * taps * 2;
    float *const to = packed(size);
    in_parallel(blocks, size, [&](int64_t first, int64_t last) { l.pack_taps(weight, to, channels, taps, first, last); });
    return to;
}

}  // namespace

// to[column][row] of from[row][column], whose rows are so far apart.
void transpose(const float *from, int64_t rows, int64_t apart, int64_t columns, float *to) {
    for (int64_t column = 0; column < columns; ++column) {
        for (int64_t row = 0; row < rows; ++row) *to++ = from[row * apart + column];
    }
}

void convolve(const Convolution &c, const float *weight, const Input &in, const Size &from, const Size &to, float *out, MomentParts *moments) {
    const Level &l = level();
    const int64_t ins = from.channels, outs = to.channels;
    const auto moments_of = [&](int64_t part, int64_t rows, int64_t from, int64_t to) {
        return moments ? moments->part(part, rows, from, to) : Moments{nullptr, nullptr, nullptr};
    };
    if (depthwise(c, ins, outs)) {
        const Plane p = plane(c, from, to);
        const int64_t taps = p.kernel * p.kernel, blocks = (ins + l.lanes - 1) / l.lanes;
        const float *const packed = pack_taps(l, weight, ins, taps);
        const DepthwiseForward d{in, p, packed, out, to.past()};
        const Grid grid(from.images, blocks, ins * from.height * from.width);
        if (moments) moments->begin(grid.images.count, outs);
        grid.each([&](int64_t part, int64_t image, int64_t last_image, int64_t block, int64_t last_block) {
            const Moments m = moments_of(part, (last_image - image) * p.out_height * p.out_width, block * l.lanes, std::min(last_block * l.lanes, ins));
            l.depthwise_forward(d, image, last_image, block, last_block, m, scratch(l.depthwise_scratch(p)));
        });
        return;
    }
    const Dense shape = dense(c, from, to);
    const float *const packed = pack(l, l.pack_forward, weight, shape, outs);
    const DenseForward d{shape, in, packed, out, to.past()};
    const Cut cut(shape, from.images, from.images < (shape.lines() ? Dense::ACROSS : Cut::MOST) && !shape.across(from.images), false);
    const Parts parts = cut.parts(to.pixels(), Cut::MOST);
    if (moments) moments->begin(parts.count, outs);
    parts.each([&](int64_t part, int64_t begin, int64_t end) {
        l.dense_forward(d, begin * cut.step, end * cut.step, moments_of(part, (end - begin) * cut.step, 0, outs), scratch(l.dense_scratch(shape, outs)));
    });
}

void convolve_backward(const Convolution &c, const float *weight, const Gradient &gradient, const Size &to, const Input &in, const Size &from, const Wanted &wanted) {
    const Level &l = level();
    const int64_t ins = from.channels, outs = to.channels;
    const auto sums_of = [&](int64_t part, int64_t from, int64_t to) {
        return wanted.sums ? wanted.sums->part(part, wanted.mean, from, to) : Sums{nullptr, nullptr, nullptr};
    };
    if (depthwise(c, ins, outs)) {
        const Plane p = plane(c, from, to);
        const int64_t taps = p.kernel * p.kernel, blocks = (ins + l.lanes - 1) / l.lanes, size = blocks * l.lanes * taps;
        const float *const packed = pack_taps(l, weight, ins, taps);
        const DepthwiseBackward d{gradient, in, p, packed, wanted.input, wanted.add, from.past(), wanted.weight != nullptr};
        const Grid grid(from.images, blocks, ins * from.height * from.width);
        const Partial partial(wanted.weight ? grid.images.count : 0, size);
        if (wanted.sums) wanted.sums->begin(grid.images.count, ins);
        grid.each([&](int64_t part, int64_t image, int64_t last_image, int64_t block, int64_t last_block) {
            const int64_t whole = l.lanes * taps;
            float *to = partial.part(part, block * whole, (last_block - block) * whole);
            l.depthwise_backward(d, image, last_image, block, last_block, to, sums_of(part, block * l.lanes, std::min(last_block * l.lanes, ins)), scratch(l.depthwise_scratch(p)));
        });
        if (!wanted.weight) return;
        in_parallel(blocks, size * grid.images.count, [&](int64_t begin, int64_t end) {
            std::vector<float> sums(l.lanes * taps);
            for (int64_t block = begin; block < end; ++block) {
                partial.sum(block * l.lanes * taps, l.lanes * taps, sums.data());
                const int64_t first = block * l.lanes;
                transpose(sums.data(), taps, l.lanes, std::min(l.lanes, ins - first), wanted.weight + first * taps);
            }
        });
        return;
    }
    const Dense shape = dense(c, from, to);
    const float *const packed = pack(l, l.pack_backward, weight, shape, ins);
    const int64_t wide = l.dense_gradient_width(shape), size = outs * wide, rows = to.pixels();
    // As many parts as pay for adding up their weight gradients; where not even a few do, these are found output by output, and every part reads all inputs. Lines
    // have more to do for every sum, which should be long.
    const int64_t worth = std::max<int64_t>(4, rows * 512 / size), most = shape.lines() ? rows / 6 : 2 * rows * c.groups;
    const bool apart = wanted.weight && outs * shape.taps() > most, summed = wanted.weight && !apart;
    const Cut cut(shape, from.images, false, summed);
    DenseBackward d{shape, gradient, in, packed, wanted.input, wanted.add, from.past(), 0, summed ? outs : 0};
    const Parts parts = cut.parts(rows, summed ? std::min(worth, Cut::MOST) : Cut::MOST);
    const Partial partial(summed ? parts.count : 0, size);
    if (wanted.sums) wanted.sums->begin(parts.count, ins);
    if (wanted.input || !apart) {
        parts.each([&](int64_t part, int64_t begin, int64_t end) {
            float *const sums = summed ? partial.part(part, 0, size) : nullptr;
            l.dense_backward(d, begin * cut.step, end * cut.step, sums, sums_of(part, 0, ins), scratch(l.dense_scratch(shape, outs)));
        });
    }
    if (!wanted.weight) return;
    // Of outputs [begin, end), from sums that begin with the first.
    const auto leave = [&](const Partial &sums, int64_t first, int64_t begin, int64_t end) {
        const int64_t own = ins / c.groups, taps = shape.taps(), depth = own * taps;
        std::vector<float> one(taps > 1 ? depth : 0);
        for (int64_t o = begin; o < end; ++o) {
            float *const to = wanted.weight + o * depth;
            sums.sum((o - first) * wide, depth, taps > 1 ? one.data() : to);
            if (taps > 1) transpose(one.data(), taps, own, own, to);
        }
    };
    if (!apart) {
        in_parallel(outs, size * parts.count, [&](int64_t begin, int64_t end) { leave(partial, 0, begin, end); });
        return;
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
}

}  // namespace nse

extern "C" void nse_shim_share(nse::Share share) { nse::share.store(share, std::memory_order_relaxed); }
