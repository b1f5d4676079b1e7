#include "start.h"

int main(void) {
    nse_error *error = NULL;
    nse_dataset *train = training_images();
    nse_search *search = a_search(a_space(), train, QUICK);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.train = train;
    ok(nse_search_step(search, &error), error);
    ok(nse_search_save(search, "search.nse", &error), error);
    nse_search_free(search), search = NULL;
@BLOCK@
    ok(error == NULL ? NSE_OK : NSE_ERR_IO, error);
    return page.len < 1000;
}
