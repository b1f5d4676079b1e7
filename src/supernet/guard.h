// Exceptions end here.
#pragma once

#include <c10/util/Exception.h>

#include <cstring>
#include <exception>

namespace nse {

// NULL, or a message to free.
template <typename F>
char *guarded(F body) noexcept {
    try {
        body();
        return nullptr;
    } catch (const c10::Error &e) {
        return strdup(e.what_without_backtrace());
    } catch (const std::exception &e) {
        return strdup(e.what());
    } catch (...) {
        return strdup("unknown C++ exception");
    }
}

}  // namespace nse
