// What a search can be made of besides space, images and options.
#ifndef NSE_PARTS_HPP
#define NSE_PARTS_HPP

#include <nse/arch.hpp>
#include <nse/comm.hpp>
#include <nse/dataset.hpp>
#include <nse/latency.hpp>

#include <optional>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

class Search;

/// What a search can be made of besides space, training images and options. It only points at what it is given: make it where
/// it is used, as in `Search(space, train, SearchParts().latency(table), options)`. An empty object is not taken for none: the
/// search it is given to is not made then. NSE_ERR_INVALID_HANDLE.
class SearchParts {
  public:
    SearchParts() noexcept = default;
    /// Nothing but held-out images, so that a dataset will do where parts are wanted.
    SearchParts(const Dataset &images) { held_out(images); } // NOLINT: not explicit

    /// Images of their own for architecture steps and scoring; without them a part of the training images is held out.
    SearchParts &held_out(const Dataset &images) { return set(desc_.held_out, "desc.held_out", images); }
    /// Latencies, for the objective "latency".
    SearchParts &latency(const Latency &latency) { return set(desc_.latency, "desc.latency", latency); }
    /// A finished search to go on from, in a space with the same cells and other operators; not for `Search::load`.
    SearchParts &continued(const Search &finished);
    /// Instead: an architecture to begin with, one of as many as are given, as if they were the front of such a search, in this
    /// space or another with the same cells (then what that space has and none of them uses does not come again).
    SearchParts &start(const Arch &arch) { return set(start_.emplace_back(nullptr), "desc.start", arch); }

    /// The ranks that share the search, which make the same calls; see nse_search_desc.
    SearchParts &comm(const Comm &comm) { return set(desc_.comm, "desc.comm", comm); }

    /// The C struct, in which everything else is still to be set.
    [[nodiscard]] nse_search_desc desc() const noexcept {
        nse_search_desc desc = desc_;
        desc.start = start_.empty() ? nullptr : start_.data();
        desc.start_count = start_.size();
        return desc;
    }

    /// The first empty object that was given.
    [[nodiscard]] const std::optional<Error> &fault() const noexcept { return fault_; }

  private:
    template <class Raw, class Noun> SearchParts &set(Raw *&place, const char *argument, const Noun &noun) {
        const detail::Given given(argument, noun);
        place = given.raw();
        if (!fault_) {
            fault_ = given.fault();
        }
        return *this;
    }

    nse_search_desc desc_ = NSE_SEARCH_DESC_INIT;
    std::vector<const nse_arch *> start_;
    std::optional<Error> fault_;
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
