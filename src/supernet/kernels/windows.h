// Dense convolutions that see more than one pixel, or skip some. The images that are worked on lie in scratch, with batch-norm and ReLU done; an output
// is the sum over taps of products with one pixel each, and taps that fall outside of the image are left out. So nothing is copied per tap.
//
// Outputs that see the same taps make up a tile: one place in several images where images are small, else neighbours in a row, which then has
// zeros on both sides. The gradient of the input is the same walk with both sides exchanged.
#pragma once

#include "product.h"

namespace {

using nse::Dense;
using nse::DenseBackward;
using nse::DenseForward;

// Floats of images that should stay in the second cache, and of a panel of weights in the first; outputs that make up for going over the weights.
constexpr int64_t ROOM = 96 * 1024, BITE = 8 * 1024, OUTPUTS = 256;

// Images in scratch: rows [top, bottom) of each, [image][y][edge, x, edge][ld].
struct Sheet {
    float *values;
    int64_t top, bottom, width, edge, ld;

    int64_t row() const { return (width + 2 * edge) * ld; }
    // One vector more, so that images do not begin at the same place of the cache.
    int64_t image() const { return (bottom - top) * row() + LANES; }
    int64_t at(int64_t y, int64_t x) const { return (y - top) * row() + (edge + x) * ld; }
};

// value(pixel, c, count) of images from `image` on, of `height` rows.
template <typename F>
INLINE void fill(const Sheet &s, int64_t image, int64_t images, int64_t height, int64_t channels, F &&value) {
    const int64_t zeros = s.edge * s.ld;
    float *to = s.values;
    for (const int64_t last = image + images; image < last; ++image, to += LANES) {
        for (int64_t y = s.top; y < s.bottom; ++y) {
            for (int64_t i = 0; i < zeros; i += LANES) store(to + i, V{});
            to += zeros;
            for (int64_t x = 0; x < s.width; ++x, to += s.ld) {
                const int64_t pixel = (image * height + y) * s.width + x;
                for (int64_t c = 0; c < channels; c += LANES) store(to + c, value(pixel * channels + c, c, channels - c));
            }
            for (int64_t i = 0; i < zeros; i += LANES) store(to + i, V{});
            to += zeros;
        }
    }
}

INLINE void fill(const Sheet &s, const Input &in, int64_t image, int64_t images, int64_t height, int64_t channels) {
    fill(s, image, images, height, channels, [&](int64_t at, int64_t c, int64_t count) __attribute__((always_inline)) { return read(in, in.values + at, c, count); });
}

INLINE void fill(const Sheet &s, const Gradient &g, int64_t image, int64_t images, int64_t height, int64_t channels) {
    fill(s, image, images, height, channels, [&](int64_t at, int64_t c, int64_t count) __attribute__((always_inline)) { return read(g, at, c, count); });
}

// Rows or columns of an image: `count` places are written, each from those of `sources` that its taps see. Backward a place sees what has seen it.
struct Axis {
    int64_t count, sources, kernel, stride, dilation;
    bool backward;

    int64_t edge() const { return dilation * (kernel - 1) / 2; }
    // Places so far apart see the same taps, in sources so far apart.
    int64_t step() const { return backward ? stride : 1; }
    int64_t reach() const { return backward ? 1 : stride; }

    // Whether a tap of `places` places from `place` on, a step apart, is inside of the image for any; `at`: of the first.
    bool sees(int64_t place, int64_t places, int64_t tap, int64_t &at) const {
        if (backward) {
            const int64_t from = place + edge() - tap * dilation;
            if (from % stride) return false;
            at = from / stride;
        } else {
            at = place * stride + tap * dilation - edge();
        }
        return at < sources && at + (places - 1) * reach() >= 0;
    }
};

INLINE Axis axis(const Dense &d, int which, bool backward) {
    const int64_t in = which == 0 ? d.height : d.width, out = which == 0 ? d.out_height : d.out_width;
    return {backward ? in : out, backward ? out : in, d.kernel[which], d.stride[which], d.dilation, backward};
}

// One group of a convolution from a sheet.
struct Walk {
    Axis y, x;
    Sheet from;
    const float *sources, *weight;  // of the group, in the sheet and packed
    int64_t depth, columns;         // channels of the group on either side
    float *out;                     // of the group, in the first image
    int64_t channels;
    bool add;
    Stretch *stretches;  // room for as many as there are taps
    Ahead *ahead;
};

// A part of what an output is the sum of: taps [tap, last) from channel `from` on, `depth` of them.
struct Bite {
    int64_t tap, last, from, depth;
};

// Calls body(bite) for all that there is, in parts for which the weights of a tile's columns stay in the first cache.
template <typename F>
INLINE void in_bites(int64_t taps, int64_t depth, F &&body) {
    const int64_t pieces = blocks(depth * 2 * LANES, BITE), most_taps = most(1, BITE / (depth * 2 * LANES));
    for (int64_t tap = 0; tap < taps; tap += most_taps) {
        for (int64_t i = 0; i < pieces; ++i) {
            const int64_t from = depth * i / pieces;
            body(Bite{tap, least(taps, tap + most_taps), from, depth * (i + 1) / pieces - from});
        }
    }
}

INLINE int64_t seen(const Walk &w, const Bite &bite, int64_t y, int64_t x, int64_t places) {
    int64_t count = 0, at_y, at_x, ky = bite.tap / w.x.kernel, kx = bite.tap % w.x.kernel;
    bool inside = w.y.sees(y, 1, ky, at_y);
    for (int64_t tap = bite.tap; tap < bite.last; ++tap) {
        if (inside && w.x.sees(x, places, kx, at_x)) w.stretches[count++] = {w.from.at(at_y, at_x) + bite.from, (tap * w.depth + bite.from) * LANES, bite.depth};
        if (++kx == w.x.kernel) kx = 0, inside = w.y.sees(y, 1, ++ky, at_y);
    }
    return count;
}

// Rows [top, bottom) of `images` images, as far as a bite goes; `add`: to what is there.
INLINE void walk(const Walk &w, Product p, int64_t column, const Bite &bite, int64_t images, int64_t top, int64_t bottom, bool across) {
    const int64_t image = w.y.count * w.x.count * w.channels, step = w.x.step();
    p.rows = across ? w.from.image() : w.x.reach() * w.from.ld;
    p.ldo = across ? image : step * w.channels;
    for (int64_t y = top; y < bottom; ++y) {
        float *const row = w.out + y * w.x.count * w.channels + column;
        if (across) {
            for (int64_t x = 0; x < w.x.count; ++x) {
                p.count = seen(w, bite, y, x, 1);
                if (p.count == 0 && p.add) continue;
                in_tiles(images, [&](int64_t n, int64_t last) __attribute__((always_inline)) {
                    p.a = w.sources + n * w.from.image(), p.out = row + n * image + x * w.channels;
                    w.ahead->part_of(p);
                    tile(p, last - n);
                });
            }
            continue;
        }
        for (int64_t first = 0; first < least(step, w.x.count); ++first) {
            in_tiles(blocks(w.x.count - first, step), [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                const int64_t x = first + begin * step;
                p.count = seen(w, bite, y, x, end - begin);
                if (p.count == 0 && p.add) return;
                for (int64_t n = 0; n < images; ++n) {
                    p.a = w.sources + n * w.from.image(), p.out = row + n * image + x * w.channels;
                    w.ahead->part_of(p);
                    tile(p, end - begin);
                }
            });
        }
    }
}

INLINE void walk(const Walk &w, int64_t images, int64_t top, int64_t bottom, bool across) {
    const int64_t taps = w.y.kernel * w.x.kernel, panel = taps * w.depth * LANES;
    const Product whole{w.sources, 0, 1, w.weight, LANES, panel, w.stretches, 0, w.out, 0, w.columns, w.add};
    in_columns(whole, panel, [&](Product p, int64_t column) __attribute__((always_inline)) {
        in_bites(taps, w.depth, [&](const Bite &bite) __attribute__((always_inline)) {
            walk(w, p, column, bite, images, top, bottom, across);
            p.add = true;
        });
    });
}

// As much of a map as is in a sheet, from where that ends; no more than there is in so many images.
INLINE Ahead::Range behind(const Sheet &s, const float *map, int64_t image, int64_t images, int64_t height, int64_t channels, int64_t last_image) {
    const int64_t row = s.width * channels, from = ((image + images - 1) * height + s.bottom) * row;
    return {map + from, map + least(from + images * (s.bottom - s.top) * row, last_image * height * row)};
}

// What is worked on at a time: rows [top, bottom) of the outputs of some images, all rows if there are several.
struct Strip {
    int64_t image, images, top, bottom;

    // The inputs that those rows see.
    Sheet seen(const Dense &d, float *values, int64_t edge) const {
        const Axis y = axis(d, 0, false);
        return {values, most(0, top * y.stride - y.edge()), least(d.height, (bottom - 1) * y.stride + y.edge() + 1), d.width, edge, distance(d.in)};
    }
    // The inputs whose gradient is found with those rows, and all outputs that have seen these.
    int64_t first(const Dense &d) const { return top * d.stride[0]; }
    int64_t last(const Dense &d) const { return bottom == d.out_height ? d.height : bottom * d.stride[0]; }
    Sheet seeing(const Dense &d, float *values, int64_t edge) const {
        const Axis y = axis(d, 0, true);
        const int64_t from = most(0, first(d) - y.edge()) / y.stride, to = least(d.out_height, (last(d) - 1 + y.edge()) / y.stride + 1);
        return {values, from, to, d.out_width, edge, distance(d.out)};
    }
    // Floats of either way's sheets.
    int64_t forward(const Dense &d) const { return images * seen(d, nullptr, axis(d, 1, false).edge()).image(); }
    int64_t backward(const Dense &d) const { return images * (seen(d, nullptr, 0).image() + seeing(d, nullptr, axis(d, 1, true).edge()).image()); }
};

// How much to work on at a time: several whole images, or a part of one.
struct Plan {
    int64_t images, rows;

    Plan(const Dense &d, int64_t (Strip::*floats)(const Dense &) const) {
        const int64_t image = (Strip{0, 1, 0, d.out_height}.*floats)(d);
        images = least(most(ROOM / image, blocks(OUTPUTS, d.out_height * d.out_width)), 2 * TALL);
        rows = images > 1 ? d.out_height : least(d.out_height, most(ROOM * d.out_height / image, 4));
    }
};

// Calls body(strip) for outputs [from, to).
template <typename F>
INLINE void in_strips(const Dense &d, const Plan &plan, int64_t from, int64_t to, F &&body) {
    const int64_t size = d.out_height * d.out_width;
    while (from < to) {
        const int64_t image = from / size, top = from % size / d.out_width, whole = top == 0 ? least((to - from) / size, plan.images) : 0;
        Strip strip{image, 1, top, least(d.out_height, least(top + plan.rows, top + (to - from) / d.out_width))};
        if (whole > 1) strip.images = whole, strip.bottom = d.out_height;
        body(strip);
        from += (strip.images - 1) * size + (strip.bottom - strip.top) * d.out_width;
    }
}

// Sheets, and stretches behind them.
INLINE int64_t window_room(const Dense &d, int64_t (Strip::*floats)(const Dense &) const) {
    const Plan plan(d, floats);
    int64_t most = (Strip{0, plan.images, 0, d.out_height}.*floats)(d);
    if (plan.images == 1) {
        // A strip in the middle has the most rows around it.
        most = 0;
        for (int64_t top = 0; top < d.out_height; ++top) most = ::most(most, (Strip{0, 1, top, least(d.out_height, top + plan.rows)}.*floats)(d));
    }
    return blocks(most, LANES) * LANES;
}
INLINE int64_t window_scratch(const Dense &d) {
    const int64_t images = most(Plan(d, &Strip::forward).images, Plan(d, &Strip::backward).images);
    const int64_t stretches = most(d.taps(), images * d.out_height) * static_cast<int64_t>(sizeof(Stretch) / sizeof(float));
    return most(window_room(d, &Strip::forward), window_room(d, &Strip::backward)) + stretches + 4 * LANES;
}

// Statistics of outputs that were just written; of the first of a part the pivots are taken.
INLINE void see(const DenseForward &d, int64_t from, int64_t to, bool first, Moments m) {
    if (!m.pivot) return;
    const int64_t channels = d.shape.out;
    if (first) {
        for (int64_t c = 0; c < channels; ++c) m.pivot[c] = d.out[from * channels + c];
    }
    moments(d.out, channels, from, to, m);
}

// Whole rows of images.
INLINE void window_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    const Dense &s = d.shape;
    const Axis y = axis(s, 0, false), x = axis(s, 1, false);
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups, size = s.out_height * s.out_width;
    Stretch *const stretches = reinterpret_cast<Stretch *>(scratch + window_room(s, &Strip::forward));
    in_strips(s, Plan(s, &Strip::forward), from, to, [&](const Strip &strip) __attribute__((always_inline)) {
        const bool across = s.across(strip.images);
        const Sheet sheet = strip.seen(s, scratch, across ? 0 : x.edge());
        fill(sheet, d.in, strip.image, strip.images, s.height, s.in);
        Ahead next{{behind(sheet, d.in.values, strip.image, strip.images, s.height, s.in, blocks(to, size))}, 1};
        for (int64_t g = 0; g < s.groups; ++g) {
            float *out = d.out + strip.image * size * s.out + g * outs;
            const float *weight = d.weight + g * padded(outs) * ins * s.taps();
            walk({y, x, sheet, scratch + g * ins, weight, ins, outs, out, s.out, false, stretches, &next}, strip.images, strip.top, strip.bottom, across);
        }
        const int64_t begin = strip.image * size + strip.top * s.out_width;
        see(d, begin, (strip.image + strip.images - 1) * size + strip.bottom * s.out_width, begin == from, m);
    });
}

// Calls body(group, first, last) for the outputs of each group whose weights' gradients are wanted.
template <typename F>
INLINE void in_groups(const DenseBackward &d, F &&body) {
    const int64_t outs = d.shape.out / d.shape.groups;
    for (int64_t g = d.first / outs; g * outs < d.last; ++g) body(g, most(d.first, g * outs), least(d.last, (g + 1) * outs));
}

// Weight gradients of a group's outputs [from, to) at one tap: sums over images, rows, and as many columns as the tap has inside.
INLINE void window_weight(const Dense &s, const Strip &strip, const Sheet &upper, const Sheet &lower, int64_t group, int64_t from, int64_t to, int64_t ky, int64_t kx, float *weight, int64_t width, Stretch *stretches, Ahead &next) {
    const Axis y = axis(s, 0, false), x = axis(s, 1, false);
    const int64_t ins = s.in / s.groups;
    int64_t first = 0, last = s.out_width, count = 0, at_y, at_x;
    while (first < last && !x.sees(first, 1, kx, at_x)) ++first;
    while (first < last && !x.sees(last - 1, 1, kx, at_x)) --last;
    if (first == last) return;
    x.sees(first, 1, kx, at_x);
    for (int64_t n = 0; n < strip.images; ++n) {
        for (int64_t out = strip.top; out < strip.bottom; ++out) {
            if (y.sees(out, 1, ky, at_y)) stretches[count++] = {n * upper.image() + upper.at(out, first), n * lower.image() + lower.at(at_y, at_x), last - first};
        }
    }
    float *const out = weight + from * width + (ky * s.kernel[1] + kx) * ins;
    multiply({upper.values + from, 1, upper.ld, lower.values + group * ins, s.stride[1] * lower.ld, LANES, stretches, count, out, width, ins, true}, to - from, LANES, next);
}

// Whole images.
INLINE void window_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, int64_t width, Sums sums, float *scratch) {
    const Dense &s = d.shape;
    const Axis y = axis(s, 0, true), x = axis(s, 1, true);
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups;
    Stretch *const stretches = reinterpret_cast<Stretch *>(scratch + window_room(s, &Strip::backward));
    in_strips(s, Plan(s, &Strip::backward), from, to, [&](const Strip &strip) __attribute__((always_inline)) {
        const bool across = s.across(strip.images);
        const Sheet upper = strip.seeing(s, scratch, across ? 0 : x.edge());
        fill(upper, d.out, strip.image, strip.images, s.out_height, s.out);
        const int64_t last_image = to / (s.out_height * s.out_width);
        const auto behind_this = [&](const float *map) { return behind(upper, map, strip.image, strip.images, s.out_height, s.out, last_image); };
        Ahead next{{behind_this(d.out.values)}, 1};
        if (d.out.map) next.ranges[next.count++] = behind_this(d.out.map);
        if (d.first < d.last) {
            const Sheet lower = strip.seen(s, scratch + strip.images * upper.image(), 0);
            fill(lower, d.in, strip.image, strip.images, s.height, s.in);
            next.ranges[next.count++] = behind(lower, d.in.values, strip.image, strip.images, s.height, s.in, last_image);
            for (int64_t tap = 0; tap < s.taps(); ++tap) {
                in_groups(d, [&](int64_t g, int64_t first, int64_t last) __attribute__((always_inline)) {
                    window_weight(s, strip, upper, lower, g, first, last, tap / s.kernel[1], tap % s.kernel[1], weight, width, stretches, next);
                });
            }
        }
        if (!d.in_gradient) return;
        const int64_t pixels = s.height * s.width, first = strip.first(s), last = strip.last(s);
        for (int64_t g = 0; g < s.groups; ++g) {
            float *out = d.in_gradient + strip.image * pixels * s.in + g * ins;
            const float *packed = d.weight + g * padded(ins) * outs * s.taps();
            walk({y, x, upper, upper.values + g * outs, packed, outs, ins, out, s.in, d.add, stretches, &next}, strip.images, first, last, across);
        }
        if (!sums.plain) return;
        mask(d.in_gradient, d.in, s.in, strip.image * pixels + first * s.width, (strip.image + strip.images - 1) * pixels + last * s.width, sums);
    });
}

}  // namespace
