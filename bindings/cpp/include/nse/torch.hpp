// Tensors of libtorch for nse, and DLPack for both. Not part of nse.hpp: for programs that have libtorch's headers and link it, the
// same libtorch that libnse.so finds.
//
// Nothing is copied on the way: a tensor is handed over as DLPack, with a reference that keeps its memory. What does not fit (the
// type of its elements, its shape, its device) is an error that names it, never a conversion.
#ifndef NSE_TORCH_HPP
#define NSE_TORCH_HPP

#include <nse/search.hpp>

#include <ATen/DLConvertor.h>

#include <exception>
#include <memory>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {
namespace detail {

struct FreeTensor {
    void operator()(::DLManagedTensorVersioned *tensor) const noexcept {
        if (tensor->deleter != nullptr) {
            tensor->deleter(tensor);
        }
    }
};

} // namespace detail

/// A DLPack tensor: `release` it to who takes it over (Dataset::from_dlpack, Search::push_dlpack).
using DLPack = std::unique_ptr<::DLManagedTensorVersioned, detail::FreeTensor>;

namespace detail {

inline Result<DLPack> exported(const char *argument, const at::Tensor &tensor) {
    try {
        return DLPack(at::toDLPackVersioned(tensor.detach()));
    } catch (const c10::Error &error) { // undefined, sparse, quantised, ...
        return bad_argument(NSE_ERR_INVALID_ARGUMENT, argument, error.what_without_backtrace());
    }
}

/// What `take(images, labels)` gives, which is a call that takes both tensors over.
template <class T, class Take> Outcome<T> handed_over(const at::Tensor &images, const at::Tensor &labels, Take take) {
    if (std::optional<Error> found = misfit()) {
        return settle(Result<T>(*std::move(found)));
    }
    Result<DLPack> pixels = exported("images", images), classes = exported("labels", labels);
    if (!pixels.ok() || !classes.ok()) {
        return settle(Result<T>((pixels.ok() ? classes : pixels).error()));
    }
    return take(pixels->release(), classes->release());
}

} // namespace detail

/// The tensor as DLPack, sharing its memory. NSE_ERR_INVALID_ARGUMENT: undefined, sparse, or of a type that DLPack does not have.
[[nodiscard]] inline Outcome<DLPack> to_dlpack(const at::Tensor &tensor) {
    return detail::settle(detail::exported("tensor", tensor));
}

/// DLPack as a tensor, sharing its memory. NSE_ERR_INVALID_ARGUMENT: empty, or what libtorch does not take.
[[nodiscard]] inline Outcome<at::Tensor> from_dlpack(DLPack tensor) {
    if (!tensor) {
        return detail::settle(
            Result<at::Tensor>(detail::bad_argument(NSE_ERR_INVALID_ARGUMENT, "tensor", "this DLPack is empty")));
    }
    try {
        at::Tensor made = at::fromDLPackVersioned(tensor.get());
        static_cast<void>(tensor.release()); // the tensor's from here on
        return made;
    } catch (const c10::Error &error) {
        return detail::settle(
            Result<at::Tensor>(detail::bad_argument(NSE_ERR_INVALID_ARGUMENT, "tensor", error.what_without_backtrace())));
    }
}

/// A dataset of tensors: images uint8 [count, channels, height, width], labels of an integer type [count]; on the CPU or a CUDA
/// device. `flags`: 0 copies the images; NSE_BORROW keeps the tensor and uses its memory, which must not change then; see
/// nse_dataset_from_dlpack. NSE_ERR_INVALID_ARGUMENT. NSE_ERR_DEVICE.
[[nodiscard]] inline Outcome<Dataset> dataset_from_tensors(const at::Tensor &images, const at::Tensor &labels,
                                                           std::uint32_t classes = 0, std::uint32_t flags = 0) {
    return detail::handed_over<Dataset>(images, labels,
                                        [=](::DLManagedTensorVersioned *pixels, ::DLManagedTensorVersioned *numbers) {
                                            return Dataset::from_dlpack(pixels, numbers, classes, flags);
                                        });
}

/// Search::push with tensors: images float32 [count, channels, height, width], labels of an integer type [count]; on the CPU or a
/// CUDA device, there ready for its default stream. NSE_ERR_INVALID_ARGUMENT. NSE_ERR_DEVICE.
inline Outcome<Pushed> push_tensors(Search &search, Phase phase, const at::Tensor &images, const at::Tensor &labels,
                                    double lr = 0) {
    return detail::handed_over<Pushed>(images, labels,
                                       [&](::DLManagedTensorVersioned *pixels, ::DLManagedTensorVersioned *numbers) {
                                           return search.push_dlpack(phase, pixels, numbers, lr);
                                       });
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
