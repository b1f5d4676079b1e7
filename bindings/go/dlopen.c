//go:build nse_dlopen

/* dlopen.c: opens the library and looks at it before anything of it is used. */

#define _GNU_SOURCE
#include "dlopen.h"
#include <dlfcn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int refuse(void *library, int reason, char **says, const char *format, ...) {
    va_list values;
    va_start(values, format);
    if (vasprintf(says, format, values) < 0) *says = NULL;
    va_end(values);
    if (library) dlclose(library);
    return reason;
}

int nsego_load(const char *path, char **says) {
    *says = NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) return refuse(NULL, NSEGO_NO_FILE, says, "%s", dlerror());
    __typeof__(nse_abi_check) *check = (__typeof__(nse_abi_check) *)dlsym(library, "nse_abi_check");
    __typeof__(nse_version_string) *version = (__typeof__(nse_version_string) *)dlsym(library, "nse_version_string");
    if (!check || !version) return refuse(library, NSEGO_NO_NSE, says, "it has no nse_abi_check: it is not libnse");
    if (check(NSE_ABI_VERSION) != NSE_OK) {
        return refuse(library, NSEGO_OTHER_ABI, says, "this package is for ABI %d, libnse %s has another", NSE_ABI_VERSION, version());
    }
    const char *missing = nsego_fill(dlsym, library);
    if (missing) return refuse(library, NSEGO_OTHER_ABI, says, "libnse %s has no %s, which this package needs", version(), missing);
    nsego_publish();
    Dl_info file;
    *says = strdup(dladdr((void *)check, &file) && file.dli_fname ? file.dli_fname : path);
    return NSEGO_LOADED;
}
