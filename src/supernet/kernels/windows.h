// Dense convolutions that see more than one pixel, or skip some. The images that are worked on lie in scratch, with batch-norm and ReLU done; an output
// is the sum over taps of products with one pixel each, and taps that fall outside of the image are left out. So nothing is copied per tap.
//
// Outputs that see the same taps make up a tile: neighbours in a row, which then has zeros on both sides, neighbours in a column, or one place in
// several images. The gradient of the input is the same walk with both sides exchanged.
#pragma once

#include "sheets.h"

namespace {

using nse::Dense;
using nse::DenseBackward;
using nse::DenseForward;

// Cells of images that should stay in the second cache, and of a panel of weights in the first; outputs that make up for going over the weights.
constexpr int64_t ROOM = 96 * 1024, BITE = 8 * 1024, OUTPUTS = 256;

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

// Which outputs make up a tile.
enum class Along { Row, Column, Images };

// As high tiles as there may be. A row costs more where its kernel reaches beyond both ends.
INLINE Along along(const Dense &d, int64_t images, int64_t rows) {
    const auto height = [](int64_t count) { return 64 * count / blocks(count, TALL); };
    const bool row = d.kernel[1] == 1 || d.out_width > 8 || images < Dense::ACROSS;
    const int64_t in_row = row ? height(d.out_width) * (d.kernel[1] == 1 ? 8 : 7) / 8 : 0;
    const int64_t in_column = d.kernel[0] == 1 && d.stride[0] == 1 ? height(rows) : 0, in_images = d.across(images) ? height(images) : 0;
    if (in_images > in_column && in_images > in_row) return Along::Images;
    return in_column > in_row ? Along::Column : Along::Row;
}

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
    if (w.along == Along::Column) {
        p.rows = w.from.row(), p.ldo = line;
        for (int64_t x = 0; x < w.x.count; ++x) {
            in_tiles(bottom - top, [&](int64_t begin, int64_t end) __attribute__((always_inline)) {
                p.count = seen(w, bite, top + begin, x, 1);
                if (p.count == 0 && p.add) return;
                for (int64_t n = 0; n < images; ++n) {
                    p.a = w.sources + n * w.from.image(), p.out = w.out + n * image + (top + begin) * line + x * w.channels + column;
                    w.ahead->part_of<LOW>(p);
                    tile<LOW>(p, end - begin);
                }
            });
        }
        return;
    }
    p.rows = w.along == Along::Images ? w.from.image() : w.x.reach() * w.from.ld;
    p.ldo = w.along == Along::Images ? image : step * w.channels;
    for (int64_t y = top; y < bottom; ++y) {
        float *const row = w.out + y * line + column;
        if (w.along == Along::Images) {
            for (int64_t x = 0; x < w.x.count; ++x) {
                p.count = seen(w, bite, y, x, 1);
                if (p.count == 0 && p.add) continue;
                in_tiles(images, [&](int64_t n, int64_t last) __attribute__((always_inline)) {
                    p.a = w.sources + n * w.from.image(), p.out = row + n * image + x * w.channels;
                    w.ahead->part_of<LOW>(p);
                    tile<LOW>(p, last - n);
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
                    w.ahead->part_of<LOW>(p);
                    tile<LOW>(p, end - begin);
                }
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

// What is worked on at a time: rows [top, bottom) of the outputs of some images.
struct Strip {
    int64_t image, images, top, bottom;

    // The inputs that those rows see.
    Sheet seen(const Dense &d, float *values, int64_t edge, int64_t ld) const {
        const Axis y = axis(d, 0, false);
        return {values, most(0, top * y.stride - y.edge()), least(d.height, (bottom - 1) * y.stride + y.edge() + 1), d.width, edge, ld};
    }
    // The inputs whose gradient is found with those rows, and all outputs that have seen these.
    int64_t first(const Dense &d) const { return top * d.stride[0]; }
    int64_t last(const Dense &d) const { return bottom == d.out_height ? d.height : bottom * d.stride[0]; }
    Sheet seeing(const Dense &d, float *values, int64_t edge, int64_t ld) const {
        const Axis y = axis(d, 0, true);
        const int64_t from = most(0, first(d) - y.edge()) / y.stride, to = least(d.out_height, (last(d) - 1 + y.edge()) / y.stride + 1);
        return {values, from, to, d.out_width, edge, ld};
    }
};

// Room is for edges, which there may be when a last strip is smaller.
template <bool LOW>
struct Forward {
    static constexpr int64_t TOGETHER = 1;
    Along along;
    Sheet in;
    int64_t room;

    Forward(const Dense &d, const Strip &strip, float *scratch)
        : along(::along(d, strip.images, strip.bottom - strip.top)),
          in(strip.seen(d, scratch, axis(d, 1, false).edge(), distance<LOW>(d.in))), room(strip.images * in.image()) {
        if (along != Along::Row) in.edge = 0;
    }
};

// Gradients of outputs by channels, for those of inputs; and those and the inputs by images, for those of weights. The first two are one where a cell has one value.
template <bool LOW>
struct Backward {
    static constexpr int64_t TOGETHER = IN_CELL<LOW>;
    Along along;
    Sheet by_channel, by_image, in;
    int64_t room;

    Backward(const Dense &d, const Strip &strip, float *scratch)
        : along(::along(d, strip.images, strip.bottom - strip.top)),
          by_channel(strip.seeing(d, scratch, axis(d, 1, true).edge(), distance<LOW>(d.out))), in(strip.seen(d, scratch, 0, distance(d.in))) {
        const int64_t cells = blocks(strip.images, TOGETHER);
        room = strip.images * by_channel.image();
        if (along != Along::Row) by_channel.edge = 0;
        by_image = by_channel;
        if (TOGETHER > 1) {
            by_image = {scratch + room, strip.top, strip.bottom, d.out_width, 0, distance(d.out)};
            room += cells * by_image.image();
        }
        in.values = scratch + room;
        room += cells * in.image();
    }
};

// How much to work on at a time: several whole images, or a part of as few as there may be together.
template <typename Way>
struct Plan {
    int64_t images, rows;

    explicit Plan(const Dense &d) {
        const int64_t together = Way::TOGETHER, few = Way(d, {0, together, 0, d.out_height}, nullptr).room;
        images = least(most(most(ROOM * together / few, blocks(OUTPUTS, d.out_height * d.out_width)), together), 2 * TALL);
        rows = images > together ? d.out_height : least(d.out_height, most(ROOM * d.out_height / few, 4));
    }

    // Calls body(strip) for outputs [from, to).
    template <typename F>
    INLINE void strips(const Dense &d, int64_t from, int64_t to, F &&body) const {
        const int64_t size = d.out_height * d.out_width;
        while (from < to) {
            const int64_t image = from / size, first = from % size / d.out_width, whole = first == 0 ? least((to - from) / size, images) : 0;
            const int64_t together = most(whole, 1), last = whole > 0 ? d.out_height : least(d.out_height, first + (to - from) / d.out_width);
            for (int64_t top = first; top < last; top += rows) body(Strip{image, together, top, least(last, top + rows)});
            from += (together - 1) * size + (last - first) * d.out_width;
        }
    }

    // Cells of sheets.
    int64_t room(const Dense &d) const {
        // A strip in the middle has the most rows around it.
        int64_t most = 0;
        for (int64_t top = 0; top < (rows < d.out_height ? d.out_height : 1); ++top) most = ::most(most, Way(d, {0, images, top, least(d.out_height, top + rows)}, nullptr).room);
        return blocks(most, LANES) * LANES;
    }
};

template <bool LOW>
INLINE int64_t window_scratch(const Dense &d) {
    const Plan<Forward<LOW>> forward(d);
    const Plan<Backward<LOW>> backward(d);
    const int64_t stretches = most(d.taps(), most(forward.images, backward.images) * d.out_height) * static_cast<int64_t>(sizeof(Stretch) / sizeof(float));
    return most(forward.room(d), backward.room(d)) + stretches + 4 * LANES;
}

// Statistics of outputs that were just written; of the first of a part the pivots are taken.
INLINE void see(const float *outputs, int64_t rows, int64_t channels, bool first, Moments m) {
    if (!m.pivot) return;
    if (first) {
        for (int64_t c = 0; c < channels; ++c) m.pivot[c] = outputs[c];
    }
    moments(outputs, channels, 0, rows, m);
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
        const int64_t begin = strip.image * size + strip.top * s.out_width;
        see(d.out + begin * s.out, (strip.image + strip.images - 1) * size + strip.bottom * s.out_width - begin, s.out, begin == from, m);
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
    float *weight;
    int64_t width;
    Stretch *stretches;
    Ahead &ahead;

    // Of a group's outputs [from, to) at one tap.
    INLINE void tap(int64_t ky, int64_t kx, int64_t group, int64_t from, int64_t to) const {
        const Axis y = axis(shape, 0, false), x = axis(shape, 1, false);
        const int64_t ins = shape.in / shape.groups;
        int64_t first = 0, last = shape.out_width, count = 0, at_y, at_x;
        while (first < last && !x.sees(first, 1, kx, at_x)) ++first;
        while (first < last && !x.sees(last - 1, 1, kx, at_x)) --last;
        if (first == last) return;
        x.sees(first, 1, kx, at_x);
        for (int64_t n = 0; n < blocks(strip.images, IN_CELL<LOW>); ++n) {
            for (int64_t out = strip.top; out < strip.bottom; ++out) {
                if (y.sees(out, 1, ky, at_y)) stretches[count++] = {n * upper.image() + upper.at(out, first), n * lower.image() + lower.at(at_y, at_x), last - first};
            }
        }
        float *const out = weight + from * width + (ky * shape.kernel[1] + kx) * ins;
        multiply<LOW>({upper.values + from, 1, upper.ld, lower.values + group * ins, shape.stride[1] * lower.ld, LANES, stretches, count, out, width, ins, true}, to - from, LANES, ahead);
    }
};

// Whole images.
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
        if (d.in_gradient || IN_CELL<LOW> == 1) gather<LOW>(upper, d.out, strip.image, strip.images, s.out_height, s.out);
        if (d.first < d.last) {
            if (IN_CELL<LOW> > 1) stack<LOW>(sheets.by_image, d.out, strip.image, strip.images, s.out_height, s.out);
            stack<LOW>(lower, d.in, strip.image, strip.images, s.height, s.in);
            next.ranges[next.count++] = behind(lower, d.in.values, strip.image, strip.images, s.height, s.in, last_image);
            const WeightWalk<LOW> weights{s, strip, sheets.by_image, lower, weight, width, stretches, next};
            for (int64_t tap = 0; tap < s.taps(); ++tap) {
                in_groups(d, [&](int64_t g, int64_t first, int64_t last) __attribute__((always_inline)) { weights.tap(tap / s.kernel[1], tap % s.kernel[1], g, first, last); });
            }
        }
        if (!d.in_gradient) return;
        const int64_t pixels = s.height * s.width, first = strip.first(s), last = strip.last(s);
        for (int64_t g = 0; g < s.groups; ++g) {
            float *out = d.in_gradient + strip.image * pixels * s.in + g * ins;
            const float *packed = d.weight + g * padded(ins) * depth * s.taps();
            walk<LOW>({sheets.along, y, x, upper, upper.values + g * depth, packed, depth, ins, out, s.in, d.add, stretches, &next}, strip.images, first, last);
        }
        if (!sums.plain) return;
        // Rows of several images lie apart where a strip is a part of them.
        const bool whole = first == 0 && last == s.height;
        for (int64_t n = 0; n < (whole ? 1 : strip.images); ++n) {
            const int64_t from = (strip.image + n) * pixels + first * s.width, images = whole ? strip.images - 1 : 0;
            mask(d.in_gradient + from * s.in, d.in, s.in, from, (strip.image + n + images) * pixels + last * s.width, sums);
        }
    });
}

}  // namespace
