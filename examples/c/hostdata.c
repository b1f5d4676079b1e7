/*
 * Hostdata: a trainer with a loop of its own, and a search in it. Loader, normalisation, augmentation, schedule and log are the
 * trainer's; the search is given one batch after another, and says what it wants next. In the end the library trains what was found
 * on the same images, where they are.
 *
 *     hostdata DATA
 *
 * DATA is a folder with the IDX files of Fashion-MNIST; the first images for training are read with gzip.
 * examples/cpp/hostdata.cpp is such a trainer on LibTorch, with a DataLoader, an optimizer and a network of its own.
 */
#include <math.h>
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAIN = 2000, HELD_OUT = 500, IMAGES = TRAIN + HELD_OUT, SIDE = 28, SIZE = SIDE * SIDE, BATCH = 32, EPOCHS = 2 };

static const char *SPACE = "{\"channels\": [8, 16, 32], \"stem_stride\": 2, \"tail\": 64}";
static const char *SEARCH = "{\"seed\": 1, \"rounds\": 2, \"active\": 4, \"objective\": {\"low\": 150000, \"high\": 350000},"
                            " \"train\": {\"epochs\": 2}, \"fitness\": {\"interval\": 4},"
                            " \"candidates\": {\"count\": 12, \"extras\": 4}, \"score\": {\"calibration\": 256}}";

static const char *MODEL = "{\"train\": {\"epochs\": 2, \"batch\": 32, \"lr\": 0.1}}";

static unsigned char pixels[IMAGES * SIZE], classes[IMAGES];
static unsigned order[IMAGES];
static float mean, deviation;
static nse_error *error;

/* Ends the program with the library's own words when a call failed. */
static nse_status check(nse_status status) {
    if (status < 0) fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error)), exit(1);
    return status;
}

static void read_idx(const char *folder, const char *name, size_t header, void *into, size_t bytes) {
    char command[4096];
    snprintf(command, sizeof command, "gzip -dc '%s/train-%s-ubyte.gz'", folder, name);
    FILE *file = popen(command, "r");
    if (!file || fread(command, 1, header, file) != header || fread(into, 1, bytes, file) != bytes) perror(name), exit(1);
    pclose(file);
}

static void load(const char *folder) {
    double sum = 0, squares = 0;
    read_idx(folder, "images-idx3", 16, pixels, sizeof pixels);
    read_idx(folder, "labels-idx1", 8, classes, sizeof classes);
    for (int i = 0; i < TRAIN * SIZE; ++i) sum += pixels[i], squares += (double)pixels[i] * pixels[i];
    mean = (float)(sum / (TRAIN * SIZE)), deviation = (float)sqrt(squares / (TRAIN * SIZE) - (double)mean * mean);
    for (unsigned i = 0; i < IMAGES; ++i) order[i] = i;
}

static unsigned below(unsigned n) {
    static unsigned long long state = 1;
    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (unsigned)(state >> 33) % n;
}

/* Where the images of each phase come from, and how far they have been read. */
static struct part {
    unsigned first, count;
    int augmented, endless;
    unsigned at;
} parts[] = {[NSE_PHASE_WEIGHT] = {0, TRAIN, 1, 0, 0},
             [NSE_PHASE_ARCHITECTURE] = {TRAIN, HELD_OUT, 0, 1, 0},
             [NSE_PHASE_CALIBRATE] = {0, TRAIN, 0, 1, 0},
             [NSE_PHASE_EVALUATE] = {TRAIN, HELD_OUT, 0, 0, 0}};

/* Fills the next batch of a part, each image moved by up to two pixels and mirrored where it is augmented; 0 at its end. */
static int next_batch(struct part *part, nse_batch *batch) {
    static float images[BATCH * SIZE];
    static uint32_t labels[BATCH];
    if (part->at == part->count) {
        for (unsigned i = part->count, j, kept; i-- > 1;) { /* in another order from now on */
            j = part->first + below(i + 1), kept = order[j];
            order[j] = order[part->first + i], order[part->first + i] = kept;
        }
        part->at = 0;
        if (!part->endless) return 0;
    }
    for (float *value = images; batch->count < BATCH && part->at < part->count; ++batch->count, ++part->at) {
        const unsigned image = order[part->first + part->at], moves = part->augmented ? below(50) : 12;
        const int mirrored = moves >= 25, down = (int)(moves / 5 % 5) - 2, right = (int)(moves % 5) - 2;
        for (int y = 0; y < SIDE; ++y) {
            for (int x = 0; x < SIDE; ++x) {
                const int row = y - down, column = (mirrored ? SIDE - 1 - x : x) - right;
                const int inside = row >= 0 && row < SIDE && column >= 0 && column < SIDE;
                *value++ = ((inside ? pixels[image * SIZE + (unsigned)(row * SIDE + column)] : 0) - mean) / deviation;
            }
        }
        labels[batch->count] = classes[image];
    }
    batch->images = images, batch->labels = labels;
    return 1;
}

/* A cosine over the steps of a round. */
static double learning_rate(uint64_t step) {
    const double steps = EPOCHS * ceil((double)TRAIN / BATCH);
    return 0.05 * (1 + cos(3.141592653589793 * (double)step / steps));
}

/* The images from `first` on, as a dataset: pixels stay where they are, for good. */
static nse_dataset *dataset(unsigned first, unsigned count) {
    static uint32_t labels[IMAGES];
    nse_dataset *dataset;
    nse_images images = NSE_IMAGES_INIT;
    for (unsigned i = 0; i < count; ++i) labels[i] = classes[first + i];
    images.channels = 1, images.height = images.width = SIDE, images.count = count, images.classes = 10;
    images.pixels = pixels + first * SIZE, images.labels = labels;
    check(nse_dataset_borrow(&images, NULL, NULL, &dataset, &error));
    return dataset;
}

/* Has the library train an architecture, and says how good it is. */
static void train(const nse_arch *arch) {
    double accuracy;
    nse_model *model;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    nse_dataset *images = dataset(0, TRAIN), *held_out = dataset(TRAIN, HELD_OUT);
    desc.arch = arch, desc.train = images, desc.options_json = MODEL;
    check(nse_model_train(&desc, &model, &error));
    check(nse_model_evaluate(model, held_out, NULL, &accuracy, &error));
    printf("trained alone: accuracy %.4f\n", accuracy);
    nse_model_free(model), nse_dataset_free(images), nse_dataset_free(held_out);
}

int main(int argc, char **argv) {
    if (argc != 2 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: hostdata DATA\n");
        return 2;
    }
    load(argv[1]);
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    nse_space *space;
    nse_search *search;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));
    desc.flags = NSE_SEARCH_PUSHED, desc.space = space, desc.options_json = SEARCH;
    check(nse_search_create(&desc, &search, &error));
    nse_space_free(space);

    nse_pushed now = NSE_PUSHED_INIT;
    check(nse_search_push(search, NULL, &now, &error)); /* only asks what comes next */
    while (now.next != NSE_PHASE_DONE) {
        const nse_pushed before = now;
        nse_batch batch = NSE_BATCH_INIT;
        batch.phase = next_batch(&parts[now.next], &batch) ? now.next : NSE_PHASE_END;
        if (batch.phase == NSE_PHASE_WEIGHT) batch.lr = learning_rate(now.step);
        check(nse_search_push(search, &batch, &now, &error));
        if (batch.phase == NSE_PHASE_WEIGHT && now.step % 30 == 0) {
            printf("round %d, epoch %d, step %d: loss %.3f, accuracy %.3f, learning rate %.4f\n", (int)now.completed + 1,
                   (int)now.epoch, (int)now.step, now.loss, now.accuracy, now.lr);
        }
        if (now.completed > before.completed) printf("round %d is complete\n", (int)now.completed);
    }

    size_t count;
    nse_arch *arch;
    uint64_t macs;
    double accuracy;
    check(nse_search_front_count(search, &count, &error));
    for (size_t i = 0; i < count; ++i) {
        check(nse_search_front_get(search, i, &arch, &accuracy, &error));
        check(nse_arch_cost(arch, &macs, NULL, &error));
        printf("front: %d multiply-accumulates, accuracy %.4f\n", (int)macs, accuracy);
        nse_arch_free(arch);
    }
    nse_buffer json = NSE_BUFFER_INIT;
    check(nse_search_best(search, 350000, &arch, &accuracy, &error));
    check(nse_arch_to_json(arch, &json, &error));
    printf("best: %s\n", json.data);
    nse_buffer_free(&json);
    train(arch);
    nse_arch_free(arch);
    nse_search_free(search);
    return 0;
}
