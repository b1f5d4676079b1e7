// Labelled images.
#ifndef NSE_DATASET_HPP
#define NSE_DATASET_HPP

#include <nse/handle.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// Size of an image.
struct Shape {
    std::uint32_t channels = 1, height = 0, width = 0;
};

namespace detail {

/// A callable that writes images, as C sees it.
template <class F> struct Writer {
    static_assert(std::is_invocable_v<F &, std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *>,
                  "a source takes `first, count, pixels, labels`");
    using Returned = std::invoke_result_t<F &, std::uint32_t, std::uint32_t, std::uint8_t *, std::uint32_t *>;
    static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, std::int32_t>,
                  "a source returns void, or std::int32_t: not 0 is a failure");

    F &callable;

    static std::int32_t fill(void *user, std::uint32_t first, std::uint32_t count, std::uint8_t *pixels,
                             std::uint32_t *labels) noexcept {
        F &callable = static_cast<Writer *>(user)->callable;
        return guarded(-1, [&]() -> std::int32_t {
            if constexpr (std::is_void_v<Returned>) {
                std::invoke(callable, first, count, pixels, labels);
                return 0;
            } else {
                return std::invoke(callable, first, count, pixels, labels);
            }
        });
    }
};

template <class T> void destroy(void *object) noexcept { delete static_cast<T *>(object); }

} // namespace detail

/// Labelled images in memory. Immutable.
class Dataset : public detail::Handle<nse_dataset, nse_dataset_free> {
  public:
    Dataset() noexcept = default;
    /// Takes over a C handle.
    explicit Dataset(nse_dataset *owned) noexcept : Handle(owned) {}

    /// Reads the files that a JSON document names; see nse_dataset_open. NSE_ERR_CONFIG, NSE_ERR_IO, NSE_ERR_FORMAT.
    [[nodiscard]] static Outcome<Dataset> open(std::string_view json) {
        return detail::make<Dataset>(nse_dataset_open, detail::Text("json", json));
    }
    /// Copies the images that a C struct points to. NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range.
    [[nodiscard]] static Outcome<Dataset> from_memory(const nse_images &images) {
        return detail::make<Dataset>(nse_dataset_from_memory, &images);
    }
    /// Copies one image per label: `pixels` is image after image, channel by channel, row by row. `classes` 0: the greatest
    /// label + 1. NSE_ERR_INVALID_ARGUMENT: as above, or not as many pixels as that.
    [[nodiscard]] static Outcome<Dataset> from_memory(Shape shape, const std::vector<std::uint8_t> &pixels,
                                                      const std::vector<std::uint32_t> &labels, std::uint32_t classes = 0) {
        const Result<nse_images> images = described(shape, pixels, labels, classes);
        return images.ok() ? from_memory(*images) : detail::settle(Result<Dataset>(images.error()));
    }
    /// Uses the pixels that a C struct points to where they are, and keeps `owner` (a std::shared_ptr, for example) until nothing
    /// needs them any more; it is destroyed on any thread, and must not throw then. Labels are copied. NSE_ERR_INVALID_ARGUMENT: as
    /// above; the owner is destroyed.
    template <class Owner> [[nodiscard]] static Outcome<Dataset> borrow(const nse_images &images, Owner &&owner) {
        using Kept = std::decay_t<Owner>;
        // Before the owner is handed over: from there on only the library destroys it.
        if (std::optional<Error> found = detail::misfit()) {
            return detail::settle(Result<Dataset>(*std::move(found)));
        }
        auto *const kept = new Kept(std::forward<Owner>(owner));
        return detail::make<Dataset>(nse_dataset_borrow, &images, static_cast<void *>(kept), detail::destroy<Kept>);
    }
    /// Takes the pixels over without a copy: move them in.
    [[nodiscard]] static Outcome<Dataset> borrow(Shape shape, std::vector<std::uint8_t> pixels,
                                                 const std::vector<std::uint32_t> &labels, std::uint32_t classes = 0) {
        const Result<nse_images> images = described(shape, pixels, labels, classes);
        return images.ok() ? borrow(*images, std::move(pixels)) // a vector that moves leaves its values where they are
                           : detail::settle(Result<Dataset>(images.error()));
    }
    /// Has `fill(first, count, pixels, labels)` write all images, some at a time, on this thread: from the image `first` on, `count`
    /// of them; `pixels` as above, and a label each. It returns void, or std::int32_t: not 0 ends it with NSE_ERR_CALLBACK. What it
    /// throws is thrown again from here. NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range.
    template <class F>
    [[nodiscard]] static Outcome<Dataset> from_source(Shape shape, std::uint32_t count, F &&fill, std::uint32_t classes = 0) {
        using Writer = detail::Writer<std::remove_reference_t<F>>;
        Writer writer{fill};
        nse_source source = NSE_SOURCE_INIT;
        source.channels = shape.channels;
        source.height = shape.height;
        source.width = shape.width;
        source.count = count;
        source.classes = classes;
        source.fill = Writer::fill;
        source.user = &writer; // needed during the call only
        return detail::make<Dataset>(nse_dataset_from_source, static_cast<const nse_source *>(&source));
    }
    /// Takes over images and labels that are DLPack tensors; see nse_dataset_from_dlpack. `flags`: 0, or NSE_BORROW to use the
    /// images where they are. The library calls both deleters, also when this throws (but not for NSE_ERR_ABI: then nothing was
    /// taken). NSE_ERR_INVALID_ARGUMENT, NSE_ERR_DEVICE: not in memory of the CPU.
    [[nodiscard]] static Outcome<Dataset> from_dlpack(::DLManagedTensorVersioned *images, ::DLManagedTensorVersioned *labels,
                                                      std::uint32_t classes = 0, std::uint32_t flags = 0) {
        return detail::make<Dataset>(nse_dataset_from_dlpack, images, labels, classes, flags);
    }

    /// Two disjoint parts, alike for the same `seed`; the second holds `fraction` of the images. NSE_ERR_INVALID_ARGUMENT: one
    /// would be empty.
    [[nodiscard]] Outcome<std::pair<Dataset, Dataset>> split(double fraction, std::uint64_t seed = 0) const {
        std::pair<Dataset, Dataset> parts;
        const Result<nse_status> called =
            detail::call(nse_dataset_split, get(), fraction, seed, parts.first.out(), parts.second.out());
        return detail::settle(detail::then(called, std::move(parts)));
    }
    /// As JSON: images, classes, channels, height, width.
    [[nodiscard]] Outcome<std::string> info() const { return detail::read(nse_dataset_info, get()); }

  private:
    /// One image per label; the C struct points into both vectors.
    static Result<nse_images> described(Shape shape, const std::vector<std::uint8_t> &pixels,
                                        const std::vector<std::uint32_t> &labels, std::uint32_t classes) {
        if (!fits(shape, pixels.size(), labels.size())) {
            return detail::bad_argument(NSE_ERR_INVALID_ARGUMENT, "images",
                                        std::to_string(pixels.size()) + " bytes for " + std::to_string(labels.size()) +
                                            " images of " + std::to_string(shape.channels) + "x" +
                                            std::to_string(shape.height) + "x" + std::to_string(shape.width));
        }
        nse_images images = NSE_IMAGES_INIT;
        images.channels = shape.channels;
        images.height = shape.height;
        images.width = shape.width;
        images.count = static_cast<std::uint32_t>(labels.size());
        images.classes = classes;
        images.pixels = pixels.data();
        images.labels = labels.data();
        return images;
    }
    /// Whether `bytes` is exactly `count` images; by division, because the product may be too large.
    static bool fits(Shape shape, std::size_t bytes, std::size_t count) noexcept {
        if (count > std::numeric_limits<std::uint32_t>::max()) {
            return false;
        }
        for (const std::size_t n : {std::size_t(shape.channels), std::size_t(shape.height), std::size_t(shape.width)}) {
            if (n == 0 || bytes % n != 0) {
                return false;
            }
            bytes /= n;
        }
        return bytes == count;
    }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
