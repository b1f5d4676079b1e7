// Times of operations, and what they sum up to.
#ifndef NSE_LATENCY_HPP
#define NSE_LATENCY_HPP

#include <nse/arch.hpp>
#include <nse/event.hpp>
#include <nse/space.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// A latency look-up table. Searches and descriptions use it as it is when they are given it.
class Latency : public detail::Handle<nse_latency, nse_latency_free> {
  public:
    Latency() noexcept = default;
    /// Takes over a C handle.
    explicit Latency(nse_latency *owned) noexcept : Handle(owned) {}

    /// A table without entries, to fill with `set`. `unit`: what the times are in, for people.
    [[nodiscard]] static Outcome<Latency> create(std::string_view unit = "ms") {
        return detail::make<Latency>(nse_latency_create, detail::Text("unit", unit));
    }
    /// A table from its CSV or JSON text. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Latency> parse(std::string_view text) {
        return detail::make<Latency>(nse_latency_parse, detail::Text("text", text));
    }
    /// Times every operation that an architecture of a space can need. `options`: see `measure_options_schema`. NSE_ERR_CONFIG.
    /// NSE_ERR_CANCELLED. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED.
    template <class F = detail::Silent>
    [[nodiscard]] static Outcome<Latency> measure(const Space &space, std::string_view options = "{}", F &&on_event = {}) {
        nse_measure_desc desc = NSE_MEASURE_DESC_INIT;
        desc.space = space.get();
        return detail::make_described<Latency>(desc, detail::Text("desc.options_json", options), std::forward<F>(on_event),
                                               nse_latency_measure);
    }
    /// Times a whole network, in milliseconds per batch, to hold a table against what it predicts. `options`: as for `measure`.
    [[nodiscard]] static Outcome<double> measure_arch(const Arch &arch, std::string_view options = "{}") {
        double time = 0;
        const Result<nse_status> called =
            detail::call(nse_latency_measure_arch, arch.get(), detail::Text("options_json", options), &time);
        return detail::settle(detail::then(called, time));
    }
    /// The options of a measuring, as a JSON schema with keys, defaults, ranges and help.
    [[nodiscard]] static Outcome<std::string> measure_options_schema() { return detail::read(nse_measure_options_schema); }

    /// Sets the time of one operation. `key`: as `missing` lists them, for example "conv,28,64,64,3,1,1,1,64".
    /// NSE_ERR_INVALID_ARGUMENT: no such key, or a time that is below 0 or not finite.
    Outcome<void> set(std::string_view key, double time) {
        return detail::perform(nse_latency_set, get(), detail::Text("key", key), time);
    }

    /// The text of the table, for `parse`; `format`: "csv" or "json". NSE_ERR_INVALID_ARGUMENT.
    [[nodiscard]] Outcome<std::string> to_text(std::string_view format) const {
        return detail::read(nse_latency_to_text, get(), detail::Text("format", format));
    }
    /// What an architecture of a space can need and the table lacks, as a JSON list of keys for `set`.
    [[nodiscard]] Outcome<std::string> missing(const Space &space) const {
        return detail::read(nse_latency_missing, get(), space.get());
    }
    /// The latency of an architecture, in the unit of the table. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] Outcome<double> arch(const Arch &arch) const {
        double time = 0;
        const Result<nse_status> called = detail::call(nse_latency_arch, get(), arch.get(), &time);
        return detail::settle(detail::then(called, time));
    }
};

inline Outcome<std::string> Space::describe(const Latency &latency) const {
    return detail::read(nse_space_describe, get(), detail::Given("latency", latency));
}

inline Outcome<std::string> Space::budget(std::string_view budget, const Latency &latency) const {
    return detail::read(nse_space_budget, get(), detail::Text("budget_json", budget), detail::Given("latency", latency));
}

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
