#include "start.h"

static float images[16 * 28 * 28];
static uint32_t labels[16];
static int given = 0, logged = 0;

static double my_schedule(void) { return 0.05; }

/* Four batches, then the end of an epoch, a calibration or an evaluation. */
static int my_loader_gives(uint32_t phase, nse_batch *batch) {
    (void)phase;
    for (size_t i = 0; i < sizeof images / sizeof *images; ++i) images[i] = (float)((i * 37 + (size_t)given) % 100) / 50 - 1;
    for (uint32_t i = 0; i < 16; ++i) labels[i] = i % 10;
    batch->images = images, batch->labels = labels, batch->count = 16;
    return ++given % 5 != 0;
}

static void my_log(uint64_t step, double loss, double accuracy) {
    (void)step, (void)loss, (void)accuracy;
    ++logged;
}

/* The options of the page are for a real run. */
#define nse_search_create(desc, out, err) \
    ((desc)->options_json = QUICK, nse_search_create(desc, out, err))

int main(void) {
    nse_error *err = NULL;
    nse_space *space = a_space();
    nse_search *search = NULL;
@BLOCK@
    ok(err == NULL ? NSE_OK : NSE_ERR_IO, err);
    return now.next != NSE_PHASE_DONE || logged == 0;
}
