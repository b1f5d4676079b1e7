/* Any function with any arguments, a great many times, from several threads that share their handles: only documented statuses come
 * back, outputs are as the header says, every user_free runs at most once, all handles can be freed, and memory does not grow.
 *
 *     random SEED CALLS THREADS
 *
 * What is called with what follows from the seed; which handles are alive by then, with more threads than one, from their race too.
 */
#define _GNU_SOURCE
#include "alone.h"
#include "calls.h"
#include "texts.h"

#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define KINDS (COUNT_OF(kinds) - 1)
#define POOL 48
#define USERS (1 << 16)
#define REGION (1 << 16)
#define BLOCKS 4
/* Places for handles, where a function makes several; more than are ever asked for beside a pointer. */
#define SEVERAL 64

typedef struct caller {
    pthread_t thread;
    uint64_t state;
    long calls;
    const function *now;
    char trace[1024]; /* the arguments of the call under way */
    size_t traced;
    uint8_t region[REGION]; /* whatever is read or written behind a pointer */
    uint64_t structs[8][MOST_FIELDS * 2];
    int used; /* of them */
    int has_pointer_to_data;
    uint64_t answered[2]; /* successes, failures */
} caller;

static _Atomic(void *) pool[KINDS][POOL];
static _Atomic(void *) stale[KINDS][POOL];
static atomic_char users[USERS]; /* 1: handed out, 2: given back */
static atomic_uint next_user;
static atomic_ulong tally[COUNT_OF(functions)];

static void fail(const caller *c, const char *what, int64_t got) {
    fprintf(stderr, "random.c: %s(%s): %s (%lld, %s)\n", c->now->name, c->trace, what, (long long)got, nse_status_name((nse_status)got));
    abort();
}

static void note(caller *c, const char *format, unsigned long long what) {
    int n = snprintf(c->trace + c->traced, sizeof c->trace - c->traced, format, what);
    if (n > 0 && c->traced + (size_t)n < sizeof c->trace) c->traced += (size_t)n;
}

static uint64_t random_bits(caller *c) {
    c->state ^= c->state << 13, c->state ^= c->state >> 7, c->state ^= c->state << 17;
    return c->state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(caller *c, uint64_t n) { return (random_bits(c) >> 32) % n; }

static int kind_of(const char *type) {
    for (int i = 0; i < (int)KINDS; ++i) {
        if (strcmp(kinds[i], type) == 0) return i;
    }
    return -1;
}

/* ---- Functions of the host ------------------------------------------------------------------------------------------------- */

static void give_back(void *user) {
    const uintptr_t at = (uintptr_t)user;
    if (at == 0 || at >= USERS) return; /* of no one */
    if (atomic_exchange(&users[at], 2) == 2) {
        fprintf(stderr, "random.c: a user was freed twice\n");
        abort();
    }
}

static int32_t event(void *user, const nse_event *event) {
    (void)user;
    return event->step % 5 == 4;
}

static int32_t fill(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels) {
    (void)user, (void)pixels;
    for (uint32_t i = 0; i < count; ++i) labels[i] = (first + i) % 3;
    return first % 7 == 6;
}

/* ---- Arguments ------------------------------------------------------------------------------------------------------------- */

static void *handle(caller *c, int kind) {
    const uint64_t dice = below(c, 100);
    if (dice < 74) return atomic_load(&pool[kind][below(c, POOL)]);
    if (dice < 82) return atomic_load(&stale[kind][below(c, POOL)]);
    if (dice < 88) return atomic_load(&pool[below(c, KINDS)][below(c, POOL)]);
    if (dice < 94) return NULL;
    /* One bit beside a real one, or anything at all: never a handle. */
    return (void *)(random_bits(c) | 1ull << 63);
}

static const char *text(caller *c, const char *function, const char *argument) {
    const uint64_t dice = below(c, 100);
    const char *fits = fitting_text(function, argument);
    if (dice < 70 && fits != NULL) return fits;
    if (dice < 75) return NULL;
    if (dice < 85) return fitting[below(c, COUNT_OF(fitting))].text;
    return unfitting[below(c, COUNT_OF(unfitting))];
}

static uint64_t number(caller *c, const char *name) {
    static const uint64_t usual[] = {0, 1, 1, 1, 2, 3, 4, 8, 12}, great[] = {UINT64_MAX, UINT32_MAX, INT64_MAX, INT32_MAX, 1 << 20};
    if (strcmp(name, "flags") == 0) return below(c, 8) ? (uint64_t[]){0, 0, 1, 2}[below(c, 4)] : random_bits(c);
    if (strcmp(name, "timeout_ms") == 0) return below(c, 3);
    if (!c->has_pointer_to_data && below(c, 4) == 0) return great[below(c, COUNT_OF(great))];
    return usual[below(c, COUNT_OF(usual))];
}

static double real(caller *c) {
    static const double odd[] = {0, -0.0, 1, -1, 0.5, 0.25, 1e300, -1e300, 1e-320, 1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, 30000, 1e9};
    return odd[below(c, COUNT_OF(odd))];
}

static void *structure_of(caller *c, const char *type, int depth);

static value argument(caller *c, const char *owner, const place *place, int depth) {
    value v = {.n = 0};
    switch (place->kind) {
    case 'h': v.p = handle(c, kind_of(place->type)); break;
    case 'H': v.p = below(c, 32) ? c->region + 16 * below(c, 4) : NULL; break;
    case 'e': v.p = below(c, 2) ? c->region + 128 : NULL; break;
    case 'b': v.p = below(c, 32) ? c->region + 160 : NULL; break;
    case 't': v.p = text(c, owner, place->name); break;
    case 's': v.p = below(c, 32) ? structure_of(c, place->type, depth + 1) : NULL; break;
    case 'S': v.p = below(c, 4) ? NULL : (void *)pool[kind_of(place->type)]; break;
    case 'n': v.n = number(c, place->name); break;
    case 'd': v.d = real(c); break;
    case 'o':
    case 'a': v.p = below(c, 4) ? c->region + 4096 : NULL; break;
    case 'f':
        if (below(c, 4) == 0) break;
        if (strcmp(place->type, "nse_event_fn") == 0) v.f = (void (*)(void))event;
        if (strcmp(place->type, "nse_fill_fn") == 0) v.f = (void (*)(void))fill;
        if (strcmp(place->type, "nse_free_fn") == 0) v.f = (void (*)(void))give_back;
        if (strcmp(place->type, "nse_sum_fn") == 0) v.f = (void (*)(void))alone_sum;
        if (strcmp(place->type, "nse_max_fn") == 0) v.f = (void (*)(void))alone_max;
        if (strcmp(place->type, "nse_broadcast_fn") == 0) v.f = (void (*)(void))alone_broadcast;
        if (strcmp(place->type, "nse_gather_fn") == 0) v.f = (void (*)(void))alone_gather;
        if (strcmp(place->type, "nse_barrier_fn") == 0) v.f = (void (*)(void))alone_barrier;
        break;
    case 'u': {
        const unsigned at = atomic_fetch_add(&next_user, 1) % USERS;
        /* One that may still be in use is not handed out again. */
        char free = 2, fresh = 0;
        const int mine = at != 0 && (atomic_compare_exchange_strong(&users[at], &free, 1) || atomic_compare_exchange_strong(&users[at], &fresh, 1));
        v.p = mine ? (void *)(uintptr_t)at : NULL;
        break;
    }
    case 'D': break; /* tests/c/source.c has tensors */
    default: fail(c, "an argument of no known kind", place->kind);
    }
    note(c, "%c", place->kind), note(c, "=%#llx ", v.n);
    return v;
}

static void *structure_of(caller *c, const char *type, int depth) {
    if (c->used == (int)COUNT_OF(c->structs) || depth > 3) return NULL;
    uint8_t *at = (uint8_t *)c->structs[c->used++];
    const structure *s = NULL;
    for (size_t i = 0; i < COUNT_OF(structures); ++i) {
        if (strcmp(structures[i].name, type) == 0) s = &structures[i];
    }
    memset(at, 0, sizeof c->structs[0]);
    if (s == NULL || s->size > sizeof c->structs[0]) fail(c, "a struct that is not known", 0);
    /* Pointers first: beside one, counts are of what is there. */
    const int before = c->has_pointer_to_data;
    for (int pass = 0; pass < 2; ++pass) {
        for (int i = 0; i < s->count; ++i) {
            const place *f = &s->fields[i];
            const int number = f->kind == 'n' || f->kind == 'd';
            if (number != pass) continue;
            value v = argument(c, type, f, depth);
            if (strchr("aS", f->kind) != NULL && v.p != NULL) c->has_pointer_to_data = 1;
            const size_t size = number && strstr(f->type, "32") != NULL ? 4 : 8;
            memcpy(at + f->offset, &v, size);
        }
    }
    c->has_pointer_to_data = before;
    static const uint32_t odd[] = {0, 3, 4, 8, 65535, 65536, 65537, UINT32_MAX};
    uint32_t size = (uint32_t)s->size;
    if (below(c, 24) == 0) {
        size = odd[below(c, COUNT_OF(odd))];
        if (size > s->size && size <= 65536) size = (uint32_t)s->size + 8; /* so much is there, and zero */
    }
    memcpy(at, &size, sizeof size);
    return at;
}

/* ---- Calls ----------------------------------------------------------------------------------------------------------------- */

static void let_go(int kind, void *handle) {
    char name[64];
    snprintf(name, sizeof name, "%s_free", kinds[kind]);
    for (size_t i = 0; i < COUNT_OF(functions); ++i) {
        if (strcmp(functions[i].name, name) == 0) functions[i].call(&(value){.p = handle});
    }
}

static void keep(caller *c, int kind, void *handle) {
    void *old = atomic_exchange(&pool[kind][below(c, POOL)], handle);
    if (old == NULL) return;
    let_go(kind, old);
    atomic_store(&stale[kind][below(c, POOL)], old);
}

/* Functions whose effect is the whole process are no part of this. */
static int left_out(const function *f) {
    return strstr(f->name, "shutdown") != NULL || strstr(f->name, "set_log") != NULL;
}

static void call_something(caller *c) {
    const size_t which = below(c, COUNT_OF(functions));
    const function *f = c->now = &functions[which];
    if (left_out(f)) return;
    c->used = 0, c->has_pointer_to_data = 1, c->trace[c->traced = 0] = '\0';
    memset(c->region, 0x5a, 128 + 8);
    memset(c->region + 1024, 0, SEVERAL * sizeof(void *));
    nse_buffer *buffer = (nse_buffer *)(c->region + 160);
    *buffer = (nse_buffer)NSE_BUFFER_INIT;
    value v[MOST_ARGUMENTS] = {{.n = 0}};
    const int several = makes_several(f);
    int has_out = 0;
    for (int i = 0; i < f->count; ++i) {
        if (f->arguments[i].kind != 'n') v[i] = argument(c, f->name, &f->arguments[i], 0);
        has_out |= strchr("oa", f->arguments[i].kind) != NULL && v[i].p != NULL;
        if (f->arguments[i].kind == 'H' && several && v[i].p != NULL) v[i].p = c->region + 1024, has_out = 1;
    }
    c->has_pointer_to_data = has_out;
    for (int i = 0; i < f->count; ++i) {
        if (f->arguments[i].kind == 'n') v[i] = argument(c, f->name, &f->arguments[i], 0);
    }
    if (is_free(f) && below(c, 4)) return; /* rather than empty the pool */

    const int64_t got = f->call(v);
    atomic_fetch_add(&tally[which], 1);
    if (f->result == 't' && got == 0) fail(c, "NULL is no text", got);
    if (f->result != 's') return;
    const int fine = got >= 0;
    c->answered[!fine]++;
    const int about_a_number = strcmp(f->name, "nse_error_code") == 0; /* answers with the status of its error */
    if (!documented(f, got) && !about_a_number) fail(c, "a status that its comment does not name", got);
    int expected_error = !fine;
    for (int i = 0; i < f->count; ++i) {
        const place *a = &f->arguments[i];
        if (v[i].p == NULL) continue;
        if (a->kind == 'b') {
            if ((buffer->data != NULL) != fine) fail(c, "the buffer is not as it should be", got);
            if (fine && buffer->data[buffer->len] != '\0') fail(c, "no NUL at the end", got);
            nse_buffer_free(buffer);
        } else if (a->kind == 'e') {
            nse_error *error = *(nse_error *const *)v[i].p;
            if ((error != NULL) != expected_error) fail(c, "the error is not as it should be", got);
            if (error == NULL) continue;
            if (nse_error_code(error) != got) fail(c, "the error has another status", got);
            if (strchr(nse_error_message(error), '\n') != NULL) fail(c, "more than one line", got);
            if (below(c, 16) == 0) keep(c, kind_of("nse_error"), error);
            else nse_error_free(error);
        } else if (a->kind == 'H') {
            void **places = (void **)(uintptr_t)v[i].p;
            for (int k = 0; k < (several ? SEVERAL : 1); ++k) {
                if (!fine && places[k] != NULL) fail(c, "a handle in spite of the error", got);
                if (fine && places[k] != NULL) keep(c, kind_of(a->type), places[k]);
                places[k] = NULL;
            }
        }
    }
}

static void *run(void *argument) {
    caller *c = argument;
    for (long i = 0; i < c->calls; ++i) call_something(c);
    return NULL;
}

/* Everything is freed, and answers so. */
static void empty(caller *c) {
    static const char *const plain[] = {"nse_space_to_json", "nse_dataset_info", "nse_arch_to_json", "nse_error_code", "nse_op_cancel"};
    for (size_t kind = 0; kind < KINDS; ++kind) {
        for (int i = 0; i < POOL; ++i) {
            void *live = atomic_exchange(&pool[kind][i], NULL), *old = atomic_exchange(&stale[kind][i], NULL);
            if (live != NULL) let_go((int)kind, live);
            for (size_t k = 0; k < COUNT_OF(functions); ++k) {
                for (size_t p = 0; p < COUNT_OF(plain); ++p) {
                    const function *f = c->now = &functions[k];
                    if (strcmp(f->name, plain[p]) != 0 || strcmp(f->arguments[0].type, kinds[kind]) != 0) continue;
                    nse_buffer buffer = NSE_BUFFER_INIT;
                    value v[MOST_ARGUMENTS] = {{.p = live}};
                    if (f->arguments[1].kind == 'b') v[1].p = &buffer;
                    if (f->call(v) != NSE_ERR_INVALID_HANDLE) fail(c, "a freed handle is alive", 0);
                    v[0].p = old;
                    if (f->call(v) != NSE_ERR_INVALID_HANDLE) fail(c, "a handle freed long ago is alive", 0);
                }
            }
        }
    }
}

static size_t in_use(void) {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

int main(int argc, char **argv) {
    const uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
    const long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 100000;
    int threads = argc > 3 ? atoi(argv[3]) : 4;
    char folder[] = "/tmp/nse-random-XXXXXX";
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) return 2;
    if (threads < 1 || threads > 64) threads = 1;
    caller *callers = calloc((size_t)threads, sizeof *callers);
    size_t before = 0;
    for (int block = 0; block < BLOCKS; ++block) {
        for (int i = 0; i < threads; ++i) {
            callers[i].state = seed * 0x9e3779b97f4a7c15ull + (uint64_t)(block * 64 + i) * 0xbf58476d1ce4e5b9ull + 1;
            callers[i].calls = calls / threads / BLOCKS;
            if (pthread_create(&callers[i].thread, NULL, run, &callers[i]) != 0) return 2;
        }
        for (int i = 0; i < threads; ++i) pthread_join(callers[i].thread, NULL);
        empty(callers);
        const size_t now = in_use();
        /* The first block fills tables and caches. */
        if (block == 0) before = now;
        if (block > 0 && now > before + (256 << 10)) {
            fprintf(stderr, "random.c: %zu bytes are in use after block %d, %zu after the first\n", now, block, before);
            return 1;
        }
    }
    uint64_t fine = 0, wrong = 0;
    for (int i = 0; i < threads; ++i) fine += callers[i].answered[0], wrong += callers[i].answered[1];
    if (getenv("NSE_TEST_VERBOSE") != NULL) {
        for (size_t i = 0; i < COUNT_OF(functions); ++i) printf("%8lu %s\n", tally[i], functions[i].name);
        printf("%llu succeeded, %llu did not\n", (unsigned long long)fine, (unsigned long long)wrong);
    }
    free(callers);
    DIR *left = opendir("."); /* what was saved under any name */
    for (struct dirent *file; left != NULL && (file = readdir(left)) != NULL;) unlink(file->d_name);
    if (left != NULL) closedir(left);
    if (chdir("/") != 0 || rmdir(folder) != 0) fprintf(stderr, "random.c: files are left in %s\n", folder);
    return fine > wrong / 20 ? 0 : 1;
}
