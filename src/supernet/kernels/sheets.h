// Images in scratch, with batch-norm and ReLU done, as what products of several pixels read: by channels, or by images.
#pragma once

#include "product.h"

namespace {

// Images in scratch: rows [top, bottom) of each, [image][y][edge, x, edge][ld] of cells.
struct Sheet {
    float *values;
    int64_t top, bottom, width, edge, ld;

    // Not so long that the same place in all rows would be the same of the first cache.
    int64_t row() const {
        const int64_t whole = (width + 2 * edge) * ld;
        return whole % 512 == 0 ? whole + LANES : whole;
    }
    // One vector more, so that images do not begin at the same place of the cache.
    int64_t image() const { return (bottom - top) * row() + LANES; }
    int64_t at(int64_t y, int64_t x) const { return (y - top) * row() + (edge + x) * ld; }
};

// Every `step` images of `images` from `image` on, of `height` rows: place(to, pixel, alone) fills the cells of a pixel and, unless it is alone, of the same in
// the image behind it.
template <typename F>
INLINE void fill(const Sheet &s, int64_t image, int64_t images, int64_t step, int64_t height, F &&place) {
    const int64_t zeros = s.edge * s.ld, gap = s.row() - (s.width + 2 * s.edge) * s.ld;
    float *to = s.values;
    for (const int64_t last = image + images; image < last; image += step, to += LANES) {
        for (int64_t y = s.top; y < s.bottom; ++y) {
            for (int64_t i = 0; i < zeros; i += LANES) store(to + i, V{});
            to += zeros;
            for (int64_t x = 0; x < s.width; ++x, to += s.ld) place(to, (image * height + y) * s.width + x, image + 1 == last);
            for (int64_t i = 0; i < zeros; i += LANES) store(to + i, V{});
            to += zeros + gap;
        }
    }
}

// Cells along the channels.
template <bool LOW, typename Map>
INLINE void gather(const Sheet &s, const Map map, int64_t image, int64_t images, int64_t height, int64_t channels) {
    fill(s, image, images, 1, height, [&](float *to, int64_t pixel, bool) __attribute__((always_inline)) {
        for (int64_t c = 0; c < channels; c += LANES) put<LOW>(to, c, read(map, pixel * channels + c, c, channels - c));
    });
}

// Channels [first, last) into cells along the images; beside a last image that is alone are zeros.
template <bool LOW, typename Map>
INLINE void stack(const Sheet &s, const Map map, int64_t image, int64_t images, int64_t height, int64_t channels, int64_t first, int64_t last) {
    const int64_t apart = height * s.width * channels;
    fill(s, image, images, IN_CELL<LOW>, height, [&](float *to, int64_t pixel, bool alone) __attribute__((always_inline)) {
        for (int64_t c = first; c < last; c += LANES) {
            const int64_t at = pixel * channels + c, count = last - c;
            store(to + c - first, beside<LOW>(read(map, at, c, count), IN_CELL<LOW> == 1 || alone ? V{} : read(map, at + apart, c, count)));
        }
    });
}

// As much of a map as is in a sheet, from where that ends; no more than there is in so many images.
INLINE Ahead::Range behind(const Sheet &s, const float *map, int64_t image, int64_t images, int64_t height, int64_t channels, int64_t last_image) {
    const int64_t row = s.width * channels, from = ((image + images - 1) * height + s.bottom) * row;
    return {map + from, map + least(from + images * (s.bottom - s.top) * row, last_image * height * row)};
}

}  // namespace
