/* Texts that fit some argument, and texts that fit none. */
#ifndef NSE_TEST_TEXTS_H
#define NSE_TEST_TEXTS_H

#include <stddef.h>
#include <string.h>

#define SPACE_TEXT                                                                                                               \
    "{\"name\": \"tiny\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3,"                           \
    " \"stem\": {\"channels\": 8, \"stride\": 2}, \"cells\": [{\"kind\": \"normal\"}, {\"kind\": \"reduce\", \"channels\": 12},"  \
    " {\"kind\": \"normal\"}], \"operators\": [\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\"],"              \
    " \"tail\": {\"channels\": 16}}"
#define SEARCH_TEXT                                                                                                              \
    "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000},"                               \
    " \"train\": {\"epochs\": 2, \"batch\": 16}, \"candidates\": {\"count\": 4, \"extras\": 2},"                                 \
    " \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25}"
#define RESTORATION_TEXT                                                                                                         \
    "{\"task\": \"denoise\", \"seed\": 1, \"train\": {\"iterations\": 2, \"input_channels\": 2},"                                   \
    " \"search\": {\"units\": 1, \"population\": 2, \"generations\": 2, \"max_params\": 3000}}"
#define MODEL_TEXT "{\"train\": {\"epochs\": 1, \"batch\": 16}, \"calibration\": 16}"

/* What an argument of a function takes: the first whose function and argument are named so (NULL: any). */
static const struct {
    const char *function, *argument, *text;
} fitting[] = {
    {"nse_space_preset", "name", "proxyless"},
    {"nse_arch_preset", "name", "proxyless_mobile"},
    {NULL, "overrides_json", "{\"classes\": 7}"},
    {"nse_space_from_json", "json", SPACE_TEXT},
    {"nse_arch_from_json", "json", "{\"cells\": [[\"mbconv_k3_t1\"], [\"mbconv_k5_t3\"], []]}"},
    {"nse_dataset_open", "json", "{\"format\": \"idx\", \"images\": \"images\", \"labels\": \"labels\"}"},
    {NULL, "operator_name", "mbconv_k3_t3"},
    {NULL, "variant_json", "{\"activation\": \"swish\"}"},
    {NULL, "unit", "us"},
    {NULL, "key", "conv,28,64,64,3,1,1,1,64"},
    {"nse_latency_parse", "text", "# unit: ms\nkind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time\n"
                                  "conv,28,64,64,3,1,1,1,64,0.5\n"},
    {"nse_latency_to_text", "format", "csv"},
    {"nse_search_report", "format", "svg"},
    {"nse_arch_draw", "format", "svg"},
    {"nse_model_export", "format", "torchscript"},
    {"nse_model_export_memory", "format", "{\"format\": \"onnx\", \"fold\": true}"},
    {NULL, "device", "cpu"},
    {NULL, "budget_json", "{\"cost\": \"macs\", \"low\": 0, \"high\": 1e8}"},
    {"nse_genome_describe", "code", "1-2cbe2"},
    {"nse_restoration_tell", "code", "1-00000"},
    {"nse_restoration_forget", "code", "1-00000"},
    {"nse_restoration_run", "code", "1-00000"},
    {NULL, "code", "1.0"},
    {NULL, "path", "file"},
    {"nse_search_desc", "options_json", SEARCH_TEXT},
    {"nse_model_desc", "options_json", MODEL_TEXT},
    {"nse_measure_desc", "options_json", "{\"passes\": 1}"},
    {"nse_restoration_desc", "options_json", RESTORATION_TEXT},
};

static const char *const unfitting[] = {
    "",         "{}",     "[]",        "null",         "{",          "{\"seed\": -1}",        "json",       "\xff\xfe",
    "\xc3",     "nan",    "[[[[[[[[",  "{\"a\": {}}", "\"\\ud800\"", "{\"classes\": 1e99}", "1e999",      "/",
    "a\nb\r\n", "%s%n%d", "no/such/f", ".",           "\xed\xa0\x80", "{\"cells\": [[]]}",    "0x10,,,,,", "\xf0\x9f\xa6\x80",
};

static inline const char *fitting_text(const char *function, const char *argument) {
    for (size_t i = 0; i < sizeof fitting / sizeof *fitting; ++i) {
        if (fitting[i].function != NULL && strcmp(fitting[i].function, function) != 0) continue;
        if (strcmp(fitting[i].argument, argument) == 0) return fitting[i].text;
    }
    return NULL;
}

#endif
