// c10d, the distributed engine inside libtorch: a store through which ranks find each other, and gloo, which carries numbers. Every function
// returns NULL, or a message to free with nse_shim_free; no exception leaves this file.

#define USE_C10D_GLOO 1
#include "guard.h"

#include <ATen/ATen.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#include <torch/headeronly/version.h>

#include <chrono>
#include <string>
#include <vector>

// Of its headers only the names of gloo are ours, see gloo/context.h.
static_assert(TORCH_VERSION_MAJOR != 2 || TORCH_VERSION_MINOR != 13 || sizeof(c10d::ProcessGroupGloo) == 488);

namespace {

at::Tensor view(void *values, size_t count, at::ScalarType kind) {
    return at::from_blob(values, {static_cast<int64_t>(count)}, kind);
}

}  // namespace

extern "C" {

struct nse_shim_group {
    // Behind the group, which uses them.
    c10::intrusive_ptr<c10d::TCPStore> store;
    c10::intrusive_ptr<c10d::PrefixStore> own;
    c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
};

// `serves`: the store is opened here. `local`: an address of this machine that the others reach; `interface` instead, if it is not NULL.
char *nse_shim_group_new(const char *address, uint16_t port, bool serves, const char *prefix, const char *local, const char *interface,
                         int rank, int size, int64_t timeout_ms, nse_shim_group **out) {
    return nse::guarded([&] {
        const std::chrono::milliseconds timeout(timeout_ms);
        c10d::TCPStoreOptions options;
        options.port = port;
        options.isServer = serves;
        options.numWorkers = size;
        // Whoever comes later finds the store all the same, and what a rank waits for it waits for below.
        options.waitWorkers = false;
        options.timeout = timeout;
        auto store = c10::make_intrusive<c10d::TCPStore>(address, options);
        auto gloo = c10d::ProcessGroupGloo::Options::create(timeout);
        gloo->devices.push_back(interface ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                                          : c10d::ProcessGroupGloo::createDeviceForHostname(local));
        gloo->threads = 1;
        auto own = c10::make_intrusive<c10d::PrefixStore>(prefix, store);
        own->setTimeout(timeout);
        auto group = c10::make_intrusive<c10d::ProcessGroupGloo>(own, rank, size, gloo);
        *out = new nse_shim_group{std::move(store), std::move(own), std::move(group)};
    });
}

void nse_shim_group_free(nse_shim_group *group) {
    free(nse::guarded([&] { delete group; }));
}

char *nse_shim_group_sum(nse_shim_group *group, int64_t *numbers, size_t count) {
    return nse::guarded([&] {
        std::vector<at::Tensor> tensors{view(numbers, count, at::kLong)};
        group->group->allreduce(tensors)->wait();
    });
}

char *nse_shim_group_max(nse_shim_group *group, double *numbers, size_t count) {
    return nse::guarded([&] {
        std::vector<at::Tensor> tensors{view(numbers, count, at::kDouble)};
        c10d::AllreduceOptions options;
        options.reduceOp = c10d::ReduceOp::MAX;
        group->group->allreduce(tensors, options)->wait();
    });
}

char *nse_shim_group_broadcast(nse_shim_group *group, uint8_t *bytes, size_t count) {
    return nse::guarded([&] {
        std::vector<at::Tensor> tensors{view(bytes, count, at::kByte)};
        group->group->broadcast(tensors)->wait();
    });
}

char *nse_shim_group_gather(nse_shim_group *group, uint8_t *own, size_t count, uint8_t *all) {
    return nse::guarded([&] {
        std::vector<at::Tensor> mine{view(own, count, at::kByte)};
        std::vector<std::vector<at::Tensor>> parts(1);
        for (int rank = 0; rank < group->group->getSize(); ++rank) parts[0].push_back(view(all + rank * count, count, at::kByte));
        group->group->allgather(parts, mine)->wait();
    });
}

char *nse_shim_group_barrier(nse_shim_group *group) {
    return nse::guarded([&] { group->group->barrier()->wait(); });
}

// The next number, from 0, of the count of this name.
char *nse_shim_group_draw(nse_shim_group *group, const char *count, int64_t *number) {
    return nse::guarded([&] { *number = group->own->add(count, 1) - 1; });
}

char *nse_shim_group_forget(nse_shim_group *group, const char *count) {
    return nse::guarded([&] { group->own->deleteKey(count); });
}

}
