// Processes that share a search, with collectives of the host.
#ifndef NSE_COMM_HPP
#define NSE_COMM_HPP

#include <nse/handle.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

namespace detail {

/// Collectives of the host, as C sees them. They run on a thread of the library: what they throw is lost, but that they failed is not.
template <class H> struct Collectives {
    static std::int32_t sum(void *user, std::int64_t *numbers, std::size_t count) noexcept {
        return run([&] { return of(user).sum(numbers, count); });
    }
    static std::int32_t max(void *user, double *numbers, std::size_t count) noexcept {
        return run([&] { return of(user).max(numbers, count); });
    }
    static std::int32_t broadcast(void *user, std::uint8_t *bytes, std::size_t count) noexcept {
        return run([&] { return of(user).broadcast(bytes, count); });
    }
    static std::int32_t gather(void *user, const std::uint8_t *own, std::size_t count, std::uint8_t *all) noexcept {
        return run([&] { return of(user).gather(own, count, all); });
    }
    static std::int32_t barrier(void *user) noexcept {
        return run([&] { return of(user).barrier(); });
    }
    static void user_free(void *user) noexcept { delete static_cast<H *>(user); }

  private:
    static H &of(void *user) noexcept { return *static_cast<H *>(user); }

    template <class Work> static std::int32_t run(Work work) noexcept {
        using Returned = std::invoke_result_t<Work &>;
        static_assert(std::is_void_v<Returned> || std::is_same_v<Returned, std::int32_t>,
                      "a collective returns void, or std::int32_t: not 0 is a failure");
        Watch nobody; // there is no call on this thread that what it throws could come out of
        return guarded(-1, [&]() -> std::int32_t {
            if constexpr (std::is_void_v<Returned>) {
                work();
                return 0;
            } else {
                return work();
            }
        });
    }
};

} // namespace detail

/// Several processes, its ranks, that share a search; given to it with `SearchParts::comm`.
class Comm : public detail::Handle<nse_comm, nse_comm_free> {
  public:
    Comm() noexcept = default;
    /// Takes over a C handle.
    explicit Comm(nse_comm *owned) noexcept : Handle(owned) {}

    /// Makes this process one of several, with collectives of the host: an object with
    ///
    ///     sum(std::int64_t *numbers, std::size_t count)       every number becomes the sum over all ranks
    ///     max(double *numbers, std::size_t count)             ... the greatest
    ///     broadcast(std::uint8_t *bytes, std::size_t count)   all bytes become those of rank 0
    ///     gather(const std::uint8_t *own, std::size_t count, std::uint8_t *all)   `all` becomes what every rank has, in order
    ///     barrier()
    ///
    /// which return void, or std::int32_t: not 0, or an exception, is a failure. The library owns it, calls it on one thread of its own,
    /// one function at a time, and destroys it once, when it is not called any more. `timeout`: of every wait for the others; 0: five
    /// minutes. Blocks until all ranks are there, and checks that it computes what it should. NSE_ERR_COLLECTIVE: it does not.
    template <class H>
    [[nodiscard]] static Outcome<Comm> create(std::uint32_t rank, std::uint32_t size, H &&host,
                                              std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        using Host = std::decay_t<H>;
        // Before the object is handed over: from there on only the library destroys it.
        if (std::optional<Error> found = obstacle(timeout)) {
            return detail::settle(Result<Comm>(*std::move(found)));
        }
        nse_comm_desc desc = NSE_COMM_DESC_INIT;
        desc.rank = rank;
        desc.size = size;
        desc.timeout_ms = static_cast<std::uint32_t>(timeout.count());
        desc.sum = detail::Collectives<Host>::sum;
        desc.max = detail::Collectives<Host>::max;
        desc.broadcast = detail::Collectives<Host>::broadcast;
        desc.gather = detail::Collectives<Host>::gather;
        desc.barrier = detail::Collectives<Host>::barrier;
        desc.user_free = detail::Collectives<Host>::user_free;
        desc.user = new Host(std::forward<H>(host));
        return detail::make<Comm>(nse_comm_create, static_cast<const nse_comm_desc *>(&desc));
    }

    /// Makes this process the rank that its launcher says it is (torchrun, Kubeflow and the like, by variables that nse_comm_launched
    /// lists), over TCP; the only one without a launcher. NSE_ERR_INVALID_ARGUMENT: some of the variables are there and others not.
    /// NSE_ERR_COLLECTIVE. NSE_ERR_UNSUPPORTED: a library without libtorch.
    [[nodiscard]] static Outcome<Comm> launched(std::chrono::milliseconds timeout = std::chrono::milliseconds(0)) {
        if (std::optional<Error> found = obstacle(timeout)) {
            return detail::settle(Result<Comm>(*std::move(found)));
        }
        return detail::make<Comm>(nse_comm_launched, static_cast<std::uint32_t>(timeout.count()));
    }

    /// Checks anew, on all ranks, that it computes what it should. NSE_ERR_COLLECTIVE. NSE_ERR_BUSY: a search has it.
    Outcome<void> test() const { return detail::perform(nse_comm_test, get()); }
    /// As JSON: kind, rank, size, timeout_ms, failure.
    [[nodiscard]] Outcome<std::string> info() const { return detail::read(nse_comm_info, get()); }

  private:
    static std::optional<Error> obstacle(std::chrono::milliseconds timeout) {
        std::optional<Error> found = detail::misfit();
        if (!found && (timeout.count() < 0 || timeout.count() >= static_cast<std::int64_t>(NSE_FOREVER))) {
            found = detail::bad_argument(NSE_ERR_INVALID_ARGUMENT, "timeout", std::to_string(timeout.count()) + " ms is out of range");
        }
        return found;
    }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
