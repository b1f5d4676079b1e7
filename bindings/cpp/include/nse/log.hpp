// The log of the library, told to a C++ callable.
#ifndef NSE_LOG_HPP
#define NSE_LOG_HPP

#include <nse/call.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

namespace detail {

template <class F> struct Sink {
    static_assert(std::is_invocable_v<F &, std::int32_t, std::string_view, std::string_view>,
                  "a log takes the level (NSE_LOG_*), the target and the message");

    static void log(void *user, std::int32_t level, const char *target, const char *message, std::size_t len) noexcept {
        Watch nobody; // there is no call that what it throws could come out of
        guarded(0, [&] {
            std::invoke(*static_cast<F *>(user), level, std::string_view(target), std::string_view(message, len));
            return 0;
        });
    }

    static void user_free(void *user) noexcept { delete static_cast<F *>(user); }
};

} // namespace detail

/// Sends the messages of the library, for the whole process, to `log(level, target, message)`. It runs on any thread, on several at
/// once, and may call anything; what it throws is lost. It is destroyed once, when it was replaced and no call of it is under way.
template <class F> Outcome<void> set_log(F &&log) {
    using Callable = std::decay_t<F>;
    // Before the callable is handed over: from there on only the library frees it.
    if (std::optional<Error> found = detail::misfit()) {
        return detail::settle(Result<void>(*std::move(found)));
    }
    nse_log_sink sink = NSE_LOG_SINK_INIT;
    sink.log = detail::Sink<Callable>::log;
    sink.user_free = detail::Sink<Callable>::user_free;
    sink.user = new Callable(std::forward<F>(log));
    return detail::perform(nse_set_log, static_cast<const nse_log_sink *>(&sink));
}

/// Sends the messages nowhere, as at the beginning.
inline Outcome<void> clear_log() { return detail::perform(nse_set_log, static_cast<const nse_log_sink *>(nullptr)); }

/// One of NSE_LOG_*, for the whole process; NSE_LOG_INFO at the beginning.
inline Outcome<void> set_log_level(std::int32_t level) {
    std::optional<Error> found = detail::misfit();
    if (const nse_status status = found ? NSE_OK : nse_set_log_level(level); status < 0) {
        found = detail::bad_argument(status, "level", std::to_string(level) + " is not one of NSE_LOG_*");
    }
    return detail::settle(found ? Result<void>(*std::move(found)) : Result<void>(detail::Nothing()));
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
