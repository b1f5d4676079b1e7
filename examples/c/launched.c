/*
 * Launched: a search shared by the processes that torchrun, Kubeflow, SLURM and the like start, each of them a rank; alone where nothing
 * launched it. Killed and started again, with the same number of ranks or another, it goes on from its checkpoint.
 *
 *     launched DATA RESULTS OPTIONS
 *
 * DATA is a folder with the IDX files of Fashion-MNIST. RESULTS is a folder that all ranks see; the program works in it, and leaves
 * front.json there. OPTIONS is a JSON file, see docs/search.md, with {"checkpoint": {"path": "search.ckpt"}}.
 */
#include <nse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static nse_error *error;

/* Ends this process when a call failed. So do all others, for one of them lacks then; who launched them starts them again. */
static nse_status check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", nse_status_name(status), error != NULL ? nse_error_message(error) : "");
        exit(1);
    }
    return status;
}

static char *text_of(const char *path) {
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 16);
    if (file == NULL || text == NULL || fread(text, 1, (1 << 16) - 1, file) == 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

int main(int argc, char **argv) {
    if (argc != 4) return fprintf(stderr, "usage: launched DATA RESULTS OPTIONS\n"), 2;
    char files[4096], *options = text_of(argv[3]);
    nse_comm *comm = NULL;
    nse_space *space = NULL;
    nse_dataset *train = NULL;
    nse_search *search = NULL;
    nse_buffer buffer = NSE_BUFFER_INIT;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    snprintf(files, sizeof files,
             "{\"format\": \"idx\", \"images\": \"%s/train-images-idx3-ubyte.gz\", \"labels\": \"%s/train-labels-idx1-ubyte.gz\"}", argv[1],
             argv[1]);
    if (chdir(argv[2]) != 0) return perror(argv[2]), 1;

    check(nse_comm_launched(600000, &comm, &error)); /* longer than the longest step */
    check(nse_comm_info(comm, &buffer, &error));
    printf("%s\n", buffer.data);
    const int first = strstr(buffer.data, "\"rank\":0,") != NULL;
    nse_buffer_free(&buffer);
    check(nse_space_preset("nse-27-small", NULL, &space, &error));
    check(nse_dataset_open(files, &train, &error));
    desc.space = space, desc.train = train, desc.options_json = options, desc.comm = comm;
    if (access("search.ckpt", R_OK) == 0) check(nse_search_load("search.ckpt", &desc, &search, &error));
    else check(nse_search_create(&desc, &search, &error));
    while (check(nse_search_step(search, &error)) == NSE_OK) continue;

    check(nse_search_front(search, NULL, NULL, &buffer, &error));
    if (first) {
        FILE *out = fopen("front.json", "w");
        if (out == NULL || fprintf(out, "%s\n", buffer.data) < 0 || fclose(out) != 0) return perror("front.json"), 1;
    }
    nse_buffer_free(&buffer);
    nse_search_free(search), nse_comm_free(comm), nse_dataset_free(train), nse_space_free(space);
    free(options);
    return 0;
}
