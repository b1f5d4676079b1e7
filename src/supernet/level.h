// The kernels in use: the best that this processor has.
#pragma once

#include "kernels/kernels.h"

namespace nse {

const Level &level();
// By name, for tests: whether the processor has it.
bool use(const char *name);

}  // namespace nse
