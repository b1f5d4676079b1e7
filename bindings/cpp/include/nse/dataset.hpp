// Labelled images.
#ifndef NSE_DATASET_HPP
#define NSE_DATASET_HPP

#include <nse/handle.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nse {
inline namespace v1 {

/// Size of an image.
struct Shape {
    std::uint32_t channels = 1, height = 0, width = 0;
};

/// Labelled images in memory. Immutable.
class Dataset : public detail::Handle<nse_dataset, nse_dataset_free> {
  public:
    Dataset() noexcept = default;
    /// Takes over a C handle.
    explicit Dataset(nse_dataset *owned) noexcept : Handle(owned) {}

    /// Reads the files that a JSON document names; see nse_dataset_open. NSE_ERR_CONFIG, NSE_ERR_IO, NSE_ERR_FORMAT.
    [[nodiscard]] static Dataset open(std::string_view json) {
        return detail::make<Dataset>(nse_dataset_open, detail::Text("json", json).c_str());
    }
    /// Copies the images that a C struct points to. NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range.
    [[nodiscard]] static Dataset from_memory(const nse_images &images) {
        return detail::make<Dataset>(nse_dataset_from_memory, &images);
    }
    /// Copies one image per label: `pixels` is image after image, channel by channel, row by row. `classes` 0: the greatest
    /// label + 1. NSE_ERR_INVALID_ARGUMENT: as above, or not as many pixels as that.
    [[nodiscard]] static Dataset from_memory(Shape shape, const std::vector<std::uint8_t> &pixels,
                                             const std::vector<std::uint32_t> &labels, std::uint32_t classes = 0) {
        if (!fits(shape, pixels.size(), labels.size())) {
            throw Error(NSE_ERR_INVALID_ARGUMENT,
                        "images: " + std::to_string(pixels.size()) + " bytes for " + std::to_string(labels.size()) +
                            " images of " + std::to_string(shape.channels) + "x" + std::to_string(shape.height) + "x" +
                            std::to_string(shape.width),
                        R"({"argument":"images"})");
        }
        nse_images images = NSE_IMAGES_INIT;
        images.channels = shape.channels;
        images.height = shape.height;
        images.width = shape.width;
        images.count = static_cast<std::uint32_t>(labels.size());
        images.classes = classes;
        images.pixels = pixels.data();
        images.labels = labels.data();
        return from_memory(images);
    }

    /// Two disjoint parts, alike for the same `seed`; the second holds `fraction` of the images. NSE_ERR_INVALID_ARGUMENT: one
    /// would be empty.
    [[nodiscard]] std::pair<Dataset, Dataset> split(double fraction, std::uint64_t seed = 0) const {
        std::pair<Dataset, Dataset> parts;
        detail::call(nse_dataset_split, get(), fraction, seed, parts.first.out(), parts.second.out());
        return parts;
    }
    /// As JSON: images, classes, channels, height, width.
    [[nodiscard]] std::string info() const { return detail::read(nse_dataset_info, get()); }

  private:
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

} // namespace v1
} // namespace nse

#endif
