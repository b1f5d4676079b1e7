/* A host that was linked with -lnse asked for the library of its ABI, and not for whichever is the newest. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <nse.h>
#include <stdio.h>
#include <string.h>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

int main(void) {
    Dl_info found = {0};
    /* The loader keeps the name under which it found the file. */
    if (nse_abi_check(NSE_ABI_VERSION) != NSE_OK || dladdr(dlsym(RTLD_DEFAULT, "nse_abi_check"), &found) == 0) return 1;
    const char *name = strrchr(found.dli_fname, '/');
    if (name != NULL && strcmp(name, "/libnse.so." TEXT(NSE_ABI_VERSION)) == 0) return 0;
    fprintf(stderr, "linked.c: it runs with %s\n", found.dli_fname);
    return 1;
}
