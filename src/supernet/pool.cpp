#include "pool.h"

#include <ATen/ops/from_blob.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <set>

namespace nse {
namespace {

// Of so many bytes systems have large pages, on which a map is found with fewer tables.
constexpr size_t LARGE = 2 << 20;

size_t whole(size_t bytes, size_t page) { return (bytes + page - 1) / page * page; }

// In whole pages, which not every system has of 4 KiB.
size_t paged(size_t bytes) {
    static const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    return whole(bytes, page);
}

// Pages of the system, cut and put together again as they are asked for: steps differ in shape, and what one leaves is to do for the next.
struct Pool {
    std::mutex mutex;
    // What is kept, by address and by size; neighbours are one block. And what is in use.
    std::map<char *, size_t> free;
    std::set<std::pair<size_t, char *>> by_size;
    std::map<char *, size_t> sizes;
    // Bytes in use, at most so far, and kept.
    size_t used = 0, most = 0, kept = 0;

    void keep(char *block, size_t size) {
        free.emplace(block, size);
        by_size.emplace(size, block);
        kept += size;
    }

    size_t remove(std::map<char *, size_t>::iterator at) {
        const size_t size = at->second;
        by_size.erase({size, at->first});
        free.erase(at);
        kept -= size;
        return size;
    }

    // Gives pages back, the largest blocks first, until no more than `limit` bytes are kept.
    void shrink(size_t limit) {
        while (kept > limit) {
            char *const block = std::prev(by_size.end())->second;
            const size_t size = remove(free.find(block)), too_many = std::min(size, kept + size - limit);
            // From the beginning of a large page on, which would be cut otherwise.
            const size_t left = size - too_many, cut = reinterpret_cast<uintptr_t>(block + left) % LARGE, stays = left > cut ? left - cut : 0;
            // It may refuse: a hole takes an entry of the system's table.
            if (munmap(block + stays, size - stays) != 0) return keep(block, size);
            if (stays > 0) keep(block, stays);
        }
    }

    // Begins with a large page, and has such pages as far as the system gives them.
    static char *fresh(size_t size) {
        void *const found = mmap(nullptr, size + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (found == MAP_FAILED) return nullptr;
        const uintptr_t first = reinterpret_cast<uintptr_t>(found);
        const size_t before = whole(first, LARGE) - first;
        char *const block = static_cast<char *>(found) + before;
        if (before > 0) munmap(found, before);
        munmap(block + size, LARGE - before);
#if defined(MADV_HUGEPAGE)
        madvise(block, size, MADV_HUGEPAGE);
#endif
        return block;
    }

    char *take(size_t size) {
        const std::lock_guard<std::mutex> lock(mutex);
        char *block = nullptr;
        const auto fits = by_size.lower_bound({size, nullptr});
        if (fits != by_size.end()) {
            block = fits->second;
            const size_t found = remove(free.find(block));
            if (found > size) keep(block + size, found - size);
        } else {
            // Never more than was in use at once.
            shrink(most > used + size ? most - used - size : 0);
            const size_t large = whole(size, LARGE);
            block = fresh(large);
            if (!block) {
                shrink(0);
                block = fresh(large);
            }
            TORCH_CHECK(block, "not enough memory: ", size, " bytes for a feature map");
            if (large > size) keep(block + size, large - size);
        }
        sizes[block] = size;
        used += size;
        most = std::max(most, used);
        return block;
    }

    void give(char *block) {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto at = sizes.find(block);
        size_t size = at->second;
        sizes.erase(at);
        used -= size;
        auto next = free.lower_bound(block);
        if (next != free.end() && next->first == block + size) size += remove(next++);
        if (next != free.begin()) {
            const auto before = std::prev(next);
            if (before->first + before->second == block) {
                block = before->first;
                size += remove(before);
            }
        }
        keep(block, size);
    }
};

// Never destroyed: a tensor may outlive every static object.
Pool &pool() {
    static Pool *const pool = new Pool;
    return *pool;
}

// At least a page.
char *take(int64_t count) { return pool().take(paged(std::max<size_t>(static_cast<size_t>(count) * sizeof(float), 1))); }

}  // namespace

Floats::Floats(int64_t count) : values(count > 0 ? reinterpret_cast<float *>(take(count)) : nullptr) {}

Floats::~Floats() {
    if (values) pool().give(reinterpret_cast<char *>(values));
}

at::Tensor map(int64_t images, int64_t channels, int64_t height, int64_t width) {
    char *const block = take(images * channels * height * width);
    const auto options = at::TensorOptions().dtype(at::kFloat).device(at::kCPU);
    const int64_t sizes[] = {images, channels, height, width}, strides[] = {height * width * channels, 1, width * channels, channels};
    return at::from_blob(block, sizes, strides, [](void *p) { pool().give(static_cast<char *>(p)); }, options);
}

void trim() {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    pool().shrink(0);
    pool().most = pool().used;
}

}  // namespace nse
