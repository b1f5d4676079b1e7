// Memory of one thread for one purpose, which is kept for the next time: asking for as much each time costs more than much of what is computed in it.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace nse {

// Grows; whole pages, not initialised.
template <typename T>
class Kept {
    struct Free {
        void operator()(T *p) const { std::free(p); }
    };
    std::unique_ptr<T, Free> memory;
    int64_t room = 0;

  public:
    T *get(int64_t count) {
        if (count > room) {
            memory.reset(), room = 0;
            const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 4095) / 4096 * 4096;
            memory.reset(static_cast<T *>(std::aligned_alloc(4096, bytes)));
            if (!memory) throw std::bad_alloc();
            room = count;
        }
        return memory.get();
    }
};

}  // namespace nse
