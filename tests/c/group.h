/* Collectives between threads of one process, with faults to order: what a host with a network of its own would write. */
#ifndef NSE_TEST_GROUP_H
#define NSE_TEST_GROUP_H

#include <nse.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define MOST_RANKS 8

typedef struct group {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    int size, here, turn, calls, freed;
    const void *given[MOST_RANKS];
    /* At its call of this number (0: never) rank 1 fails, or does not return before `broken` is set. */
    int fails_at, hangs_at, broken;
} group;

typedef struct member {
    group *group;
    int rank, calls;
} member;

static inline void group_init(group *g, int size) {
    memset(g, 0, sizeof *g);
    pthread_mutex_init(&g->lock, NULL), pthread_cond_init(&g->moved, NULL);
    g->size = size;
}

static inline void group_break(group *g) {
    pthread_mutex_lock(&g->lock);
    g->broken = 1;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->lock);
}

/* 0 when all have come here. */
static inline int32_t group_meet(group *g) {
    pthread_mutex_lock(&g->lock);
    const int turn = g->turn;
    if (++g->here == g->size) g->here = 0, ++g->turn, pthread_cond_broadcast(&g->moved);
    while (g->turn == turn && !g->broken) pthread_cond_wait(&g->moved, &g->lock);
    const int32_t failed = g->turn == turn;
    pthread_mutex_unlock(&g->lock);
    return failed;
}

static inline int32_t group_fault(member *m) {
    group *g = m->group;
    const int call = ++m->calls;
    if (m->rank != 1) return 0;
    if (call == g->fails_at) return 5;
    if (call != g->hangs_at) return 0;
    pthread_mutex_lock(&g->lock);
    while (!g->broken) pthread_cond_wait(&g->moved, &g->lock);
    pthread_mutex_unlock(&g->lock);
    return 6;
}

/* What all ranks gave, each for as long as all need it: `fold` makes this rank's result of it. */
static inline int32_t group_exchange(void *user, const void *own, size_t bytes, void (*fold)(group *, void *, size_t), void *out, size_t size) {
    member *m = user;
    int32_t failed = group_fault(m);
    if (failed) return failed;
    void *result = malloc(size + 1);
    m->group->given[m->rank] = own;
    if (!(failed = group_meet(m->group))) fold(m->group, result, bytes), failed = group_meet(m->group);
    if (!failed && size > 0) memcpy(out, result, size);
    free(result);
    return failed;
}

static inline void fold_sum(group *g, void *out, size_t bytes) {
    int64_t *sum = out;
    for (size_t i = 0; i < bytes / 8; ++i) {
        sum[i] = 0;
        for (int r = 0; r < g->size; ++r) sum[i] += ((const int64_t *)g->given[r])[i];
    }
}

static inline void fold_max(group *g, void *out, size_t bytes) {
    double *max = out;
    for (size_t i = 0; i < bytes / 8; ++i) {
        max[i] = ((const double *)g->given[0])[i];
        for (int r = 1; r < g->size; ++r) {
            const double other = ((const double *)g->given[r])[i];
            if (other > max[i]) max[i] = other;
        }
    }
}

static inline void fold_first(group *g, void *out, size_t bytes) { memcpy(out, g->given[0], bytes); }

static inline void fold_all(group *g, void *out, size_t bytes) {
    for (int r = 0; r < g->size; ++r) memcpy((char *)out + (size_t)r * bytes, g->given[r], bytes);
}

static inline void fold_nothing(group *g, void *out, size_t bytes) { (void)g, (void)out, (void)bytes; }

static inline int32_t group_sum(void *user, int64_t *numbers, size_t count) {
    return group_exchange(user, numbers, count * 8, fold_sum, numbers, count * 8);
}
static inline int32_t group_max(void *user, double *numbers, size_t count) {
    return group_exchange(user, numbers, count * 8, fold_max, numbers, count * 8);
}
static inline int32_t group_broadcast(void *user, uint8_t *bytes, size_t count) {
    return group_exchange(user, bytes, count, fold_first, bytes, count);
}
static inline int32_t group_gather(void *user, const uint8_t *own, size_t count, uint8_t *all) {
    return group_exchange(user, own, count, fold_all, all, count * (size_t)((member *)user)->group->size);
}
static inline int32_t group_barrier(void *user) { return group_exchange(user, NULL, 0, fold_nothing, NULL, 0); }

static inline void group_free(void *user) {
    member *m = user;
    pthread_mutex_lock(&m->group->lock);
    ++m->group->freed;
    pthread_mutex_unlock(&m->group->lock);
    free(m);
}

static inline nse_comm_desc group_desc(group *g, int rank, uint32_t timeout_ms) {
    nse_comm_desc desc = NSE_COMM_DESC_INIT;
    member *m = malloc(sizeof *m);
    m->group = g, m->rank = rank, m->calls = 0;
    desc.rank = (uint32_t)rank, desc.size = (uint32_t)g->size, desc.timeout_ms = timeout_ms;
    desc.sum = group_sum, desc.max = group_max, desc.broadcast = group_broadcast, desc.gather = group_gather, desc.barrier = group_barrier;
    desc.user = m, desc.user_free = group_free;
    return desc;
}

#endif
