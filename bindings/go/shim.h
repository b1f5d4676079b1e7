/*
 * shim.h: what cgo cannot say itself: structs that point to other structs, and callbacks.
 *
 * A Go callback travels as the number of a cgo.Handle (`listener`, `writer`, `handler`), never as a pointer to Go memory.
 */
#ifndef NSE_GO_SHIM_H
#define NSE_GO_SHIM_H

#include "nse.h"

nse_status nsego_set_log(uintptr_t handler, nse_error **err);

nse_status nsego_dataset_from_memory(uint32_t channels, uint32_t height, uint32_t width, uint32_t count, uint32_t classes,
                                     const uint8_t *pixels, const uint32_t *labels, nse_dataset **out, nse_error **err);

nse_status nsego_dataset_from_source(uint32_t channels, uint32_t height, uint32_t width, uint32_t count, uint32_t classes,
                                     uintptr_t writer, nse_dataset **out, nse_error **err);

nse_status nsego_latency_measure(const nse_space *space, const char *options_json, uintptr_t listener, nse_latency **out,
                                 nse_error **err);

nse_status nsego_search_create(uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                               const char *options_json, const nse_latency *latency, const nse_search *continued,
                               const nse_arch *const *start, size_t start_count, uintptr_t listener, nse_search **out, nse_error **err);

nse_status nsego_search_load(const char *path, uint32_t flags, const nse_space *space, const nse_dataset *train, const nse_dataset *held_out,
                             const char *options_json, const nse_latency *latency, const nse_search *continued,
                             const nse_arch *const *start, size_t start_count, uintptr_t listener, nse_search **out, nse_error **err);

nse_status nsego_search_push(const nse_search *search, uint32_t phase, uint32_t count, const float *images, const uint32_t *labels,
                             double lr, nse_pushed *pushed, nse_error **err);

nse_status nsego_search_tell(const nse_search *search, uint32_t flags, const char *code, double accuracy, double cost,
                             uint32_t *effect, nse_error **err);

nse_status nsego_model_train(const nse_arch *arch, const nse_dataset *train, const nse_dataset *held_out, const nse_model *init,
                             const char *options_json, uintptr_t listener, nse_model **out, nse_error **err);

#endif /* NSE_GO_SHIM_H */
