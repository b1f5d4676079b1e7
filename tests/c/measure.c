/* Latency tables that are measured: progress, cancelling, bad descriptions. */
#include "support.h"
#include <math.h>

static nse_error *error;

typedef struct {
    uint64_t calls, cancel_at, freed, steps;
} listener;

static int32_t on_event(void *user, const nse_event *event) {
    listener *l = user;
    assert_int_equal(event->kind, NSE_EVENT_MEASURE);
    assert_true(event->round == 0 && event->rounds == 0 && event->epoch == 0 && event->epochs == 0);
    assert_true(event->step >= 1 && event->step <= event->steps && event->seconds >= 0 && event->seconds_left >= 0);
    assert_true(isnan(event->loss) && isnan(event->accuracy) && isnan(event->images_per_second));
    l->steps = event->steps;
    return ++l->calls == l->cancel_at;
}

static void on_free(void *user) { ++((listener *)user)->freed; }

static void measured(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    listener l = {0, 0, 0, 0};
    nse_events events = NSE_EVENTS_INIT;
    nse_measure_desc desc = NSE_MEASURE_DESC_INIT;
    nse_arch *arch = make_arch();
    double time = 0;
    events.on_event = on_event, events.user = &l, events.user_free = on_free;
    desc.space = space, desc.events = &events;
    /* More is measured before the library hears of a cancel: so much that it can't be done by then. */
    desc.options_json = "{\"batch\": 2, \"warmup\": 1, \"repeats\": 1000}";
    for (l.cancel_at = 1; l.cancel_at <= 7; l.cancel_at += 3) {
        l.calls = l.freed = 0;
        expect_error(nse_latency_measure(&desc, &table, &error), NSE_ERR_CANCELLED, &error, "cancelled", "{");
        assert_null(table);
        assert_true(l.calls == l.cancel_at && l.freed == 1);
    }
    desc.options_json = "{\"batch\": 2, \"warmup\": 1, \"repeats\": 3}";
    l.cancel_at = l.calls = l.freed = 0;
    assert_int_equal(nse_latency_measure(&desc, &table, NULL), NSE_OK);
    assert_int_equal(l.freed, 1);
    assert_true(l.calls > 0 && l.calls <= l.steps);
    assert_int_equal(nse_latency_missing(table, space, &buffer, NULL), NSE_OK);
    assert_string_equal(buffer.data, "[]");
    nse_buffer_free(&buffer);
    assert_int_equal(nse_latency_arch(table, arch, &time, NULL), NSE_OK);
    assert_true(time > 0 && isfinite(time));
    nse_arch_free(arch);
    assert_int_equal(nse_latency_to_text(table, "csv", &buffer, NULL), NSE_OK);
    size_t lines = 0;
    for (const char *at = buffer.data; (at = strchr(at, '\n')) != NULL; ++at) ++lines;
    assert_int_equal(lines, l.steps + 2);
    assert_memory_equal(buffer.data, "# unit: ms\n", 11);
    nse_buffer_free(&buffer);
    nse_latency_free(table);
    desc.events = NULL, desc.options_json = NULL;
    assert_int_equal(nse_latency_measure(&desc, &table, NULL), NSE_OK);
    nse_latency_free(table);
    nse_space_free(space);
    assert_int_equal(nse_measure_options_schema(&buffer, NULL), NSE_OK);
    assert_non_null(strstr(buffer.data, "\"repeats\""));
    nse_buffer_free(&buffer);
}

/* user_free runs once, whatever is wrong, and nothing is made. */
static void bad_measuring(void **state) {
    (void)state;
    nse_space *space = make_space();
    nse_latency *table = (nse_latency *)1;
    listener l = {0, 0, 0, 0};
    nse_events events = NSE_EVENTS_INIT;
    struct {
        nse_measure_desc desc;
        uint64_t more;
    } newer = {NSE_MEASURE_DESC_INIT, 0};
    nse_measure_desc *desc = &newer.desc;
    uint64_t freed = 0;
    events.on_event = on_event, events.user = &l, events.user_free = on_free;
    desc->space = space, desc->events = &events;
    const struct {
        const char *options;
        nse_status status;
        const char *text, *detail;
    } cases[] = {
        {"[]", NSE_ERR_CONFIG, "expected an object", "measure options"},
        {"{\"batch\": 0}", NSE_ERR_CONFIG, "0 is not in 1", "\"/batch\""},
        {"{\"batch\": 1e99}", NSE_ERR_CONFIG, "invalid", "\"/batch\""},
        {"{\"repeats\": 0}", NSE_ERR_CONFIG, "0 is not in 1", "\"/repeats\""},
        {"{\"warmup\": -1}", NSE_ERR_CONFIG, "invalid value", "\"/warmup\""},
        {"{\"threads\": 0}", NSE_ERR_CONFIG, "0 is not in 1", "\"/threads\""},
        {"{\"seed\": 1}", NSE_ERR_CONFIG, "unknown field `seed`", "\"/seed\""},
        {"{\"device\": \"tpu\"}", NSE_ERR_DEVICE, "\"tpu\"", "\"device\":\"tpu\""},
        {"\xff", NSE_ERR_INVALID_ARGUMENT, "not UTF-8", "options_json"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        desc->options_json = cases[i].options;
        expect_error(nse_latency_measure(desc, &table, &error), cases[i].status, &error, cases[i].text, cases[i].detail);
        assert_null(table);
        assert_int_equal(l.freed, ++freed);
    }
    desc->options_json = NULL;
    expect_error(nse_latency_measure(desc, NULL, &error), NSE_ERR_INVALID_ARGUMENT, &error, "out: NULL", "out");
    assert_int_equal(l.freed, ++freed);
    desc->space = NULL;
    expect_error(nse_latency_measure(desc, &table, &error), NSE_ERR_INVALID_HANDLE, &error, "NULL is not a handle", "desc.space");
    assert_int_equal(l.freed, ++freed);
    desc->space = space, desc->flags = 1;
    expect_error(nse_latency_measure(desc, &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "flags 0x1", "desc");
    assert_int_equal(l.freed, ++freed);
    desc->flags = 0, desc->struct_size = sizeof newer, newer.more = 1;
    expect_error(nse_latency_measure(desc, &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "does not know", "desc");
    const uint32_t sizes[] = {0, 3, sizeof *desc - 1, (1 << 16) + 1, UINT32_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) { /* nothing can be read: nothing is freed */
        desc->struct_size = sizes[i];
        expect_error(nse_latency_measure(desc, &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "struct_size", "desc");
    }
    expect_error(nse_latency_measure(NULL, &table, &error), NSE_ERR_INVALID_ARGUMENT, &error, "NULL is not a struct", "desc");
    assert_int_equal(l.freed, freed);
    assert_int_equal(l.calls, 0);
    newer.more = 0, desc->struct_size = sizeof newer; /* a newer header whose new field is not used */
    desc->options_json = "{\"warmup\": 0, \"repeats\": 1}";
    assert_int_equal(nse_latency_measure(desc, &table, NULL), NSE_OK);
    nse_latency_free(table);
    nse_space_free(space);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(measured), cmocka_unit_test(bad_measuring)};
    return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
