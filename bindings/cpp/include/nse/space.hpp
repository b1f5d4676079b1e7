// What can be searched.
#ifndef NSE_SPACE_HPP
#define NSE_SPACE_HPP

#include <nse/handle.hpp>

#include <string>
#include <string_view>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

class Latency;

/// A search space. Immutable.
class Space : public detail::Handle<nse_space, nse_space_free> {
  public:
    Space() noexcept = default;
    /// Takes over a C handle.
    explicit Space(nse_space *owned) noexcept : Handle(owned) {}

    /// A named space, changed by `overrides`, a JSON object. NSE_ERR_INVALID_ARGUMENT: no such preset. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Space> preset(std::string_view name, std::string_view overrides = "{}") {
        return detail::make<Space>(nse_space_preset, detail::Text("name", name), detail::Text("overrides_json", overrides));
    }
    /// A space of one's own. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Space> from_json(std::string_view json) {
        return detail::make<Space>(nse_space_from_json, detail::Text("json", json));
    }
    /// Names and descriptions of the presets, as JSON: [{"name", "description"}, ...].
    [[nodiscard]] static Outcome<std::string> presets() { return detail::read(nse_space_presets); }

    /// The canonical JSON form, for `from_json`.
    [[nodiscard]] Outcome<std::string> to_json() const { return detail::read(nse_space_to_json, get()); }
    /// Size of the space, and the least, middle and greatest cost of an architecture, as JSON.
    [[nodiscard]] Outcome<std::string> describe() const {
        const nse_latency *const none = nullptr;
        return detail::read(nse_space_describe, get(), none);
    }
    /// With the least and greatest latency, in the unit of the table. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] Outcome<std::string> describe(const Latency &latency) const; // in latency.hpp
    /// Whether a cost window can be met, as JSON: satisfiable, unit, least, middle, greatest, log10_architectures, below, above; see
    /// nse_space_budget. `budget`: {"cost": "macs", "low": 0, "high": 1e8}. NSE_ERR_CONFIG.
    [[nodiscard]] Outcome<std::string> budget(std::string_view budget) const {
        const nse_latency *const none = nullptr;
        return detail::read(nse_space_budget, get(), detail::Text("budget_json", budget), none);
    }
    /// Of a latency, in the unit of the table. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] Outcome<std::string> budget(std::string_view budget, const Latency &latency) const; // in latency.hpp
};

/// Same as Space::presets.
[[nodiscard]] inline Outcome<std::string> presets() { return Space::presets(); }

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
