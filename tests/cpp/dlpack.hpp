// Tensors as other libraries give them.
#ifndef NSE_TESTS_DLPACK_HPP
#define NSE_TESTS_DLPACK_HPP

#include <nse/nse.hpp>

#include <cstdint>
#include <utility>
#include <vector>

// DLPack 1, as its header has it; nse.hpp came first and only knows the name.
extern "C" {
struct DLTensor {
    void *data;
    std::int32_t device_type, device_id;
    std::int32_t ndim;
    std::uint8_t code, bits;
    std::uint16_t lanes;
    std::int64_t *shape, *strides;
    std::uint64_t byte_offset;
};
struct DLManagedTensorVersioned {
    std::uint32_t major, minor;
    void *manager_ctx;
    void (*deleter)(DLManagedTensorVersioned *self);
    std::uint64_t flags;
    DLTensor dl_tensor;
};
}

namespace support {

/// A tensor that deletes itself, and counts that. Its data stays the test's.
inline DLManagedTensorVersioned *tensor(void *data, std::uint8_t code, std::uint8_t bits, std::vector<std::int64_t> sizes, int &deleted) {
    struct Owner {
        DLManagedTensorVersioned managed;
        std::vector<std::int64_t> sizes;
        int *deleted;
    };
    auto *const owner = new Owner{{}, std::move(sizes), &deleted};
    owner->managed.major = 1;
    owner->managed.manager_ctx = owner;
    owner->managed.deleter = [](DLManagedTensorVersioned *self) {
        auto *const all = static_cast<Owner *>(self->manager_ctx);
        ++*all->deleted;
        delete all;
    };
    owner->managed.dl_tensor = {data, 1, 0, static_cast<std::int32_t>(owner->sizes.size()), code, bits, 1, owner->sizes.data(), nullptr, 0};
    return &owner->managed;
}

} // namespace support

#endif
