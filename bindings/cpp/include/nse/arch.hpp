// One architecture of a space.
#ifndef NSE_ARCH_HPP
#define NSE_ARCH_HPP

#include <nse/space.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

struct Cost {
    /// Multiply-accumulates for one image.
    std::uint64_t macs = 0;
    /// Trainable numbers.
    std::uint64_t params = 0;
};

/// For every cell of a space, the operators on its branches. Immutable.
class Arch : public detail::Handle<nse_arch, nse_arch_free> {
  public:
    Arch() noexcept = default;
    /// Takes over a C handle.
    explicit Arch(nse_arch *owned) noexcept : Handle(owned) {}

    /// Reads {"cells": [[operator names of cell 0], ...]}, of an ensemble with "paths"; of stacked cells also {"genotype": text of published
    /// code}. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Arch> from_json(const Space &space, std::string_view json) {
        return detail::make<Arch>(nse_arch_from_json, space.get(), detail::Text("json", json));
    }
    /// The architecture of a space that has this code. NSE_ERR_INVALID_ARGUMENT: not a code, cut or mistyped, or of another space.
    [[nodiscard]] static Outcome<Arch> from_code(const Space &space, std::string_view code) {
        return detail::make<Arch>(nse_arch_from_code, space.get(), detail::Text("code", code));
    }
    /// The same operator, alone, in every cell. NSE_ERR_CONFIG: not an operator, or not a candidate of some cell.
    [[nodiscard]] static Outcome<Arch> uniform(const Space &space, std::string_view operator_name) {
        return detail::make<Arch>(nse_arch_uniform, space.get(), detail::Text("operator_name", operator_name));
    }
    /// A published architecture, in its space, which `overrides` change as for Space::preset. NSE_ERR_INVALID_ARGUMENT: no such
    /// architecture, or its cells are not in the changed space. NSE_ERR_CONFIG.
    [[nodiscard]] static Outcome<Arch> preset(std::string_view name, std::string_view overrides = "{}") {
        return detail::make<Arch>(nse_arch_preset, detail::Text("name", name), detail::Text("overrides_json", overrides));
    }
    /// Names and descriptions of the published architectures, as JSON: [{"name", "description"}, ...].
    [[nodiscard]] static Outcome<std::string> presets() { return detail::read(nse_arch_presets); }

    [[nodiscard]] Outcome<Space> space() const { return detail::make<Space>(nse_arch_space, get()); }
    /// Costs as a whole and cell by cell, as JSON; see nse_arch_describe. `variant`: a JSON object with what the stand-alone
    /// network has besides: squeeze_excitation, activation. NSE_ERR_CONFIG.
    [[nodiscard]] Outcome<std::string> describe(std::string_view variant = "{}") const {
        return detail::read(nse_arch_describe, get(), detail::Text("variant_json", variant));
    }
    /// A diagram: cells from top to bottom, branches side by side, with widths, sizes and costs; `format`: "svg".
    /// NSE_ERR_INVALID_ARGUMENT.
    [[nodiscard]] Outcome<std::string> draw(std::string_view format = "svg") const {
        return detail::read(nse_arch_draw, get(), detail::Text("format", format));
    }
    /// The JSON form, for `from_json`.
    [[nodiscard]] Outcome<std::string> to_json() const { return detail::read(nse_arch_to_json, get()); }
    /// The short code, for `from_code`: lower-case letters, digits and a dot, at most 63 of them for what searches usually find.
    [[nodiscard]] Outcome<std::string> code() const { return detail::read(nse_arch_code, get()); }
    [[nodiscard]] Outcome<Cost> cost() const {
        Cost cost;
        const Result<nse_status> called = detail::call(nse_arch_cost, get(), &cost.macs, &cost.params);
        return detail::settle(detail::then(called, cost));
    }
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
