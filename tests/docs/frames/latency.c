#include "start.h"

/* Every call of the block is held to its status. */
static nse_error *error = NULL;
#define HELD(call) \
    do { \
        nse_status status = call; \
        ok(status, error); \
    } while (0)
#define nse_latency_measure(...) HELD(nse_latency_measure(__VA_ARGS__))
#define nse_latency_parse(...) HELD(nse_latency_parse(__VA_ARGS__))
#define nse_latency_create(...) HELD(nse_latency_create(__VA_ARGS__))
#define nse_latency_set(...) HELD(nse_latency_set(__VA_ARGS__))

int main(void) {
    const char *text = "kind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time\nconv,28,64,64,3,1,1,1,64,0.31\n";
    nse_latency *table = NULL;
    nse_measure_desc desc = NSE_MEASURE_DESC_INIT;
    desc.space = a_space(), desc.options_json = "{\"warmup\": 0, \"repeats\": 1}";
@BLOCK@
    return 0;
}
