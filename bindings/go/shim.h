/*
 * shim.h: what cgo cannot say itself: structs that point to other structs, and callbacks.
 *
 * A Go callback travels as the number of a cgo.Handle (`listener`, `writer`, `loan`, `handler`,
 * `collectives`), never as a pointer to Go memory.
 */
#ifndef NSE_GO_SHIM_H
#define NSE_GO_SHIM_H

#ifdef NSE_GO_DLOPEN
/* What is called by these names is a way to the library, see dlopen_table.c, and nobody else's business. */
#define NSE_API __attribute__((visibility("hidden")))
#endif
#include "nse.h"

typedef struct {
    uint32_t channels, height, width, count, classes;
} nsego_shape;

nse_status nsego_set_log(uintptr_t handler, nse_error **err);

nse_status nsego_dataset_from_memory(nsego_shape shape, const uint8_t *pixels, const uint32_t *labels, nse_dataset **out,
                                     nse_error **err);

nse_status nsego_dataset_borrow(nsego_shape shape, const uint8_t *pixels, const uint32_t *labels, uintptr_t loan,
                                nse_dataset **out, nse_error **err);

nse_status nsego_dataset_from_source(nsego_shape shape, uintptr_t writer, nse_dataset **out, nse_error **err);

nse_status nsego_comm_create(uint32_t rank, uint32_t size, uint32_t timeout_ms, uintptr_t collectives, nse_comm **out, nse_error **err);

nse_status nsego_latency_measure(const nse_space *space, const char *options_json, uintptr_t listener, nse_latency **out,
                                 nse_error **err);

nse_status nsego_search_create(uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                               const char *options_json, const nse_latency *latency, const nse_search *continued,
                               const nse_arch *const *start, size_t start_count, const nse_comm *comm, uintptr_t listener, nse_search **out, nse_error **err);

nse_status nsego_search_load(const char *path, uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                             const char *options_json, const nse_latency *latency, const nse_search *continued,
                             const nse_arch *const *start, size_t start_count, const nse_comm *comm, uintptr_t listener, nse_search **out, nse_error **err);

nse_status nsego_search_push(const nse_search *search, uint32_t phase, uint32_t count, const float *images, const uint32_t *labels,
                             double lr, nse_pushed *pushed, nse_error **err);

nse_status nsego_search_push_dlpack(const nse_search *search, uint32_t phase, struct DLManagedTensorVersioned *images,
                                    struct DLManagedTensorVersioned *labels, double lr, nse_pushed *pushed, nse_error **err);

nse_status nsego_search_tell(const nse_search *search, uint32_t flags, const char *code, double accuracy, double cost,
                             uint32_t *effect, nse_error **err);

nse_status nsego_model_train(const nse_arch *arch, const nse_dataset *train, const nse_dataset *held_out, const nse_model *init,
                             const char *options_json, uintptr_t listener, nse_model **out, nse_error **err);

typedef struct {
    uint32_t channels, height, width;
    /* NULL: there is no such picture. */
    const float *data;
} nsego_picture;

nse_status nsego_picture_compare(nsego_picture a, nsego_picture b, double *psnr, double *ssim, nse_error **err);

/* With a path it loads. */
nse_status nsego_restoration_make(const char *path, nsego_picture picture, nsego_picture mask, nsego_picture reference,
                                  const char *options_json, uintptr_t listener, nse_restoration **out, nse_error **err);

#endif /* NSE_GO_SHIM_H */
