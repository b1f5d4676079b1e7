// The kernels at one instruction level: build.rs compiles this file once for each, with NSE_LEVEL the name of the table.

#include "dense.h"
#include "depthwise.h"
#include "descent.h"
#include "norms.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

namespace nse {

extern const Level NSE_LEVEL;
const Level NSE_LEVEL = {
    TEXT(NSE_LEVEL), LANES, dense_size, pack_forward, pack_backward, pack_taps,
    dense_scratch, dense_forward, dense_gradient_width, dense_backward,
    depthwise_scratch, depthwise_forward, depthwise_backward,
    spread, norm_forward, norm_backward,
    sums, merge, average, average_backward, add_up, dot,
    finite, sgd,
};

}  // namespace nse
