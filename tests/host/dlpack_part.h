/* The beginning of what DLPack 1 describes, as any dlpack.h has it. */
#ifndef NSE_TEST_DLPACK_PART_H
#define NSE_TEST_DLPACK_PART_H

#include <stdint.h>

typedef struct DLManagedTensorVersioned {
    uint32_t version[2];
    void *manager;
    void (*deleter)(struct DLManagedTensorVersioned *);
    uint64_t flags;
    void *data;
    int32_t device[2];
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} DLManagedTensorVersioned;

#endif
