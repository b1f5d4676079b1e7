/*
 * MPI: a search shared by the processes that mpirun starts, with MPI between them. What is found is the same for any number of them.
 *
 *     mpirun -n 2 mpi DATA
 *
 * DATA is a folder with the IDX files of Fashion-MNIST.
 */
#include <mpi.h>
#include <nse.h>
#include <stdio.h>

static const char *SPACE = "{\"channels\": [8, 16, 32], \"stem_stride\": 2, \"tail\": 64}";
static const char *SEARCH = "{\"seed\": 1, \"rounds\": 2, \"active\": 4, \"objective\": {\"low\": 150000, \"high\": 350000}, \"shards\": 4,"
                            " \"threads\": 1, \"train\": {\"epochs\": 1, \"batch\": 32}, \"candidates\": {\"count\": 8},"
                            " \"score\": {\"calibration\": 128, \"images\": 256}}";

/* The five functions; MPI counts in ints. A number that is not 0 is a failure. */
static int32_t sum(void *user, int64_t *numbers, size_t count) {
    return MPI_Allreduce(MPI_IN_PLACE, numbers, (int)count, MPI_INT64_T, MPI_SUM, *(MPI_Comm *)user);
}

static int32_t max(void *user, double *numbers, size_t count) {
    return MPI_Allreduce(MPI_IN_PLACE, numbers, (int)count, MPI_DOUBLE, MPI_MAX, *(MPI_Comm *)user);
}

static int32_t broadcast(void *user, uint8_t *bytes, size_t count) {
    return MPI_Bcast(bytes, (int)count, MPI_BYTE, 0, *(MPI_Comm *)user);
}

static int32_t gather(void *user, const uint8_t *own, size_t count, uint8_t *all) {
    return MPI_Allgather(own, (int)count, MPI_BYTE, all, (int)count, MPI_BYTE, *(MPI_Comm *)user);
}

static int32_t barrier(void *user) { return MPI_Barrier(*(MPI_Comm *)user); }

static nse_error *error;

/* Ends all processes with the library's own words when a call failed. */
static nse_status check(nse_status status) {
    if (status < 0) {
        fprintf(stderr, "%s: %s\n", nse_status_name(status), error != NULL ? nse_error_message(error) : "");
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    return status;
}

int main(int argc, char **argv) {
    int level, rank, size;
    MPI_Comm between;
    /* The library calls MPI from a thread of its own. */
    MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &level);
    if (argc < 2 || level < MPI_THREAD_MULTIPLE) return fprintf(stderr, "usage: mpirun -n 2 mpi DATA, with an MPI for threads\n"), 2;
    MPI_Comm_dup(MPI_COMM_WORLD, &between); /* ours alone */
    MPI_Comm_set_errhandler(between, MPI_ERRORS_RETURN);
    MPI_Comm_rank(between, &rank);
    MPI_Comm_size(between, &size);

    nse_comm *comm = NULL;
    nse_comm_desc ranks = NSE_COMM_DESC_INIT;
    ranks.rank = (uint32_t)rank, ranks.size = (uint32_t)size, ranks.timeout_ms = 60000, ranks.user = &between;
    ranks.sum = sum, ranks.max = max, ranks.broadcast = broadcast, ranks.gather = gather, ranks.barrier = barrier;
    check(nse_comm_create(&ranks, &comm, &error));

    char files[4096];
    nse_space *space = NULL;
    nse_dataset *all = NULL, *rest = NULL, *train = NULL;
    nse_search *search = NULL;
    nse_search_desc desc = NSE_SEARCH_DESC_INIT;
    snprintf(files, sizeof files,
             "{\"format\": \"idx\", \"images\": \"%s/train-images-idx3-ubyte.gz\", \"labels\": \"%s/train-labels-idx1-ubyte.gz\"}", argv[1],
             argv[1]);
    check(nse_dataset_open(files, &all, &error));
    check(nse_dataset_split(all, 0.02, 1, &rest, &train, &error));
    check(nse_space_preset("nse-27-small", SPACE, &space, &error));
    desc.space = space, desc.train = train, desc.options_json = SEARCH, desc.comm = comm;
    check(nse_search_create(&desc, &search, &error));
    while (check(nse_search_step(search, &error)) == NSE_OK) continue;

    nse_buffer front = NSE_BUFFER_INIT;
    check(nse_search_front(search, NULL, NULL, &front, &error));
    if (rank == 0) puts(front.data);
    nse_buffer_free(&front);
    nse_search_free(search), nse_comm_free(comm), nse_space_free(space);
    nse_dataset_free(train), nse_dataset_free(rest), nse_dataset_free(all);
    /* The last call of MPI from the library's thread is over: its steps have returned. */
    MPI_Comm_free(&between);
    MPI_Finalize();
    return 0;
}
