// A search: stepped round by round, looked at from anywhere.
#ifndef NSE_SEARCH_HPP
#define NSE_SEARCH_HPP

#include <nse/arch.hpp>
#include <nse/dataset.hpp>
#include <nse/event.hpp>
#include <nse/latency.hpp>
#include <nse/op.hpp>
#include <nse/parts.hpp>
#include <nse/push.hpp>
#include <nse/told.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// One value per operator of every cell, row by row: a row is a cell, as wide as the largest.
template <class T> struct Matrix {
    std::uint32_t cells = 0, operators = 0;
    std::vector<T> values;

    /// NSE_ERR_NOT_FOUND: no such cell or operator.
    [[nodiscard]] Outcome<T> at(std::uint32_t cell, std::uint32_t op) const {
        if (cell >= cells || op >= operators) {
            return detail::settle(
                Result<T>(detail::bad_argument(NSE_ERR_NOT_FOUND, "at",
                                               "cell " + std::to_string(cell) + ", operator " + std::to_string(op) + " of " +
                                                   std::to_string(cells) + " cells of " + std::to_string(operators))));
        }
        return values[std::size_t{cell} * operators + op];
    }
};

/// A member of the front.
struct Scored {
    Arch arch;
    /// Held-out top-1 with the supernet's weights, 0 to 1.
    double accuracy = 0;
};

/// A search under way: its space, its supernet and what it has found.
class Search : public detail::Handle<nse_search, nse_search_free> {
  public:
    Search() noexcept = default;
    /// Takes over a C handle.
    explicit Search(nse_search *owned) noexcept : Handle(owned) {}

    /// Makes a search; nothing is trained yet. `options`: see `options_schema`; only "objective" must be there. `on_event` is
    /// kept until the search has ended. NSE_ERR_CONFIG. NSE_ERR_UNREACHABLE: no architecture lies in the cost window.
    /// NSE_ERR_INVALID_ARGUMENT: the images do not fit the space. NSE_ERR_DEVICE. NSE_ERR_UNSUPPORTED.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> create(const Space &space, const Dataset &train, std::string_view options,
                                                F &&on_event = {}) {
        return create(space, train, SearchParts(), options, std::forward<F>(on_event));
    }
    /// With held-out images, latencies, or a search to go on from. NSE_ERR_MISSING_LATENCY. NSE_ERR_INVALID_ARGUMENT: that
    /// search is not finished or has other cells. NSE_ERR_BUSY: it is.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> create(const Space &space, const Dataset &train, const SearchParts &parts,
                                                std::string_view options, F &&on_event = {}) {
        nse_search_desc desc = parts.desc();
        desc.space = space.get();
        desc.train = train.get();
        return make(desc, parts, options, std::forward<F>(on_event), nse_search_create);
    }
#if !NSE_RESULTS
    /// The same as constructors, which can only throw.
    template <class F = detail::Silent>
    Search(const Space &space, const Dataset &train, std::string_view options, F &&on_event = {})
        : Search(create(space, train, options, std::forward<F>(on_event))) {}
    template <class F = detail::Silent>
    Search(const Space &space, const Dataset &train, const SearchParts &parts, std::string_view options, F &&on_event = {})
        : Search(create(space, train, parts, options, std::forward<F>(on_event))) {}
#endif
    /// Makes a search that trains nothing: it is asked for architectures and told how they did. Works in every build.
    /// NSE_ERR_CONFIG. NSE_ERR_UNREACHABLE.
    [[nodiscard]] static Outcome<Search> told(const Space &space, const SearchParts &parts, std::string_view options) {
        nse_search_desc desc = parts.desc();
        desc.flags = NSE_SEARCH_TOLD;
        desc.space = space.get();
        return make(desc, parts, options, detail::Silent(), nse_search_create);
    }
    [[nodiscard]] static Outcome<Search> told(const Space &space, std::string_view options) {
        return told(space, SearchParts(), options);
    }
    /// Makes a search from a file that one that is told has saved. NSE_ERR_IO. NSE_ERR_FORMAT. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Search> load_told(std::string_view path, std::string_view options = {}) {
        const SearchParts none;
        nse_search_desc desc = none.desc();
        desc.flags = NSE_SEARCH_TOLD;
        return make(desc, none, options, detail::Silent(), nse_search_load, detail::Text("path", path));
    }
    /// Makes a search from a file that `save`, or the option "checkpoint", has written; it goes on as if it had never stopped.
    /// The images must be those of the saved search. `options`: "", or those of that search, of which device, threads,
    /// checkpoint, tensorboard and candidates may differ. NSE_ERR_IO. NSE_ERR_FORMAT: no checkpoint, damaged, or of other images.
    /// NSE_ERR_CONFIG: options that differ. NSE_ERR_DEVICE. NSE_ERR_UNSUPPORTED.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> load(std::string_view path, const Dataset &train, std::string_view options = {},
                                              F &&on_event = {}) {
        return load(path, train, SearchParts(), options, std::forward<F>(on_event));
    }
    /// With the held-out images of the saved search; a latency table, if given, must be that of the saved search.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> load(std::string_view path, const Dataset &train, const SearchParts &parts,
                                              std::string_view options = {}, F &&on_event = {}) {
        nse_search_desc desc = parts.desc();
        desc.train = train.get();
        return make(desc, parts, options, std::forward<F>(on_event), nse_search_load, detail::Text("path", path));
    }

    /// Reads a file that any search has saved, to be looked at (results, history, report, options) and nothing else: neither images nor
    /// libtorch are needed. NSE_ERR_IO. NSE_ERR_FORMAT.
    [[nodiscard]] static Outcome<Search> look(std::string_view path) {
        const SearchParts none;
        nse_search_desc desc = none.desc();
        desc.flags = NSE_SEARCH_LOOK;
        return make(desc, none, {}, detail::Silent(), nse_search_load, detail::Text("path", path));
    }

    /// Makes a search without datasets: it lives in the host's own training loop, which pushes its batches; see docs/push.md.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> pushed(const Space &space, std::string_view options, F &&on_event = {}) {
        return pushed(space, SearchParts(), options, std::forward<F>(on_event));
    }
    /// With latencies, or a search to go on from. NSE_ERR_INVALID_ARGUMENT: besides, held-out images.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> pushed(const Space &space, const SearchParts &parts, std::string_view options,
                                                F &&on_event = {}) {
        nse_search_desc desc = parts.desc();
        desc.flags = NSE_SEARCH_PUSHED;
        desc.space = space.get();
        return make(desc, parts, options, std::forward<F>(on_event), nse_search_create);
    }
    /// As `load`, of a search into which batches are pushed. NSE_ERR_INVALID_ARGUMENT: that search has datasets.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> load_pushed(std::string_view path, std::string_view options = {}, F &&on_event = {}) {
        return load_pushed(path, SearchParts(), options, std::forward<F>(on_event));
    }
    /// With the latency table of the saved search.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Search> load_pushed(std::string_view path, const SearchParts &parts,
                                                     std::string_view options = {}, F &&on_event = {}) {
        nse_search_desc desc = parts.desc();
        desc.flags = NSE_SEARCH_PUSHED;
        return make(desc, parts, options, std::forward<F>(on_event), nse_search_load, detail::Text("path", path));
    }

    /// The options, as a JSON schema with keys, defaults, ranges and help.
    [[nodiscard]] static Outcome<std::string> options_schema() { return detail::read(nse_search_options_schema); }
    /// Sets of options for the option "preset", as JSON: [{"name", "description", "options"}, ...].
    [[nodiscard]] static Outcome<std::string> options_presets() { return detail::read(nse_search_options_presets); }

    /// Runs one round, or the rest of one that was cut short; true while more follow. After any exception the next call goes
    /// on from the last finished optimizer step. NSE_ERR_CANCELLED. NSE_ERR_BUSY. NSE_ERR_DIVERGED. NSE_ERR_UNREACHABLE.
    /// NSE_ERR_TOO_FEW. NSE_ERR_OUT_OF_MEMORY. NSE_ERR_IO: the checkpoint could not be written. NSE_ERR_TORCH.
    Outcome<bool> step() {
        const Result<nse_status> called = detail::call(nse_search_step, get());
        return detail::settle(detail::then(called, called.ok() && *called != NSE_DONE));
    }

    /// Begins a round as `step` does, and returns at once; events come when the operation is polled. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<Operation> step_async() const { return detail::make<Operation>(nse_search_step_async, get()); }

    /// Does one piece of work with a batch of the host's: `phase` is what `next` said. After an nse::Error nothing has happened, and
    /// the same can be pushed again; except NSE_ERR_IO, when the checkpoint could not be written, and what a callback throws (what
    /// it cancels is already done): then the batch has been used, and `next` says what comes next.
    /// NSE_ERR_INVALID_ARGUMENT: a phase that is not next, images or labels that do not fit the space, no learning rate, or a search
    /// that has datasets. NSE_ERR_CANCELLED. NSE_ERR_BUSY. NSE_ERR_DIVERGED. NSE_ERR_OUT_OF_MEMORY. NSE_ERR_UNREACHABLE.
    /// NSE_ERR_TOO_FEW. NSE_ERR_TORCH.
    Outcome<Pushed> push(Phase phase, const Batch &batch) {
        nse_batch raw = NSE_BATCH_INIT;
        raw.phase = static_cast<std::uint32_t>(phase);
        raw.count = batch.count;
        raw.images = batch.images;
        raw.labels = batch.labels;
        raw.lr = batch.lr;
        return detail::push(get(), &raw);
    }
    /// The same with DLPack tensors, on the CPU or a CUDA device; see nse_batch. The library calls both deleters before this
    /// returns, also when it throws (but not for NSE_ERR_ABI: then nothing was taken). NSE_ERR_DEVICE.
    Outcome<Pushed> push_dlpack(Phase phase, ::DLManagedTensorVersioned *images, ::DLManagedTensorVersioned *labels,
                                double lr = 0) {
        nse_batch raw = NSE_BATCH_INIT;
        raw.phase = static_cast<std::uint32_t>(phase);
        raw.images_dlpack = images;
        raw.labels_dlpack = labels;
        raw.lr = lr;
        return detail::push(get(), &raw);
    }
    /// There are no more images for what comes next: the end of an epoch, of the calibration, or of the evaluation.
    Outcome<Pushed> end() { return push(Phase::end, {}); }
    /// What comes next; nothing is done. NSE_ERR_BUSY.
    [[nodiscard]] Outcome<Pushed> next() const { return detail::push(get(), nullptr); }

    /// Memory and time that the search will take, as JSON; see nse_search_estimate. Blocks for some seconds, and changes nothing.
    /// NSE_ERR_OUT_OF_MEMORY: it would not fit. NSE_ERR_BUSY. NSE_ERR_CANCELLED. NSE_ERR_TORCH.
    [[nodiscard]] Outcome<std::string> estimate() const { return detail::read(nse_search_estimate, get()); }

    /// Up to so many architectures to evaluate, of a search that is told. Waits for other calls, and is never NSE_ERR_BUSY.
    [[nodiscard]] Outcome<Asked> ask(std::size_t count) {
        std::vector<nse_arch *> handles(count, nullptr);
        std::size_t given = 0;
        const Result<nse_status> called = detail::call(nse_search_ask, get(), count, handles.data(), &given);
        Asked asked;
        asked.done = called.ok() && *called == NSE_DONE;
        asked.archs.reserve(given);
        for (nse_arch *handle : handles) {
            if (handle != nullptr) {
                asked.archs.emplace_back(handle);
            }
        }
        return detail::settle(detail::then(called, std::move(asked)));
    }
    /// Tells how an architecture did, in any order. NSE_ERR_CONFLICT: another result of it is known. NSE_ERR_INVALID_ARGUMENT.
    Outcome<Effect> tell(const Told &told) {
        const detail::Text code("result.code", told.code);
        if (std::optional<Error> found = code.fault()) {
            return detail::settle(Result<Effect>(*std::move(found)));
        }
        const bool measured = !std::isnan(told.cost);
        nse_result result = NSE_RESULT_INIT;
        result.flags = (told.failed ? NSE_RESULT_FAILED : 0u) | (measured ? NSE_RESULT_COST : 0u);
        result.code = code.raw();
        result.accuracy = told.accuracy;
        result.cost = measured ? told.cost : 0.0;
        std::uint32_t effect = 0;
        const Result<nse_status> called =
            detail::call(nse_search_tell, get(), static_cast<const nse_result *>(&result), &effect);
        return detail::settle(detail::then(called, static_cast<Effect>(effect)));
    }
    /// What was asked may be asked again; nothing changes when it was told or never asked.
    Outcome<void> forget(std::string_view code) {
        return detail::perform(nse_search_forget, get(), detail::Text("code", code));
    }
    /// What was asked and not told, as JSON: [{"code", "round"}, ...].
    [[nodiscard]] Outcome<std::string> pending() const { return detail::read(nse_search_pending, get()); }

    /// Asks a running step, push or estimate to stop: it throws NSE_ERR_CANCELLED. Without one it does nothing. Never waits.
    Outcome<void> cancel() const { return detail::perform(nse_search_cancel, get()); }

    /// Writes a file for `load`, whole or not at all; an existing one is replaced. NSE_ERR_IO. NSE_ERR_BUSY: a step is running.
    Outcome<void> save(std::string_view path) const {
        return detail::perform(nse_search_save, get(), detail::Text("path", path));
    }

    [[nodiscard]] Outcome<Space> space() const { return detail::make<Space>(nse_search_space, get()); }
    /// All options as a JSON object, defaults and those of a preset included.
    [[nodiscard]] Outcome<std::string> options() const { return detail::read(nse_search_options, get()); }
    /// As JSON: completed, rounds, done, event (the latest, or null).
    [[nodiscard]] Outcome<std::string> status() const { return detail::read(nse_search_status, get()); }
    /// The learnt fitness theta of every operator; NaN where it was never active, and where a cell has fewer.
    [[nodiscard]] Outcome<Matrix<double>> scores() const { return matrix<double>(nse_search_scores); }
    /// 1 for every operator that has weights at the moment, else 0.
    [[nodiscard]] Outcome<Matrix<std::uint8_t>> active() const { return matrix<std::uint8_t>(nse_search_active); }

    /// The Pareto front of the last completed round, cheapest first; before the first that of the search that is continued, else
    /// empty. While another thread steps, members of two rounds may be mixed.
    [[nodiscard]] Outcome<std::vector<Scored>> front() const {
        std::size_t count = 0;
        const Result<nse_status> counted = detail::call(nse_search_front_count, get(), &count);
        std::vector<Scored> front;
        for (std::size_t i = 0; i < count; ++i) {
            Scored member;
            const Result<nse_status> got = detail::call(nse_search_front_get, get(), i, member.arch.out(), &member.accuracy);
            if (!got.ok()) {
                if (got.error().code() == NSE_ERR_NOT_FOUND) {
                    break; // a new and smaller front since the count
                }
                return detail::settle(Result<std::vector<Scored>>(got.error()));
            }
            front.push_back(std::move(member));
        }
        return detail::settle(detail::then(counted, std::move(front)));
    }
    /// The front as one snapshot, as JSON; see nse_search_front.
    [[nodiscard]] Outcome<std::string> front_json() const {
        const char *const own = nullptr;
        return detail::read(nse_search_front, get(), own, no_table());
    }
    /// The front of what was scored under another cost, without training: "macs", "params", "bits" or "operations".
    [[nodiscard]] Outcome<std::string> front_json(std::string_view cost) const {
        return detail::read(nse_search_front, get(), detail::Text("cost_json", under(cost)), no_table());
    }
    /// Under a latency. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] Outcome<std::string> front_json(const Latency &latency) const {
        return detail::read(nse_search_front, get(), R"({"cost": "latency"})", detail::Given("latency", latency));
    }
    /// The most accurate member of the front that costs at most `max_cost`, in what the objective counts. NSE_ERR_NOT_FOUND:
    /// none is so cheap.
    [[nodiscard]] Outcome<Scored> best(double max_cost = std::numeric_limits<double>::infinity()) const {
        Scored best;
        const Result<nse_status> called = detail::call(nse_search_best, get(), max_cost, best.arch.out(), &best.accuracy);
        return detail::settle(detail::then(called, std::move(best)));
    }

    /// The completed rounds, one line of JSON each.
    [[nodiscard]] Outcome<std::string> history() const { return detail::read(nse_search_history, get()); }
    /// What was found so far, as the content of a file; `format`: "html" (a page that needs nothing else), "json", "svg" or "png"
    /// (bytes). NSE_ERR_INVALID_ARGUMENT.
    [[nodiscard]] Outcome<std::string> report(std::string_view format) const {
        return detail::read(nse_search_report, get(), detail::Text("format", format));
    }

  private:
    /// `before`: what the C function has before the struct.
    template <class F, class Function, class... Before>
    [[nodiscard]] static Outcome<Search> make(const nse_search_desc &desc, const SearchParts &parts, std::string_view options,
                                              F &&on_event, Function function, const Before &...before) {
        if (parts.fault()) {
            return detail::settle(Result<Search>(*parts.fault()));
        }
        return detail::make_described<Search>(desc, detail::Text("desc.options_json", options), std::forward<F>(on_event),
                                              function, before...);
    }
    [[nodiscard]] static std::string under(std::string_view cost) { return R"({"cost": ")" + std::string(cost) + R"("})"; }
    [[nodiscard]] static const nse_latency *no_table() noexcept { return nullptr; }
    template <class T, class Function> [[nodiscard]] Outcome<Matrix<T>> matrix(Function function) const {
        Matrix<T> matrix;
        T *const only_sizes = nullptr;
        Result<nse_status> called = detail::call(function, get(), only_sizes, std::size_t{0}, &matrix.cells, &matrix.operators);
        if (called.ok()) {
            matrix.values.resize(std::size_t{matrix.cells} * matrix.operators);
            called =
                detail::call(function, get(), matrix.values.data(), matrix.values.size(), &matrix.cells, &matrix.operators);
        }
        return detail::settle(detail::then(called, std::move(matrix)));
    }
};

inline SearchParts &SearchParts::continued(const Search &finished) { return set(desc_.continued, "desc.continued", finished); }

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
