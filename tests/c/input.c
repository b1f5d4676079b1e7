/* Bad input of every other kind: JSON, files, labels, structs, places. The error names what is wrong; nothing is printed. */
#include "support.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static nse_error *error;
static char folder[] = "/tmp/nse-input-XXXXXX";

static void space_json(void **state) {
    (void)state;
    nse_space *space;
    const struct {
        const char *json, *text, *pointer;
    } cases[] = {
        {"{\"name\": ", "EOF", "\"pointer\":\"/name\""},
        {"[]", "expected an object", "\"pointer\":\"\""},
        {"{\"name\": \"x\", \"colour\": 1}", "unknown field `colour`", "\"pointer\":\"/colour\""},
        {"{\"name\": \"x\"}", "missing field", "\"document\":\"space\""},
        {"{\"name\": \"x\", \"input\": {\"channels\": \"one\"}}", "invalid type", "\"pointer\":\"/input/channels\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        expect_error(nse_space_from_json(cases[i].json, &space, &error), NSE_ERR_CONFIG, &error, cases[i].text, cases[i].pointer);
        assert_null(space);
    }
    expect_error(nse_space_from_json(NULL, &space, &error), NSE_ERR_INVALID_ARGUMENT, &error, "json: NULL", "\"argument\":\"json\"");
    expect_error(nse_space_from_json("\xff{}", &space, &error), NSE_ERR_INVALID_ARGUMENT, &error, "not UTF-8 at byte 0", "json");
    expect_error(nse_space_from_json(SPACE_JSON, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_space_preset("no-such", NULL, &space, &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"no-such\"", "name");
    expect_error(nse_space_preset("nse-27", "{\"scale\": -1}", &space, &error), NSE_ERR_CONFIG, &error, "-1", "\"/scale\"");
    expect_error(nse_space_preset("nse-27", "{\"with\": 1}", &space, &error), NSE_ERR_CONFIG, &error, "unknown field `with`", "/with");
    assert_int_equal(nse_space_from_json("{", &space, NULL), NSE_ERR_CONFIG); /* no error wanted */
}

static void architecture_json(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_arch *arch;
    expect_error(nse_arch_from_json(space, "{\"cells\": [[], [], []]}", &arch, &error), NSE_ERR_CONFIG, &error, "at least one", "/cells/1");
    expect_error(nse_arch_from_json(space, "{\"cells\": [[]]}", &arch, &error), NSE_ERR_CONFIG, &error, "1 cells", "/cells");
    expect_error(nse_arch_from_json(space, "{\"cells\": [[\"mbconv_k4_t1\"], [], []]}", &arch, &error), NSE_ERR_CONFIG, &error,
                 "\"mbconv_k4_t1\" is not an operator", "\"/cells/0/0\"");
    expect_error(nse_arch_from_json(space, "{\"cells\": [[], [\"mbconv_k9_t1\"], []]}", &arch, &error), NSE_ERR_CONFIG, &error,
                 "mbconv_k9_t1 is not a candidate", "/cells/1");
    expect_error(nse_arch_from_json(space, "{\"space\": \"x\", \"cells\": []}", &arch, &error), NSE_ERR_CONFIG, &error, "\"x\"", "/space");
    expect_error(nse_arch_uniform(space, "rec_k9_t1", &arch, &error), NSE_ERR_CONFIG, &error, "rec_k9_t1", "/cells/0");
    expect_error(nse_arch_uniform(space, "conv", &arch, &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"conv\" is not an operator",
                 "operator_name");
    assert_null(arch);
    nse_space_free(space);
}

/* Values by position are no object. */
static void lists_for_objects(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_space *other;
    nse_arch *arch;
    nse_dataset *dataset;
    expect_error(nse_space_from_json("[\"tiny\", [1, 12, 12], 3, [4, 1], [[\"normal\"]], [\"mbconv_k3_t1\"], [8]]", &other, &error),
                 NSE_ERR_CONFIG, &error, "expected an object", "\"pointer\":\"\"");
    expect_error(nse_space_preset("nse-27", "{\"input\": [1, 12, 12]}", &other, &error), NSE_ERR_CONFIG, &error, "expected an object", "/input");
    expect_error(nse_arch_from_json(space, "[\"tiny\", [[], [\"mbconv_k3_t1\"], []]]", &arch, &error), NSE_ERR_CONFIG, &error,
                 "expected an object", "architecture");
    expect_error(nse_dataset_open("[\"idx\", \"a\", \"b\", 10]", &dataset, &error), NSE_ERR_CONFIG, &error, "expected an object", "dataset");
    nse_space_free(space);
}

static nse_status create(const char *options) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    nse_search *search = NULL;
    desc.space = space, desc.train = images, desc.options_json = options;
    const nse_status status = nse_search_create(&desc, &search, &error);
    if (status != NSE_OK) assert_null(search);
    nse_search_free(search);
    nse_space_free(space);
    nse_dataset_free(images);
    return status;
}

static void search_options(void **state) {
    (void)state;
    const char *window = "\"objective\": {\"low\": 30000, \"high\": 90000}";
    const struct {
        const char *json, *text, *pointer;
    } cases[] = {
        {NULL, "missing field `objective`", "search options"},
        {"{\"objective\": {\"low\": 1}}", "missing field `high`", "\"pointer\":\"/objective\""},
        {"{%s, \"train\": {\"epoch\": 1}}", "unknown field `epoch`", "\"pointer\":\"/train/epoch\""},
        {"{%s, \"train\": {\"batch\": 1}}", "1 is not in 2", "\"pointer\":\"/train/batch\""},
        {"{%s, \"active\": 1}", "1 is not in 2", "\"pointer\":\"/active\""},
        {"{%s, \"fitness\": {\"interval\": 0}}", "0 is not in 1", "\"pointer\":\"/fitness/interval\""},
        {"{%s, \"seed\": -1}", "invalid value", "\"pointer\":\"/seed\""},
        {"{%s", "EOF", "search options"},
        {"{\"objective\": null}", "invalid type: null, expected an object at line", "\"pointer\":\"/objective\""},
        {"{\"objective\": {\"low\": 9, \"high\": 1}}", "9 is above high, 1", "\"pointer\":\"/objective/low\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char json[512];
        snprintf(json, sizeof json, cases[i].json ? cases[i].json : "", window);
        expect_error(create(cases[i].json ? json : NULL), NSE_ERR_CONFIG, &error, cases[i].text, cases[i].pointer);
    }
    expect_error(create("[7, 1, 3, [1, 100000000]]"), NSE_ERR_CONFIG, &error, "expected an object", "search options");
    expect_error(create("{\"objective\": [1, 100000000]}"), NSE_ERR_CONFIG, &error, "expected an object", "\"pointer\":\"/objective\"");
    expect_error(create("{\"objective\": {\"low\": 1, \"high\": 2}}"), NSE_ERR_UNREACHABLE, &error, "between 1 and 2 MACs", "\"least\":");
    expect_error(create("{\"objective\": {\"low\": 900000000, \"high\": 900000001}}"), NSE_ERR_UNREACHABLE, &error, "the nearest", "\"greatest\":");
    expect_error(create("{\"objective\": {\"low\": 30000, \"high\": 90000}, \"device\": \"tpu\"}"), NSE_ERR_DEVICE, &error, "\"tpu\"",
                 "\"device\":\"tpu\"");
    expect_error(create("{\"objective\": {\"low\": 30000, \"high\": 90000}, \"held_out\": 0.001}"), NSE_ERR_INVALID_ARGUMENT, &error,
                 "0.001 of 96 images", "fraction");
}

static nse_status train(const char *options) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_arch *arch = make_arch();
    nse_dataset *images = make_images(96);
    nse_model *model = NULL;
    desc.arch = arch, desc.train = images, desc.options_json = options;
    const nse_status status = nse_model_train(&desc, &model, &error);
    if (status != NSE_OK) assert_null(model);
    nse_model_free(model);
    nse_arch_free(arch);
    nse_dataset_free(images);
    return status;
}

static void model_options(void **state) {
    (void)state;
    nse_model *model = make_model();
    expect_error(train("{\"train\": {\"augment\": {\"pad\": 1000}}}"), NSE_ERR_CONFIG, &error, "1000", "/train/augment/pad");
    expect_error(train("[]"), NSE_ERR_CONFIG, &error, "expected an object", "model options");
    expect_error(train("{\"objective\": 1}"), NSE_ERR_CONFIG, &error, "unknown field", "/objective");
    expect_error(train("{\"train\": {\"lr\": 100, \"epochs\": 60, \"batch\": 16, \"warmup\": 0, \"weight_decay\": 1}}"), NSE_ERR_DIVERGED,
                 &error, "the loss became", "\"step\":");
    expect_error(nse_model_export(model, "onnx7", "/tmp/x", &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"onnx7\"", "format");
    expect_error(nse_model_export(model, "torchscript", "/no/such/folder/m.pt", &error), NSE_ERR_IO, &error, "/no/such/folder/m.pt", "path");
    expect_error(nse_model_export(model, "torchscript", NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "path: NULL", "path");
    nse_model_free(model);
}

/* A loss that is not finite ends the step; what was found before stays, and the search can still be asked. */
static void diverging_search(void **state) {
    (void)state;
    const char *options = "{\"seed\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"held_out\": 0.25,"
                          " \"train\": {\"epochs\": 60, \"batch\": 16, \"lr\": 100, \"warmup\": 0, \"weight_decay\": 1}}";
    nse_search *search = make_search(options, NULL);
    nse_buffer status = NSE_BUFFER_INIT;
    size_t count = 7;
    uint32_t cells = 0;
    expect_error(nse_search_step(search, &error), NSE_ERR_DIVERGED, &error, "round 1, step", "\"round\":1");
    expect_error(nse_search_step(search, &error), NSE_ERR_DIVERGED, &error, "round 1, step", "\"round\":1");
    assert_int_equal(nse_search_front_count(search, &count, NULL), NSE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(nse_search_scores(search, NULL, 0, &cells, NULL, NULL), NSE_OK);
    assert_int_equal(cells, 3);
    assert_int_equal(nse_search_status(search, &status, NULL), NSE_OK);
    assert_non_null(strstr(status.data, "\"done\":false"));
    nse_buffer_free(&status);
    expect_error(nse_search_best(search, 90000, NULL, NULL, &error), NSE_ERR_NOT_FOUND, &error, "no round is complete", "{");
    nse_search_free(search);
}

static const char *write_file(const char *name, const void *bytes, size_t size) {
    static char path[64][128];
    static int next;
    char *to = path[next++ % 64];
    snprintf(to, sizeof *path, "%s/%s", folder, name);
    FILE *file = fopen(to, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    return to;
}

static nse_status open_files(const char *images, const char *labels, const char *more) {
    char json[512];
    nse_dataset *dataset = NULL;
    snprintf(json, sizeof json, "{\"format\": \"idx\", \"images\": \"%s\", \"labels\": \"%s\"%s}", images, labels, more);
    const nse_status status = nse_dataset_open(json, &dataset, &error);
    if (status != NSE_OK) assert_null(dataset);
    nse_dataset_free(dataset);
    return status;
}

static void idx_files(void **state) {
    (void)state;
    const uint8_t images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 1, 10, 20, 30, 40};
    const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    uint8_t changed[sizeof images + 1];
    const char *good = write_file("images", images, sizeof images), *named = write_file("labels", labels, sizeof labels);
    assert_int_equal(open_files(good, named, ""), NSE_OK);
    expect_error(open_files(good, named, ", \"classes\": 1"), NSE_ERR_FORMAT, &error, "label 1 of image 0", "\"path\":");
    expect_error(open_files("/no/such/file", named, ""), NSE_ERR_IO, &error, "/no/such/file", "\"path\":\"/no/such/file\"");
    expect_error(open_files(named, named, ""), NSE_ERR_FORMAT, &error, "1 dimensions, 3 are expected", "labels");
    expect_error(open_files(good, good, ""), NSE_ERR_FORMAT, &error, "3 dimensions, 1 are expected", "images");
    expect_error(open_files(folder, named, ""), NSE_ERR_IO, &error, folder, "path");
    for (size_t size = 0; size < sizeof images; ++size) { /* cut at every byte */
        const char *cut = write_file("cut", images, size);
        expect_error(open_files(cut, named, ""), NSE_ERR_FORMAT, &error, cut, "path");
    }
    memcpy(changed, images, sizeof images);
    expect_error(open_files(write_file("long", changed, sizeof changed), named, ""), NSE_ERR_FORMAT, &error, "more than the 4 bytes", "path");
    changed[2] = 13;
    expect_error(open_files(write_file("floats", changed, sizeof images), named, ""), NSE_ERR_FORMAT, &error, "0x0d", "path");
    changed[0] = 'P';
    expect_error(open_files(write_file("other", changed, sizeof images), named, ""), NSE_ERR_FORMAT, &error, "not an IDX file", "path");
    memset(changed + 4, 0xff, 12), changed[0] = 0, changed[2] = 8;
    expect_error(open_files(write_file("huge", changed, sizeof images), named, ""), NSE_ERR_FORMAT, &error, "impossible size", "path");
    memset(changed + 4, 0, 12);
    expect_error(open_files(write_file("none", changed, 16), named, ""), NSE_ERR_FORMAT, &error, "2 labels for 0 images", "path");
    const uint8_t gzip[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    expect_error(open_files(write_file("gz", gzip, sizeof gzip), named, ""), NSE_ERR_FORMAT, &error, "damaged", "path");
    expect_error(open_files(write_file("cut.gz", gzip, 5), named, ""), NSE_ERR_FORMAT, &error, "cut.gz", "path");
    nse_dataset *dataset;
    expect_error(nse_dataset_open("{\"format\": \"png\"}", &dataset, &error), NSE_ERR_CONFIG, &error, "png", "/format");
}

/* Nothing but regular files is opened: no call waits, and no device does anything. */
static void no_files(void **state) {
    (void)state;
    const uint8_t labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 0};
    const char *named = write_file("labels", labels, sizeof labels);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char pipe[64], link[64];
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(pipe, sizeof pipe, "%s/pipe", folder);
    snprintf(link, sizeof link, "%s/link", folder);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(symlink(pipe, link), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    const struct {
        const char *path, *what;
    } cases[] = {{pipe, "a pipe"}, {link, "a pipe"}, {address.sun_path, "a socket"}, {folder, "a folder"}, {"/dev/zero", "a device"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        alarm(20);
        expect_error(open_files(cases[i].path, named, ""), NSE_ERR_IO, &error, cases[i].what, cases[i].path);
        expect_error(open_files(named, cases[i].path, ""), NSE_ERR_FORMAT, &error, "1 dimensions", named);
        alarm(0);
    }
    close(listener);
}

static void memory_images(void **state) {
    (void)state;
    nse_images images = NSE_IMAGES_INIT;
    nse_dataset *dataset, *another, *other;
    const uint8_t pixels[8] = {0};
    const uint32_t labels[2] = {0, 5};
    images.channels = 1, images.height = images.width = 2, images.count = 2;
    expect_error(nse_dataset_from_memory(&images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "must not be NULL", "images");
    images.pixels = pixels, images.labels = labels;
    assert_int_equal(nse_dataset_from_memory(&images, &dataset, NULL), NSE_OK);
    expect_error(nse_dataset_split(dataset, 0.0, 0, &another, &other, &error), NSE_ERR_INVALID_ARGUMENT, &error, "0 of 2 images", "fraction");
    other = NULL;
    expect_error(nse_dataset_split(dataset, 0.5, 0, &other, &other, &error), NSE_ERR_INVALID_ARGUMENT, &error, "two places", "first, second");
    expect_error(nse_dataset_split(dataset, 0.5, 0, &other, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "two places", "first, second");
    assert_null(other);
    nse_dataset_free(dataset);
    images.classes = 5;
    expect_error(nse_dataset_from_memory(&images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "label 5 of image 1", "images");
    images.classes = 0, images.count = 0;
    expect_error(nse_dataset_from_memory(&images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "nothing to see", "images");
    images.channels = images.height = images.width = images.count = UINT32_MAX;
    expect_error(nse_dataset_from_memory(&images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "more bytes than", "images");
    expect_error(nse_dataset_from_memory(NULL, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "images");
    images.struct_size = 3;
    expect_error(nse_dataset_from_memory(&images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size 3", "images");
}

/* A struct of a newer header is fine while its new fields are zero. */
static void larger_structs(void **state) {
    (void)state;
    struct {
        nse_images images;
        uint64_t new_field;
    } newer = {NSE_IMAGES_INIT, 0};
    const uint8_t pixels[1] = {0};
    const uint32_t labels[1] = {0};
    nse_dataset *dataset = NULL;
    newer.images.struct_size = sizeof newer;
    newer.images.channels = newer.images.height = newer.images.width = newer.images.count = 1;
    newer.images.pixels = pixels, newer.images.labels = labels;
    assert_int_equal(nse_dataset_from_memory(&newer.images, &dataset, &error), NSE_OK);
    nse_dataset_free(dataset);
    newer.new_field = 1;
    expect_error(nse_dataset_from_memory(&newer.images, &dataset, &error), NSE_ERR_INVALID_ARGUMENT, &error, "does not know", "images");
}

static void places(void **state) {
    (void)state;
    nse_search *search = make_search(SEARCH_JSON, NULL), *none = search;
    nse_model *model = (nse_model *)search;
    double scores[12];
    uint32_t cells, operators;
    nse_buffer buffer = NSE_BUFFER_INIT;
    expect_error(nse_search_scores(search, scores, 11, &cells, &operators, &error), NSE_ERR_BUFFER_TOO_SMALL, &error, "12 are needed",
                 "\"needed\":12");
    assert_int_equal(nse_search_scores(search, scores, 12, &cells, &operators, NULL), NSE_OK);
    assert_true(cells == 3 && operators == 4 && scores[0] != scores[0]); /* NaN: nothing learnt yet */
    expect_error(nse_search_status(search, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    expect_error(nse_search_report(search, "gif", &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"gif\"", "format");
    expect_error(nse_search_front_get(search, 3, NULL, NULL, &error), NSE_ERR_NOT_FOUND, &error, "3 is not below 0", "{");
    /* A handle place is NULL after every failure, also the earliest. */
    nse_model_desc small = NSE_MODEL_DESC_INIT;
    small.struct_size = 1;
    expect_error(nse_search_create(NULL, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "desc");
    expect_error(nse_model_train(&small, &model, &error), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size 1", "desc");
    assert_true(none == NULL && model == NULL);
    nse_search_free(search);
}

static FILE *caught;
static int stderr_before;

/* Everything written to stderr while the tests run is caught. */
static int setup(void **state) {
    (void)state;
    stderr_before = dup(2);
    caught = tmpfile();
    return mkdtemp(folder) == NULL || dup2(fileno(caught), 2) < 0;
}

static int teardown(void **state) {
    (void)state;
    char command[64];
    fflush(stderr);
    dup2(stderr_before, 2);
    snprintf(command, sizeof command, "rm -r %s", folder);
    const int kept = system(command);
    int byte, count = 0;
    for (rewind(caught); (byte = fgetc(caught)) != EOF; ++count) fputc(byte, stderr);
    return kept != 0 || count != 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(space_json),    cmocka_unit_test(architecture_json), cmocka_unit_test(search_options),
        cmocka_unit_test(lists_for_objects),
        cmocka_unit_test(model_options), cmocka_unit_test(diverging_search),  cmocka_unit_test(idx_files),
        cmocka_unit_test(no_files),      cmocka_unit_test(memory_images), cmocka_unit_test(larger_structs),    cmocka_unit_test(places),
    };
    cmocka_set_message_output(CM_OUTPUT_STDOUT);
    return cmocka_run_group_tests_name("input", tests, setup, teardown);
}
