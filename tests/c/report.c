/* Reports of a search in every format, at every stage; a checkpoint that is only looked at; diagrams; a whole network that is timed. */
#include "support.h"

static char folder[] = "/tmp/nse-report-XXXXXX";

static const char *in_folder(const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static char *report(const nse_search *search, const char *format, size_t *len) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_error *error = NULL;
    if (nse_search_report(search, format, &buffer, &error) != NSE_OK) fail_msg("%s: %s", format, nse_error_message(error));
    char *content = malloc(buffer.len + 1);
    memcpy(content, buffer.data, buffer.len + 1);
    if (len != NULL) *len = buffer.len;
    nse_buffer_free(&buffer);
    return content;
}

static void holds(const nse_search *search, const char *format, const char *text) {
    char *content = report(search, format, NULL);
    if (strstr(content, text) == NULL) fail_msg("\"%s\" is not in the %s", text, format);
    free(content);
}

static void every_format_at_every_stage(void **state) {
    (void)state;
    nse_search *search = make_search(SEARCH_JSON, NULL);
    holds(search, "html", "No round is complete yet, of 2.");
    holds(search, "json", "\"rounds\":[]");
    holds(search, "svg", "no round is complete yet");
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    holds(search, "html", "1 of 2 rounds are complete.");
    assert_int_equal(nse_search_step(search, NULL), NSE_DONE);
    holds(search, "html", "Complete: 2 rounds.");
    holds(search, "html", "libtorch 2.");
    holds(search, "json", "\"done\":true");
    holds(search, "json", "\"report\":1");
    holds(search, "svg", "front of round 1");
    size_t len = 0;
    char *png = report(search, "png", &len);
    assert_true(len > 10000 && memcmp(png, "\x89PNG\r\n\x1a\n", 8) == 0 && memcmp(png + len - 8, "IEND", 4) == 0);
    free(png);
    nse_search_free(search);
}

static int32_t look(void *user, const nse_event *event) {
    if (event->kind == NSE_EVENT_TRAIN) holds(*(nse_search **)user, "html", "Now in round 1: step ");
    return 0;
}

/* Nothing waits for the step that runs. */
static void while_a_step_runs(void **state) {
    (void)state;
    nse_search *search = NULL;
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = look, events.user = &search;
    search = make_search("{\"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"train\": {\"epochs\": 0.5, \"batch\": 16},"
                         " \"candidates\": {\"count\": 2, \"extras\": 0}, \"score\": {\"calibration\": 32}}",
                         &events);
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    nse_search_free(search);
}

static void a_checkpoint_is_looked_at_without_images(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_search *search = make_search(SEARCH_JSON, NULL), *seen = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_arch *best = NULL;
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(nse_search_save(search, in_folder("search.nse"), NULL), NSE_OK);
    desc.flags = NSE_SEARCH_LOOK;
    assert_int_equal(nse_search_load(in_folder("search.nse"), &desc, &seen, NULL), NSE_OK);
    char *before = timeless(search), *after = timeless(seen);
    assert_string_equal(before, after);
    free(before), free(after);
    holds(seen, "html", "1 of 2 rounds are complete.");
    assert_int_equal(nse_search_best(seen, 90000, &best, NULL, NULL), NSE_OK);
    assert_int_equal(nse_search_options(seen, &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    const char *why = "to be looked at";
    expect_error(nse_search_step(seen, &error), NSE_ERR_INVALID_ARGUMENT, &error, why, "search");
    expect_error(nse_search_save(seen, in_folder("again"), &error), NSE_ERR_INVALID_ARGUMENT, &error, why, "search");
    expect_error(nse_search_estimate(seen, &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, why, "search");
    assert_int_equal(nse_search_cancel(seen, NULL), NSE_OK);
    /* Images are not wanted, and nothing can begin like this. */
    nse_search *none = NULL;
    nse_space *space = make_space();
    desc.train = make_images(96);
    expect_error(nse_search_load(in_folder("search.nse"), &desc, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "must be NULL", "desc");
    nse_dataset_free((nse_dataset *)desc.train);
    desc.train = NULL, desc.space = space, desc.options_json = SEARCH_JSON;
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NSE_SEARCH_LOOK", "desc");
    nse_space_free(space);
    nse_arch_free(best);
    nse_search_free(seen);
    nse_search_free(search);
}

static void an_architecture_draws_itself(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_arch *arch = make_arch();
    nse_buffer buffer = NSE_BUFFER_INIT;
    assert_int_equal(nse_arch_draw(arch, "svg", &buffer, NULL), NSE_OK);
    assert_int_equal(strncmp(buffer.data, "<svg", 4), 0);
    assert_non_null(strstr(buffer.data, "cell 1 reduce"));
    assert_non_null(strstr(buffer.data, ">mbconv_k3_t3</text>"));
    nse_buffer_free(&buffer);
    expect_error(nse_arch_draw(arch, "dot", &buffer, &error), NSE_ERR_INVALID_ARGUMENT, &error, "\"dot\"", "format");
    nse_arch_free(arch);
}

static void a_whole_network_is_timed(void **state) {
    (void)state;
    nse_error *error = NULL;
    nse_arch *arch = make_arch();
    double time = -1;
    assert_int_equal(nse_latency_measure_arch(arch, "{\"repeats\": 2, \"warmup\": 1}", &time, NULL), NSE_OK);
    assert_true(time > 0);
    assert_int_equal(nse_latency_measure_arch(arch, NULL, NULL, NULL), NSE_OK);
    expect_error(nse_latency_measure_arch(arch, "{\"batch\": 0}", &time, &error), NSE_ERR_CONFIG, &error, "0 is not in", "/batch");
    expect_error(nse_latency_measure_arch(arch, "{\"device\": \"tpu\"}", &time, &error), NSE_ERR_DEVICE, &error, "tpu", "device");
    nse_arch_free(arch);
}

/* The file is there while the search runs; tests/cli has it read by TensorBoard. */
static void a_search_is_logged_for_tensorboard(void **state) {
    (void)state;
    nse_error *error = NULL;
    char options[1024];
    snprintf(options, sizeof options, "{\"tensorboard\": {\"path\": \"%s\"}, %s", in_folder("log"), SEARCH_JSON + 1);
    nse_search *search = make_search(options, NULL), *none = NULL;
    assert_int_equal(nse_search_step(search, NULL), NSE_OK);
    assert_int_equal(access(in_folder("log/events.out.tfevents.nse"), R_OK), 0);
    nse_search_free(search);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    desc.space = space, desc.train = images, desc.options_json = options;
    snprintf(options, sizeof options, "{\"tensorboard\": {\"path\": \"/proc/no/such\"}, %s", SEARCH_JSON + 1);
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_IO, &error, "/proc/no/such", "/proc/no/such");
    snprintf(options, sizeof options, "{\"tensorboard\": {\"path\": \"\"}, %s", SEARCH_JSON + 1);
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_CONFIG, &error, "not the name of a folder", "/tensorboard/path");
    snprintf(options, sizeof options, "{\"tensorboard\": {\"dir\": \"x\"}, %s", SEARCH_JSON + 1);
    expect_error(nse_search_create(&desc, &none, &error), NSE_ERR_CONFIG, &error, "dir", "/tensorboard");
    nse_space_free(space);
    nse_dataset_free(images);
}

static int tidy(void **state) {
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_at_every_stage),
        cmocka_unit_test(while_a_step_runs),
        cmocka_unit_test(a_checkpoint_is_looked_at_without_images),
        cmocka_unit_test(an_architecture_draws_itself),
        cmocka_unit_test(a_whole_network_is_timed),
        cmocka_unit_test(a_search_is_logged_for_tensorboard),
    };
    if (mkdtemp(folder) == NULL) return 1;
    return cmocka_run_group_tests_name("report", tests, NULL, tidy);
}
