/* Every call to the system that works on a file, and every large allocation, fails once, the first, the second and so on until none is
 * left: the library answers with a status, the file is the old one or the new one as a whole, nothing else is left behind, and the same
 * call then succeeds.
 *
 *     LD_PRELOAD=libinject.so failures FOLDER
 */
#define _GNU_SOURCE
#include "host.h"
#include "inject.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/stat.h>

/* Something that is done again and again. It succeeds, or says what is wrong and leaves things as they are. */
typedef nse_status (*attempt)(void);

static __typeof__(&inject_arm) arm;
static __typeof__(&inject_disarm) disarm;
static char folder[4000], path[4096], images_path[4096], labels_path[4096];
static nse_search *search;
static nse_model *model;
static nse_dataset *train;
static nse_space *space;
static nse_images big = NSE_IMAGES_INIT;

static char *content(const char *file, size_t *size) {
    FILE *in = fopen(file, "rb");
    *size = 0;
    if (in == NULL) return NULL;
    char *bytes = malloc(1 << 19);
    *size = fread(bytes, 1, 1 << 19, in);
    fclose(in);
    return bytes;
}

static int entries(void) {
    DIR *open = opendir(folder);
    int count = 0;
    CHECK(open != NULL);
    for (struct dirent *entry; (entry = readdir(open)) != NULL;) count += entry->d_name[0] != '.' || strlen(entry->d_name) > 2;
    closedir(open);
    return count;
}

static nse_status save(void) { return nse_search_save(search, path, NULL); }

static nse_status export(void) { return nse_model_export(model, "torchscript", path, NULL); }

static nse_status load(void) {
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_search *loaded = NULL;
    desc.train = train;
    const nse_status status = nse_search_load(path, &desc, &loaded, NULL);
    CHECK((loaded != NULL) == (status == NSE_OK));
    nse_search_free(loaded);
    return status;
}

static nse_status open_images(void) {
    char document[9000];
    nse_dataset *dataset = NULL;
    snprintf(document, sizeof document, "{\"format\": \"idx\", \"images\": \"%s\", \"labels\": \"%s\"}", images_path, labels_path);
    const nse_status status = nse_dataset_open(document, &dataset, NULL);
    nse_dataset_free(dataset);
    return status;
}

static nse_status copy_images(void) {
    nse_dataset *dataset = NULL, *first = NULL, *second = NULL;
    nse_status status = nse_dataset_from_memory(&big, &dataset, NULL);
    if (status == NSE_OK) status = nse_dataset_split(dataset, 0.25, 1, &first, &second, NULL);
    nse_dataset_free(dataset);
    nse_dataset_free(first);
    nse_dataset_free(second);
    return status;
}

static int32_t fill(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels) {
    (void)user, (void)first, (void)pixels;
    memset(labels, 0, count * sizeof *labels);
    return 0;
}

static nse_status collect_images(void) {
    nse_source source = NSE_SOURCE_INIT;
    nse_dataset *dataset = NULL;
    source.channels = 1, source.height = source.width = 2, source.count = big.count, source.fill = fill;
    const nse_status status = nse_dataset_from_source(&source, &dataset, NULL);
    nse_dataset_free(dataset);
    return status;
}

/* A network whose last layers are wide: a step needs large arrays in libtorch and here. */
static nse_status train_wide(void) {
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_space *wide = NULL;
    nse_arch *arch = NULL;
    nse_model *made = NULL;
    EXPECT(nse_space_from_json("{\"name\": \"wide\", \"input\": {\"channels\": 1, \"height\": 12, \"width\": 12}, \"classes\": 3, \"stem\":"
                               " {\"channels\": 8, \"stride\": 2}, \"cells\": [{\"kind\": \"normal\"}], \"operators\": [\"mbconv_k3_t1\"],"
                               " \"tail\": {\"channels\": 49152}}",
                               &wide, NULL),
           NSE_OK);
    EXPECT(nse_arch_uniform(wide, "mbconv_k3_t1", &arch, NULL), NSE_OK);
    desc.arch = arch, desc.train = train, desc.options_json = "{\"train\": {\"epochs\": 1, \"batch\": 4}, \"calibration\": 4}";
    nse_status status = nse_model_train(&desc, &made, NULL);
    CHECK((made != NULL) == (status == NSE_OK));
    nse_model_free(made);
    nse_arch_free(arch);
    nse_space_free(wide);
    return status;
}

static void failed(const char *what, int nth, int error, nse_status status, const char *why) {
    fprintf(stderr, "failures.c: %s, call %d with error %d: %s: %s\n", what, nth, error, nse_status_name(status), why);
    _exit(1);
}

/* What a failing file may be told as; a broken read can look like a damaged file to nobody. */
static int fine(nse_status status, enum inject kind) {
    if (status == NSE_OK || status == NSE_ERR_IO || (kind == INJECT_WRITE && status == NSE_ERR_TORCH)) return 1;
    return kind == INJECT_MEMORY && status == NSE_ERR_OUT_OF_MEMORY;
}

/* Makes each call of a kind fail in turn. `must` is nonzero when the call must succeed all the same. */
static int each(const char *what, attempt call, enum inject kind, int error, int must) {
    const int writes = call == save || call == export;
    int nth = 1;
    /* The first few one by one, then with gaps; all of them where there is time for it. */
    const int wide = call == train_wide, gap = getenv("NSE_TEST_SLOW") == NULL ? (wide ? 2 : 6) : wide ? 40 : 1 << 20;
    for (; nth < 100000; nth += 1 + nth / gap) {
        size_t size = 0, now = 0;
        char *old = writes ? content(path, &size) : NULL;
        const int before = entries();
        arm(kind, nth, error, folder);
        const nse_status status = call();
        const int fired = disarm();
        if (!fine(status, kind)) failed(what, nth, error, status, "not a status for this");
        if (!fired && status != NSE_OK) failed(what, nth, error, status, "nothing failed");
        if (must && status != NSE_OK) failed(what, nth, error, status, "that is no reason to fail");
        if (entries() != before) failed(what, nth, error, status, "a file is left behind");
        if (writes && status != NSE_OK && kind != INJECT_SYNC) {
            char *new = content(path, &now);
            if (now != size || memcmp(old, new, size) != 0) failed(what, nth, error, status, "the old file is not whole");
            free(new);
        }
        free(old);
        if (!fired) break;
        if (call() != NSE_OK) failed(what, nth, error, status, "it does not work any more");
        if (call == save && load() != NSE_OK) failed(what, nth, error, status, "what was saved cannot be loaded");
    }
    return nth - 1; /* about as many calls as there are */
}

static void files(const char *what, attempt call, int *reached) {
    static const struct {
        enum inject kind;
        int error, must;
    } cases[] = {
        {INJECT_WRITE, ENOSPC, 0},    {INJECT_WRITE, EIO, 0},    {INJECT_WRITE, EINTR, 1},   {INJECT_WRITE, INJECT_SHORT, 1},
        {INJECT_READ, EIO, 0},        {INJECT_READ, EINTR, 1},   {INJECT_READ, INJECT_SHORT, 1}, {INJECT_SYNC, EIO, 0},
        {INJECT_SYNC, EINTR, 1},      {INJECT_SYNC, ENOSPC, 0},  {INJECT_TRUNCATE, EIO, 0},  {INJECT_TRUNCATE, EINTR, 1},
        {INJECT_CLOSE, EIO, 0},       {INJECT_RENAME, EIO, 0},   {INJECT_RENAME, ENOSPC, 0}, {INJECT_OPEN, EACCES, 0},
        {INJECT_OPEN, EMFILE, 0},     {INJECT_OPEN, EINTR, 1},
    };
    EXPECT(call(), NSE_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) *reached += each(what, call, cases[i].kind, cases[i].error, cases[i].must);
}

static void write_idx(const char *file, uint32_t count, uint32_t side) {
    FILE *out = fopen(file, "wb");
    const uint8_t dimensions = side > 0 ? 3 : 1;
    const uint32_t sizes[3] = {__builtin_bswap32(count), __builtin_bswap32(side), __builtin_bswap32(side)};
    CHECK(out != NULL);
    fwrite((uint8_t[]){0, 0, 8, dimensions}, 1, 4, out);
    fwrite(sizes, 4, dimensions, out);
    for (uint64_t i = 0; i < (uint64_t)count * (side ? side * side : 1); ++i) fputc(side ? (int)(i & 255) : 0, out);
    CHECK(fclose(out) == 0);
}

int main(int argc, char **argv) {
    alarm(getenv("NSE_TEST_SLOW") == NULL ? 280 : 3000);
    arm = (__typeof__(arm))dlsym(RTLD_DEFAULT, "inject_arm");
    disarm = (__typeof__(disarm))dlsym(RTLD_DEFAULT, "inject_disarm");
    CHECK(argc == 2 && arm != NULL && disarm != NULL);
    snprintf(folder, sizeof folder, "%s/failures-XXXXXX", argv[1]);
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(images_path, sizeof images_path, "%s/images", folder);
    snprintf(labels_path, sizeof labels_path, "%s/labels", folder);

    train = host_images(96), space = host_space(), search = host_search(NULL), model = host_model();
    CHECK(nse_search_step(search, NULL) >= 0);
    int reached = 0, refused = 0;
    files("save", save, &reached);
    files("load", load, &reached);
    write_idx(images_path, 400000, 2);
    write_idx(labels_path, 400000, 0);
    files("open", open_images, &reached);
    remove(path);
    files("export", export, &reached);
    CHECK(reached > 60);

    big.channels = 1, big.height = big.width = 2, big.count = 400000;
    big.pixels = calloc(4, big.count), big.labels = calloc(4, big.count);
    refused += each("memory to open", open_images, INJECT_MEMORY, 0, 0);
    refused += each("memory to copy", copy_images, INJECT_MEMORY, 0, 0);
    refused += each("memory to collect", collect_images, INJECT_MEMORY, 0, 0);
    CHECK(refused >= 9);
    CHECK(each("memory to train", train_wide, INJECT_MEMORY, 0, 0) > 6);

    remove(path), remove(images_path), remove(labels_path);
    CHECK(rmdir(folder) == 0);
    return 0;
}
