// A unit of the throwing form in a program of the Result form: both at once, each with what it is made of.

#include <nse/nse.hpp>

static_assert(NSE_RESULTS == 0);

unsigned long macs_by_throwing(const char *code, const char *space_json);

unsigned long macs_by_throwing(const char *code, const char *space_json) {
    try {
        static_cast<void>(nse::Space::preset("nse-99"));
    } catch (const nse::Error &) {
        return nse::Arch::from_code(nse::Space::from_json(space_json), code).cost().macs;
    }
    return 0;
}
