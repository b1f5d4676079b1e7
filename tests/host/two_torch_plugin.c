/* There is one libtorch in the process, the one in `folder` when the host loaded that first; it is known, and it trains. */
#include "support.h"

static char said[1 << 14];

static void written(void *user, int32_t level, const char *target, const char *message, size_t len) {
    (void)user, (void)level, (void)len;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s: %s\n", target, message);
}

static void has(const char *text, const char *part) {
    if (strstr(text, part) == NULL) fprintf(stderr, "\"%s\" is not in %s\n", part, text), exit(1);
}

int run(const char *folder);
int run(const char *folder) {
    const nse_log_sink sink = {sizeof sink, 0, written, NULL, NULL};
    EXPECT(NSE_OK, nse_set_log(&sink, &error));
    nse_model *model = make_model(NULL);
    nse_dataset *images = make_images(60);
    double accuracy = 0;
    EXPECT(NSE_OK, nse_model_evaluate(model, images, NULL, &accuracy, &error));
    CHECK(accuracy > 0.3);
    nse_model_free(model);
    nse_dataset_free(images);

    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_runtime_info(&info, &error));
    has(info.data, "\"others\":[]");
    has(info.data, "\"problem\":null");
    has(info.data, folder ? "\"before_nse\":true" : "\"before_nse\":false");
    if (folder) {
        char wanted[4200];
        snprintf(wanted, sizeof wanted, "\"file\":\"%s/libtorch_cpu.so\"", folder);
        has(info.data, wanted);
        has(said, "which was in the process before nse");
    }
    nse_buffer_free(&info);
    EXPECT(NSE_OK, nse_set_log(NULL, &error));
    EXPECT(NSE_OK, nse_shutdown(NSE_FOREVER, &error));
    return 0;
}
