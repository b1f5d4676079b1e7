// Work of a CUDA device beside other work of it, by the device-independent half of libtorch: it is there also where CUDA is not. A device
// below 0 is the CPU, which has done what it was told when it has been told. Every function returns NULL, or a message to free with
// nse_shim_free; no exception leaves this file.

#include "guard.h"

#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <cstdlib>

namespace {

struct Cuda {
    c10::impl::VirtualGuardImpl calls{c10::DeviceType::CUDA};
    c10::Device device;

    explicit Cuda(int index) : device(c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index)) {}

    c10::Stream current() const { return calls.getStream(device); }
};

}  // namespace

extern "C" {

struct nse_shim_side {
    c10::Stream before;
};

struct nse_shim_mark {
    int device;
    c10::Event event{c10::DeviceType::CUDA};
};

// From now on, until it is freed there, what this thread has the device do is done beside what others have it do.
char *nse_shim_side_new(int device, nse_shim_side **out) {
    return nse::guarded([&] {
        Cuda cuda(device);
        cuda.calls.setDevice(cuda.device);
        *out = new nse_shim_side{cuda.calls.exchangeStream(cuda.calls.getStreamFromGlobalPool(cuda.device, true))};
    });
}

void nse_shim_side_free(nse_shim_side *side) {
    free(nse::guarded([&] {
        c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).exchangeStream(side->before);
        delete side;
    }));
}

// What this thread has had the device do until now.
char *nse_shim_mark_new(int device, nse_shim_mark **out) {
    return nse::guarded([&] {
        auto mark = std::make_unique<nse_shim_mark>(nse_shim_mark{device});
        mark->event.record(Cuda(device).current());
        *out = mark.release();
    });
}

// What this thread has the device do from now on begins when that is done.
char *nse_shim_mark_wait(const nse_shim_mark *mark) {
    return nse::guarded([&] { mark->event.block(Cuda(mark->device).current()); });
}

void nse_shim_mark_free(nse_shim_mark *mark) {
    free(nse::guarded([&] { delete mark; }));
}

// What CUDA calls the queue of this thread, and makes the device the one that CUDA's own functions take on this thread.
char *nse_shim_queue(int device, void **out) {
    return nse::guarded([&] {
        *out = nullptr;
        if (device < 0) return;
        Cuda cuda(device);
        cuda.calls.setDevice(cuda.device);
        *out = cuda.calls.getStreamNativeHandle(cuda.current());
    });
}

// Whether the device has done all that this thread had it do.
char *nse_shim_idle(int device, bool *out) {
    return nse::guarded([&] {
        *out = device < 0;
        if (device < 0) return;
        Cuda cuda(device);
        *out = cuda.calls.queryStream(cuda.current());
    });
}

}
