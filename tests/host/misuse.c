/* What a careless host does, with every function of the header: NULL for each pointer, garbage and strangers and the dead as handles,
 * structs of wrong sizes, flags, text that is none, counts without end; and frees that race with whatever uses the handle. Only status
 * codes come back.
 */
#include "calls.h"
#include "host.h"

#include <pthread.h>
#include <stdatomic.h>

static uint8_t room[1 << 16];
static void *live[16], *dead[16]; /* one of each kind, in the order of `kinds` */

static int kind_of(const char *type) {
    for (int i = 0; kinds[i] != NULL; ++i) {
        if (strcmp(kinds[i], type) == 0) return i;
    }
    return -1;
}

static void made(const char *type, void *handle) { live[kind_of(type)] = handle; }

static const function *freeing(const char *type) {
    char name[64];
    snprintf(name, sizeof name, "%s_free", type);
    for (size_t i = 0; i < COUNT_OF(functions); ++i) {
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    }
    fprintf(stderr, "misuse.c: there is no %s\n", name);
    exit(1);
}

static void make_all(void) {
    nse_latency *table = NULL;
    nse_error *error = NULL;
    nse_op *op = NULL;
    EXPECT(nse_latency_create(NULL, &table, NULL), NSE_OK);
    EXPECT(nse_space_from_json("{", (nse_space **)room, &error), NSE_ERR_CONFIG);
    nse_search *search = host_search(NULL);
    EXPECT(nse_search_step_async(search, &op, NULL), NSE_OK);
    made("nse_comm", host_comm()), made("nse_space", host_space()), made("nse_dataset", host_images(48)), made("nse_arch", host_arch());
    made("nse_latency", table), made("nse_error", error), made("nse_restoration", host_restoration()), made("nse_op", op), made("nse_search", search), made("nse_model", host_model());
    EXPECT(nse_op_poll(op, NSE_FOREVER, NULL), NSE_OK);
}

static int is_static(const function *f) {
    static const char *const names[] = {"nse_status_name", "nse_version_number", "nse_version_string", "nse_abi_check", "nse_buffer_free"};
    for (size_t i = 0; i < COUNT_OF(names); ++i) {
        if (strcmp(f->name, names[i]) == 0) return 1;
    }
    return 0;
}

/* Whole processes are not what is tried here. */
static int left_out(const function *f) { return strstr(f->name, "shutdown") != NULL || strstr(f->name, "set_log") != NULL; }

static int64_t call(const function *f, const value *v, const char *how) {
    *(nse_buffer *)(room + 512) = (nse_buffer)NSE_BUFFER_INIT;
    const int64_t got = f->call(v);
    nse_buffer_free((nse_buffer *)(room + 512));
    if (f->result == 's' && !documented(f, got) && strcmp(f->name, "nse_error_code") != 0) {
        fprintf(stderr, "misuse.c: %s, %s: %s\n", f->name, how, nse_status_name((nse_status)got));
        exit(1);
    }
    if (f->result == 't' && got == 0) CHECK(!"a text is never NULL");
    for (int i = 0; i < f->count; ++i) {
        void **place = (void **)(uintptr_t)v[i].p;
        if (place == NULL || (f->arguments[i].kind != 'H' && f->arguments[i].kind != 'e')) continue;
        if (f->result == 's' && got < 0 && f->arguments[i].kind == 'H') CHECK(*place == NULL);
        if (f->arguments[i].kind == 'e') CHECK((*place != NULL) == (got < 0));
        if (*place != NULL) freeing(f->arguments[i].type)->call(&(value){.p = *place});
        *place = NULL;
    }
    return got;
}

/* Arguments with which the function would succeed, or nearly. Structs are left NULL. */
static void plausible(const function *f, value *v) {
    memset(v, 0, MOST_ARGUMENTS * sizeof *v);
    for (int i = 0; i < f->count; ++i) {
        const place *a = &f->arguments[i];
        if (a->kind == 'h') v[i].p = live[kind_of(a->type)];
        if (a->kind == 'H' || a->kind == 'e') v[i].p = room + 16 * i;
        if (a->kind == 'b') v[i].p = room + 512;
        if (a->kind == 't') v[i].p = fitting_text(f->name, a->name);
        if (a->kind == 'o') v[i].p = room + 4096;
        if (a->kind == 'n' && strcmp(a->name, "capacity") == 0) v[i].n = 1024;
        if (a->kind == 'n' && strcmp(a->name, "count") == 0 && makes_several(f)) v[i].n = 1;
        if (a->kind == 'd') v[i].d = 0.5;
    }
}

static void expect_no_handle(const function *f, const value *v, const char *how) {
    const int64_t got = call(f, v, how);
    if (f->result == 's' && got != NSE_ERR_INVALID_HANDLE) {
        fprintf(stderr, "misuse.c: %s, %s: %s\n", f->name, how, nse_status_name((nse_status)got));
        exit(1);
    }
}

static void garbage_as_handles(const function *f, int at) {
    value v[MOST_ARGUMENTS];
    char how[96];
    plausible(f, v);
    const int kind = kind_of(f->arguments[at].type);
    for (uint64_t top = 0; top < 256; ++top) {
        for (uint64_t low = 0; low < 4; ++low) {
            static const uint64_t lows[] = {0x1, 0xffffffffffffff, 0x00007fffdeadbeef, 0x0000000001000001};
            v[at].n = top << 56 | lows[low];
            if (v[at].p == live[kind]) continue;
            snprintf(how, sizeof how, "with %#llx as %s", (unsigned long long)v[at].n, f->arguments[at].name);
            /* A kind's own numbers may be alive: no more than a status is asked for then. */
            if (top == (uint64_t)(uintptr_t)live[kind] >> 56) continue;
            expect_no_handle(f, v, how);
        }
    }
    for (int bit = 24; bit < 64; ++bit) {
        v[at].n = (uint64_t)(uintptr_t)live[kind] ^ 1ull << bit;
        snprintf(how, sizeof how, "with bit %d of %s changed", bit, f->arguments[at].name);
        expect_no_handle(f, v, how);
    }
    for (int other = 0; kinds[other] != NULL; ++other) {
        v[at].p = other == kind ? dead[kind] : live[other];
        snprintf(how, sizeof how, "with %s %s as %s", other == kind ? "a freed" : "a", kinds[other], f->arguments[at].name);
        expect_no_handle(f, v, how);
    }
}

/* Everything at once NULL, and each pointer alone. */
static void nothing(const function *f) {
    value v[MOST_ARGUMENTS] = {{.n = 0}};
    const int64_t got = call(f, v, "with NULL and 0 only");
    if (f->result == 's' && f->count > 0 && !is_static(f)) CHECK(got < 0 || f->count == 1);
    for (int i = 0; i < f->count; ++i) {
        plausible(f, v);
        if (strchr("nd", f->arguments[i].kind) != NULL) continue;
        v[i].p = NULL;
        call(f, v, f->arguments[i].name);
    }
}

static void wrong_texts(const function *f, int at) {
    value v[MOST_ARGUMENTS];
    plausible(f, v);
    for (size_t i = 0; i < COUNT_OF(unfitting); ++i) {
        v[at].p = unfitting[i];
        if (strcmp(f->arguments[at].name, "path") == 0 && strchr(unfitting[i], '/') == NULL) continue;
        const int64_t got = call(f, v, unfitting[i]);
        if (strstr(unfitting[i], "\xff") != NULL && got != NSE_ERR_INVALID_ARGUMENT && got != NSE_ERR_CONFIG) {
            fprintf(stderr, "misuse.c: %s takes what is not UTF-8 as %s: %s\n", f->name, f->arguments[at].name, nse_status_name((nse_status)got));
            exit(1);
        }
    }
}

/* The largest numbers, where nothing says that so much is there. */
static void wrong_numbers(const function *f, int at) {
    static const uint64_t great[] = {UINT64_MAX, UINT32_MAX, INT64_MAX, INT32_MAX, 1ull << 40, 0};
    static const double odd[] = {0.0 / 0.0, 1.0 / 0.0, -1.0 / 0.0, -1, 1e300, 1e-320};
    value v[MOST_ARGUMENTS];
    plausible(f, v);
    for (int i = 0; i < f->count; ++i) {
        if (strchr("oa", f->arguments[i].kind) != NULL || (f->arguments[i].kind == 'H' && makes_several(f))) v[i].p = NULL;
    }
    for (size_t i = 0; i < COUNT_OF(great); ++i) {
        if (f->arguments[at].kind == 'n') v[at].n = great[i];
        else v[at].d = odd[i];
        call(f, v, f->arguments[at].name);
    }
}

static void wrong_structs(const function *f, int at) {
    static const uint32_t sizes[] = {0, 1, 3, 4, 7, 8, 65536, 65537, INT32_MAX, UINT32_MAX};
    static _Alignas(16) uint8_t bytes[1 << 17];
    const structure *s = NULL;
    value v[MOST_ARGUMENTS];
    plausible(f, v);
    for (size_t i = 0; i < COUNT_OF(structures); ++i) {
        if (strcmp(structures[i].name, f->arguments[at].type) == 0) s = &structures[i];
    }
    CHECK(s != NULL);
    v[at].p = bytes;
    for (size_t i = 0; i < COUNT_OF(sizes); ++i) {
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, &sizes[i], sizeof *sizes);
        CHECK(call(f, v, "with a wrong struct_size") < 0);
    }
    for (int i = 0; i < s->count; ++i) { /* each field alone, all bits set where that is no pointer to data */
        uint32_t size = (uint32_t)s->size;
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes, &size, sizeof size);
        if (i > 0 && strchr("nhd", s->fields[i].kind) != NULL) memset(bytes + s->fields[i].offset, 0xff, strstr(s->fields[i].type, "32") ? 4 : 8);
        CHECK(call(f, v, s->fields[i].name) < 0);
    }
    /* What a later header may have behind it. */
    memset(bytes, 0, sizeof bytes);
    const uint32_t size = (uint32_t)s->size + 8;
    memcpy(bytes, &size, sizeof size);
    bytes[s->size + 3] = 1;
    CHECK(call(f, v, "with an unknown field") == NSE_ERR_INVALID_ARGUMENT);
}

static void all_functions(void) {
    for (size_t i = 0; i < COUNT_OF(functions); ++i) {
        const function *f = &functions[i];
        if (is_free(f) || left_out(f)) continue;
        nothing(f);
        for (int at = 0; at < f->count; ++at) {
            if (f->arguments[at].kind == 'h') garbage_as_handles(f, at);
            if (f->arguments[at].kind == 't') wrong_texts(f, at);
            if (f->arguments[at].kind == 's') wrong_structs(f, at);
            if (f->arguments[at].kind == 'n' || f->arguments[at].kind == 'd') wrong_numbers(f, at);
        }
    }
}

/* Frees take anything, twice, and what is another's lives on. */
static void free_anything(void) {
    for (int kind = 0; kinds[kind] != NULL; ++kind) {
        const function *f = freeing(kinds[kind]);
        for (uint64_t top = 0; top < 256; ++top) f->call(&(value){.n = top << 56 | 0xfffffffffffffe});
        f->call(&(value){.p = NULL});
        f->call(&(value){.p = dead[kind]});
        for (int other = 0; kinds[other] != NULL; ++other) {
            if (other != kind) f->call(&(value){.p = live[other]});
        }
    }
    nse_buffer buffer = NSE_BUFFER_INIT;
    EXPECT(nse_space_to_json(live[kind_of("nse_space")], &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    nse_buffer_free(&buffer);
    nse_buffer_free(NULL);
    EXPECT(nse_dataset_info(live[kind_of("nse_dataset")], &buffer, NULL), NSE_OK);
    nse_buffer_free(&buffer);
    size_t count = 0;
    EXPECT(nse_search_front_count(live[kind_of("nse_search")], &count, NULL), NSE_OK);
    CHECK(count > 0);
    for (int kind = 0; kinds[kind] != NULL; ++kind) {
        freeing(kinds[kind])->call(&(value){.p = live[kind]});
        freeing(kinds[kind])->call(&(value){.p = live[kind]});
    }
}

/* ---- Races ------------------------------------------------------------------------------------------------------------------ */

#define THREADS 8
#define TURNS 12

static _Atomic(nse_search *) searched;
static _Atomic(nse_op *) polled;
static atomic_int over;
static pthread_barrier_t start;

static void only(nse_status got, const char *what) {
    static const nse_status fine[] = {NSE_OK,           NSE_DONE,           NSE_PENDING,           NSE_ERR_INVALID_HANDLE,
                                      NSE_ERR_BUSY,     NSE_ERR_CANCELLED,  NSE_ERR_NOT_FOUND};
    for (size_t i = 0; i < COUNT_OF(fine); ++i) {
        if (fine[i] == got) return;
    }
    fprintf(stderr, "misuse.c: in a race, %s: %s\n", what, nse_status_name(got));
    exit(1);
}

static void use(int who, int round) {
    nse_search *search = searched;
    nse_op *op = polled;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_arch *arch = NULL;
    nse_op *mine = NULL;
    double accuracy, scores[64];
    switch ((who + round) % 8) {
    case 0: only(nse_search_step(search, NULL), "step"); break;
    case 1: only(nse_op_poll(op, 5, NULL), "poll"); break;
    case 2: only(nse_search_scores(search, scores, 64, NULL, NULL, NULL), "scores"); break;
    case 3: only(nse_search_status(search, &buffer, NULL), "status"); break;
    case 4: only(nse_search_front_get(search, 0, &arch, &accuracy, NULL), "front_get"); break;
    case 5: only(nse_search_step_async(search, &mine, NULL), "step_async"); break;
    case 6: only(nse_search_history(search, &buffer, NULL), "history"); break;
    default: only(nse_op_cancel(op, NULL), "cancel"); break;
    }
    nse_buffer_free(&buffer);
    nse_arch_free(arch);
    nse_op_free(mine);
}

static void *racer(void *argument) {
    const int who = (int)(intptr_t)argument;
    for (int t = 0; t < TURNS; ++t) {
        pthread_barrier_wait(&start);
        for (int round = 0; !over; ++round) {
            use(who, round);
            /* Two of them free at about the same time, while the others are at it. */
            if (round == t && who == 0) nse_search_free(searched);
            if (round == t + 1 && who == 1) nse_op_free(polled), nse_search_free(searched), over = 1;
        }
        pthread_barrier_wait(&start);
    }
    return NULL;
}

static void races(void) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&start, NULL, THREADS + 1);
    for (intptr_t i = 0; i < THREADS; ++i) CHECK(pthread_create(&threads[i], NULL, racer, (void *)i) == 0);
    for (int t = 0; t < TURNS; ++t) {
        nse_op *op = NULL;
        searched = host_search(NULL);
        EXPECT(nse_search_step_async(searched, &op, NULL), NSE_OK);
        polled = op;
        over = 0;
        pthread_barrier_wait(&start);
        pthread_barrier_wait(&start);
        EXPECT(nse_search_cancel(searched, NULL), NSE_ERR_INVALID_HANDLE);
        EXPECT(nse_op_cancel(polled, NULL), NSE_ERR_INVALID_HANDLE);
    }
    for (int i = 0; i < THREADS; ++i) pthread_join(threads[i], NULL);
}

int main(void) {
    alarm(240);
    make_all();
    memcpy(dead, live, sizeof live);
    for (int kind = 0; kinds[kind] != NULL; ++kind) {
        CHECK(live[kind] != NULL);
        freeing(kinds[kind])->call(&(value){.p = dead[kind]});
    }
    make_all();
    all_functions();
    free_anything();
    races();
    return 0;
}
