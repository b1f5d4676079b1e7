// What is worked on at a time of a convolution that sees more than one pixel: strips of some images, the sheets that they read, and which of their
// outputs make up a tile.
#pragma once

#include "sheets.h"

namespace {

using nse::Dense;
using nse::DenseBackward;
using nse::DenseForward;

// Cells of images that should stay in the second cache, and of a panel of weights in the first; outputs that make up for going over the weights.
constexpr int64_t ROOM = 96 * 1024, BITE = 8 * 1024, WORTH = 256;

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

// Statistics of a strip's outputs, which were just written, in a part that begins with output `from`, of which the pivots are taken.
INLINE void see(const DenseForward &d, const Strip &strip, int64_t from, Moments m) {
    if (!m.pivot) return;
    const Dense &s = d.shape;
    const int64_t size = s.out_height * s.out_width, begin = strip.image * size + strip.top * s.out_width;
    const float *const outputs = d.out + begin * s.out;
    for (int64_t c = 0; c < s.out && begin == from; ++c) m.pivot[c] = outputs[c];
    moments(outputs, s.out, 0, (strip.image + strip.images - 1) * size + strip.bottom * s.out_width - begin, m);
}

// The gradients of a strip's inputs were just written: zero where the inputs were not positive, and sums of them where they are wanted.
INLINE void mask(const DenseBackward &d, const Strip &strip, Sums sums) {
    if (!sums.plain) return;
    const Dense &s = d.shape;
    const int64_t pixels = s.height * s.width, first = strip.first(s), last = strip.last(s);
    // Rows of several images lie apart where a strip is a part of them.
    const bool whole = first == 0 && last == s.height;
    for (int64_t n = 0; n < (whole ? 1 : strip.images); ++n) {
        const int64_t from = (strip.image + n) * pixels + first * s.width, images = whole ? strip.images - 1 : 0;
        float *const gradient = d.in_gradient + from * s.in;
        mask(gradient, gradient, d.in, s.in, from, (strip.image + n + images) * pixels + last * s.width, sums);
    }
}

// Room is for edges, which there may be when a last strip is smaller.
template <bool LOW>
struct Forward {
    static constexpr int64_t TOGETHER = 1, CELLS = ROOM, OUTPUTS = WORTH;
    Along along;
    Sheet in;
    int64_t room;

    Forward(const Dense &d, const Strip &strip, float *scratch, int64_t = 0)
        : along(::along(d, strip.images, strip.bottom - strip.top)),
          in(strip.seen(d, scratch, axis(d, 1, false).edge(), distance<LOW>(d.in))), room(strip.images * in.image()) {
        if (along != Along::Row) in.edge = 0;
    }
};

// Gradients of outputs by channels, for those of inputs; and those and the inputs by images, for those of weights. The first two are one where a cell has one value.
template <bool LOW>
struct Backward {
    static constexpr int64_t TOGETHER = IN_CELL<LOW>, CELLS = ROOM, OUTPUTS = WORTH;
    Along along;
    Sheet by_channel, by_image, in;
    int64_t room;

    Backward(const Dense &d, const Strip &strip, float *scratch, int64_t = 0)
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

// Gradients of some outputs, and all inputs, by images: for the gradients of weights alone, which are added to less often the more images there are.
template <bool LOW>
struct Stacked {
    static constexpr int64_t TOGETHER = IN_CELL<LOW>, CELLS = 4 * ROOM, OUTPUTS = WORTH;
    Sheet out, in;
    int64_t room;

    Stacked(const Dense &d, const Strip &strip, float *scratch, int64_t outs)
        : out{scratch, strip.top, strip.bottom, d.out_width, 0, distance(outs)}, in(strip.seen(d, scratch, 0, distance(d.in))) {
        const int64_t cells = blocks(strip.images, TOGETHER);
        in.values += cells * out.image();
        room = cells * (out.image() + in.image());
    }
};

// How much to work on at a time: several whole images, or a part of as few as there may be together. `outs`: as for Stacked.
template <typename Way>
struct Plan {
    int64_t images, rows, outs;

    explicit Plan(const Dense &d, int64_t outs = 0) : outs(outs) {
        const int64_t together = Way::TOGETHER, few = Way(d, {0, together, 0, d.out_height}, nullptr, outs).room;
        images = least(most(most(Way::CELLS * together / few, blocks(Way::OUTPUTS, d.out_height * d.out_width)), together), 2 * TALL);
        rows = images > together ? d.out_height : least(d.out_height, most(Way::CELLS * d.out_height / few, 4));
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
        for (int64_t top = 0; top < (rows < d.out_height ? d.out_height : 1); ++top) most = ::most(most, Way(d, {0, images, top, least(d.out_height, top + rows)}, nullptr, outs).room);
        return blocks(most, LANES) * LANES;
    }
};

template <bool LOW>
INLINE int64_t window_scratch(const Dense &d, int64_t outs) {
    const Plan<Forward<LOW>> forward(d);
    const Plan<Backward<LOW>> backward(d);
    const Plan<Stacked<LOW>> weights(d, outs);
    const int64_t images = most(most(forward.images, backward.images), weights.images), stretches = most(d.taps(), images * d.out_height);
    return most(most(forward.room(d), backward.room(d)), weights.room(d)) + stretches * static_cast<int64_t>(sizeof(Stretch) / sizeof(float)) + 4 * LANES;
}

}  // namespace
