// Failed calls.
#ifndef NSE_ERROR_HPP
#define NSE_ERROR_HPP

#include <nse.h>
#include <nse/config.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// A failed call. `what()` is one line that names the offending value.
class Error : public std::runtime_error {
  public:
    explicit Error(nse_status code, const std::string &message, std::string detail = "{}")
        : std::runtime_error(message), code_(code), detail_(std::make_shared<const std::string>(std::move(detail))) {}

    /// One of NSE_ERR_*.
    [[nodiscard]] nse_status code() const noexcept { return code_; }
    /// For example "NSE_ERR_CONFIG".
    [[nodiscard]] const char *name() const noexcept { return nse_status_name(code_); }
    /// Facts for programs, as a JSON object; see nse_error_detail.
    [[nodiscard]] const std::string &detail() const noexcept { return *detail_; }

  private:
    nse_status code_;
    std::shared_ptr<const std::string> detail_; // shared, because copying an exception must not throw
};

namespace detail {

/// An argument that is wrong before the library has seen it.
[[nodiscard]] inline Error bad_argument(nse_status code, std::string_view argument, std::string_view what) {
    const std::string name(argument);
    return Error(code, name + ": " + std::string(what), R"({"argument":")" + name + R"("})");
}

} // namespace detail
} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
