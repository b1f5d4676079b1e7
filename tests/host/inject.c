/* Preloaded: makes the n-th call of a kind fail, once. `inject_arm` says which; only files below its folder count, and allocations of at
 * least 1 MiB, which is from where on the library promises an error instead of an abort.
 */
#define _GNU_SOURCE
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_int armed = INJECT_NOTHING, left, fired, wanted_error;
static char folder[4096];

/* What the process would call without this library. */
#define REAL(result, name, ...)                                                                                                 \
    static result (*real)(__VA_ARGS__);                                                                                        \
    if (real == NULL) real = (result(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

void inject_arm(enum inject kind, int nth, int error, const char *where) {
    snprintf(folder, sizeof folder, "%s", where != NULL ? where : "");
    fired = 0;
    left = nth;
    wanted_error = error;
    armed = kind;
}

int inject_disarm(void) {
    armed = INJECT_NOTHING;
    return fired;
}

static int due(enum inject kind) {
    if (armed != (int)kind || fired || atomic_fetch_sub(&left, 1) != 1) return 0;
    fired = 1;
    if (wanted_error > 0) errno = wanted_error;
    return 1;
}

static int ours(const char *path) { return path != NULL && strncmp(path, folder, strlen(folder)) == 0; }

static int our_file(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = '\0';
    return ours(path);
}

static int due_for(enum inject kind, int file) { return armed == (int)kind && our_file(file) && due(kind); }

/* ---- Files ------------------------------------------------------------------------------------------------------------------ */

ssize_t write(int file, const void *bytes, size_t count) {
    REAL(ssize_t, write, int, const void *, size_t);
    if (!due_for(INJECT_WRITE, file)) return real(file, bytes, count);
    return wanted_error == INJECT_SHORT ? real(file, bytes, count > 1 ? count / 2 : count) : -1;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    if (!due_for(INJECT_WRITE, file)) return real(file, parts, count);
    return wanted_error == INJECT_SHORT ? real(file, parts, 1) : -1;
}

ssize_t read(int file, void *bytes, size_t count) {
    REAL(ssize_t, read, int, void *, size_t);
    if (!due_for(INJECT_READ, file)) return real(file, bytes, count);
    return wanted_error == INJECT_SHORT ? real(file, bytes, count > 1 ? count / 2 : count) : -1;
}

int fsync(int file) {
    REAL(int, fsync, int);
    return due_for(INJECT_SYNC, file) ? -1 : real(file);
}

int ftruncate64(int file, off64_t length) {
    REAL(int, ftruncate64, int, off64_t);
    return due_for(INJECT_TRUNCATE, file) ? -1 : real(file, length);
}

int close(int file) {
    REAL(int, close, int);
    const int fails = due_for(INJECT_CLOSE, file), result = real(file);
    if (fails) errno = wanted_error;
    return fails ? -1 : result;
}

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return ours(to) && due(INJECT_RENAME) ? -1 : real(from, to);
}

int open64(const char *path, int flags, ...) {
    REAL(int, open64, const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return ours(path) && due(INJECT_OPEN) ? -1 : real(path, flags, mode);
}

/* ---- Memory ----------------------------------------------------------------------------------------------------------------- */

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);

static int refused(size_t size) { return size >= INJECT_LEAST && due(INJECT_MEMORY); }

void *malloc(size_t size) { return refused(size) ? NULL : __libc_malloc(size); }

void *calloc(size_t count, size_t size) {
    size_t all;
    return !__builtin_mul_overflow(count, size, &all) && refused(all) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) { return refused(size) ? NULL : __libc_realloc(old, size); }

void *memalign(size_t alignment, size_t size) { return refused(size) ? NULL : __libc_memalign(alignment, size); }

void *aligned_alloc(size_t alignment, size_t size) { return refused(size) ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **place, size_t alignment, size_t size) {
    *place = refused(size) ? NULL : __libc_memalign(alignment, size);
    return *place == NULL ? ENOMEM : 0;
}

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    if ((flags & MAP_ANONYMOUS) && refused(size)) return errno = ENOMEM, MAP_FAILED;
    return (void *)syscall(SYS_mmap, at, size, protection, flags, file, offset);
}
