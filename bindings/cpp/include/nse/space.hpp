// What can be searched.
#ifndef NSE_SPACE_HPP
#define NSE_SPACE_HPP

#include <nse/handle.hpp>

#include <string>
#include <string_view>

namespace nse {
inline namespace v1 {

class Latency;

/// A search space. Immutable.
class Space : public detail::Handle<nse_space, nse_space_free> {
  public:
    Space() noexcept = default;
    /// Takes over a C handle.
    explicit Space(nse_space *owned) noexcept : Handle(owned) {}

    /// A named space, changed by `overrides`, a JSON object. NSE_ERR_INVALID_ARGUMENT: no such preset. NSE_ERR_CONFIG.
    [[nodiscard]] static Space preset(std::string_view name, std::string_view overrides = "{}") {
        return detail::make<Space>(nse_space_preset, detail::Text("name", name).c_str(),
                                   detail::Text("overrides_json", overrides).c_str());
    }
    /// A space of one's own. NSE_ERR_CONFIG.
    [[nodiscard]] static Space from_json(std::string_view json) {
        return detail::make<Space>(nse_space_from_json, detail::Text("json", json).c_str());
    }
    /// Names and descriptions of the presets, as JSON: [{"name", "description"}, ...].
    [[nodiscard]] static std::string presets() { return detail::read(nse_space_presets); }

    /// The canonical JSON form, for `from_json`.
    [[nodiscard]] std::string to_json() const { return detail::read(nse_space_to_json, get()); }
    /// Size of the space, and the least, middle and greatest cost of an architecture, as JSON.
    [[nodiscard]] std::string describe() const {
        const nse_latency *const none = nullptr;
        return detail::read(nse_space_describe, get(), none);
    }
    /// With the least and greatest latency, in the unit of the table. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] std::string describe(const Latency &latency) const; // in latency.hpp
    /// Whether a cost window can be met, as JSON: satisfiable, unit, least, middle, greatest, log10_architectures, below, above; see
    /// nse_space_budget. `budget`: {"cost": "macs", "low": 0, "high": 1e8}. NSE_ERR_CONFIG.
    [[nodiscard]] std::string budget(std::string_view budget) const {
        const nse_latency *const none = nullptr;
        return detail::read(nse_space_budget, get(), detail::Text("budget_json", budget).c_str(), none);
    }
    /// Of a latency, in the unit of the table. NSE_ERR_MISSING_LATENCY.
    [[nodiscard]] std::string budget(std::string_view budget, const Latency &latency) const; // in latency.hpp
};

/// Same as Space::presets.
[[nodiscard]] inline std::string presets() { return Space::presets(); }

} // namespace v1
} // namespace nse

#endif
