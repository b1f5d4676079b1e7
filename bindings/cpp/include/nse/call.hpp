// How C functions are called: status to error, buffer to string, string_view to C text, exceptions around C. Not for users.
#ifndef NSE_CALL_HPP
#define NSE_CALL_HPP

#include <nse/result.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {
namespace detail {

struct Buffer : nse_buffer {
    Buffer() noexcept : nse_buffer{nullptr, 0, nullptr} {}
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() { nse_buffer_free(this); }
    [[nodiscard]] std::string text() const { return data == nullptr ? std::string() : std::string(data, len); }
};

struct FreeError {
    void operator()(nse_error *error) const noexcept { nse_error_free(error); }
};

/// What a call that returned `status` left in its last parameter.
[[nodiscard]] inline Error failure(nse_status status, const nse_error *error) {
    if (error == nullptr) { // in a forked child, for example
        return Error(status, nse_status_name(status));
    }
    Buffer facts;
    const bool known = nse_error_detail(error, &facts) == NSE_OK;
    return Error(nse_error_code(error), nse_error_message(error), known ? facts.text() : "{}");
}

/// Whether header and library fit together; asked until it has succeeded once.
[[nodiscard]] inline std::optional<Error> misfit() {
    static std::atomic<bool> fits{false};
    if (!fits.load(std::memory_order_relaxed)) {
        if (nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
            return Error(NSE_ERR_ABI, "the header is for ABI " + std::to_string(NSE_ABI_VERSION) + ", the library, nse " +
                                          nse_version_string() + ", has another");
        }
        fits.store(true, std::memory_order_relaxed);
    }
    return std::nullopt;
}

/// What the callbacks of one call threw. Events arrive on the thread of the call, so the innermost call of a thread is the one
/// they belong to: no other thread, and no end of the object inside its own callback, can take the exception away.
class Watch {
  public:
    Watch() noexcept : outer_(std::exchange(innermost(), this)) {}
    Watch(const Watch &) = delete;
    Watch &operator=(const Watch &) = delete;
    ~Watch() { innermost() = outer_; }

    [[nodiscard]] static Watch *&innermost() noexcept {
        static thread_local Watch *watch = nullptr;
        return watch;
    }

    std::exception_ptr thrown;

  private:
    Watch *outer_;
};

/// Runs a callback for C: what it throws waits for the end of the call, and C hears `failed`.
template <class Work> std::int32_t guarded(std::int32_t failed, Work work) noexcept {
#ifdef __cpp_exceptions
    Watch *const watch = Watch::innermost();
    try {
        return work();
    } catch (...) {
        if (watch != nullptr) {
            watch->thrown = std::current_exception();
        }
        return failed;
    }
#else
    static_cast<void>(failed);
    return work();
#endif
}

/// Text as C wants it: with a NUL behind, and none inside.
class Text {
  public:
    Text(const char *argument, std::string_view text) : argument_(argument), text_(text) {}
    [[nodiscard]] std::optional<Error> fault() const {
        return text_.find('\0') == std::string::npos
                   ? std::nullopt
                   : std::optional(bad_argument(NSE_ERR_INVALID_ARGUMENT, argument_, "NUL inside a text"));
    }
    [[nodiscard]] const char *raw() const noexcept { return text_.c_str(); }

  private:
    const char *argument_;
    std::string text_;
};

/// An object where NULL would mean "none" in C, which an empty object does not.
template <class Noun> class Given {
  public:
    Given(const char *argument, const Noun &noun) noexcept : argument_(argument), raw_(noun.get()) {}
    [[nodiscard]] std::optional<Error> fault() const {
        return raw_ != nullptr ? std::nullopt
                               : std::optional(bad_argument(NSE_ERR_INVALID_HANDLE, argument_, "this object is empty"));
    }
    [[nodiscard]] auto *raw() const noexcept { return raw_; }

  private:
    const char *argument_;
    decltype(std::declval<const Noun &>().get()) raw_;
};

template <class T> std::optional<Error> fault_of(const T &) { return std::nullopt; }
inline std::optional<Error> fault_of(const Text &text) { return text.fault(); }
template <class Noun> std::optional<Error> fault_of(const Given<Noun> &given) { return given.fault(); }
template <class T> T raw(T argument) noexcept { return argument; }
inline const char *raw(const Text &text) noexcept { return text.raw(); }
template <class Noun> auto *raw(const Given<Noun> &given) noexcept { return given.raw(); }

/// Why a call with these arguments would not reach the library, if so.
template <class... Args> [[nodiscard]] std::optional<Error> obstacle(const Args &...args) {
    std::optional<Error> found = misfit();
    static_cast<void>((... || (found || (found = fault_of(args)))));
    return found;
}

/// Calls `function(args..., &error)`. Throws what a callback threw; the status, when there is one, is NSE_OK or above.
template <class Function, class... Args> Result<nse_status> call(Function function, const Args &...args) {
    if (std::optional<Error> found = obstacle(args...)) {
        return *std::move(found);
    }
    Watch watch;
    nse_error *out = nullptr;
    const nse_status status = function(raw(args)..., &out);
    const std::unique_ptr<nse_error, FreeError> error(out);
    if (watch.thrown) {
        std::rethrow_exception(watch.thrown);
    }
    if (status < 0) {
        return failure(status, error.get());
    }
    return status;
}

/// The text that `function(args..., &buffer, &error)` gives.
template <class Function, class... Args> Outcome<std::string> read(Function function, const Args &...args) {
    Buffer buffer;
    const Result<nse_status> called = call(function, args..., static_cast<nse_buffer *>(&buffer));
    return settle(then(called, buffer.text()));
}

/// For functions that give nothing but success.
template <class Function, class... Args> Outcome<void> perform(Function function, const Args &...args) {
    return settle(done(call(function, args...)));
}

} // namespace detail

/// NSE_ERR_ABI when header and library do not fit together. The first call of any other function says so too.
inline Outcome<void> abi_check() {
    std::optional<Error> found = detail::misfit();
    return detail::settle(found ? Result<void>(*std::move(found)) : Result<void>(detail::Nothing()));
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
