// Images as planes of numbers.
#ifndef NSE_PICTURE_HPP
#define NSE_PICTURE_HPP

#include <nse/call.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// How near two images are.
struct Likeness {
    /// Decibels; infinite for equal images.
    double psnr = 0;
    /// -1 to 1; NaN where a side is below 11.
    double ssim = 0;
};

/// An image: plane after plane, row by row. Black is 0 and white is 1; see nse_picture.
struct Picture {
    /// 1 or 3.
    std::uint32_t channels = 1;
    std::uint32_t height = 0, width = 0;
    /// channels x height x width.
    std::vector<float> values;

    /// PSNR and SSIM; see nse_picture_compare. NSE_ERR_INVALID_ARGUMENT: no images, or of different shapes.
    [[nodiscard]] Outcome<Likeness> compare(const Picture &other) const {
        std::optional<Error> found = fault("a");
        if (found || (found = other.fault("b"))) {
            return detail::settle(Result<Likeness>(*std::move(found)));
        }
        const nse_picture a = raw(), b = other.raw();
        Likeness likeness;
        const Result<nse_status> called =
            detail::call(nse_picture_compare, &a, &b, &likeness.psnr, &likeness.ssim);
        return detail::settle(detail::then(called, likeness));
    }

    /// The C struct, which points to `values`.
    [[nodiscard]] nse_picture raw() const noexcept {
        nse_picture picture = NSE_PICTURE_INIT;
        picture.channels = channels;
        picture.height = height;
        picture.width = width;
        picture.data = values.data();
        return picture;
    }
    /// What C could not see: not as many values as the shape has.
    [[nodiscard]] std::optional<Error> fault(const char *argument) const {
        if (values.size() == std::size_t{channels} * height * width) {
            return std::nullopt;
        }
        return detail::bad_argument(NSE_ERR_INVALID_ARGUMENT, argument,
                                    std::to_string(values.size()) + " values for " + std::to_string(channels) + " x " +
                                        std::to_string(height) + " x " + std::to_string(width));
    }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
