/* Whether a JSON (or CSV) document of the manual is taken as the kind that it is said to be.
 *
 *     json KIND FILE */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static nse_error *error = NULL;

static int space(const char *text) {
    nse_space *out = NULL;
    return nse_space_from_json(text, &out, &error);
}

static int overrides(const char *text) {
    nse_space *out = NULL;
    return nse_space_preset("nse-27", text, &out, &error);
}

static int dataset(const char *text) {
    nse_dataset *out = NULL;
    return nse_dataset_open(text, &out, &error);
}

static int latency(const char *text) {
    nse_latency *out = NULL;
    return nse_latency_parse(text, &out, &error);
}

static int search_with(const char *options, nse_latency *table) {
    nse_search *out = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_status status = nse_space_preset("nse-27-small", NULL, (nse_space **)&desc.space, &error);
    desc.flags = NSE_SEARCH_PUSHED;
    desc.options_json = options;
    desc.latency = table;
    return status < 0 ? status : nse_search_create(&desc, &out, &error);
}

/* All options of a search. */
static int search(const char *text) { return search_with(text, NULL); }

/* Some options, beside an objective. */
static int options(const char *text) {
    static char all[65536];
    const char *body = strchr(text, '{');
    if (body == NULL) return -1;
    snprintf(all, sizeof all, "{\"objective\": {\"low\": 2000000, \"high\": 3000000}, %s", body + 1);
    return search_with(all, NULL);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*check)(const char *text);
    } kinds[] = {{"space", space},     {"overrides", overrides}, {"dataset", dataset},
                 {"latency", latency}, {"search", search},       {"options", options}};
    static char text[65536];
    FILE *file = argc == 3 ? fopen(argv[2], "rb") : NULL;
    if (file == NULL || fread(text, 1, sizeof text - 1, file) == 0) return 2;
    fclose(file);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        if (strcmp(argv[1], kinds[i].name) != 0) continue;
        int status = kinds[i].check(text);
        if (status < 0) printf("%s\n", error != NULL ? nse_error_message(error) : "not an object");
        return status < 0;
    }
    printf("\"%s\" is no kind of document\n", argv[1]);
    return 2;
}
