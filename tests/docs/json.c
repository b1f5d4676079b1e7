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

static int restoration(const char *text) {
    static float values[3 * 64];
    nse_picture picture = NSE_PICTURE_INIT, mask = NSE_PICTURE_INIT;
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    nse_restoration *out = NULL;
    picture.channels = 3, picture.height = picture.width = 8, picture.data = values;
    for (int i = 0; i < 64; ++i) values[i] = (float)(i % 2);
    mask = picture, mask.channels = 1;
    desc.picture = &picture, desc.options_json = text;
    if (strstr(text, "inpaint") != NULL) desc.mask = &mask;
    return nse_restoration_create(&desc, &out, &error);
}

static int genome(const char *text) {
    nse_buffer out = NSE_BUFFER_INIT;
    return nse_genome_describe(text, 3, 64, 64, 32, &out, &error);
}

/* NULL: not an object. */
static const char *beside_an_objective(const char *text) {
    static char all[65536];
    const char *body = strchr(text, '{');
    if (body == NULL) return NULL;
    snprintf(all, sizeof all, "{\"objective\": {\"low\": 2000000, \"high\": 3000000}, %s", body + 1);
    return all;
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

static int architecture(const char *text) {
    nse_space *space = NULL;
    nse_arch *out = NULL;
    nse_status status = nse_space_preset("nse-27-small", NULL, &space, &error);
    return status < 0 ? status : nse_arch_from_json(space, text, &out, &error);
}

/* All options of a search. */
static int search(const char *text) { return search_with(text, NULL); }

/* Some options, beside an objective. */
static int options(const char *text) {
    const char *all = beside_an_objective(text);
    return all == NULL ? -1 : search_with(all, NULL);
}

/* A search of a preset's space, on square images. */
static int searched(const char *preset, const char *over, uint32_t channels, uint32_t side, const char *options) {
    enum { COUNT = 64, MOST = 3 * 32 * 32 };
    static uint8_t pixels[COUNT * MOST];
    static uint32_t labels[COUNT];
    nse_images images = NSE_IMAGES_INIT;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *out = NULL;
    if (options == NULL) return -1;
    images.channels = channels, images.height = images.width = side, images.count = COUNT, images.classes = 10;
    images.pixels = pixels, images.labels = labels;
    for (int i = 0; i < COUNT; ++i) labels[i] = i % 10;
    nse_status status = nse_space_preset(preset, over, (nse_space **)&desc.space, &error);
    if (status == NSE_OK) status = nse_dataset_from_memory(&images, (nse_dataset **)&desc.train, &error);
    desc.options_json = options;
    return status < 0 ? status : nse_search_create(&desc, &out, &error);
}

/* Some options, beside an objective, of a search that has images. */
static int trained(const char *text) { return searched("nse-27-small", NULL, 1, 28, beside_an_objective(text)); }

/* Some options, beside an objective, of a search that grows cells. */
static int grown(const char *text) {
    return searched("pnas-cifar", "{\"channels\": 4}", 3, 32, beside_an_objective(text));
}

/* Some options, beside an objective of their own, of a search that eliminates operators of binary weights. */
static int eliminated(const char *text) {
    return searched("bnas-cifar", "{\"channels\": 16, \"cells\": 6}", 3, 32, text);
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*check)(const char *text);
    } kinds[] = {{"space", space},     {"overrides", overrides}, {"dataset", dataset},
                 {"latency", latency}, {"search", search},       {"options", options},
                 {"trained", trained}, {"architecture", architecture}, {"grown", grown},
                 {"restoration", restoration}, {"genome", genome},
                 {"eliminated", eliminated}};
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
