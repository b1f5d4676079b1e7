// Work that was begun and is polled.
#ifndef NSE_OP_HPP
#define NSE_OP_HPP

#include <nse/handle.hpp>

#include <cstdint>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// A round of a search, or the training of a model, under way; `Search::step_async` and `Model::train_async` begin one. Freed
/// early, a round goes on, and a training is cancelled.
class Operation : public detail::Handle<nse_op, nse_op_free> {
  public:
    Operation() noexcept = default;
    /// Takes over a C handle.
    explicit Operation(nse_op *owned) noexcept : Handle(owned) {}

    /// Tells the events that wait, here, and says how the work stands: NSE_PENDING when `timeout_ms` milliseconds have passed,
    /// NSE_OK (more rounds follow, or the model is there) or NSE_DONE (that was the last round). Throws what the blocking function
    /// would have thrown, what the callback throws, and NSE_ERR_BUSY while another call polls.
    Outcome<nse_status> poll(std::uint32_t timeout_ms = NSE_FOREVER) {
        return detail::settle(detail::call(nse_op_poll, get(), timeout_ms));
    }

    /// Asks the work to stop after its current batch; `poll` then throws NSE_ERR_CANCELLED. Never waits.
    Outcome<void> cancel() const { return detail::perform(nse_op_cancel, get()); }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
