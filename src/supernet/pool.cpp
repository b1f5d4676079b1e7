#include "pool.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>

namespace nse {
namespace {

constexpr size_t PAGE = 4096;

struct Pool {
    std::mutex mutex;
    std::multimap<size_t, void *> free;
    // Bytes of the blocks in use, at most so far, and kept.
    size_t used = 0, most = 0, kept = 0;

    // Blocks come in eight sizes per power of two: steps differ in shape, and most of what one leaves fits the next.
    static size_t rounded(size_t bytes) {
        size_t step = PAGE;
        while (step * 16 < bytes) step *= 2;
        return (bytes + step - 1) / step * step;
    }

    // Gives blocks back, the largest first, until no more than `limit` bytes are kept.
    void shrink(size_t limit) {
        while (kept > limit) {
            const auto last = std::prev(free.end());
            kept -= last->first;
            std::free(last->second);
            free.erase(last);
        }
    }

    void *take(size_t size) {
        const std::lock_guard<std::mutex> lock(mutex);
        void *block = nullptr;
        const auto fits = free.lower_bound(size);
        if (fits != free.end() && fits->first <= size + size / 4) {
            block = fits->second;
            kept -= fits->first;
            sizes[block] = fits->first;
            used += fits->first;
            free.erase(fits);
        } else {
            // Never more than was in use at once.
            shrink(most > used + size ? most - used - size : 0);
            block = std::aligned_alloc(PAGE, size);
            if (!block) {
                shrink(0);
                block = std::aligned_alloc(PAGE, size);
            }
            TORCH_CHECK(block, "not enough memory: ", size, " bytes for a feature map");
            sizes[block] = size;
            used += size;
        }
        most = std::max(most, used);
        return block;
    }

    void give(void *block) {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto at = sizes.find(block);
        const size_t size = at->second;
        sizes.erase(at);
        used -= size, kept += size;
        free.emplace(size, block);
    }

    std::map<void *, size_t> sizes;
};

// Never destroyed: a tensor may outlive every static object.
Pool &pool() {
    static Pool *const pool = new Pool;
    return *pool;
}

}  // namespace

at::Tensor map(int64_t images, int64_t channels, int64_t height, int64_t width) {
    const size_t bytes = static_cast<size_t>(images * channels * height * width) * sizeof(float);
    void *block = pool().take(Pool::rounded(std::max<size_t>(bytes, 1)));
    const auto options = at::TensorOptions().dtype(at::kFloat).device(at::kCPU);
    const int64_t sizes[] = {images, channels, height, width}, strides[] = {height * width * channels, 1, width * channels, channels};
    return at::from_blob(block, sizes, strides, [](void *p) { pool().give(p); }, options);
}

void trim() {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    pool().shrink(0);
    pool().most = pool().used;
}

}  // namespace nse
