/* What inject.c, when it is preloaded, lets a program ask for. */
#ifndef NSE_TEST_INJECT_H
#define NSE_TEST_INJECT_H

enum inject { INJECT_NOTHING, INJECT_WRITE, INJECT_READ, INJECT_SYNC, INJECT_TRUNCATE, INJECT_CLOSE, INJECT_RENAME, INJECT_OPEN, INJECT_MEMORY };

#define INJECT_LEAST (1 << 20)
/* Instead of an error: half of what was asked for is read or written. */
#define INJECT_SHORT (-1)

/* The n-th call of this kind from now on fails, with `error`. */
void inject_arm(enum inject kind, int nth, int error, const char *folder);

/* Whether it has. */
int inject_disarm(void);

#endif
