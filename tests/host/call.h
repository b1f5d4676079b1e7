/* What calls.h, which calls.awk makes of the header, is written in. */
#ifndef NSE_TEST_CALL_H
#define NSE_TEST_CALL_H

#include <nse.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_ARGUMENTS 12
#define MOST_FIELDS 16
#define MOST_STATUSES 32
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

typedef union value {
    const void *p;
    uint64_t n;
    double d;
    void (*f)(void);
} value;

/* An argument of a function, or a field of a struct; `kind` is a letter of calls.awk. */
typedef struct place {
    const char *name;
    const char *type;
    char kind;
    size_t offset;
} place;

typedef struct function {
    const char *name;
    char result; /* s: a status, v: nothing, t: text, n: a number */
    int64_t (*call)(const value *arguments);
    int count;
    place arguments[MOST_ARGUMENTS];
    nse_status named[MOST_STATUSES]; /* in its comment; NSE_OK is the last, the rest are zeros, which is the same */
} function;

typedef struct structure {
    const char *name;
    size_t size;
    int count;
    place fields[MOST_FIELDS];
} structure;

/* Whether the header says that a function may answer so. NSE_ERR_PANIC would be a bug, and nothing is forked or poisoned here. */
static inline int documented(const function *f, int64_t status) {
    if (status == NSE_ERR_INVALID_ARGUMENT || status == NSE_ERR_INVALID_HANDLE || status == NSE_ERR_OUT_OF_MEMORY) return 1;
    /* What the blocking function would have returned. */
    if (strcmp(f->name, "nse_op_poll") == 0 && status != NSE_ERR_PANIC) return 1;
    for (int i = 0; i < MOST_STATUSES; ++i) {
        if (f->named[i] == status) return 1;
    }
    return 0;
}

/* Whether its handles go to `count` places, and not to one. */
static inline int makes_several(const function *f) {
    int count = 0, places = 0;
    for (int i = 0; i < f->count; ++i) {
        count |= strcmp(f->arguments[i].name, "count") == 0 && f->arguments[i].kind == 'n';
        places |= f->arguments[i].kind == 'H';
    }
    return count && places;
}

static inline int is_free(const function *f) {
    return f->result == 'v' && f->count == 1 && f->arguments[0].kind == 'h';
}

#endif
