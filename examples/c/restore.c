/*
 * NAS-DIP: restore a noisy picture without any training data (docs/nas-dip.md).
 *
 *     restore NOISY RESTORED [CLEAN]
 *
 * NOISY and CLEAN are pictures as binary PGM or PPM (P5 or P6, 8 bits), RESTORED is written as one. A network is searched that restores this
 * picture best, by what it foretells of pixels that it has not seen; CLEAN, if there is one, only says how good the result is. The programs
 * in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

/* Eight small networks, for a try of seconds. More of everything restores better. */
static const char *OPTIONS = "{\"task\": \"denoise\", \"seed\": 1, \"threads\": 1,"
                             " \"train\": {\"iterations\": 150, \"smoothing\": 0.95, \"input_channels\": 8},"
                             " \"search\": {\"units\": 2, \"population\": 4, \"generations\": 2, \"max_macs\": 6000000}}";

static nse_error *error;

static void check(nse_status status, const char *what) {
    if (status >= 0) return;
    fprintf(stderr, "%s: %s: %s\n", what, nse_status_name(status), error != NULL ? nse_error_message(error) : "");
    exit(1);
}

static nse_picture read_picture(const char *path) {
    nse_picture picture = NSE_PICTURE_INIT;
    FILE *file = fopen(path, "rb");
    char kind = 0;
    unsigned height = 0, width = 0, white = 0;
    if (file == NULL || fscanf(file, "P%c %u %u %u", &kind, &width, &height, &white) != 4 || (kind != '5' && kind != '6') || white != 255 || fgetc(file) == EOF ||
        height == 0 || width == 0 || height > 16384 || width > 16384) {
        fprintf(stderr, "%s is no binary PGM or PPM of 8 bits\n", path);
        exit(1);
    }
    picture.channels = kind == '6' ? 3 : 1, picture.height = height, picture.width = width;
    const size_t pixels = (size_t)height * width;
    float *data = malloc(picture.channels * pixels * sizeof *data);
    for (size_t i = 0; data != NULL && i < pixels; ++i) { /* pixel after pixel there, plane after plane here */
        for (size_t c = 0; c < picture.channels; ++c) data[c * pixels + i] = (float)fgetc(file) / 255;
    }
    picture.data = data;
    fclose(file);
    return picture;
}

static void write_picture(const char *path, const nse_picture *picture) {
    const size_t pixels = (size_t)picture->height * picture->width;
    FILE *file = fopen(path, "wb");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    fprintf(file, "P%c\n%u %u\n255\n", picture->channels == 3 ? '6' : '5', (unsigned)picture->width, (unsigned)picture->height);
    for (size_t i = 0; i < pixels; ++i) {
        for (size_t c = 0; c < picture->channels; ++c) fputc((int)(picture->data[c * pixels + i] * 255 + 0.5f), file);
    }
    fclose(file);
}

/* Called with progress; anything but 0 cancels. */
static int32_t show(void *user, const nse_event *event) {
    (void)user;
    if (event->kind == NSE_EVENT_FINISH && event->rounds > 1) printf("generation %d of %d: %.1f dB on held-out pixels\n", (int)event->round, (int)event->rounds, event->accuracy);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 3 || argc > 4) {
        fprintf(stderr, "usage: restore NOISY RESTORED [CLEAN]\n");
        return 2;
    }
    nse_picture noisy = read_picture(argv[1]), clean = NSE_PICTURE_INIT, restored = noisy;
    nse_restoration *restoration = NULL;
    nse_buffer report = NSE_BUFFER_INIT;
    nse_events events = NSE_EVENTS_INIT;
    nse_restoration_desc desc = NSE_RESTORATION_DESC_INIT;
    check(nse_abi_check(NSE_ABI_VERSION), "nse.h");
    if (argc == 4) clean = read_picture(argv[3]), desc.reference = &clean;
    events.on_event = show;
    desc.picture = &noisy, desc.options_json = OPTIONS, desc.events = &events;
    check(nse_restoration_create(&desc, &restoration, &error), "the restoration");

    nse_status status = NSE_OK;
    while (status == NSE_OK) check(status = nse_restoration_step(restoration, &error), "a generation");

    const size_t count = (size_t)noisy.channels * noisy.height * noisy.width;
    float *out = malloc(count * sizeof *out);
    check(nse_restoration_run(restoration, NULL, out, count, &report, &error), "the best network");
    restored.data = out;
    write_picture(argv[2], &restored);
    printf("%s\n", report.data);
    if (argc == 4) {
        double before = 0, after = 0;
        check(nse_picture_compare(&noisy, &clean, &before, NULL, &error), "comparing");
        check(nse_picture_compare(&restored, &clean, &after, NULL, &error), "comparing");
        printf("noisy %.2f dB, restored %.2f dB\n", before, after);
    }
    nse_buffer_free(&report), nse_restoration_free(restoration), nse_error_free(error);
    free(out), free((void *)noisy.data), free((void *)clean.data);
    return 0;
}
