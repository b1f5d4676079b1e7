/* Latency tables: their texts, what is missing, what an architecture takes, and searches by latency. */
#include "support.h"
#include <math.h>
#include <pthread.h>

#define HEADER "kind,input_size,in_channels,out_channels,kernel,stride,padding,dilation,groups,time\n"

static nse_error *error;

/* The table as text, to free. */
static char *text_of(const nse_latency *table, const char *format) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_latency_to_text(table, format, &buffer, NULL), NSE_OK);
    char *text = strdup(buffer.data);
    nse_buffer_free(&buffer);
    return text;
}

static nse_latency *parsed(const char *text) {
    nse_latency *table = NULL;
    if (nse_latency_parse(text, &table, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    return table;
}

static void create_and_set(void **state) {
    (void)state;
    nse_latency *table = NULL;
    assert_int_equal(nse_latency_create(NULL, &table, NULL), NSE_OK);
    char *text = text_of(table, "csv");
    assert_string_equal(text, "# unit: ms\n" HEADER);
    free(text);
    assert_int_equal(nse_latency_set(table, "conv,28,64,64,3,1,1,1,64", 0.5, NULL), NSE_OK);
    assert_int_equal(nse_latency_set(table, "add,7,8,8,0,0,0,0,0", 0, NULL), NSE_OK);
    assert_int_equal(nse_latency_set(table, "conv,28x14,64,64,1x3,1,0x1,1,64", 1e5, NULL), NSE_OK);
    assert_int_equal(nse_latency_set(table, "conv,28,64,64,3,1,1,1,64", 0.1, NULL), NSE_OK); /* replaces */
    text = text_of(table, "csv");
    assert_string_equal(text, "# unit: ms\n" HEADER "conv,28x14,64,64,1x3,1,0x1,1,64,100000.0\nconv,28,64,64,3,1,1,1,64,0.1\n"
                              "add,7,8,8,0,0,0,0,0,0.0\n");
    free(text);
    nse_latency_free(table);
    assert_int_equal(nse_latency_create("\xc2\xb5s per batch of 8", &table, NULL), NSE_OK);
    text = text_of(table, "json");
    assert_non_null(strstr(text, "\"unit\": \"\xc2\xb5s per batch of 8\""));
    free(text);
    nse_latency_free(table);
}

/* Both texts read back as the same table, to the last bit of every time. */
static void texts(void **state) {
    (void)state;
    nse_latency *table = NULL;
    uint64_t random = 1;
    assert_int_equal(nse_latency_create("\"\\,#", &table, NULL), NSE_OK);
    for (uint32_t i = 1; i <= 500; ++i) {
        char key[64];
        double time;
        random = random * 6364136223846793005u + 1442695040888963407u;
        /* Any mantissa, from about 2e-9 to 5e5. */
        const uint64_t bits = random >> 12 | (uint64_t)(1023 - 29 + i % 48) << 52;
        memcpy(&time, &bits, sizeof time);
        snprintf(key, sizeof key, "linear,1,%u,%u,0,0,0,0,0", i, UINT32_MAX);
        assert_int_equal(nse_latency_set(table, key, time, NULL), NSE_OK);
    }
    char *csv = text_of(table, "csv"), *json = text_of(table, "json");
    nse_latency *from_csv = parsed(csv), *from_json = parsed(json);
    char *csv_again = text_of(from_json, "csv"), *json_again = text_of(from_csv, "json");
    assert_string_equal(csv, csv_again);
    assert_string_equal(json, json_again);
    free(csv), free(json), free(csv_again), free(json_again);
    nse_latency_free(table), nse_latency_free(from_csv), nse_latency_free(from_json);
    /* What people write: other line ends, blank lines, blanks around a line, no unit, nothing in it. */
    table = parsed("\r\n# unit:  us \r\n\r\n  " HEADER "\r\n add,7,8,8,0,0,0,0,0,1 \r\n\r\n");
    csv = text_of(table, "csv");
    assert_string_equal(csv, "# unit: us\n" HEADER "add,7,8,8,0,0,0,0,0,1.0\n");
    free(csv);
    nse_latency_free(table);
    nse_latency_free(parsed(HEADER));
    nse_latency_free(parsed("\n {\"entries\": []}"));
}

static void bad_texts(void **state) {
    (void)state;
    nse_latency *table = (nse_latency *)1;
    const struct {
        const char *text, *message, *detail;
    } cases[] = {
        {"", "there is no header", "latency table"},
        {"\n\n", "there is no header", "latency table"},
        {"add,7,8,8,0,0,0,0,0,1", "is not the header", "\"line 1\""},
        {"# unit: ms\n# unit: ms\n" HEADER, "a second unit", "\"line 2\""},
        {"# unit: a  b\n" HEADER, "is not a unit", "\"line 1\""},
        {"# unit: 123456789012345678901234567890123\n" HEADER, "is not a unit", "\"line 1\""},
        {HEADER "add,7,8,8,0,0,0,0,0\n", "9 columns", "\"line 2\""},
        {HEADER "\nadd,7,8,8,0,0,0,0,0,1,\n", "11 columns", "\"line 3\""},
        {HEADER "sub,7,8,8,0,0,0,0,0,1\n", "\"sub\" is not", "\"line 2\""},
        {HEADER "add,-7,8,8,0,0,0,0,0,1\n", "input_size: \"-7\"", "\"line 2\""},
        {HEADER "add,7x,8,8,0,0,0,0,0,1\n", "input_size: \"7x\"", "\"line 2\""},
        {HEADER "add,7,4294967296,8,0,0,0,0,0,1\n", "in_channels: \"4294967296\"", "\"line 2\""},
        {HEADER "add,7,8,9,0,0,0,0,0,1\n", "written as add,7,8,8", "\"line 2\""},
        {HEADER "add,0,8,8,0,0,0,0,0,1\n", "is 0", "\"line 2\""},
        {HEADER "conv,7,8,8,3,0,1,1,1,1\n", "are 0", "\"line 2\""},
        {HEADER "conv,7,8,8,3,1,1,1,3,1\n", "3 groups", "\"line 2\""},
        {HEADER "conv,7,8,8,3,1,1,1,0,1\n", "groups of a convolution are 0", "\"line 2\""},
        {HEADER "add,7,8,8,0,0,0,0,0,-1\n", "-1 is not 0 and not in", "\"line 2\""},
        {HEADER "add,7,8,8,0,0,0,0,0,nan\n", "NaN is not 0 and not in", "\"line 2\""},
        {HEADER "add,7,8,8,0,0,0,0,0,1e999\n", "inf is not 0 and not in", "\"line 2\""},
        {HEADER "add,7,8,8,0,0,0,0,0,fast\n", "time: \"fast\"", "\"line 2\""},
        {HEADER "add,7,8,8,0,0,0,0,0,1\nadd,7,8,8,0,0,0,0,0,1\n", "twice", "\"line 3\""},
        {"{", "EOF", "latency table"},
        {"{\"unit\": \"ms\"}", "missing field `entries`", "latency table"},
        {"{\"unit\": \"\", \"entries\": []}", "is not a unit", "\"/unit\""},
        {"{\"entries\": [], \"more\": 1}", "unknown field `more`", "\"/more\""},
        {"{\"entries\": [{\"kind\": \"conv\"}]}", "missing field", "\"/entries/0\""},
        {"{\"entries\": {}}", "invalid type", "\"/entries\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        expect_error(nse_latency_parse(cases[i].text, &table, &error), NSE_ERR_CONFIG, &error, cases[i].message, cases[i].detail);
        assert_null(table);
    }
    expect_error(nse_latency_parse(NULL, &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "text: NULL", "\"argument\":\"text\"");
    expect_error(nse_latency_parse("\xff", &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8 at byte 0", "text");
    expect_error(nse_latency_parse(HEADER, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    /* Deep, long and cut texts are errors, never a crash. */
    const size_t size = 1 << 20;
    char *deep = malloc(size + 1);
    memset(deep, '[', size), deep[0] = '{', deep[size] = '\0';
    expect_error(nse_latency_parse(deep, &table, &error), NSE_ERR_CONFIG, &error, "latency table", "latency table");
    memset(deep, '9', size);
    expect_error(nse_latency_parse(deep, &table, &error), NSE_ERR_CONFIG, &error, "is not the header", "\"line 1\"");
    free(deep);
    nse_latency *whole = parsed(HEADER "add,7,8,8,0,0,0,0,0,1\n");
    char *json = text_of(whole, "json");
    nse_latency_free(whole);
    for (size_t cut = strlen(json) - 1; cut > 0; --cut) {
        json[cut] = '\0';
        assert_int_equal(nse_latency_parse(json, &table, NULL), NSE_ERR_CONFIG);
    }
    free(json);
}

static void bad_arguments(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = (nse_latency *)1, *none = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    const char *key = "add,7,8,8,0,0,0,0,0", *units[] = {"", " ", "a  b", " a", "a ", "a\nb", "a\tb", "\xc2\xa0"};
    for (size_t i = 0; i < sizeof units / sizeof *units; ++i) {
        expect_error(nse_latency_create(units[i], &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "is not a unit", "\"unit\"");
        assert_null(none);
    }
    expect_error(nse_latency_create("\x80", &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8", "\"unit\"");
    expect_error(nse_latency_create(NULL, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    assert_int_equal(nse_latency_create(NULL, &table, NULL), NSE_OK);
    const char *keys[] = {"", ",", "add", "add,7,8,8,0,0,0,0", "add,7,8,8,0,0,0,0,0,1", "conv,7,8,8,3,1,1,1,5", "add,7,8,8,0,0,0,0,1",
                          " add,7,8,8,0,0,0,0,0", "add,7,8,8,0,0,0,0,+0", "add,7,8,8,0,0,0,0,0\n"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        expect_error(nse_latency_set(table, keys[i], 1, &error), NSE_ERR_INVALID_ARGUMENT, &error, "key: ", "\"key\"");
    }
    const double times[] = {NAN, INFINITY, -INFINITY, -1, -5e-324};
    for (size_t i = 0; i < sizeof times / sizeof *times; ++i) {
        expect_error(nse_latency_set(table, key, times[i], &error), NSE_ERR_INVALID_ARGUMENT, &error, "time: ", "\"time\"");
    }
    expect_error(nse_latency_set(table, NULL, 1, &error), NSE_ERR_INVALID_ARGUMENT, &error, "key: NULL", "\"key\"");
    expect_error(nse_latency_set(table, "\xff", 1, &error), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8", "\"key\"");
    expect_error(nse_latency_to_text(table, "xml", &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"xml\"", "\"format\"");
    expect_error(nse_latency_to_text(table, NULL, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "format: NULL", "\"format\"");
    expect_error(nse_latency_to_text(table, "csv", NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_latency_missing(table, space, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_measure_options_schema(NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    char *text = text_of(table, "csv"); /* nothing of all that is in it */
    assert_string_equal(text, "# unit: ms\n" HEADER);
    free(text);
    assert_null(buffer.data);
    nse_latency_free(table);
    nse_space_free(space);
}

/* By hand: every operation of an architecture has its own power of two, so that the sum tells what was counted, and how often. */
static void architecture(void **state) {
    (void)state;
    const char *keys[] = {
        "conv,12,1,8,3,2,1,1,1",    /* stem */
        "conv,6,8,24,1,1,0,1,1",    /* cells 0 and 1 expand alike */
        "conv,6,24,24,3,1,1,1,24",  "conv,6,24,8,1,1,0,1,1",  "add,6,8,8,0,0,0,0,0",
        "conv,6,24,24,3,2,1,1,24",  "conv,3,24,12,1,1,0,1,1",
        "conv,3,12,36,1,1,0,1,1",   "conv,3,36,36,3,1,1,1,36", "conv,3,36,12,1,1,0,1,1", "add,3,12,12,0,0,0,0,0",
        "conv,3,12,16,1,1,0,1,1",   "avgpool,3,16,16,3,1,0,1,1", "linear,1,16,3,0,0,0,0,0",
    };
    const size_t count = sizeof keys / sizeof *keys;
    nse_latency *table = NULL;
    nse_arch *arch = make_arch();
    double time = 7;
    assert_int_equal(nse_latency_create(NULL, &table, NULL), NSE_OK);
    for (size_t i = 0; i < count; ++i) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\"", keys[i]);
        expect_error(nse_latency_arch(table, arch, &time, &error), NSE_ERR_MISSING_LATENCY, &error, "the latency table lacks", quoted);
        assert_true(time == 7);
        assert_int_equal(nse_latency_set(table, keys[i], ldexp(1, (int)i), NULL), NSE_OK);
    }
    assert_int_equal(nse_latency_arch(table, arch, &time, NULL), NSE_OK);
    assert_true(time == ldexp(1, (int)count) - 1 + 2);
    assert_int_equal(nse_latency_arch(table, arch, NULL, NULL), NSE_OK);
    nse_latency_free(table);
    nse_arch_free(arch);
}

static double arch_time(const nse_latency *table, const nse_space *space, const char *cells) {
    char json[512];
    nse_arch *arch = NULL;
    double time = -1;
    snprintf(json, sizeof json, "{\"cells\": %s}", cells);
    assert_int_equal(nse_arch_from_json(space, json, &arch, NULL), NSE_OK);
    assert_int_equal(nse_latency_arch(table, arch, &time, NULL), NSE_OK);
    nse_arch_free(arch);
    return time;
}

static void range_of(const nse_space *space, const nse_latency *table, double *least, double *greatest) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_space_describe(space, table, &buffer, NULL), NSE_OK);
    const char *latency = strstr(buffer.data, "\"latency\":{");
    assert_non_null(latency);
    assert_int_equal(sscanf(strstr(latency, "\"least\":"), "\"least\":%lf", least), 1);
    assert_int_equal(sscanf(strstr(latency, "\"greatest\":"), "\"greatest\":%lf", greatest), 1);
    nse_buffer_free(&buffer);
}

static void description_of_a_space(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = make_table(space), *empty = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    double least, greatest;
    assert_int_equal(nse_latency_missing(table, space, &buffer, NULL), NSE_OK);
    assert_string_equal(buffer.data, "[]");
    nse_buffer_free(&buffer);
    range_of(space, table, &least, &greatest);
#define ALL "[\"mbconv_k3_t1\", \"mbconv_k3_t3\", \"mbconv_k5_t3\", \"rec_k5_t1\"]"
    assert_true(greatest == arch_time(table, space, "[" ALL "," ALL "," ALL "]"));
    double one = arch_time(table, space, "[[], [\"mbconv_k3_t1\"], []]"), other = arch_time(table, space, "[[], [\"rec_k5_t1\"], []]");
    assert_true(least == (one < other ? one : other));
    assert_int_equal(nse_space_describe(space, NULL, &buffer, NULL), NSE_OK);
    assert_null(strstr(buffer.data, "latency"));
    nse_buffer_free(&buffer);
    assert_int_equal(nse_latency_create(NULL, &empty, NULL), NSE_OK);
    expect_error(nse_space_describe(space, empty, &buffer, &error), NSE_ERR_MISSING_LATENCY, &error, "the latency table lacks",
                 "\"missing\":[\"conv,");
    assert_null(buffer.data);
    nse_latency_free(table);
    nse_latency_free(empty);
    nse_space_free(space);
}

/* Makes a search with a table, of which the search keeps its own. */
static nse_status create(const char *options, const nse_latency *table, nse_search **search) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    desc.space = space, desc.train = images, desc.options_json = options, desc.latency = table;
    const nse_status status = nse_search_create(&desc, search, &error);
    nse_space_free(space);
    nse_dataset_free(images);
    return status;
}

static void searched(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = make_table(space), *changed = make_table(space), *empty = NULL;
    nse_search *search = NULL;
    nse_arch *arch = NULL;
    char options[512];
    double least, greatest, last = 0, accuracy, best;
    size_t count;
    range_of(space, table, &least, &greatest);
    const double low = least + 0.2 * (greatest - least), high = least + 0.6 * (greatest - least);
    snprintf(options, sizeof options,
             "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"cost\": \"latency\", \"low\": %.17g, \"high\": %.17g},"
             " \"train\": {\"epochs\": 2, \"batch\": 16}, \"candidates\": {\"count\": 4, \"extras\": 2}, \"held_out\": 0.25}",
             low, high);
    assert_int_equal(nse_latency_create(NULL, &empty, NULL), NSE_OK);
    expect_error(create(options, NULL, &search), NSE_ERR_INVALID_ARGUMENT, &error, "there is no latency table", "latency\"");
    expect_error(create(options, empty, &search), NSE_ERR_MISSING_LATENCY, &error, "lacks", "\"missing\":[\"conv,");
    assert_null(search);
    assert_int_equal(create(options, changed, &search), NSE_OK);
    /* Later changes do not reach it. */
    assert_int_equal(nse_latency_set(changed, "conv,12,1,8,3,2,1,1,1", 1e6, NULL), NSE_OK);
    nse_latency_free(changed);
    while (nse_search_step(search, NULL) != NSE_DONE) {}
    assert_int_equal(nse_search_front_count(search, &count, NULL), NSE_OK);
    assert_true(count > 0);
    for (size_t i = 0; i < count; ++i) {
        double time = -1;
        assert_int_equal(nse_search_front_get(search, i, &arch, &accuracy, NULL), NSE_OK);
        assert_int_equal(nse_latency_arch(table, arch, &time, NULL), NSE_OK);
        nse_arch_free(arch);
        assert_true(time >= low - 1e-6 && time <= high + 1e-6 && time > last);
        assert_int_equal(nse_search_best(search, time, NULL, &best, NULL), NSE_OK);
        assert_true(best == accuracy);
        if (i == 0) expect_error(nse_search_best(search, time - 1e-3, NULL, NULL, &error), NSE_ERR_NOT_FOUND, &error, "max_cost", "{");
        last = time;
    }
    assert_int_equal(nse_search_best(search, last - 1e-3, NULL, &best, NULL), count > 1 ? NSE_OK : NSE_ERR_NOT_FOUND);
    nse_search_free(search);
    nse_latency_free(table);
    nse_latency_free(empty);
    nse_space_free(space);
}

/* A table that is not needed does no harm, even one that lacks everything. */
static void table_without_need(void **state) {
    (void)state;
    nse_latency *empty = NULL;
    nse_search *search = NULL;
    assert_int_equal(nse_latency_create(NULL, &empty, NULL), NSE_OK);
    assert_int_equal(create(SEARCH_JSON, empty, &search), NSE_OK);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    nse_search_free(search);
    nse_latency_free(empty);
}

/* ---- Many threads on one table ------------------------------------------------------------------------------------------------- */

static nse_space *shared_space;
static nse_arch *shared_arch;

static void *use(void *table) {
    for (int i = 0; i < 300; ++i) {
        nse_buffer text = NSE_BUFFER_INIT, missing = NSE_BUFFER_INIT, described = NSE_BUFFER_INIT;
        double time = 0;
        const nse_status statuses[] = {
            nse_latency_set(table, "conv,12,1,8,3,2,1,1,1", i, NULL),  nse_latency_to_text(table, i % 2 ? "csv" : "json", &text, NULL),
            nse_latency_missing(table, shared_space, &missing, NULL),  nse_latency_arch(table, shared_arch, &time, NULL),
            nse_space_describe(shared_space, table, &described, NULL),
        };
        int wrong = 0, freed = 0;
        for (size_t k = 0; k < sizeof statuses / sizeof *statuses; ++k) {
            freed |= statuses[k] == NSE_ERR_INVALID_HANDLE;
            wrong |= statuses[k] != NSE_OK && statuses[k] != NSE_ERR_INVALID_HANDLE;
        }
        wrong |= !freed && (text.len < 100 || strcmp(missing.data, "[]") != 0 || !(time > 0));
        nse_buffer_free(&text), nse_buffer_free(&missing), nse_buffer_free(&described);
        if (wrong || freed) return wrong ? (void *)1 : NULL;
    }
    return NULL;
}

static void used_and_freed_by_threads(void **state) {
    (void)state;
    shared_space = make_space(), shared_arch = make_arch();
    for (int round = 0; round < 5; ++round) {
        nse_latency *table = make_table(shared_space);
        pthread_t threads[4];
        void *bad = NULL;
        for (int i = 0; i < 4; ++i) assert_int_equal(pthread_create(&threads[i], NULL, use, table), 0);
        usleep(3000 * round);
        nse_latency_free(table);
        for (int i = 0; i < 4; ++i) {
            pthread_join(threads[i], &bad);
            assert_null(bad);
        }
    }
    nse_arch_free(shared_arch);
    nse_space_free(shared_space);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(create_and_set), cmocka_unit_test(texts),
        cmocka_unit_test(bad_texts),      cmocka_unit_test(bad_arguments),
        cmocka_unit_test(architecture),   cmocka_unit_test(description_of_a_space),
        cmocka_unit_test(searched),       cmocka_unit_test(table_without_need),
        cmocka_unit_test(used_and_freed_by_threads),
    };
    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
