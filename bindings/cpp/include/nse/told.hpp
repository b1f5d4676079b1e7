// A search whose architectures the host evaluates: what is asked and told. The calls are those of nse::Search.
#ifndef NSE_TOLD_HPP
#define NSE_TOLD_HPP

#include <nse/arch.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace nse {
inline namespace NSE_INLINE_NAMESPACE {

/// How an architecture did that a told search has asked for, or not: an nse_result.
struct Told {
    /// See Arch::code.
    std::string code;
    /// 0 to 1; of a failure it means nothing.
    double accuracy = 0;
    /// Measured, in the unit of the objective; NaN: as computed.
    double cost = std::numeric_limits<double>::quiet_NaN();
    /// It could not be evaluated.
    bool failed = false;
};

/// What became of a result.
enum class Effect : std::uint32_t {
    counted = NSE_TOLD_COUNTED,
    repeated = NSE_TOLD_REPEATED,
    late = NSE_TOLD_LATE,
    unasked = NSE_TOLD_UNASKED,
};

/// What was asked for; empty while none can be given until a result is told, and when the search is complete.
struct Asked {
    std::vector<Arch> archs;
    bool done = false;
};

} // namespace NSE_INLINE_NAMESPACE
} // namespace nse

#endif
