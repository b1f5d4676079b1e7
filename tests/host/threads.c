/* Sixteen threads of a host use the library at once: what they compute is what one alone computes, the threads of the process
 * stay few, and all go again.
 */
#include "support.h"
#include <dirent.h>
#include <pthread.h>
#include <unistd.h>

enum { HOSTS = 16 };

static nse_model *model;
static nse_dataset *images;
static pthread_barrier_t together;
static volatile int watching = 1;

/* Threads of the process, and those that are the library's own. */
static int threads(int *own) {
    char path[300], name[64];
    int count = 0;
    DIR *tasks = opendir("/proc/self/task");
    *own = 0;
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        if (*task->d_name == '.') continue;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *comm = fopen(path, "r");
        *name = '\0';
        if (comm != NULL && fgets(name, sizeof name, comm) == NULL) *name = '\0';
        if (comm != NULL) fclose(comm);
        ++count;
        *own += strncmp(name, "nse-", 4) == 0;
    }
    closedir(tasks);
    return count;
}

static char *history(const nse_search *search) {
    nse_buffer buffer = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_search_history(search, &buffer, &error));
    char *text = strdup(buffer.data);
    nse_buffer_free(&buffer);
    /* The times are the last field of every line. */
    for (char *at = text; (at = strstr(at, "\"seconds\"")) != NULL; ++at) memmove(at, at + strcspn(at, "\n"), strlen(at + strcspn(at, "\n")) + 1);
    return text;
}

/* Two steps each, with getters in between, and an evaluation of the model that all share. */
static void *host(void *seed) {
    nse_search *search = make_search((unsigned)(size_t)seed % 4, 1, NULL);
    pthread_barrier_wait(&together);
    for (int round = 1; round <= 2; ++round) {
        EXPECT(round == 2 ? NSE_DONE : NSE_OK, nse_search_step(search, &error));
        size_t count = 0;
        double accuracy = -1;
        EXPECT(NSE_OK, nse_search_front_count(search, &count, &error));
        CHECK(count > 0);
        nse_status status;
        while ((status = nse_model_evaluate(model, images, NULL, &accuracy, NULL)) == NSE_ERR_BUSY) usleep(1000);
        CHECK(status == NSE_OK && accuracy >= 0);
    }
    char *text = history(search);
    /* Alive, and idle, until all are. */
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    nse_search_free(search);
    return text;
}

static void *watch(void *most) {
    for (int own; watching; usleep(2000)) {
        const int now = threads(&own);
        if (now > *(int *)most) *(int *)most = now;
    }
    return NULL;
}

/* As libtorch counts them, on threads of the library. */
static int threads_per_job(void) {
    nse_buffer info = NSE_BUFFER_INIT;
    EXPECT(NSE_OK, nse_runtime_info(&info, &error));
    const int count = atoi(strstr(info.data, "\"threads\":") + strlen("\"threads\":"));
    nse_buffer_free(&info);
    CHECK(count > 0);
    return count;
}

int main(void) {
    pthread_t hosts[HOSTS], watcher;
    char *alone[4], *text;
    int own = 0, most = 0, loud = getenv("NSE_TEST_LOUD") != NULL;
    const int before = threads(&own);
    images = make_images(96);
    model = make_model(NULL);
    for (unsigned seed = 0; seed < 4; ++seed) {
        nse_search *search = make_search(seed, 1, NULL);
        EXPECT(NSE_OK, nse_search_step(search, &error));
        EXPECT(NSE_DONE, nse_search_step(search, &error));
        alone[seed] = history(search);
        nse_search_free(search);
    }
    CHECK(strcmp(alone[0], alone[1]) != 0);

    const long cores = sysconf(_SC_NPROCESSORS_ONLN), per_job = threads_per_job();
    pthread_barrier_init(&together, NULL, HOSTS + 1);
    CHECK(pthread_create(&watcher, NULL, watch, &most) == 0);
    for (size_t i = 0; i < HOSTS; ++i) CHECK(pthread_create(&hosts[i], NULL, host, (void *)i) == 0);
    pthread_barrier_wait(&together);
    pthread_barrier_wait(&together);
    const int idle = threads(&own);
    if (loud) printf("%ld cores, %ld threads per job: at most %d threads, %d when idle, of which %d are nse's\n", cores, per_job, most, idle, own);
    /* One thread for every search, one for the model, those that help with kernels; and pools for the cores: at work and at rest. */
    CHECK(own == HOSTS + per_job);
    CHECK(most <= before + 1 + HOSTS + HOSTS + 1 + 4 * (cores > per_job ? cores : per_job) + 2);
    CHECK(idle <= before + 1 + HOSTS + HOSTS + 1 + 2);
    pthread_barrier_wait(&together);
    for (size_t i = 0; i < HOSTS; ++i) {
        CHECK(pthread_join(hosts[i], (void **)&text) == 0);
        CHECK(strcmp(text, alone[i % 4]) == 0);
        free(text);
    }
    watching = 0;
    pthread_join(watcher, NULL);

    nse_model_free(model);
    nse_dataset_free(images);
    EXPECT(NSE_OK, nse_shutdown(NSE_FOREVER, &error));
    const int after = threads(&own);
    if (loud) printf("%d threads before, %d after\n", before, after);
    CHECK(own == 0 && after == before);
    for (int seed = 0; seed < 4; ++seed) free(alone[seed]);
    return 0;
}
