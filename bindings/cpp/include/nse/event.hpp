// Progress: events, and how a C++ callable is told of them.
#ifndef NSE_EVENT_HPP
#define NSE_EVENT_HPP

#include <nse/call.hpp>

#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace nse {
inline namespace v1 {

/// Progress, valid during the callback only; `kind` is one of NSE_EVENT_*.
using Event = nse_event;

namespace detail {

/// No callback.
struct Silent {};

/// A callable as C sees it.
template <class F> struct Listener {
    static_assert(std::is_invocable_v<F &, const Event &>, "a callback takes `const nse::Event &`");
    using Result = std::invoke_result_t<F &, const Event &>;
    static_assert(std::is_void_v<Result> || std::is_same_v<Result, bool>, "a callback returns void, or bool: true cancels");

    static std::int32_t on_event(void *user, const nse_event *event) noexcept {
        Watch *const watch = Watch::innermost();
        if (watch != nullptr && watch->thrown) {
            return 1; // an event that was on its way when the callback threw
        }
        try {
            return tell(*static_cast<F *>(user), *event) ? 1 : 0;
        } catch (...) {
            if (watch != nullptr) {
                watch->thrown = std::current_exception();
            }
            return 1;
        }
    }

    static void user_free(void *user) noexcept { delete static_cast<F *>(user); }

  private:
    static bool tell(F &callable, const Event &event) {
        if constexpr (std::is_void_v<Result>) {
            std::invoke(callable, event);
            return false;
        } else {
            return std::invoke(callable, event);
        }
    }
};

/// Runs `work(events)`, whose C function then owns the callable and frees it once; NULL when nobody listens.
template <class F, class Work> void with_events(F &&on_event, Work work) {
    using Callable = std::decay_t<F>;
    if constexpr (std::is_same_v<Callable, Silent>) {
        work(static_cast<const nse_events *>(nullptr));
    } else {
        check_once(); // before the callable is handed over: from there on only the library frees it
        nse_events events = NSE_EVENTS_INIT;
        events.on_event = Listener<Callable>::on_event;
        events.user_free = Listener<Callable>::user_free;
        events.user = new Callable(std::forward<F>(on_event));
        work(static_cast<const nse_events *>(&events));
    }
}

} // namespace detail
} // namespace v1
} // namespace nse

#endif
