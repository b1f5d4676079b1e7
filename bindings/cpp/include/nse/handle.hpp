// Owner of one C handle: what Space, Dataset, Arch, Latency, Search and Model have in common.
#ifndef NSE_HANDLE_HPP
#define NSE_HANDLE_HPP

#include <nse/call.hpp>

#include <string>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {
namespace detail {

template <class Raw, void (*Free)(Raw *)> class Handle {
  public:
    Handle(const Handle &) = delete;
    Handle &operator=(const Handle &) = delete;

    /// The C handle, still owned here; nullptr when empty.
    [[nodiscard]] Raw *get() const noexcept { return raw_; }
    [[nodiscard]] explicit operator bool() const noexcept { return raw_ != nullptr; }
    /// Gives the C handle away: the caller frees it.
    [[nodiscard]] Raw *release() noexcept { return std::exchange(raw_, nullptr); }
    /// Frees the handle, and takes over `raw`, if there is one.
    void reset(Raw *raw = nullptr) noexcept { Free(std::exchange(raw_, raw)); }
    /// Frees the handle, and gives the place where a C function puts a new one.
    [[nodiscard]] Raw **out() noexcept {
        reset();
        return &raw_;
    }

  protected:
    Handle() noexcept = default;
    explicit Handle(Raw *raw) noexcept : raw_(raw) {}
    Handle(Handle &&other) noexcept : raw_(other.release()) {}
    Handle &operator=(Handle &&other) noexcept {
        Handle taken(std::move(other)); // a detour, so that a self-move keeps the handle
        std::swap(raw_, taken.raw_);
        return *this;
    }
    ~Handle() { Free(raw_); }

  private:
    Raw *raw_ = nullptr;
};

/// The `Noun` that `function(args..., &handle, &error)` makes. Freed again when a callback threw though the call succeeded.
template <class Noun, class Function, class... Args> Result<Noun> made(Function function, const Args &...args) {
    Noun noun;
    const Result<nse_status> called = call(function, args..., noun.out());
    return then(called, std::move(noun));
}
template <class Noun, class Function, class... Args> Outcome<Noun> make(Function function, const Args &...args) {
    return settle(made<Noun>(function, args...));
}

} // namespace detail
} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
