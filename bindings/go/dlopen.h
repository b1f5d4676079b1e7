/* dlopen.h: libnse loaded while the program runs, for the build tag nse_dlopen. */
#ifndef NSE_GO_DLOPEN_H
#define NSE_GO_DLOPEN_H

#include "shim.h"

/* Looks for every function of nse.h; the name of the first that is not there, or NULL. */
const char *nsego_fill(void *(*find)(void *from, const char *name), void *from);

/* From here on the functions of nse.h are those that were found. */
void nsego_publish(void);

enum { NSEGO_LOADED, NSEGO_NO_FILE, NSEGO_NO_NSE, NSEGO_OTHER_ABI };

/* Loads a library: one of the above. In `*says`, to free, the file that was loaded, or why none was. Not at the same time as another
 * call. */
int nsego_load(const char *path, char **says);

#endif /* NSE_GO_DLOPEN_H */
