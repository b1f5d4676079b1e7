#include "pool.h"

#include <ATen/ops/empty.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <memory_resource>
#include <mutex>
#include <set>
#include <unordered_map>

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

// Large pages in a row.
struct Row {
    char *begin;
    size_t count;
    char *page(size_t index) const { return begin + index * LARGE; }
};

// Pages of the system, cut and put together again as they are asked for: steps differ in shape, and what one leaves is to do for the next.
struct Pool {
    std::mutex mutex;
    // What is kept, by address and by size; neighbours are one block. And what is in use.
    std::pmr::unsynchronized_pool_resource nodes;
    std::pmr::map<char *, size_t> free{&nodes};
    std::pmr::set<std::pair<size_t, char *>> by_size{&nodes};
    std::pmr::unordered_map<char *, size_t> sizes{&nodes};

    void add(char *block, size_t size) {
        if (size == 0) return;
        free.emplace(block, size);
        by_size.emplace(size, block);
    }

    size_t remove(std::pmr::map<char *, size_t>::iterator at) {
        const size_t size = at->second;
        by_size.erase({size, at->first});
        free.erase(at);
        return size;
    }

    // Adds a block, as one with its neighbours.
    void keep(char *block, size_t size) {
        if (size == 0) return;
        auto next = free.lower_bound(block);
        if (next != free.end() && next->first == block + size) size += remove(next++);
        if (next != free.begin()) {
            const auto before = std::prev(next);
            if (before->first + before->second == block) {
                block = before->first;
                size += remove(before);
            }
        }
        add(block, size);
    }

    // Keeps whole large pages no longer, at most `count`: of the largest block that has any. None if there are none.
    Row lose(size_t count) {
        for (auto at = by_size.rbegin(); at != by_size.rend() && at->first >= LARGE; ++at) {
            const auto [size, block] = *at;
            const uintptr_t address = reinterpret_cast<uintptr_t>(block), begin = whole(address, LARGE), end = (address + size) / LARGE * LARGE;
            if (end <= begin) continue;
            const Row row{block + (begin - address), std::min(count, (end - begin) / LARGE)};
            remove(free.find(block));
            add(block, begin - address);
            add(row.page(row.count), block + size - row.page(row.count));
            return row;
        }
        return {nullptr, 0};
    }

    // Gives the pages back that nothing uses.
    void trim() {
        for (Row row; (row = lose(SIZE_MAX)).count > 0;) {
            // It may refuse: a hole takes an entry of the system's table.
            if (munmap(row.begin, row.count * LARGE) != 0) return keep(row.begin, row.count * LARGE);
        }
    }

    // Large pages as far as the system gives such, or null.
    static char *fresh(size_t count) {
        const size_t size = count * LARGE;
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

    // Puts pages that are kept in the place of fresh ones, as many as there are; on a system that moves none, gives them back instead. So no more
    // is kept and in use than was in use at once, but for parts of pages. False: the system refused, and the fresh ones are kept or gone.
    bool fill(Row fresh) {
        size_t done = 0;
        while (done < fresh.count) {
            const Row row = lose(fresh.count - done);
            if (row.count == 0) break;
            for (size_t i = 0; i < row.count; i++, done++) {
#if defined(MREMAP_FIXED)
                if (mremap(row.page(i), LARGE, LARGE, MREMAP_MAYMOVE | MREMAP_FIXED, fresh.page(done)) != MAP_FAILED) continue;
                // The page in whose place it was to be may be gone, and then belongs to whoever asked next.
                keep(row.page(i), (row.count - i) * LARGE);
                keep(fresh.begin, done * LARGE);
                keep(fresh.page(done + 1), (fresh.count - done - 1) * LARGE);
                return false;
#else
                munmap(row.page(i), LARGE);
#endif
            }
        }
        return true;
    }

    char *take(size_t size) {
        const std::lock_guard<std::mutex> lock(mutex);
        char *block = nullptr;
        const auto fits = by_size.lower_bound({size, nullptr});
        if (fits != by_size.end()) {
            block = fits->second;
            add(block + size, remove(free.find(block)) - size);
        } else {
            const size_t count = whole(size, LARGE) / LARGE;
            block = fresh(count);
            if (!block || !fill({block, count})) {
                trim();
                block = fresh(count);
            }
            TORCH_CHECK(block, "not enough memory: ", size, " bytes for a feature map");
            keep(block + size, count * LARGE - size);
        }
        sizes[block] = size;
        return block;
    }

    void give(char *block) {
        const std::lock_guard<std::mutex> lock(mutex);
        const auto at = sizes.find(block);
        const size_t size = at->second;
        sizes.erase(at);
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

// Of no size yet.
at::Tensor on(c10::Storage block) {
    return at::detail::make_tensor<at::TensorImpl>(std::move(block), c10::DispatchKeySet(c10::DispatchKey::CPU), caffe2::TypeMeta::Make<float>());
}

}  // namespace

Floats::Floats(int64_t count) : values(count > 0 ? reinterpret_cast<float *>(take(count)) : nullptr) {}

Floats::~Floats() {
    if (values) pool().give(reinterpret_cast<char *>(values));
}

c10::Storage block(int64_t count) {
    char *const block = take(count);
    at::DataPtr data(block, block, [](void *p) { pool().give(static_cast<char *>(p)); }, at::kCPU);
    return c10::Storage(c10::Storage::use_byte_size_t(), static_cast<size_t>(count) * sizeof(float), std::move(data), nullptr, false);
}

at::Tensor view(const c10::Storage &block, int64_t first, at::IntArrayRef sizes) {
    at::Tensor view = on(block);
    view.unsafeGetTensorImpl()->set_storage_offset(first);
    view.unsafeGetTensorImpl()->set_sizes_contiguous(sizes);
    return view;
}

at::Tensor map(int64_t images, int64_t channels, int64_t height, int64_t width) {
    const int64_t sizes[] = {images, channels, height, width}, strides[] = {height * width * channels, 1, width * channels, channels};
    at::Tensor map = on(block(images * channels * height * width));
    map.unsafeGetTensorImpl()->set_sizes_and_strides(sizes, strides);
    return map;
}

at::Tensor floats(at::IntArrayRef sizes) {
    const int64_t count = c10::multiply_integers(sizes);
    // Below, a page of its own would cost more than malloc does.
    constexpr int64_t LEAST = 1 << 12;
    return count < LEAST ? at::empty(sizes, at::kFloat) : view(block(count), 0, sizes);
}

void trim() {
    const std::lock_guard<std::mutex> lock(pool().mutex);
    pool().trim();
}

}  // namespace nse
