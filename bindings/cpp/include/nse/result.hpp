// A value or an error, and what a call gives: that, or the value alone where failures are thrown.
#ifndef NSE_RESULT_HPP
#define NSE_RESULT_HPP

#include <nse/error.hpp>

#include <cstdlib>
#include <type_traits>
#include <utility>
#include <variant>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {
namespace detail {

/// The value of a failure was asked for.
[[noreturn]] inline void no_value(const Error &error) {
#ifdef __cpp_exceptions
    throw Error(error);
#else
    static_cast<void>(error);
    std::abort();
#endif
}

struct Nothing {};

} // namespace detail

/// A value, or the error that came instead. It converts to no bool: that of a Result<bool> could be taken for the value.
template <class T> class [[nodiscard]] Result {
    using Value = std::conditional_t<std::is_void_v<T>, detail::Nothing, T>;

  public:
    Result(Value value) : held_(std::in_place_index<0>, std::move(value)) {} // NOLINT: not explicit
    Result(Error error) : held_(std::in_place_index<1>, std::move(error)) {} // NOLINT: not explicit

    [[nodiscard]] bool ok() const noexcept { return held_.index() == 0; }

    /// The value. Of a failure: throws the error, or without exceptions ends the process (std::abort).
    [[nodiscard]] const Value &value() const & { return check(), *std::get_if<0>(&held_); }
    [[nodiscard]] Value &value() & { return check(), *std::get_if<0>(&held_); }
    [[nodiscard]] Value &&value() && { return check(), std::move(*std::get_if<0>(&held_)); }
    [[nodiscard]] const Value &operator*() const & { return value(); }
    [[nodiscard]] Value &operator*() & { return value(); }
    [[nodiscard]] Value &&operator*() && { return std::move(*this).value(); }
    [[nodiscard]] const Value *operator->() const { return &value(); }
    [[nodiscard]] Value *operator->() { return &value(); }
    [[nodiscard]] Value value_or(Value other) && { return ok() ? std::move(*this).value() : std::move(other); }

    /// The error, which there must be: of a success this ends the process.
    [[nodiscard]] const Error &error() const & noexcept {
        const Error *const error = std::get_if<1>(&held_);
        return error != nullptr ? *error : (std::abort(), *error);
    }

  private:
    void check() const {
        if (!ok()) {
            detail::no_value(error());
        }
    }

    std::variant<Value, Error> held_;
};

/// What a call that gives a T gives in this unit; see config.hpp.
#if NSE_RESULTS
template <class T> using Outcome = Result<T>;
#else
template <class T> using Outcome = T;
#endif

namespace detail {

/// `result` as this unit hears of it: every public function that can fail ends with this.
template <class T> Outcome<T> settle(Result<T> result) {
#if NSE_RESULTS
    return result;
#else
    if constexpr (std::is_void_v<T>) {
        static_cast<void>(result.value());
    } else {
        return std::move(result).value();
    }
#endif
}

/// `value`, if what came before it succeeded.
template <class U, class T> Result<U> then(const Result<T> &before, U value) {
    return before.ok() ? Result<U>(std::move(value)) : Result<U>(before.error());
}
template <class T> Result<void> done(const Result<T> &before) {
    return before.ok() ? Result<void>(Nothing()) : Result<void>(before.error());
}

} // namespace detail
} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
