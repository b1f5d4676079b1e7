/*
 * A search shared by ranks, here threads that have collectives of their own: the same result for every number of them, and what one
 * cannot do stops all, in time.
 */
#include "support.h"

#include "group.h"
#include <math.h>
#include <unistd.h>

#define SHARED_JSON(rest)                                                                                                        \
    "{\"seed\": 2, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"shards\": 4,"               \
    " \"train\": {\"epochs\": 1, \"batch\": 16}, \"candidates\": {\"count\": 4}, \"score\": {\"calibration\": 32, \"batch\": 64}," \
    " \"held_out\": 0.25" rest "}"

enum { PATIENT = 20000 };

/* What a rank is to do, and what became of it. */
typedef struct part {
    group *group;
    int rank;
    uint32_t timeout_ms;
    const char *options, *load; /* `load`: a checkpoint to go on from */
    int cancels_at;             /* the event at which it asks to stop, or 0 */
    int events, cancelled;
    nse_status made, ended; /* creating, and the last step */
    char said[512];         /* the last error */
    char *history;
    double scores[16];
    char failure; /* whether the group says that it has failed */
} part;

static void note(part *p, nse_error *error) {
    if (error != NULL) snprintf(p->said, sizeof p->said, "%s", nse_error_message(error));
    nse_error_free(error);
}

static int32_t on_event(void *user, const nse_event *event) {
    part *p = user;
    return ++p->events == p->cancels_at && event->kind != NSE_EVENT_FINISH;
}

static nse_comm *join(part *p) {
    nse_comm *comm = NULL;
    nse_error *error = NULL;
    const nse_comm_desc desc = group_desc(p->group, p->rank, p->timeout_ms);
    p->made = nse_comm_create(&desc, &comm, &error);
    note(p, error);
    return comm;
}

static nse_search *begin(part *p, const nse_comm *comm) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_events events = NSE_EVENTS_INIT;
    nse_search *search = NULL;
    nse_error *error = NULL;
    nse_space *space = make_space();
    nse_dataset *images = make_images(96);
    events.on_event = on_event, events.user = p;
    desc.space = p->load == NULL ? space : NULL, desc.train = images, desc.options_json = p->options, desc.events = &events, desc.comm = comm;
    p->made = p->load == NULL ? nse_search_create(&desc, &search, &error) : nse_search_load(p->load, &desc, &search, &error);
    note(p, error);
    nse_space_free(space);
    nse_dataset_free(images);
    return search;
}

static void finish(part *p, nse_search *search) {
    do {
        nse_error *error = NULL;
        p->ended = nse_search_step(search, &error);
        note(p, error);
        p->cancelled += p->ended == NSE_ERR_CANCELLED;
    } while (p->ended == NSE_OK || p->ended == NSE_ERR_CANCELLED);
    p->history = timeless(search);
    nse_search_scores(search, p->scores, 16, NULL, NULL, NULL);
}

/* A whole life of a rank; without a group it is alone. */
static void *live(void *argument) {
    part *p = argument;
    nse_buffer info = NSE_BUFFER_INIT;
    nse_comm *comm = p->group == NULL ? NULL : join(p);
    if (comm == NULL && p->group != NULL) return NULL;
    nse_search *search = begin(p, comm);
    if (search != NULL) finish(p, search);
    if (comm != NULL) {
        assert_int_equal(nse_comm_info(comm, &info, NULL), NSE_OK);
        p->failure = strstr(info.data, "\"failure\":null") == NULL;
        nse_buffer_free(&info);
    }
    nse_comm_free(comm);
    nse_search_free(search);
    return NULL;
}

/* The threads of a transport end a little later than what needed them. */
static void expect_freed(group *g, int count) {
    for (int i = 0; i < 1000 && g->freed < count; ++i) usleep(10000);
    assert_int_equal(g->freed, count);
}

static void all(part *parts, int size, group *g, void *(*body)(void *)) {
    pthread_t threads[MOST_RANKS];
    group_init(g, size);
    for (int r = 0; r < size; ++r) parts[r].group = g, parts[r].rank = r;
    for (int r = 0; r < size; ++r) assert_int_equal(pthread_create(&threads[r], NULL, body, &parts[r]), 0);
    for (int r = 0; r < size; ++r) pthread_join(threads[r], NULL);
    expect_freed(g, size);
}

static void fill(part *parts, int size, const char *options) {
    memset(parts, 0, sizeof *parts * MOST_RANKS);
    for (int r = 0; r < size; ++r) parts[r].options = options, parts[r].timeout_ms = PATIENT;
}

/* What comes of it without ranks. */
static const part *alone(void) {
    static part p;
    if (p.history == NULL) p.options = SHARED_JSON(""), live(&p);
    assert_int_equal(p.ended, NSE_DONE);
    return &p;
}

static void same(const part *p) {
    if (p->ended != NSE_DONE) fail_msg("rank %d: %s: %s", p->rank, nse_status_name(p->ended), p->said);
    assert_string_equal(p->history, alone()->history);
    assert_memory_equal(p->scores, alone()->scores, sizeof p->scores);
}

static void any_number_of_ranks_ends_alike(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        group g;
        part parts[MOST_RANKS];
        fill(parts, sizes[i], SHARED_JSON(""));
        all(parts, sizes[i], &g, live);
        for (int r = 0; r < sizes[i]; ++r) same(&parts[r]), free(parts[r].history);
    }
}

/* Statistics over all ranks: what one finds that has the whole batch, but for rounding; and a function that fails among the messages of a step. */
static void batch_norm_over_all_ranks_is_that_of_one(void **state) {
    (void)state;
    group g;
    part parts[MOST_RANKS], one;
    const char *options = SHARED_JSON(", \"batch_norm\": \"batch\"");
    memset(&one, 0, sizeof one), one.options = options;
    live(&one);
    assert_int_equal(one.ended, NSE_DONE);
    fill(parts, 2, options);
    all(parts, 2, &g, live);
    assert_int_equal(parts[0].ended, NSE_DONE);
    assert_string_equal(parts[0].history, parts[1].history);
    assert_memory_equal(parts[0].scores, parts[1].scores, sizeof one.scores);
    double apart = 0, other = 0;
    for (size_t i = 0; i < sizeof one.scores / sizeof *one.scores; ++i) {
        apart = fmax(apart, fabs(parts[0].scores[i] - one.scores[i]));
        other = fmax(other, fabs(alone()->scores[i] - one.scores[i]));
    }
    if (apart > 1e-3 || other < 1e-3) fail_msg("scores are %g from those of one rank, and %g from those of parts", apart, other);
    free(one.history), free(parts[0].history), free(parts[1].history);

    fill(parts, 2, options);
    pthread_t threads[2];
    group_init(&g, 2);
    g.fails_at = 150;
    for (int r = 0; r < 2; ++r) parts[r].group = &g, parts[r].rank = r;
    for (int r = 0; r < 2; ++r) pthread_create(&threads[r], NULL, live, &parts[r]);
    pthread_join(threads[1], NULL);
    group_break(&g);
    pthread_join(threads[0], NULL);
    for (int r = 0; r < 2; ++r) assert_int_equal(parts[r].ended, NSE_ERR_COLLECTIVE), assert_true(parts[r].failure), free(parts[r].history);
    expect_freed(&g, 2);
}

static void one_that_cancels_stops_all(void **state) {
    (void)state;
    group g;
    part parts[MOST_RANKS];
    fill(parts, 2, SHARED_JSON(""));
    parts[1].cancels_at = 4;
    all(parts, 2, &g, live);
    for (int r = 0; r < 2; ++r) same(&parts[r]), assert_int_equal(parts[r].cancelled, 1), free(parts[r].history);
}

/* A function of the host that fails, and one that does not return: both in the middle of a round. */
static void what_fails_on_one_ends_all_and_a_checkpoint_goes_on(void **state) {
    (void)state;
    static char path[2][64], options[2][1024];
    for (int hangs = 0; hangs < 2; ++hangs) {
        group g;
        part parts[MOST_RANKS];
        fill(parts, 2, NULL);
        for (int r = 0; r < 2; ++r) {
            snprintf(path[r], sizeof path[r], "/tmp/nse-ranks-%d-%d.ckpt", (int)getpid(), r);
            snprintf(options[r], sizeof options[r], SHARED_JSON(", \"checkpoint\": {\"path\": \"%s\", \"steps\": 3}"), path[r]);
            parts[r].options = options[r], parts[r].timeout_ms = hangs ? 500 : PATIENT;
            unlink(path[r]);
        }
        pthread_t threads[2];
        group_init(&g, 2);
        if (hangs) g.hangs_at = 40;
        else g.fails_at = 40;
        for (int r = 0; r < 2; ++r) parts[r].group = &g, parts[r].rank = r;
        for (int r = 0; r < 2; ++r) pthread_create(&threads[r], NULL, live, &parts[r]);
        pthread_join(threads[1], NULL);
        /* A network that notices. With one that does not, the time limit is all there is. */
        if (!hangs) group_break(&g);
        pthread_join(threads[0], NULL);
        for (int r = 0; r < 2; ++r) {
            assert_int_equal(parts[r].ended, NSE_ERR_COLLECTIVE);
            assert_true(parts[r].failure);
            free(parts[r].history);
        }
        const char *cause = hangs ? "not all ranks came within" : "the host's function returned 5";
        if (strstr(parts[1].said, cause) == NULL) fail_msg("%s", parts[1].said);
        group_break(&g);
        expect_freed(&g, 2);
        assert_int_equal(access(path[0], R_OK), 0);
        assert_int_not_equal(access(path[1], R_OK), 0); /* only rank 0 writes */

        fill(parts, 3, NULL);
        for (int r = 0; r < 3; ++r) parts[r].load = r == 0 ? path[0] : "/nowhere/at all";
        all(parts, 3, &g, live);
        for (int r = 0; r < 3; ++r) same(&parts[r]), free(parts[r].history);
        unlink(path[0]);
    }
}

static void what_one_is_given_wrongly_makes_none(void **state) {
    (void)state;
    static const struct {
        const char *options; /* of rank 1 */
        nse_status first, second;
        const char *said;
    } wrong[] = {
        {"{\"objective\"", NSE_ERR_COLLECTIVE, NSE_ERR_CONFIG, "rank 0 of 2: a step: rank 1 could not do its part"},
        {SHARED_JSON(", \"device\": \"cuda:77\""), NSE_ERR_COLLECTIVE, NSE_ERR_DEVICE, "rank 0 of 2: a step: rank 1 could not do its part"},
        {SHARED_JSON(", \"strategy\": {}"), NSE_ERR_COLLECTIVE, NSE_ERR_CONFIG, "rank 1 could not"},
        {"{\"seed\": 3, \"rounds\": 2, \"active\": 3, \"objective\": {\"low\": 30000, \"high\": 90000}, \"shards\": 4, \"train\": {\"batch\": 16}}",
         NSE_ERR_COLLECTIVE, NSE_ERR_COLLECTIVE, "the search: rank 1 has another than rank 0"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        group g;
        part parts[MOST_RANKS];
        fill(parts, 2, SHARED_JSON(""));
        parts[1].options = wrong[i].options;
        all(parts, 2, &g, live);
        assert_int_equal(parts[0].made, wrong[i].first);
        assert_int_equal(parts[1].made, wrong[i].second);
        if (strstr(parts[0].said, wrong[i].said) == NULL && wrong[i].second != NSE_ERR_COLLECTIVE) fail_msg("%s", parts[0].said);
        /* The group is as good as before. */
        assert_false(parts[0].failure || parts[1].failure);
    }
    group g;
    part parts[MOST_RANKS];
    fill(parts, 2, NULL);
    parts[0].load = parts[1].load = "/nowhere/at all";
    all(parts, 2, &g, live);
    assert_int_equal(parts[0].made, NSE_ERR_IO);
    assert_int_equal(parts[1].made, NSE_ERR_COLLECTIVE);
}

/* Rank 0 cannot write; the step is done all the same, and the next call goes on. */
static void *live_without_a_disk(void *argument) {
    part *p = argument;
    nse_error *error = NULL;
    nse_comm *comm = join(p);
    nse_search *search = begin(p, comm);
    nse_status status;
    while ((status = nse_search_step(search, &error)) < 0) {
        assert_int_equal(status, p->rank == 0 ? NSE_ERR_IO : NSE_ERR_COLLECTIVE);
        ++p->cancelled;
        note(p, error);
        error = NULL;
    }
    nse_comm_free(comm);
    finish(p, search);
    nse_search_free(search);
    return NULL;
}

static void a_checkpoint_that_is_not_written_is_heard_by_all(void **state) {
    (void)state;
    group g;
    part parts[MOST_RANKS];
    fill(parts, 2, SHARED_JSON(", \"checkpoint\": {\"path\": \"/nowhere/at/all.ckpt\", \"steps\": 1000000}"));
    all(parts, 2, &g, live_without_a_disk);
    for (int r = 0; r < 2; ++r) {
        assert_int_equal(parts[r].cancelled, 2); /* at the end of every round */
        assert_string_equal(parts[r].history, alone()->history);
        free(parts[r].history);
    }
    if (strstr(parts[1].said, "rank 0 could not write down what was done") == NULL) fail_msg("%s", parts[1].said);
}

static int32_t nothing(void *user, int64_t *numbers, size_t count) { return (void)user, (void)numbers, (void)count, 0; }

static void the_self_test_sees_what_does_nothing(void **state) {
    (void)state;
    group g;
    nse_comm *comm = NULL;
    nse_error *error = NULL;
    group_init(&g, 1);
    nse_comm_desc desc = group_desc(&g, 0, 0);
    desc.size = 2, desc.sum = nothing;
    const nse_status got = nse_comm_create(&desc, &comm, &error);
    expect_error(got, NSE_ERR_COLLECTIVE, &error, "rank 0 of 2: the self-test: the sum is wrong: value 0 is", "\"size\":2");
    assert_null(comm);
    expect_freed(&g, 1);
}

static void arguments_are_looked_at_and_given_back(void **state) {
    (void)state;
    group g;
    nse_comm *comm = NULL;
    nse_error *error = NULL;
    group_init(&g, 1);
    for (int i = 0; i < 9; ++i) {
        nse_comm_desc desc = group_desc(&g, 0, 0);
        if (i == 0) desc.sum = NULL;
        if (i == 1) desc.max = NULL;
        if (i == 2) desc.broadcast = NULL;
        if (i == 3) desc.gather = NULL;
        if (i == 4) desc.barrier = NULL;
        if (i == 5) desc.flags = 1;
        if (i == 6) desc.size = 0;
        if (i == 7) desc.rank = 1;
        if (i == 8) desc.size = 65537;
        const char *text = i < 5 ? "must not be NULL" : i == 5 ? "flags 0x1 are not known" : "is not one of 1 to 65536 ranks";
        expect_error(nse_comm_create(&desc, &comm, &error), NSE_ERR_INVALID_ARGUMENT, &error, text, "\"desc\"");
        assert_int_equal(g.freed, i + 1);
    }
    /* One search at a time has it, and none that nothing is computed for. */
    const nse_comm_desc desc = group_desc(&g, 0, 0);
    assert_int_equal(nse_comm_create(&desc, &comm, NULL), NSE_OK);
    assert_int_equal(nse_comm_test(comm, NULL), NSE_OK);
    part p = {.options = SHARED_JSON("")};
    nse_search *search = begin(&p, comm), *second = NULL;
    assert_non_null(search);
    assert_int_equal(nse_comm_test(comm, NULL), NSE_ERR_BUSY);
    second = begin(&p, comm);
    assert_null(second);
    assert_int_equal(p.made, NSE_ERR_BUSY);
    nse_search_free(search);
    assert_int_equal(nse_comm_test(comm, NULL), NSE_OK);
    nse_search_desc told = NSE_SEARCH_DESC_INIT;
    nse_space *space = make_space();
    told.space = space, told.flags = NSE_SEARCH_TOLD, told.options_json = SHARED_JSON(""), told.comm = comm;
    expect_error(nse_search_create(&told, &search, &error), NSE_ERR_INVALID_ARGUMENT, &error, "comm must be NULL with a flag", "\"desc\"");
    nse_space_free(space);
    /* After a shutdown it can still be looked at. */
    nse_buffer info = NSE_BUFFER_INIT;
    assert_int_equal(nse_shutdown(NSE_FOREVER, NULL), NSE_OK);
    assert_int_equal(nse_comm_test(comm, NULL), NSE_ERR_CANCELLED);
    assert_int_equal(nse_comm_info(comm, &info, NULL), NSE_OK);
    assert_non_null(strstr(info.data, "\"failure\":null,\"kind\":\"host\",\"local_rank\":null,\"rank\":0,\"size\":1,\"timeout_ms\":300000"));
    nse_buffer_free(&info);
    nse_comm_free(comm);
    assert_int_equal(nse_comm_test(comm, NULL), NSE_ERR_INVALID_HANDLE);
    expect_freed(&g, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_number_of_ranks_ends_alike),
        cmocka_unit_test(batch_norm_over_all_ranks_is_that_of_one),
        cmocka_unit_test(one_that_cancels_stops_all),
        cmocka_unit_test(what_fails_on_one_ends_all_and_a_checkpoint_goes_on),
        cmocka_unit_test(what_one_is_given_wrongly_makes_none),
        cmocka_unit_test(a_checkpoint_that_is_not_written_is_heard_by_all),
        cmocka_unit_test(the_self_test_sees_what_does_nothing),
        cmocka_unit_test(arguments_are_looked_at_and_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
