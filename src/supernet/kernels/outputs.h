// What is done with outputs of a vector of channels where they are written.
#pragma once

#include "rows.h"

namespace {

// They are seen, for statistics. Whole lines of the cache may be written past it. `first`: of the first output that comes the pivots are taken.
class Seeing {
    Moments m;
    bool past, first;
    int64_t count;
    V pivot, sum = {}, square = {};

  public:
    INLINE Seeing(const Moments &moments, bool past, bool first, int64_t channels, int64_t c)
        : m(moments.of(c)), past(past), first(first && m.pivot), count(channels - c), pivot(m.pivot ? load(m.pivot, count) : V{}) {}

    INLINE void write(float *to, V value) {
        if (first) store(m.pivot, value, count), pivot = value, first = false;
        const V above = value - pivot;
        sum += above, square += above * above;
        if (past) store_past(to, value);
        else store(to, value, count);
    }

    // After not too many, for these are 32-bit sums.
    INLINE void flush() {
        if (m.pivot) ::flush(m.sum, sum, count), ::flush(m.square, square, count);
        sum = square = V{};
    }
};

// Or added to what is there.
class Adding {
    bool add;
    int64_t count;

  public:
    INLINE Adding(bool add, int64_t channels, int64_t c) : add(add), count(channels - c) {}
    INLINE void write(float *to, V value) { store(to, add ? value + load(to, count) : value, count); }
    INLINE void flush() {}
};

}  // namespace
