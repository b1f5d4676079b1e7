// Versions, the run-time picture, and the end of all threads.
#ifndef NSE_LIBRARY_HPP
#define NSE_LIBRARY_HPP

#include <nse/call.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// Version of the library, for example "0.1.0".
[[nodiscard]] inline std::string_view version() noexcept { return nse_version_string(); }

/// Version of the library: major << 16 | minor << 8 | patch.
[[nodiscard]] inline std::uint32_t version_number() noexcept { return nse_version_number(); }

/// What runs here, as JSON: nse, libtorch, threads, CUDA, OpenMP; see nse_runtime_info.
[[nodiscard]] inline Outcome<std::string> runtime_info() { return detail::read(nse_runtime_info); }

/// Ends all threads of the library; what runs is cancelled. True: none is left. False: `timeout_ms` milliseconds have passed, or this
/// is called on one of them. What nse_shutdown says of searches and models holds.
inline Outcome<bool> shutdown(std::uint32_t timeout_ms = NSE_FOREVER) {
    const Result<nse_status> called = detail::call(nse_shutdown, timeout_ms);
    return detail::settle(detail::then(called, called.ok() && *called == NSE_OK));
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
