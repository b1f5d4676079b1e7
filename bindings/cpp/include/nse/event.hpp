// Progress: events, and how a C++ callable is told of them.
#ifndef NSE_EVENT_HPP
#define NSE_EVENT_HPP

#include <nse/handle.hpp>

#include <cstdint>
#include <functional>
#include <type_traits>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// Progress, valid during the callback only; `kind` is one of NSE_EVENT_*.
using Event = nse_event;

namespace detail {

/// No callback.
struct Silent {};

/// A callable as C sees it.
template <class F> struct Listener {
    static_assert(std::is_invocable_v<F &, const Event &>, "a callback takes `const nse::Event &`");
    using Returned = std::invoke_result_t<F &, const Event &>;
    static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, bool>, "a callback returns void, or bool: true cancels");

    static std::int32_t on_event(void *user, const nse_event *event) noexcept {
        const Watch *const watch = Watch::innermost();
        if (watch != nullptr && watch->thrown) {
            return 1; // an event that was on its way when the callback threw
        }
        return guarded(1, [&] { return tell(*static_cast<F *>(user), *event) ? 1 : 0; });
    }

    static void user_free(void *user) noexcept { delete static_cast<F *>(user); }

  private:
    static bool tell(F &callable, const Event &event) {
        if constexpr (std::is_void_v<Returned>) {
            std::invoke(callable, event);
            return false;
        } else {
            return std::invoke(callable, event);
        }
    }
};

/// What `function(before..., &desc, &handle, &error)` makes of a struct with options and a callable, which the library then owns
/// and frees once.
template <class Noun, class Desc, class F, class Function, class... Before>
Outcome<Noun> make_described(Desc desc, const Text &options, F &&on_event, Function function, const Before &...before) {
    if (std::optional<Error> found = obstacle(before..., options)) { // before the callable is handed over
        return settle(Result<Noun>(*std::move(found)));
    }
    desc.options_json = *options.raw() == '\0' ? nullptr : options.raw();
    using Callable = std::decay_t<F>;
    nse_events events = NSE_EVENTS_INIT;
    if constexpr (!std::is_same_v<Callable, Silent>) {
        events.on_event = Listener<Callable>::on_event;
        events.user_free = Listener<Callable>::user_free;
        events.user = new Callable(std::forward<F>(on_event));
        desc.events = &events;
    } else {
        static_cast<void>(on_event);
    }
    return make<Noun>(function, before..., static_cast<const Desc *>(&desc));
}

} // namespace detail
} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
