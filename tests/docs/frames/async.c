#include "start.h"

static int others = 0;
static void serve_other_things(void) { ++others; }

int main(void) {
    nse_error *error = NULL;
    nse_status status = NSE_OK;
    nse_search *search = a_search(a_space(), training_images(), QUICK);
@BLOCK@
    ok(status, error);
    /* A round this small may end before the first poll gives up: what counts is that it is complete. */
    size_t members = 0;
    ok(nse_search_front_count(search, &members, &error), error);
    return members == 0;
}
