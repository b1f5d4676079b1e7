/* Checkpoints that cannot be written or read: paths, damaged files, other images, spaces, options and tables; many threads at once. */
#include "support.h"
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static nse_error *error;
static char folder[] = "/tmp/nse-damage-XXXXXX";
static char good[64];

/* Loads with what `desc` has beside its images. */
static nse_status load_with(const char *path, nse_search_desc desc) {
    nse_dataset *images = make_images(96);
    nse_search *search = (nse_search *)1;
    if (desc.train == NULL) desc.train = images;
    const nse_status status = nse_search_load(path, &desc, &search, &error);
    if (status != NSE_OK) assert_null(search);
    nse_search_free(search);
    nse_dataset_free(images);
    return status;
}

static nse_status load(const char *path) {
    const nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    return load_with(path, desc);
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = malloc(1 << 20);
    *size = fread(bytes, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

static const char *write_file(const char *bytes, size_t size) {
    static char path[64];
    snprintf(path, sizeof path, "%s/bad", folder);
    unlink(path); /* some file systems wait for the disk when a file is cut to nothing */
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return path;
}

static int32_t cancel_third(void *user, const nse_event *event) {
    (void)event;
    return ++*(int *)user == 3;
}

static nse_search *middle_of_a_round(void) {
    static int calls;
    nse_events events = NSE_EVENTS_INIT;
    calls = 0;
    events.on_event = cancel_third, events.user = &calls;
    nse_search *search = make_search(SEARCH_JSON, &events);
    assert_int_equal(nse_search_step(search, NULL), NSE_ERR_CANCELLED);
    return search;
}

/* What is not a place for a file is an error that names it. Nothing is changed. */
static void places(void **state) {
    (void)state;
    nse_search *search = middle_of_a_round();
    char slash[64], link[64], *longest = malloc(10001);
    memset(longest, 'n', 10000), longest[0] = '/', longest[10000] = '\0';
    snprintf(slash, sizeof slash, "%s/no-folder/", folder);
    const char *paths[] = {"", "/", ".", "..", folder, slash, "/no/such/folder/file", "/dev/null", "/dev/full", "/proc/nse", longest};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; ++i) {
        expect_error(nse_search_save(search, paths[i], &error), NSE_ERR_IO, &error, paths[i], "\"path\":");
        expect_error(load(paths[i]), NSE_ERR_IO, &error, paths[i], "\"path\":");
    }
    assert_int_equal(access(slash, F_OK), -1);
    free(longest);
    expect_error(nse_search_save(search, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "path: NULL", "\"path\"");
    expect_error(nse_search_save(search, "/tmp/\xff", &error), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8 at byte 5", "\"path\"");
    expect_error(load(NULL), NSE_ERR_INVALID_ARGUMENT, &error, "path: NULL", "\"path\"");
    expect_error(load("/tmp/\xff"), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8 at byte 5", "\"path\"");
    /* A pipe does not make the call wait. */
    snprintf(slash, sizeof slash, "%s/pipe", folder);
    assert_int_equal(mkfifo(slash, 0600), 0);
    expect_error(load(slash), NSE_ERR_IO, &error, "not a regular file", slash);
    expect_error(nse_search_save(search, slash, &error), NSE_ERR_IO, &error, "not a regular file", slash);
    /* A link is itself replaced, and what it pointed to stays. */
    size_t before, after;
    char *bytes = read_file(good, &before);
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink(good, link), 0);
    assert_int_equal(load(link), NSE_OK);
    assert_int_equal(nse_search_save(search, link, NULL), NSE_OK);
    assert_int_equal(readlink(link, slash, sizeof slash), -1);
    char *again = read_file(good, &after);
    assert_int_equal(before, after);
    assert_memory_equal(bytes, again, before);
    free(bytes), free(again);
    nse_search_free(search);
    if (geteuid() != 0) { /* nothing is unwritable to root */
        snprintf(link, sizeof link, "%s/closed", folder);
        snprintf(slash, sizeof slash, "%s/closed/file", folder);
        assert_int_equal(mkdir(link, 0500), 0);
        search = make_search(SEARCH_JSON, NULL);
        expect_error(nse_search_save(search, slash, &error), NSE_ERR_IO, &error, slash, "\"os_error\":13");
        nse_search_free(search);
    }
}

/* Cut anywhere, longer, or one bit wrong: never loaded, never a crash. */
static void damaged_files(void **state) {
    (void)state;
    size_t size;
    char *bytes = read_file(good, &size), *longer = malloc(size + 1);
    assert_true(size > 4000);
    for (size_t cut = 0; cut < size; cut += cut < 100 ? 1 : 97) {
        const char *path = write_file(bytes, cut);
        expect_error(load(path), NSE_ERR_FORMAT, &error, cut < 64 ? path : "truncated", "\"path\":");
    }
    expect_error(load(write_file(bytes, size - 1)), NSE_ERR_FORMAT, &error, "truncated", "\"path\":");
    memcpy(longer, bytes, size), longer[size] = 0;
    expect_error(load(write_file(longer, size + 1)), NSE_ERR_FORMAT, &error, "1 bytes follow", "\"path\":");
    free(longer);
    for (size_t at = 0; at < size; at += at < 80 ? 1 : 61) {
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
        expect_error(load(write_file(bytes, size)), NSE_ERR_FORMAT, &error, "/bad: ", "\"path\":");
        bytes[at] = (char)(bytes[at] ^ 1 << at % 8);
    }
    assert_int_equal(load(write_file(bytes, size)), NSE_OK);
    bytes[8] = 2;
    expect_error(load(write_file(bytes, size)), NSE_ERR_FORMAT, &error, "version 2", "\"path\":");
    bytes[8] = 1;
    memset(bytes + 16, 0xff, 16); /* lengths that no machine holds */
    expect_error(load(write_file(bytes, size)), NSE_ERR_FORMAT, &error, "truncated", "\"path\":");
    expect_error(load(write_file(SPACE_JSON, strlen(SPACE_JSON))), NSE_ERR_FORMAT, &error, "not a checkpoint", "\"path\":");
    free(bytes);
}

/* Everything that is given must be what the search was made with. */
static void other_descriptions(void **state) {
    (void)state;
    nse_space *same = make_space(), *other = NULL;
    nse_dataset *fewer = make_images(95), *all = make_images(96), *first, *second;
    nse_latency *table = make_table(same);
    nse_search *search = middle_of_a_round();
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    assert_int_equal(nse_space_preset("nse-27-small", NULL, &other, NULL), NSE_OK);
    assert_int_equal(nse_dataset_split(all, 0.5, 0, &first, &second, NULL), NSE_OK);
    desc.space = same;
    assert_int_equal(load_with(good, desc), NSE_OK);
    desc.space = other;
    expect_error(load_with(good, desc), NSE_ERR_FORMAT, &error, "the space \"tiny\", which is not the space \"nse-27-small\"", "\"path\":");
    desc.space = NULL, desc.train = fewer;
    expect_error(load_with(good, desc), NSE_ERR_FORMAT, &error, "made with other images", "\"path\":");
    desc.train = second;
    expect_error(load_with(good, desc), NSE_ERR_FORMAT, &error, "made with other images", "\"path\":");
    desc.train = NULL, desc.held_out = first;
    expect_error(load_with(good, desc), NSE_ERR_FORMAT, &error, "made with other images", "\"path\":");
    desc.held_out = NULL, desc.latency = table;
    expect_error(load_with(good, desc), NSE_ERR_FORMAT, &error, "made with other latencies", "\"path\":");
    desc.latency = NULL, desc.continued = search;
    expect_error(load_with(good, desc), NSE_ERR_INVALID_ARGUMENT, &error, "to load a checkpoint", "desc");
    desc.continued = NULL, desc.flags = 8;
    expect_error(load_with(good, desc), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x8", "desc");
    desc.flags = 0, desc.struct_size = 8;
    expect_error(load_with(good, desc), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size 8", "desc");
    nse_search *none = search;
    expect_error(nse_search_load(good, NULL, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "desc");
    assert_null(none);
    nse_search_free(search);
    nse_latency_free(table);
    nse_space_free(same), nse_space_free(other);
    nse_dataset_free(fewer), nse_dataset_free(all), nse_dataset_free(first), nse_dataset_free(second);
}

static void other_options(void **state) {
    (void)state;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    char json[1024];
    const struct {
        const char *more, *text, *pointer;
    } cases[] = {
        {", \"train\": {\"epochs\": 2, \"batch\": 8}", "16", "\"/train/batch\""},
        {", \"branches\": \"single\"", "single", "\"/branches\""},
        {", \"nonsense\": 1", "unknown field", "\"/nonsense\""},
    };
    /* Those of the file; where and when it is saved is free. */
    desc.options_json = SEARCH_JSON;
    assert_int_equal(load_with(good, desc), NSE_OK);
    const char *body = SEARCH_JSON;
    snprintf(json, sizeof json, "%.*s, \"threads\": 1, \"checkpoint\": {\"path\": \"/tmp/nse-never\"}}", (int)strlen(body) - 1, body);
    desc.options_json = json;
    assert_int_equal(load_with(good, desc), NSE_OK);
    snprintf(json, sizeof json, "%.*s, \"device\": \"tpu\"}", (int)strlen(body) - 1, body);
    expect_error(load_with(good, desc), NSE_ERR_DEVICE, &error, "\"tpu\"", "\"device\"");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        snprintf(json, sizeof json,
                 "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000},"
                 " \"candidates\": {\"count\": 4, \"extras\": 2}, \"score\": {\"calibration\": 32, \"batch\": 64}, \"held_out\": 0.25%s%s}",
                 i == 0 ? "" : ", \"train\": {\"epochs\": 2, \"batch\": 16}", cases[i].more);
        expect_error(load_with(good, desc), NSE_ERR_CONFIG, &error, cases[i].text, cases[i].pointer);
    }
    desc.options_json = "{";
    expect_error(load_with(good, desc), NSE_ERR_CONFIG, &error, "search options", "search options");
    desc.options_json = "\xff";
    expect_error(load_with(good, desc), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8", "options_json");
    assert_int_equal(access("/tmp/nse-never", F_OK), -1);
}

/* The option itself. */
static void checkpoint_option(void **state) {
    (void)state;
    const struct {
        const char *json, *text, *pointer;
    } cases[] = {
        {"{}", "missing field `path`", "\"/checkpoint\""},
        {"{\"path\": 5}", "invalid type", "\"/checkpoint/path\""},
        {"{\"path\": \"x\", \"steps\": 0}", "0 is not in 1", "\"/checkpoint/steps\""},
        {"{\"path\": \"x\", \"steps\": 1.5}", "invalid type", "\"/checkpoint/steps\""},
        {"{\"path\": \"x\", \"seconds\": -1}", "-1", "\"/checkpoint/seconds\""},
        {"{\"path\": \"x\", \"seconds\": 1e300}", "is not in", "\"/checkpoint/seconds\""},
        {"{\"path\": \"x\", \"every\": 1}", "unknown field `every`", "\"/checkpoint/every\""},
        {"[\"x\"]", "expected an object", "\"/checkpoint\""},
    };
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    desc.space = space, desc.train = images;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char json[256];
        snprintf(json, sizeof json, "{\"objective\": {\"low\": 30000, \"high\": 90000}, \"checkpoint\": %s}", cases[i].json);
        desc.options_json = json;
        expect_error(nse_search_create(&desc, &search, &error), NSE_ERR_CONFIG, &error, cases[i].text, cases[i].pointer);
        assert_null(search);
    }
    nse_space_free(space);
    nse_dataset_free(images);
}

/* ---- Many threads at once ------------------------------------------------------------------------------------------------------ */

static char shared_path[64];

static void *save_often(void *search) {
    for (int i = 0; i < 40; ++i) {
        const nse_status status = nse_search_save(search, shared_path, NULL);
        const int fine = status == NSE_OK || status == NSE_ERR_BUSY || status == NSE_ERR_IO || status == NSE_ERR_CANCELLED;
        if (!fine && status != NSE_ERR_INVALID_HANDLE) return (void *)(intptr_t)status;
    }
    return NULL;
}

static void *load_often(void *unused) {
    (void)unused;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_dataset *images = make_images(96);
    nse_status status = NSE_OK;
    desc.train = images;
    for (int i = 0; i < 10 && status == NSE_OK; ++i) { /* always one of the whole files */
        nse_search *search = NULL;
        status = nse_search_load(shared_path, &desc, &search, NULL);
        nse_search_free(search);
    }
    nse_dataset_free(images);
    return (void *)(intptr_t)status;
}

/* Two searches write one file from two threads each, two threads read it, and one search is freed meanwhile. */
static void at_once(void **state) {
    (void)state;
    nse_search *one = middle_of_a_round(), *two = make_search(SEARCH_JSON, NULL);
    pthread_t threads[6];
    void *bad;
    snprintf(shared_path, sizeof shared_path, "%s/shared", folder);
    assert_int_equal(nse_search_save(one, shared_path, NULL), NSE_OK);
    for (int i = 0; i < 4; ++i) assert_int_equal(pthread_create(&threads[i], NULL, save_often, i % 2 ? one : two), 0);
    for (int i = 4; i < 6; ++i) assert_int_equal(pthread_create(&threads[i], NULL, load_often, NULL), 0);
    usleep(20000);
    nse_search_free(one);
    for (int i = 0; i < 6; ++i) {
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    nse_search_free(two);
    assert_int_equal(load(shared_path), NSE_OK);
}

static int setup(void **state) {
    (void)state;
    if (mkdtemp(folder) == NULL) return 1;
    snprintf(good, sizeof good, "%s/good", folder);
    nse_search *search = middle_of_a_round();
    const nse_status status = nse_search_save(search, good, NULL);
    nse_search_free(search);
    return status;
}

static int teardown(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places),        cmocka_unit_test(damaged_files),     cmocka_unit_test(other_descriptions),
        cmocka_unit_test(other_options), cmocka_unit_test(checkpoint_option), cmocka_unit_test(at_once),
    };
    return cmocka_run_group_tests_name("damage", tests, setup, teardown);
}
