#include "start.h"

static int others = 0;
static void serve_other_things(void) { ++others; }

int main(void) {
    nse_error *error = NULL;
    nse_status status = NSE_OK;
    nse_search *search = a_search(a_space(), training_images(), QUICK);
@BLOCK@
    ok(status, error);
    return others == 0;
}
