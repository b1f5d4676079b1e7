// How C functions are called: status to exception, buffer to string, string_view to C text. Not for users.
#ifndef NSE_CALL_HPP
#define NSE_CALL_HPP

#include <nse/error.hpp>

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace v1 {

/// Throws NSE_ERR_ABI when header and library do not fit together. The first call of any other function does it too.
inline void abi_check() {
    if (nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        throw Error(NSE_ERR_ABI, "the header is for ABI " + std::to_string(NSE_ABI_VERSION) + ", the library, nse " +
                                     nse_version_string() + ", has another");
    }
}

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

[[noreturn]] inline void raise(nse_status status, const nse_error *error) {
    if (error == nullptr) { // in a forked child, for example
        throw Error(status, nse_status_name(status));
    }
    Buffer facts;
    const bool known = nse_error_detail(error, &facts) == NSE_OK;
    throw Error(status, nse_error_message(error), known ? facts.text() : "{}");
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

/// abi_check until it has succeeded once.
inline void check_once() {
    static const bool fits = (abi_check(), true);
    static_cast<void>(fits);
}

/// Calls `function(args..., &error)`. Throws what a callback threw, else the error; so the status is NSE_OK or above.
template <class Function, class... Args> nse_status call(Function function, Args... args) {
    check_once();
    Watch watch;
    nse_error *raw = nullptr;
    const nse_status status = function(args..., &raw);
    const std::unique_ptr<nse_error, FreeError> error(raw);
    if (watch.thrown) {
        std::rethrow_exception(watch.thrown);
    }
    if (status < 0) {
        raise(status, error.get());
    }
    return status;
}

/// The text that `function(args..., &buffer, &error)` gives.
template <class Function, class... Args> [[nodiscard]] std::string read(Function function, Args... args) {
    Buffer buffer;
    call(function, args..., static_cast<nse_buffer *>(&buffer));
    return buffer.text();
}

/// Text as C wants it: with a NUL behind, and none inside.
class Text {
  public:
    Text(const char *argument, std::string_view text) : text_(text) {
        if (text.find('\0') != std::string_view::npos) {
            throw Error(NSE_ERR_INVALID_ARGUMENT, std::string(argument) + ": NUL inside a text",
                        std::string(R"({"argument":")") + argument + R"("})");
        }
    }
    [[nodiscard]] const char *c_str() const noexcept { return text_.c_str(); }

  private:
    std::string text_;
};

} // namespace detail
} // namespace v1
} // namespace nse

#endif
