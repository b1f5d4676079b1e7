// A search inside the host's own training loop: what is pushed, and what comes next. The calls are those of nse::Search.
#ifndef NSE_PUSH_HPP
#define NSE_PUSH_HPP

#include <nse/call.hpp>

#include <cstdint>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// What a batch is for; see NSE_PHASE_* in nse.h.
enum class Phase : std::uint32_t {
    /// The search is complete.
    done = NSE_PHASE_DONE,
    /// Training images, for an optimizer step of the supernet.
    weight = NSE_PHASE_WEIGHT,
    /// Held-out images, for a step of the fitness.
    architecture = NSE_PHASE_ARCHITECTURE,
    /// Training images without augmentation, for the batch-norm statistics of the candidates.
    calibrate = NSE_PHASE_CALIBRATE,
    /// Held-out images, for the accuracy of the candidates.
    evaluate = NSE_PHASE_EVALUATE,
    /// Instead of images: there are no more. `Search::end` says so.
    end = NSE_PHASE_END,
};

/// Images and labels of the host, read during the push only. They are where the pointers say, and as many as `count` says: the
/// library cannot check it.
struct Batch {
    /// [count, channels, height, width] of the space's input, augmented and normalised as the host likes.
    const float *images = nullptr;
    /// [count], below the classes of the space.
    const std::uint32_t *labels = nullptr;
    /// Two or more.
    std::uint32_t count = 0;
    /// Learning rate of this weight step; 0: by the options, which must have pushed.steps_per_epoch then.
    double lr = 0;
};

/// What became of a push, and what comes next.
struct Pushed {
    /// What the next batch must be for.
    Phase next = Phase::done;
    /// Rounds completed, of so many.
    std::uint64_t completed = 0, rounds = 0;
    /// Epoch under way in this round, from 1, of so many; the last one while candidates are scored.
    std::uint64_t epoch = 0, epochs = 0;
    /// Weight steps made in this round.
    std::uint64_t step = 0;
    /// Of the batch, NaN where there is none: mean loss of a step; accuracy, 0 to 1, of a weight step with the paths it drew, of
    /// an evaluation the mean over the candidates; learning rate of a weight step.
    double loss = 0, accuracy = 0, lr = 0;
};

namespace detail {

/// NULL only asks what comes next.
inline Outcome<Pushed> push(const nse_search *search, const nse_batch *batch) {
    nse_pushed raw = NSE_PUSHED_INIT;
    const Result<nse_status> called = call(nse_search_push, search, batch, &raw);
    return settle(then(called, Pushed{static_cast<Phase>(raw.next), raw.completed, raw.rounds, raw.epoch, raw.epochs, raw.step,
                                      raw.loss, raw.accuracy, raw.lr}));
}

} // namespace detail
} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
