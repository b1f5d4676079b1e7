/* A host that loads its own copy of libtorch, and then a plug-in that uses nse (two_torch_plugin.c), which was linked with another.
 *
 *     two_torch PLUGIN [FOLDER-OF-LIBTORCH local|global]
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

static void *load(const char *path, int flags) {
    void *library = dlopen(path, RTLD_NOW | flags);
    if (library == NULL) fprintf(stderr, "two_torch.c: %s\n", dlerror());
    return library;
}

int main(int argc, char **argv) {
    char path[4096];
    if (argc == 4) {
        snprintf(path, sizeof path, "%s/libtorch.so", argv[2]);
        if (load(path, strcmp(argv[3], "global") == 0 ? RTLD_GLOBAL : RTLD_LOCAL) == NULL) return 1;
    }
    void *plugin = load(argv[1], RTLD_LOCAL);
    if (plugin == NULL) return 1;
    int (*run)(const char *folder) = (int (*)(const char *))dlsym(plugin, "run");
    return run(argc == 4 ? argv[2] : NULL);
}
