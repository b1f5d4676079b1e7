/*
 * Restoring an image without training data: pictures in and out, errors that name the bad value, asks and tells, files, cancel. In a build
 * without libtorch everything but the fits.
 */
#include "support.h"

#include <math.h>

#define SEARCH "\"search\": {\"units\": 1, \"population\": 3, \"generations\": 2, \"max_macs\": 2000000}"
#define TRAIN "\"train\": {\"iterations\": 120, \"input_channels\": 4, \"smoothing\": 0.9}"
#define OPTIONS "{\"task\": \"denoise\", \"seed\": 2, \"threads\": 1, " TRAIN ", " SEARCH "}"
#define COUNT (3 * 20 * 18)

static nse_error *error;
static int has_torch;
static float clean[COUNT], noisy[COUNT];

static void make_pictures(void) {
    uint32_t state = 1;
    for (int at = 0; at < COUNT; ++at) {
        const int y = at % 360 / 18, x = at % 18;
        clean[at] = x > 4 && x < 12 && y > 6 && y < 15 ? 0.8f : 0.2f + 0.02f * (float)y;
        state = state * 1664525u + 1013904223u;
        noisy[at] = clean[at] + 0.4f * ((float)(state >> 8) / 16777216.0f - 0.5f);
    }
}

static nse_picture picture(const float *data) {
    nse_picture picture = NSE_PICTURE_INIT;
    picture.channels = 3, picture.height = 20, picture.width = 18, picture.data = data;
    return picture;
}

static nse_restoration *create(const char *options, const nse_events *events) {
    nse_picture given = picture(noisy), reference = picture(clean);
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    nse_restoration *restoration = NULL;
    desc.picture = &given, desc.reference = &reference, desc.options_json = options, desc.events = events;
    if (nse_restoration_create(&desc, &restoration, &error) != NSE_OK) fail_msg("%s", nse_error_message(error));
    return restoration;
}

static char *report_of(const nse_restoration *restoration) {
    static char text[1 << 16];
    nse_buffer json = NSE_BUFFER_INIT;
    assert_int_equal(nse_restoration_report(restoration, &json, &error), NSE_OK);
    snprintf(text, sizeof text, "%s", json.data);
    nse_buffer_free(&json);
    return text;
}

static void refusals_name_the_value(void **state) {
    (void)state;
    nse_picture given = picture(noisy), mask = picture(clean);
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    nse_restoration *restoration = NULL;
#define REFUSED(status, part) expect_error(nse_restoration_create(&desc, &restoration, &error), status, &error, part, "")
    desc.options_json = "{\"task\": \"denoise\"}";
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "desc.picture");
    desc.picture = &given;
    desc.options_json = NULL;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "desc.options_json");
    desc.options_json = "{}";
    REFUSED(NSE_ERR_CONFIG, "task");
    desc.options_json = "{\"task\": \"denoise\", \"factor\": 9}";
    REFUSED(NSE_ERR_CONFIG, "9 is not in 2 to 8 (at /factor)");
    desc.options_json = "{\"task\": \"denoise\", \"search\": {\"max_macs\": 1000}}";
    REFUSED(NSE_ERR_CONFIG, "1000 multiply-accumulates");
    desc.options_json = "{\"task\": \"inpaint\"}";
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "mask");
    desc.mask = &mask;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "[3, 20, 18]");
    mask.channels = 1;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "mask: value 0 is 0.2");
    desc.mask = NULL, desc.flags = 4, desc.options_json = "{\"task\": \"denoise\"}";
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "0x4");
    desc.flags = 0, given.channels = 2;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "2 channels");
    given.channels = 3, given.width = 16385;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "16385");
    given.width = 18, noisy[7] += 254;
    REFUSED(NSE_ERR_INVALID_ARGUMENT, "value 7 is 254");
    noisy[7] -= 254;
    assert_null(restoration);
}

static void genomes(void **state) {
    (void)state;
    nse_buffer json = NSE_BUFFER_INIT, again = NSE_BUFFER_INIT;
    assert_int_equal(nse_genome_describe("1-2cbe2", 3, 16, 12, 32, &json, &error), NSE_OK);
    assert_non_null(strstr(json.data, "\"bits\":\"101100101111100010\""));
    assert_non_null(strstr(json.data, "\"infeasible\":null"));
    /* What its units say is the same genome. */
    char *units = strstr(json.data, "\"units\":");
    char text[1024];
    assert_non_null(units);
    snprintf(text, sizeof text, "{%s", units);
    assert_int_equal(nse_genome_describe(text, 3, 16, 12, 32, &again, &error), NSE_OK);
    assert_string_equal(again.data, json.data);
    nse_buffer_free(&json), nse_buffer_free(&again);
    assert_int_equal(nse_genome_describe("classic-inpaint", 3, 64, 64, 32, &json, &error), NSE_OK);
    assert_non_null(strstr(json.data, "\"params\":3002627"));
    nse_buffer_free(&json);
    assert_int_equal(nse_genome_describe("3-00000000000000000000", 3, 64, 64, 32, &json, &error), NSE_OK);
    assert_non_null(strstr(json.data, "encoder 3 to decoder 1"));
    nse_buffer_free(&json);
    expect_error(nse_genome_describe("1-2cbeg", 3, 16, 12, 32, &json, &error), NSE_ERR_INVALID_ARGUMENT, &error, "'g'", "");
    expect_error(nse_genome_describe("1-2cbe2", 3, 16, 12, 257, &json, &error), NSE_ERR_INVALID_ARGUMENT, &error, "257", "");
    expect_error(nse_genome_describe("1-2cbe2", 4, 16, 12, 32, &json, &error), NSE_ERR_INVALID_ARGUMENT, &error, "4 channels", "");
}

static void asked_and_told(void **state) {
    (void)state;
    nse_restoration *restoration = create(OPTIONS, NULL), *second = NULL;
    nse_buffer codes = NSE_BUFFER_INIT;
    char path[256], one[16], other[16], third[16];
    uint32_t effect = 9;
    assert_int_equal(nse_restoration_ask(restoration, 9, &codes, &error), NSE_OK);
    assert_int_equal(sscanf(codes.data, "[\"%15[^\"]\",\"%15[^\"]\",\"%15[^\"]\"]", one, other, third), 3);
    nse_buffer_free(&codes);
    assert_int_equal(nse_restoration_ask(restoration, 9, &codes, &error), NSE_PENDING);
    assert_string_equal(codes.data, "[]");
    nse_buffer_free(&codes);
    assert_int_equal(nse_restoration_tell(restoration, one, 20.5, &effect, &error), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_COUNTED);
    assert_int_equal(nse_restoration_tell(restoration, one, 20.5, &effect, &error), NSE_OK);
    assert_int_equal(effect, NSE_TOLD_REPEATED);
    expect_error(nse_restoration_tell(restoration, one, 21, &effect, &error), NSE_ERR_CONFLICT, &error, "20.5", "");
    expect_error(nse_restoration_tell(restoration, other, 1e9, &effect, &error), NSE_ERR_INVALID_ARGUMENT, &error, "1000000000", "");
    expect_error(nse_restoration_tell(restoration, "2-00000000000", 1, &effect, &error), NSE_ERR_INVALID_ARGUMENT, &error, "2 units", "");
    assert_int_equal(nse_restoration_tell(restoration, other, NAN, NULL, &error), NSE_OK);
    assert_int_equal(nse_restoration_forget(restoration, third, &error), NSE_OK);

    snprintf(path, sizeof path, "/tmp/nse-restoration-%d.nse", (int)getpid());
    assert_int_equal(nse_restoration_save(restoration, path, &error), NSE_OK);
    nse_picture given = picture(noisy), reference = picture(clean);
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    desc.picture = &given;
    expect_error(nse_restoration_load(path, &desc, &second, &error), NSE_ERR_FORMAT, &error, "other images", "");
    desc.reference = &reference, desc.options_json = "{\"task\": \"denoise\"}";
    expect_error(nse_restoration_load(path, &desc, &second, &error), NSE_ERR_CONFIG, &error, "/", "");
    desc.options_json = NULL;
    assert_int_equal(nse_restoration_load(path, &desc, &second, &error), NSE_OK);
    nse_search_desc search = NSE_SEARCH_DESC_INIT;
    nse_search *none = NULL;
    search.flags = NSE_SEARCH_LOOK;
    assert_int_equal(nse_search_load(path, &search, &none, NULL), NSE_ERR_FORMAT);
    remove(path);

    assert_int_equal(nse_restoration_ask(second, 9, &codes, &error), NSE_OK);
    assert_non_null(strstr(codes.data, third));
    assert_null(strstr(codes.data, one));
    nse_buffer_free(&codes);
    assert_int_equal(nse_restoration_tell(second, third, 19, NULL, &error), NSE_OK);
    char *report = report_of(second);
    assert_non_null(strstr(report, "\"generation\":1"));
    assert_non_null(strstr(report, "\"failed\":1"));
    /* The second generation, then nothing. */
    nse_status status = NSE_OK;
    while ((status = nse_restoration_ask(second, 1, &codes, &error)) == NSE_OK) {
        assert_int_equal(sscanf(codes.data, "[\"%15[^\"]", one), 1);
        assert_true(nse_restoration_tell(second, one, 25, NULL, &error) >= NSE_OK);
        nse_buffer_free(&codes);
    }
    assert_int_equal(status, NSE_DONE);
    nse_buffer_free(&codes);
    if (!has_torch) expect_error(nse_restoration_step(restoration, &error), NSE_ERR_UNSUPPORTED, &error, "libtorch", "");
    nse_restoration_free(restoration), nse_restoration_free(second);
}

static int32_t count(void *user, const nse_event *event) {
    int *counts = user;
    ++counts[event->kind];
    return 0;
}

static int32_t stop(void *user, const nse_event *event) {
    (void)user;
    return event->kind == NSE_EVENT_TRAIN;
}

static void noise_becomes_less(void **state) {
    (void)state;
    if (!has_torch) return;
    int counts[8] = {0};
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = count, events.user = counts;
    nse_restoration *restoration = create(OPTIONS, &events);
    float out[COUNT];
    uint32_t channels = 0, height = 0, width = 0;
    nse_buffer said = NSE_BUFFER_INIT;
    expect_error(nse_restoration_run(restoration, NULL, out, COUNT, NULL, &error), NSE_ERR_NOT_FOUND, &error, "no network", "");
    assert_int_equal(nse_restoration_step(restoration, &error), NSE_OK);
    assert_int_equal(nse_restoration_step(restoration, &error), NSE_DONE);
    assert_int_equal(nse_restoration_step(restoration, &error), NSE_DONE);
    assert_int_equal(counts[NSE_EVENT_FINISH], 2);
    assert_true(counts[NSE_EVENT_TRAIN] > 0 && counts[NSE_EVENT_SCORE] > 0);
    assert_int_equal(nse_restoration_shape(restoration, &channels, &height, &width, &error), NSE_OK);
    assert_true(channels == 3 && height == 20 && width == 18);
    expect_error(nse_restoration_run(restoration, NULL, out, COUNT - 1, NULL, &error), NSE_ERR_BUFFER_TOO_SMALL, &error, "1079 values, 1080", "");
    expect_error(nse_restoration_run(restoration, "3-00000000000000000000", out, COUNT, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "decoder 1", "");
    assert_int_equal(nse_restoration_run(restoration, NULL, out, COUNT, &said, &error), NSE_OK);
    nse_picture given = picture(noisy), reference = picture(clean), restored = picture(out);
    double before = 0, after = 0, ssim = 0, told = 0;
    assert_int_equal(nse_picture_compare(&given, &reference, &before, NULL, &error), NSE_OK);
    assert_int_equal(nse_picture_compare(&restored, &reference, &after, &ssim, &error), NSE_OK);
    assert_true(after > before + 1);
    assert_non_null(strstr(said.data, "\"psnr\":"));
    told = atof(strstr(said.data, "\"psnr\":") + 7);
    assert_true(fabs(told - after) < 1e-9 && ssim > 0 && ssim < 1);
    nse_buffer_free(&said), nse_restoration_free(restoration);
}

/* A cancel loses the fit under way, and changes no result. */
static void cancelled(void **state) {
    (void)state;
    if (!has_torch) return;
    nse_events events = NSE_EVENTS_INIT;
    events.on_event = stop;
    nse_restoration *restoration = create(OPTIONS, &events), *whole = create(OPTIONS, NULL);
    expect_error(nse_restoration_step(restoration, &error), NSE_ERR_CANCELLED, &error, "cancelled", "");
    float out[COUNT];
    expect_error(nse_restoration_run(restoration, "1-00000", out, COUNT, NULL, &error), NSE_ERR_CANCELLED, &error, "cancelled", "");
    nse_op *op = NULL;
    assert_int_equal(nse_restoration_step_async(whole, &op, &error), NSE_OK);
    nse_status status = nse_restoration_step(whole, &error);
    if (status == NSE_ERR_BUSY) nse_error_free(error), error = NULL;
    assert_true(status == NSE_ERR_BUSY || status >= NSE_OK);
    assert_int_equal(nse_restoration_cancel(whole, &error), NSE_OK);
    status = nse_op_poll(op, NSE_FOREVER, NULL);
    assert_true(status == NSE_ERR_CANCELLED || status >= NSE_OK);
    nse_op_free(op);
    while ((status = nse_restoration_step(whole, &error)) == NSE_OK) {}
    assert_int_equal(status, NSE_DONE);
    nse_restoration *undisturbed = create(OPTIONS, NULL);
    while ((status = nse_restoration_step(undisturbed, &error)) == NSE_OK) {}
    assert_int_equal(status, NSE_DONE);
    char *first = strdup(report_of(whole));
    assert_string_equal(first, report_of(undisturbed));
    free(first);
    nse_restoration_free(restoration), nse_restoration_free(whole), nse_restoration_free(undisturbed);
}

int main(void) {
    nse_buffer info = NSE_BUFFER_INIT;
    make_pictures();
    assert_int_equal(nse_runtime_info(&info, NULL), NSE_OK);
    has_torch = strstr(info.data, "\"runtime\":null") == NULL;
    nse_buffer_free(&info);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals_name_the_value), cmocka_unit_test(genomes),   cmocka_unit_test(asked_and_told),
        cmocka_unit_test(noise_becomes_less),      cmocka_unit_test(cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
