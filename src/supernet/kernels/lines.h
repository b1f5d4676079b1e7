// Dense convolutions along the rows or the columns of an image, 1 x k or k x 1, as filters of its lines with fewer products (filtering.h). What a strip reads
// lies in scratch at the points, with batch-norm and ReLU done; for every point a matrix product sums over channels, and what comes back are neighbouring outputs.
//
// A row of such a product is a tile: some neighbours in a line, of which the last may lie outside of the image.
#pragma once

#include "filtering.h"
#include "outputs.h"
#include "strips.h"

namespace {

// Cells for every point that stay in the second cache; tiles that make up for bringing weights to the points; channels that are added up at once:
// what a longer sum loses becomes more on the way back.
constexpr int64_t POINTS = 10 * 1024, TILES = 64, CHAIN = 64;

// The lines of a strip.
struct Lines {
    bool columns;
    int64_t images, count, tiles;      // lines of an image, tiles of a line
    int64_t first, last, size;         // places of a line in the strip, and those that there are
    int64_t pixel, place, line, image; // where the first line's first place is, and how far it is to the next ones, in pixels

    Lines(const Dense &d, const Strip &s, int64_t outputs)
        : columns(d.kernel[1] == 1), images(s.images), count(columns ? d.width : s.bottom - s.top), first(columns ? s.top : 0), last(columns ? s.bottom : d.width),
          size(columns ? d.height : d.width), pixel(s.image * d.height * d.width + (columns ? 0 : s.top * d.width)), place(columns ? d.width : 1), line(columns ? 1 : d.width),
          image(d.height * d.width) {
        tiles = blocks(last - first, outputs);
    }

    int64_t rows() const { return images * count * tiles; }

    // Calls body(pixel of place 0, row of the first tile) for all lines; the next tile is so many rows on.
    int64_t next_tile() const { return columns ? count : 1; }
    template <typename F>
    INLINE void each(F &&body) const {
        for (int64_t n = 0; n < images; ++n) {
            for (int64_t l = 0; l < count; ++l) body(pixel + n * image + l * line, n * count * tiles + l * (columns ? 1 : tiles));
        }
    }
};

// Values at the points, [piece of channels][point][row][width].
struct Cells {
    float *values;
    int64_t channels, rows, points, width, pieces;

    Cells(float *values, int64_t channels, int64_t rows, int64_t points, int64_t width)
        : values(values), channels(channels), rows(rows), points(points), width(width), pieces(blocks(channels, width)) {}

    // A vector more, so that the same place at all points is not the same of the first cache.
    int64_t point() const { return rows * width + LANES; }
    int64_t piece() const { return points * point(); }
    int64_t room() const { return pieces * piece(); }
    int64_t depth(int64_t piece) const { return least(width, channels - piece * width); }
    float *at(int64_t channel, int64_t row) const { return values + channel / width * piece() + row * width + channel % width; }
};

// Calls line(read, put) for every vector of channels of every line: read(place, last) is what is there, or nothing outside of [0, last), and put(tile, values)
// takes what belongs to a tile.
template <typename Map, typename Body>
INLINE void fill(const Lines &lines, const Cells &to, const Map &map, int64_t channels, int64_t from, Body &&line) {
    lines.each([&](int64_t pixel, int64_t row) __attribute__((always_inline)) {
        for (int64_t c = 0; c < to.channels; c += LANES) {
            const Lanes<Map> lanes(map, channels, from + c);
            float *const at = to.at(c, row);
            const auto put = [&](int64_t tile, const V *values) __attribute__((always_inline)) {
                float *const first = at + tile * lines.next_tile() * to.width;
#pragma GCC unroll 21
                for (int64_t p = 0; p < to.points; ++p) store(first + p * to.point(), values[p]);
            };
            line([&](int64_t place, int64_t last) __attribute__((always_inline)) { return place >= 0 && place < last ? lanes.read(pixel + place * lines.place) : V{}; }, put);
        }
    });
}

// What the outputs of all tiles see.
template <typename F, typename Map>
void bring_inputs(const Lines &lines, const Cells &to, const Map &map, int64_t channels) {
    fill(lines, to, map, channels, 0, [&](auto &&read, auto &&put) __attribute__((always_inline)) {
        constexpr int n = F::At::count, kept = n - BLOCK;
        V seen[n];
        int64_t place = lines.first - F::edge;
#pragma GCC unroll 8
        for (int i = 0; i < kept; ++i) seen[BLOCK + i] = read(place++, lines.size);
        F::inputs(lines.tiles, [&](V *values) __attribute__((always_inline)) {
#pragma GCC unroll 8
            for (int i = 0; i < kept; ++i) seen[i] = seen[BLOCK + i];
#pragma GCC unroll 4
            for (int i = kept; i < n; ++i) seen[i] = read(place++, lines.size);
            F::At::bring_inputs(seen, values);
        }, put);
    });
}

// Gradients of the outputs of all tiles, of channels from `from` on.
template <typename F>
void bring_gradients(const Lines &lines, const Cells &to, const Gradient &gradient, int64_t channels, int64_t from) {
    fill(lines, to, gradient, channels, from, [&](auto &&read, auto &&put) __attribute__((always_inline)) {
        int64_t place = lines.first;
        F::gradients(lines.tiles, [&](V *values) __attribute__((always_inline)) {
            V some[BLOCK];
#pragma GCC unroll 4
            for (int i = 0; i < BLOCK; ++i) some[i] = read(place++, lines.last);
            F::At::template bring<BLOCK>(some, values);
        }, put);
    });
}

// A vector of columns of a weight at the points, `depth` cells of all taps; turned round for the way back.
template <typename F, bool BACK>
void bring_taps(const float *packed, int64_t tap, int64_t depth, float *to, int64_t point) {
    for (int64_t i = 0; i < depth; ++i, packed += LANES, to += 2 * LANES) {
        V taps[F::taps], values[F::products];
#pragma GCC unroll 7
        for (int k = 0; k < F::taps; ++k) taps[BACK ? F::taps - 1 - k : k] = load(packed + k * tap);
        F::bring_taps(taps, values);
#pragma GCC unroll 21
        for (int p = 0; p < F::products; ++p) store(to + p * point, values[p]);
    }
}

// One vector of columns of the outputs from the products, [point][row][2 LANES], written that way.
template <typename F, typename Way>
void bring_back(const Lines &lines, const float *products, float *out, int64_t channels, Way way) {
    constexpr int64_t wide = 2 * LANES;
    const int64_t point = lines.rows() * wide, next = lines.next_tile() * wide;
    lines.each([&](int64_t pixel, int64_t row) __attribute__((always_inline)) {
        const float *from = products + row * wide;
        float *to = out + (pixel + lines.first * lines.place) * channels;
        int64_t left = lines.last - lines.first;
        for (int64_t t = 0; t < lines.tiles; ++t, from += next, left -= F::outputs) {
            V values[F::products], outputs[F::outputs];
#pragma GCC unroll 21
            for (int p = 0; p < F::products; ++p) values[p] = load(from + p * point);
            F::bring_back(values, outputs);
#pragma GCC unroll 8
            for (int i = 0; i < F::outputs; ++i, to += lines.place * channels) {
                if (i < left) way.write(to, outputs[i]);
            }
        }
        way.flush();
    });
}

// Weights of some vectors of columns and a piece of channels, which tiles ask for before they are met: for every tap a stretch, all a tile's depth long.
struct Coming {
    const float *from;
    int64_t panel, tap, taps, left;

    Coming(const float *weight, int64_t column, int64_t vectors, int64_t piece, int64_t width, int64_t taps, int64_t tap)
        : from(weight + column / LANES * taps * tap + piece * width * LANES), panel(taps * tap), tap(tap), taps(taps), left(vectors * taps) {}

    bool part_of(Product &p) {
        if (left == 0) return false;
        --left;
        p.ahead = from + left / taps * panel + left % taps * tap, p.line = Ahead::LINE;
        return true;
    }
};

// out[pixel][channels] of a strip from the cells that it sees; way(channel) writes it. `scratch`: for the weights that are met, and the products.
template <typename F, bool BACK, typename Way>
INLINE void filter(const Lines &lines, const Cells &cells, const float *weight, float *out, int64_t channels, float *scratch, Ahead &ahead, Way &&way) {
    constexpr int64_t wide = 2 * LANES;
    const int64_t point = (cells.width + 1) * wide, rows = cells.rows, tap = cells.channels * LANES, panel = tap * F::taps;
    float *const met = scratch, *const products = scratch + F::products * point;
    const auto vectors_from = [&](int64_t column) { return least(2, blocks(channels - column, LANES)); };
    for (int64_t column = 0; column < channels; column += wide) {
        const int64_t vectors = vectors_from(column);
        for (int64_t piece = 0; piece < cells.pieces; ++piece) {
            const int64_t depth = cells.depth(piece);
            for (int64_t n = 0; n < vectors; ++n) bring_taps<F, BACK>(weight + (column / LANES + n) * panel + piece * cells.width * LANES, tap, depth, met + n * LANES, point);
            // After the last comes the first, for the next strip.
            const bool last = piece + 1 == cells.pieces;
            const int64_t next = last ? (column + wide < channels ? column + wide : 0) : column;
            Coming coming(weight, next, vectors_from(next), last ? 0 : piece + 1, cells.width, F::taps, tap);
            const Stretch all{0, 0, depth};
            for (int64_t p = 0; p < F::products; ++p) {
                const float *const of = cells.values + piece * cells.piece() + p * cells.point();
                Product product{of, cells.width, 1, met + p * point, wide, LANES, &all, 1, nullptr, wide, vectors * LANES, piece > 0};
                in_tiles(rows, [&](int64_t from, int64_t to) __attribute__((always_inline)) {
                    product.a = of + from * cells.width, product.out = products + (p * rows + from) * wide;
                    if (!coming.part_of(product)) ahead.part_of<false>(product);
                    tile<false>(product, to - from);
                });
            }
        }
        for (int64_t n = 0; n < vectors; ++n) bring_back<F>(lines, products + n * LANES, out + column + n * LANES, channels, way(column + n * LANES));
    }
}

// Gradients of weights from those of a strip's outputs, of which there are as many as `outs` has channels: weight[out][tap][in] of so many floats each, added to.
template <typename F>
INLINE void filter_weights(const Cells &outs, const Cells &ins, float *weight, int64_t width, float *scratch, Ahead &ahead) {
    constexpr int64_t wide = 2 * LANES, size = TALL * wide;
    const Stretch all{0, 0, outs.rows};
    for (int64_t column = 0; column < ins.channels; column += wide) {
        const int64_t vectors = least(2, blocks(ins.channels - column, LANES));
        in_tiles(outs.channels, [&](int64_t from, int64_t to) __attribute__((always_inline)) {
            for (int64_t p = 0; p < F::products; ++p) {
                Product product{outs.at(from, 0) + p * outs.point(), 1, outs.width, ins.at(column, 0) + p * ins.point(), ins.width, LANES, &all, 1, scratch + p * size, wide, vectors * LANES, false};
                ahead.part_of<false>(product);
                tile<false>(product, to - from);
            }
            for (int64_t o = from; o < to; ++o) {
                for (int64_t n = 0; n < vectors; ++n) {
                    const int64_t c = column + n * LANES, count = ins.channels - c;
                    V values[F::products], taps[F::taps];
#pragma GCC unroll 21
                    for (int p = 0; p < F::products; ++p) values[p] = load(scratch + p * size + (o - from) * wide + n * LANES);
                    F::bring_taps_back(values, taps);
                    float *const at = weight + o * width + c;
#pragma GCC unroll 7
                    for (int k = 0; k < F::taps; ++k) store(at + k * ins.channels, taps[k] + load(at + k * ins.channels, count), count);
                }
            }
        });
    }
}

// Channels in pieces of about equal width.
INLINE int64_t piece_width(int64_t channels) { return padded(blocks(channels, blocks(channels, CHAIN))); }

// An odd number of vectors, so that rows do not fall onto few cache lines.
INLINE int64_t odd(int64_t channels) { return (blocks(channels, LANES) | 1) * LANES; }

// What a strip sees of one map; and, for the gradients of weights, gradients and inputs.
template <typename F>
struct OneSide {
    static constexpr int64_t TOGETHER = 1, CELLS = F::products * POINTS, OUTPUTS = TILES * F::outputs;
    Lines lines;
    Cells cells;
    int64_t room;

    OneSide(const Dense &d, const Strip &s, float *scratch, int64_t channels)
        : lines(d, s, F::outputs), cells(scratch, channels, lines.rows(), F::products, piece_width(channels)), room(cells.room()) {}
};

template <typename F>
struct TwoSides {
    static constexpr int64_t TOGETHER = 1, CELLS = 2 * F::products * POINTS, OUTPUTS = TILES * F::outputs;
    Lines lines;
    Cells outs, ins;
    int64_t room;

    TwoSides(const Dense &d, const Strip &s, float *scratch, int64_t channels)
        : lines(d, s, F::outputs), outs(scratch, channels, lines.rows(), F::products, odd(channels)), ins(scratch + outs.room(), d.in, lines.rows(), F::products, 2 * LANES),
          room(outs.room() + ins.room()) {}
};

// How much to work on at a time: no strip but an image's last ends within a tile.
template <typename Way, int OUTPUTS>
struct LinePlan : Plan<Way> {
    LinePlan(const Dense &d, int64_t channels) : Plan<Way>(d, channels) {
        if (d.kernel[1] == 1 && this->rows < d.out_height) this->rows = most(this->rows / OUTPUTS, 1) * OUTPUTS;
    }
    int64_t tiles(const Dense &d) const { return Lines(d, {0, this->images, 0, this->rows}, OUTPUTS).rows(); }
};
template <typename F>
using PlanOne = LinePlan<OneSide<F>, F::outputs>;
template <typename F>
using PlanTwo = LinePlan<TwoSides<F>, F::outputs>;

// Room for cells, behind which is that for what they meet. A strip for both sides is one for the way back too.
template <typename F>
INLINE int64_t cell_room(const Dense &d, int64_t outs) {
    const PlanTwo<F> both(d, outs);
    const int64_t forward = PlanOne<F>(d, d.in).room(d), back = most(PlanOne<F>(d, d.out).room(d), OneSide<F>(d, {0, both.images, 0, both.rows}, nullptr, d.out).room);
    return most(both.room(d), most(forward, back));
}

template <typename F>
int64_t line_scratch(const Dense &d, int64_t outs) {
    const int64_t tiles = most(most(PlanOne<F>(d, d.in).tiles(d), PlanOne<F>(d, d.out).tiles(d)), most(PlanTwo<F>(d, outs).tiles(d), TALL));
    return cell_room<F>(d, outs) + F::products * (2 * LANES * (most(piece_width(d.in), piece_width(d.out)) + 1 + tiles));
}

// The same rows, for what is behind them.
INLINE Sheet rows_of(const Dense &d, const Strip &s) { return {nullptr, s.top, s.bottom, d.width, 0, 0}; }

template <typename F>
void line_forward(const DenseForward &d, int64_t from, int64_t to, Moments m, float *scratch) {
    const Dense &s = d.shape;
    const int64_t size = s.height * s.width, room = cell_room<F>(s, s.out);
    const bool past = d.past && whole_lines(d.out, s.out);
    PlanOne<F>(s, s.in).strips(s, from, to, [&](const Strip &strip) {
        const OneSide<F> side(s, strip, scratch, s.in);
        bring_inputs<F>(side.lines, side.cells, d.in, s.in);
        Ahead next{{behind(rows_of(s, strip), d.in.values, strip.image, strip.images, s.height, s.in, blocks(to, size))}, 1};
        const bool first = strip.image * size + strip.top * s.width == from;
        filter<F, false>(side.lines, side.cells, d.weight, d.out, s.out, scratch + room, next, [&](int64_t c) { return Seeing(m, past, first, s.out, c); });
    });
    if (past) written_past();
}

template <typename F>
void line_backward(const DenseBackward &d, int64_t from, int64_t to, float *weight, int64_t width, Sums sums, float *scratch) {
    const Dense &s = d.shape;
    const int64_t size = s.height * s.width, last_image = to / size, outs = d.last - d.first, room = cell_room<F>(s, outs > 0 ? outs : s.out);
    const auto work = [&](const Strip &strip) {
        const auto behind_this = [&](const float *map, int64_t channels) { return behind(rows_of(s, strip), map, strip.image, strip.images, s.height, channels, last_image); };
        Ahead next{{behind_this(d.out.values, s.out)}, 1};
        if (d.out.map) next.ranges[next.count++] = behind_this(d.out.map, s.out);
        if (outs > 0) {
            next.ranges[next.count++] = behind_this(d.in.values, s.in);
            const TwoSides<F> sides(s, strip, scratch, outs);
            bring_gradients<F>(sides.lines, sides.outs, d.out, s.out, d.first);
            bring_inputs<F>(sides.lines, sides.ins, d.in, s.in);
            filter_weights<F>(sides.outs, sides.ins, weight, width, scratch + room, next);
        }
        if (!d.in_gradient) return;
        const OneSide<F> side(s, strip, scratch, s.out);
        bring_inputs<F>(side.lines, side.cells, d.out, s.out);
        filter<F, true>(side.lines, side.cells, d.weight, d.in_gradient, s.in, scratch + room, next, [&](int64_t c) { return Adding(d.add, s.in, c); });
        mask(d, strip, sums);
    };
    if (outs > 0) PlanTwo<F>(s, outs).strips(s, from, to, work);
    else PlanOne<F>(s, s.out).strips(s, from, to, work);
}

}  // namespace
