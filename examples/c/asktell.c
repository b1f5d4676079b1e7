/*
 * Asktell: a search that asks for architectures, and workers of this program that say how good they are.
 *
 *     asktell DATA
 *
 * DATA is a folder with the four IDX files of Fashion-MNIST. A worker here is a thread that trains what it is given for a moment; it
 * could as well be a machine far away. The programs in examples/cpp and examples/go do the same, step by step.
 */
#include <nse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4 };
static const char *SPACE = "{\"channels\": [8, 16, 32], \"stem_stride\": 2, \"tail\": 64}";
static const char *SEARCH = "{\"seed\": 1, \"rounds\": 2, \"active\": 4, \"objective\": {\"low\": 150000, \"high\": 350000},"
                            " \"candidates\": {\"count\": 8, \"extras\": 0}}";
static const char *MODEL = "{\"train\": {\"epochs\": 1, \"batch\": 32, \"lr\": 0.1}, \"calibration\": 512}";

static nse_dataset *train, *held_out;

/* Ends the program with the library's own words when a call failed. Errors are objects, so threads have one each. */
static nse_status check(nse_status status, nse_error *error) {
    if (status < 0) fprintf(stderr, "%s: %s\n", nse_status_name(status), nse_error_message(error)), exit(1);
    return status;
}

static void load(const char *folder) {
    char json[4096];
    nse_error *error;
    nse_dataset *all, *rest, *some;
    snprintf(json, sizeof json,
             "{\"format\": \"idx\", \"images\": \"%s/train-images-idx3-ubyte.gz\", \"labels\": \"%s/train-labels-idx1-ubyte.gz\"}",
             folder, folder);
    check(nse_dataset_open(json, &all, &error), error);
    check(nse_dataset_split(all, 0.03, 0, &rest, &some, &error), error);
    check(nse_dataset_split(some, 0.3, 0, &train, &held_out, &error), error);
    nse_dataset_free(all), nse_dataset_free(rest), nse_dataset_free(some);
}

/* One architecture, and what a worker found. */
struct job {
    pthread_t worker;
    nse_arch *arch;
    nse_result result;
};

static void *work(void *user) {
    struct job *job = user;
    nse_error *error;
    nse_model *model;
    nse_model_desc desc = NSE_MODEL_DESC_INIT;
    desc.arch = job->arch, desc.train = train, desc.options_json = MODEL;
    nse_status status = nse_model_train(&desc, &model, &error);
    if (status == NSE_ERR_DIVERGED) { /* that is a result too */
        job->result.flags = NSE_RESULT_FAILED;
        nse_error_free(error);
        return NULL;
    }
    check(status, error);
    check(nse_model_evaluate(model, held_out, NULL, &job->result.accuracy, &error), error);
    nse_model_free(model);
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 2 || nse_abi_check(NSE_ABI_VERSION) != NSE_OK) {
        fprintf(stderr, "usage: asktell DATA\n");
        return 2;
    }
    load(argv[1]);
    nse_error *error;
    nse_space *space;
    nse_search *search;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    check(nse_space_preset("nse-27-small", SPACE, &space, &error), error);
    desc.flags = NSE_SEARCH_TOLD, desc.space = space, desc.options_json = SEARCH;
    check(nse_search_create(&desc, &search, &error), error);
    nse_space_free(space);

    for (;;) {
        nse_arch *archs[WORKERS];
        size_t count;
        struct job jobs[WORKERS];
        if (check(nse_search_ask(search, WORKERS, archs, &count, &error), error) != NSE_OK) break;
        for (size_t i = 0; i < count; ++i) {
            jobs[i].arch = archs[i], jobs[i].result = (nse_result)NSE_RESULT_INIT;
            if (pthread_create(&jobs[i].worker, NULL, work, &jobs[i]) != 0) perror("thread"), exit(1);
        }
        /* Told in the order asked: then the same search gives the same architectures every time. Any other order will do. */
        for (size_t i = 0; i < count; ++i) {
            nse_buffer code = NSE_BUFFER_INIT;
            pthread_join(jobs[i].worker, NULL);
            check(nse_arch_code(jobs[i].arch, &code, &error), error);
            jobs[i].result.code = code.data;
            check(nse_search_tell(search, &jobs[i].result, NULL, &error), error);
            printf("%s: accuracy %.4f\n", code.data, jobs[i].result.accuracy);
            nse_buffer_free(&code);
            nse_arch_free(jobs[i].arch);
        }
    }

    nse_buffer front = NSE_BUFFER_INIT;
    check(nse_search_front(search, NULL, NULL, &front, &error), error);
    printf("%s\n", front.data);
    nse_buffer_free(&front);
    nse_search_free(search), nse_dataset_free(train), nse_dataset_free(held_out);
    return 0;
}
