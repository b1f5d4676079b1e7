/* What the frames in C begin with: a small space, small images, and a search that ends soon. */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

#define IDX(name) "{\"format\": \"idx\", \"images\": \"" name "-images-idx3-ubyte.gz\", \"labels\": \"" name "-labels-idx1-ubyte.gz\"}"
#define QUICK \
    "{\"preset\": \"laptop\", \"objective\": {\"low\": 1500000, \"high\": 3000000}, \"rounds\": 2, \"active\": 3, \"train\": {\"epochs\": 1, \"batch\": 16}, " \
    "\"candidates\": {\"count\": 4, \"extras\": 1, \"too_few\": \"accept\"}}"

static inline void ok(nse_status status, nse_error *error) {
    if (status >= 0) return;
    printf("%s: %s\n", nse_status_name(status), nse_error_message(error));
    exit(1);
}

static inline nse_space *a_space(void) {
    nse_space *space = NULL;
    nse_error *error = NULL;
    ok(nse_space_preset("nse-27-small", "{\"repeats\": [1, 1, 1], \"channels\": [8, 12, 16]}", &space, &error), error);
    return space;
}

static inline nse_dataset *training_images(void) {
    nse_dataset *train = NULL;
    nse_error *error = NULL;
    ok(nse_dataset_open(IDX("train"), &train, &error), error);
    return train;
}

static inline nse_search *a_search(nse_space *space, nse_dataset *train, const char *options) {
    nse_search *search = NULL;
    nse_error *error = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    desc.space = space, desc.train = train, desc.options_json = options;
    ok(nse_search_create(&desc, &search, &error), error);
    return search;
}
