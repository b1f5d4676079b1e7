// Dense convolutions that see more than one pixel, or skip some. The images that are worked on lie in scratch, with batch-norm and ReLU done; an output
// is the sum over taps of products with one pixel each, and taps that fall outside of the image are left out. So nothing is copied per tap.
//
// Outputs that see the same taps make up a tile: neighbours in a row, which then has zeros on both sides, neighbours in a column, or one place in
// several images. The gradient of the input is the same walk with both sides exchanged.
#pragma once

#include "strips.h"

namespace {

// One group of a convolution from a sheet.
struct Walk {
    Along along;
    Axis y, x;
    Sheet from;
    const float *sources, *weight;  // of the group, in the sheet and packed
    int64_t depth, columns;         // cells and channels of the group on either side
    float *out;                     // of the group, in the first image
    int64_t channels;
    bool add;
    Stretch *stretches;  // room for as many as there are taps
    Ahead *ahead;
};

// A part of what an output is the sum of: taps [tap, last) from cell `from` on, `depth` of them.
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
template <bool LOW>
INLINE void walk(const Walk &w, Product p, int64_t column, const Bite &bite, int64_t images, int64_t top, int64_t bottom) {
    const int64_t line = w.x.count * w.channels, image = w.y.count * line, step = w.x.step();
    p.rows = w.along == Along::Images ? w.from.image() : w.along == Along::Column ? w.from.row() : w.x.reach() * w.from.ld;
    p.ldo = w.along == Along::Images ? image : w.along == Along::Column ? line : step * w.channels;
    // A tile that begins with an output of image n.
    const auto one = [&](int64_t n, int64_t y, int64_t x, int64_t height) __attribute__((always_inline)) {
        p.a = w.sources + n * w.from.image(), p.out = w.out + n * image + y * line + x * w.channels + column;
        w.ahead->part_of<LOW>(p);
        tile<LOW>(p, height);
    };
    // One in every image; its outputs see what any of so many places of the row sees.
    const auto in_all = [&](int64_t y, int64_t x, int64_t places, int64_t height) __attribute__((always_inline)) {
        p.count = seen(w, bite, y, x, places);
        if (p.count == 0 && p.add) return;
        for (int64_t n = 0; n < images; ++n) one(n, y, x, height);
    };
    if (w.along == Along::Column) {
        for (int64_t x = 0; x < w.x.count; ++x) {
            in_tiles(bottom - top, [&](int64_t begin, int64_t end) __attribute__((always_inline)) { in_all(top + begin, x, 1, end - begin); });
        }
        return;
    }
    for (int64_t y = top; y < bottom; ++y) {
        if (w.along == Along::Images) {
            for (int64_t x = 0; x < w.x.count; ++x) {
                p.count = seen(w, bite, y, x, 1);
                if (p.count == 0 && p.add) continue;
                in_tiles(images, [&](int64_t n, int64_t last) __attribute__((always_inline)) { one(n, y, x, last - n); });
            }
            continue;
        }
        for (int64_t first = 0; first < least(step, w.x.count); ++first) {
            in_tiles(blocks(w.x.count - first, step), [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                in_all(y, first + begin * step, end - begin, end - begin);
            });
        }
    }
}

template <bool LOW>
INLINE void walk(const Walk &w, int64_t images, int64_t top, int64_t bottom) {
    const int64_t taps = w.y.kernel * w.x.kernel, panel = taps * w.depth * LANES;
    const Product whole{w.sources, 0, 1, w.weight, LANES, panel, w.stretches, 0, w.out, 0, w.columns, w.add};
    in_columns(whole, panel, [&](Product p, int64_t column) __attribute__((always_inline)) {
        in_bites(taps, w.depth, [&](const Bite &bite) __attribute__((always_inline)) {
            walk<LOW>(w, p, column, bite, images, top, bottom);
            p.add = true;
        });
    });
}

// Whole rows of images.
template <bool LOW>
void window_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    const Dense &s = d.shape;
    const Axis y = axis(s, 0, false), x = axis(s, 1, false);
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups, size = s.out_height * s.out_width, depth = ins / IN_CELL<LOW>;
    const Plan<Forward<LOW>> plan(s);
    Stretch *const stretches = reinterpret_cast<Stretch *>(scratch + plan.room(s));
    plan.strips(s, from, to, [&](const Strip &strip) __attribute__((always_inline)) {
        const Forward<LOW> way(s, strip, scratch);
        const Sheet &sheet = way.in;
        gather<LOW>(sheet, d.in, strip.image, strip.images, s.height, s.in);
        Ahead next{{behind(sheet, d.in.values, strip.image, strip.images, s.height, s.in, blocks(to, size))}, 1};
        for (int64_t g = 0; g < s.groups; ++g) {
            float *out = d.out + strip.image * size * s.out + g * outs;
            const float *weight = d.weight + g * padded(outs) * depth * s.taps();
            walk<LOW>({way.along, y, x, sheet, scratch + g * depth, weight, depth, outs, out, s.out, false, stretches, &next}, strip.images, strip.top, strip.bottom);
        }
        see(d, strip, from, m);
    });
}

// Calls body(group, first, last) for the outputs of each group whose weights' gradients are wanted.
template <typename F>
INLINE void in_groups(const DenseBackward &d, F &&body) {
    const int64_t outs = d.shape.out / d.shape.groups;
    for (int64_t g = d.first / outs; g * outs < d.last; ++g) body(g, most(d.first, g * outs), least(d.last, (g + 1) * outs));
}

// Weight gradients of a strip, of which both sides are stacked: sums over images, rows, and as many columns as a tap has inside.
template <bool LOW>
struct WeightWalk {
    const Dense &shape;
    const Strip &strip;
    const Sheet &upper, &lower;
    Stretch *stretches;
    Ahead &ahead;

    // What a tap is the sum over. Rows that lie one behind the other on both sides are one stretch.
    INLINE int64_t seen(int64_t tap) const {
        const Axis y = axis(shape, 0, false), x = axis(shape, 1, false);
        const int64_t ky = tap / x.kernel, kx = tap % x.kernel, step = x.stride * lower.ld;
        int64_t first = 0, last = shape.out_width, count = 0, at_y, at_x;
        while (first < last && !x.sees(first, 1, kx, at_x)) ++first;
        while (first < last && !x.sees(last - 1, 1, kx, at_x)) --last;
        if (first == last) return 0;
        x.sees(first, 1, kx, at_x);
        for (int64_t n = 0; n < blocks(strip.images, IN_CELL<LOW>); ++n) {
            for (int64_t out = strip.top; out < strip.bottom; ++out) {
                if (!y.sees(out, 1, ky, at_y)) continue;
                const Stretch row{n * upper.image() + upper.at(out, first), n * lower.image() + lower.at(at_y, at_x), last - first};
                Stretch &before = stretches[most(count - 1, 0)];
                if (count > 0 && before.a + before.depth * upper.ld == row.a && before.b + before.depth * step == row.b) before.depth += row.depth;
                else stretches[count++] = row;
            }
        }
        return count;
    }

    // Of a group's outputs [from, to), which begin at `sources` and whose gradients at `weight`: columns by columns, so that what all taps read stays near.
    INLINE void group(int64_t group, const float *sources, int64_t outs, float *weight, int64_t width) const {
        const int64_t ins = shape.in / shape.groups;
        const Product whole{sources, 1, upper.ld, lower.values + group * ins, shape.stride[1] * lower.ld, LANES, stretches, 0, weight, width, ins, true};
        in_columns(whole, LANES, [&](Product p, int64_t column) __attribute__((always_inline)) {
            for (int64_t tap = 0; tap < shape.taps(); ++tap) {
                p.count = seen(tap);
                if (p.count == 0) continue;
                in_tiles(outs, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                    p.a = sources + begin, p.out = weight + begin * width + tap * ins + column;
                    ahead.part_of<LOW>(p);
                    tile<LOW>(p, end - begin);
                });
            }
        });
    }
};

// Weight gradients alone, of whole images.
template <bool LOW>
void window_weights(const DenseBackward &d, int64_t from, int64_t to, float *weight, int64_t width, float *scratch) {
    const Dense &s = d.shape;
    const Plan<Stacked<LOW>> plan(s, d.last - d.first);
    Stretch *const stretches = reinterpret_cast<Stretch *>(scratch + plan.room(s));
    plan.strips(s, from, to, [&](const Strip &strip) __attribute__((always_inline)) {
        const Stacked<LOW> sheets(s, strip, scratch, d.last - d.first);
        stack<LOW>(sheets.out, d.out, strip.image, strip.images, s.out_height, s.out, d.first, d.last);
        stack<LOW>(sheets.in, d.in, strip.image, strip.images, s.height, s.in, 0, s.in);
        Ahead next{{behind(sheets.in, d.in.values, strip.image, strip.images, s.height, s.in, to / (s.out_height * s.out_width))}, 1};
        const WeightWalk<LOW> weights{s, strip, sheets.out, sheets.in, stretches, next};
        in_groups(d, [&](int64_t g, int64_t first, int64_t last) __attribute__((always_inline)) {
            weights.group(g, sheets.out.values + first - d.first, last - first, weight + (first - d.first) * width, width);
        });
    });
}

// Gradients of inputs, and of weights where they are wanted, of whole images.
template <bool LOW>
void window_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, int64_t width, Sums sums, float *scratch) {
    const Dense &s = d.shape;
    const Axis y = axis(s, 0, true), x = axis(s, 1, true);
    const int64_t ins = s.in / s.groups, outs = s.out / s.groups, depth = outs / IN_CELL<LOW>;
    const Plan<Backward<LOW>> plan(s);
    Stretch *const stretches = reinterpret_cast<Stretch *>(scratch + plan.room(s));
    plan.strips(s, from, to, [&](const Strip &strip) __attribute__((always_inline)) {
        const Backward<LOW> sheets(s, strip, scratch);
        const Sheet &upper = sheets.by_channel, &lower = sheets.in;
        const int64_t last_image = to / (s.out_height * s.out_width);
        const auto behind_this = [&](const float *map) { return behind(upper, map, strip.image, strip.images, s.out_height, s.out, last_image); };
        Ahead next{{behind_this(d.out.values)}, 1};
        if (d.out.map) next.ranges[next.count++] = behind_this(d.out.map);
        gather<LOW>(upper, d.out, strip.image, strip.images, s.out_height, s.out);
        if (d.first < d.last) {
            if (IN_CELL<LOW> > 1) stack<LOW>(sheets.by_image, d.out, strip.image, strip.images, s.out_height, s.out, 0, s.out);
            stack<LOW>(lower, d.in, strip.image, strip.images, s.height, s.in, 0, s.in);
            next.ranges[next.count++] = behind(lower, d.in.values, strip.image, strip.images, s.height, s.in, last_image);
            const WeightWalk<LOW> weights{s, strip, sheets.by_image, lower, stretches, next};
            in_groups(d, [&](int64_t g, int64_t first, int64_t last) __attribute__((always_inline)) {
                weights.group(g, sheets.by_image.values + first, last - first, weight + (first - d.first) * width, width);
            });
        }
        const int64_t pixels = s.height * s.width, first = strip.first(s), last = strip.last(s);
        for (int64_t g = 0; g < s.groups; ++g) {
            float *out = d.in_gradient + strip.image * pixels * s.in + g * ins;
            const float *packed = d.weight + g * padded(ins) * depth * s.taps();
            walk<LOW>({sheets.along, y, x, upper, upper.values + g * depth, packed, depth, ins, out, s.in, d.add, stretches, &next}, strip.images, first, last);
        }
        mask(d, strip, sums);
    });
}

}  // namespace
