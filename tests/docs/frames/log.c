#include "start.h"

static int said = 0;
#define fprintf(...) (++said, (fprintf)(__VA_ARGS__))
@HEAD@
#undef fprintf

int main(void) {
@BLOCK@
    nse_error *error = NULL;
    ok(nse_search_step(a_search(a_space(), training_images(), QUICK), &error), error);
    return said == 0;
}
