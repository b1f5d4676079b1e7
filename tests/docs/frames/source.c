#include "start.h"

int32_t fill(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels) {
    (void)first, (void)pixels;
    *(uint32_t *)user += count;
    for (uint32_t i = 0; i < count; ++i) labels[i] = i % 10;
    return 0;
}

int main(void) {
    uint32_t filled = 0, *reader = &filled;
    nse_dataset *dataset = NULL;
    nse_error *error = NULL;
@BLOCK@
    ok(error == NULL ? NSE_OK : NSE_ERR_IO, error);
    return filled != 50000 || dataset == NULL;
}
