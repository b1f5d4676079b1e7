// Which of the compiled kernels run: the best that this processor has.

#include "level.h"

#include <atomic>
#include <cstring>

namespace nse {
namespace {

// From the best on; the last runs everywhere.
#if defined(__x86_64__)
bool v4() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool v3() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"); }

const Level *const LEVELS[] = {&level_bf16, &level_v4, &level_v3, &level_v2};
bool bf16() { return __builtin_cpu_supports("avx512bf16"); }
bool has(const Level *level) {
    return level == &level_bf16 ? bf16() && v4() && v3() : level == &level_v4 ? v4() && v3() : level == &level_v3 ? v3() : true;
}
#else
const Level *const LEVELS[] = {&level_v2};
bool has(const Level *) { return true; }
#endif

const Level *best() {
    for (const Level *level : LEVELS) {
        if (has(level)) return level;
    }
    return &level_v2;
}

std::atomic<const Level *> chosen{nullptr};

}  // namespace

const Level &level() {
    const Level *at = chosen.load(std::memory_order_relaxed);
    if (!at) chosen.store(at = best(), std::memory_order_relaxed);
    return *at;
}

bool use(const char *name) {
    for (const Level *level : LEVELS) {
        if (std::strcmp(level->name, name) != 0) continue;
        if (has(level)) chosen.store(level, std::memory_order_relaxed);
        return has(level);
    }
    return false;
}

}  // namespace nse
