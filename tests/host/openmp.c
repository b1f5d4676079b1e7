/* A second OpenMP runtime in the process is noticed, and said once.
 *
 *     openmp LIBRARY     a file with the name of one
 */
#include "support.h"
#include <dlfcn.h>

static int warnings;

static void written(void *user, int32_t level, const char *target, const char *message, size_t len) {
    (void)user, (void)len;
    if (strcmp(target, "openmp") != 0) return;
    CHECK(level == NSE_LOG_WARN && strstr(message, "libiomp5.so") && strstr(message, "libgomp.so.1"));
    ++warnings;
}

static void expect(int two, const char *library) {
    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_runtime_info(&info, &error));
    const char *openmp = strstr(info.data, "\"openmp\"");
    CHECK(openmp != NULL && strstr(openmp, "libgomp.so.1") != NULL);
    CHECK((strstr(openmp, "\"warning\":null") == NULL) == two);
    CHECK((strstr(openmp, library) != NULL) == two);
    nse_buffer_free(&info);
}

int main(int argc, char **argv) {
    const nse_log_sink sink = {sizeof sink, 0, written, NULL, NULL};
    CHECK(argc == 2);
    expect(0, argv[1]);
    CHECK(dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) != NULL);
    /* Nobody listens yet. */
    expect(1, argv[1]);
    EXPECT(NSE_OK, nse_set_log(&sink, &error));
    nse_model_free(make_model(NULL));
    CHECK(warnings == 1);
    expect(1, argv[1]);
    nse_model_free(make_model(NULL));
    CHECK(warnings == 1);
    EXPECT(NSE_OK, nse_set_log(NULL, &error));
    return 0;
}
