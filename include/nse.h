/*
 * nse.h: neural architecture search as a library.
 *
 * Made by `make header` from the documentation of src/ffi; do not edit.
 *
 * Start     Call nse_abi_check(NSE_ABI_VERSION) first.
 * Functions The first parameter of most is the object they are about, a live handle and not NULL. [in] parameters are read during the
 *           call only, unless a function says that it retains what they stand for; [out] parameters may be NULL only where said. A function
 *           that takes long says "Blocks", and says what of the host it calls; all others return soon and call nothing of the host.
 * Handles   Opaque, never dereferenced. A handle that is NULL, freed, of another kind or garbage gives NSE_ERR_INVALID_HANDLE.
 *           nse_*_free(NULL) does nothing. Objects keep alive what they use: free in any order, at any time.
 * Errors    Negative status. The last parameter `err`, when not NULL, is set to NULL on success and to an nse_error to free on failure.
 *           Handle outputs are NULL after a failure; other outputs are written only on success. There is no per-thread state.
 *           Besides the statuses a function names, any can return NSE_ERR_INVALID_ARGUMENT, NSE_ERR_INVALID_HANDLE, NSE_ERR_FORKED,
 *           NSE_ERR_OUT_OF_MEMORY, NSE_ERR_POISONED and NSE_ERR_PANIC.
 * Text      UTF-8. Text passed in ends in NUL. Text that comes out is in an nse_buffer, to free with nse_buffer_free.
 * JSON      Options are strict: an unknown key or a value out of range is NSE_ERR_CONFIG with a JSON pointer to it.
 * Structs   Start with `struct_size`, set by the INIT macro. The library reads, or fills, only as much as the caller has.
 * Threads   Any function may be called from any thread. Functions marked "Concurrent" never wait; of those that work on a search or a
 *           model one runs at a time, and a second gives NSE_ERR_BUSY. Tensor work runs on threads that the library owns.
 * Callbacks {function, user, user_free}. They must return normally: no exception (it aborts the process), no longjmp. user_free
 *           runs exactly once.
 * Fork      After the first call a forked child gets NSE_ERR_FORKED from every call, without an error object.
 * Exit      exit() may be called at any time, from any thread: it stops what runs, after its current batch, and what would begin meanwhile
 *           gives NSE_ERR_CANCELLED. nse_shutdown does so earlier.
 * Unload    The library stays loaded: dlclose does nothing.
 * Silence   Nothing is printed (nse_set_log), no signal handler is set, no random generator or thread count of the process is
 *           touched unasked. Only c10d, where nse_comm_launched makes it part of a group, writes warnings to stderr.
 */

#ifndef NSE_H
#define NSE_H

#include <stddef.h>
#include <stdint.h>

#ifndef NSE_API
#if defined(__GNUC__)
#define NSE_API __attribute__((visibility("default")))
#else
#define NSE_API
#endif
#endif

/* From any dlpack.h, which is not needed here. */
struct DLManagedTensorVersioned;

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Handles ------------------------------------------------------------------------------------------------------- */

/**
 * An error: status, one line of text, and details as JSON. Made by a failing call, owned by the caller.
 */
typedef struct nse_error nse_error;

/**
 * A search space. Immutable.
 */
typedef struct nse_space nse_space;

/**
 * Labelled images in memory. Immutable; views of the same images share them.
 */
typedef struct nse_dataset nse_dataset;

/**
 * One architecture of a space. Immutable.
 */
typedef struct nse_arch nse_arch;

/**
 * A latency look-up table: the time of every operation, by kind, input size, channels, kernel, stride, padding, dilation
 * and groups. Searches and descriptions use it as it is when they are given it; later changes do not reach them.
 */
typedef struct nse_latency nse_latency;

/**
 * Several processes, its ranks, that share a search, and what carries numbers between them.
 */
typedef struct nse_comm nse_comm;

/**
 * A search under way: its space, its supernet and what it has found.
 */
typedef struct nse_search nse_search;

/**
 * A trained stand-alone network.
 */
typedef struct nse_model nse_model;

/**
 * One image to restore without training data, and the search for the network that does it best.
 */
typedef struct nse_restoration nse_restoration;

/**
 * Work under way that was begun by a function ending in _async.
 */
typedef struct nse_op nse_op;

/* ---- Status -------------------------------------------------------------------------------------------------------- */

/**
 * Result of a call: 0 or positive is success, negative an error.
 */
typedef int32_t nse_status;

/**
 * Success.
 */
#define NSE_OK 0

/**
 * Success, and the search is complete: there are no more rounds.
 */
#define NSE_DONE 1

/**
 * Success so far: the operation is still at work, or there is nothing to hand out yet.
 */
#define NSE_PENDING 2

/**
 * An argument is NULL, not UTF-8, or has a value that is not allowed.
 */
#define NSE_ERR_INVALID_ARGUMENT (-1)

/**
 * A handle is NULL, was freed, is of another kind, or never came from this library.
 */
#define NSE_ERR_INVALID_HANDLE (-2)

/**
 * A JSON document does not parse, has an unknown key, or a value out of range. The detail has the JSON pointer, or the line of
 * a CSV text.
 */
#define NSE_ERR_CONFIG (-3)

/**
 * A file could not be read or written.
 */
#define NSE_ERR_IO (-4)

/**
 * A file was read and is not what it should be.
 */
#define NSE_ERR_FORMAT (-5)

/**
 * Another call is at work on the same object.
 */
#define NSE_ERR_BUSY (-6)

/**
 * Cancelled by the host; what was done so far is kept. Or nse_shutdown has ended the thread of this object.
 */
#define NSE_ERR_CANCELLED (-7)

/**
 * A function of the host did not succeed. The detail has what it returned.
 */
#define NSE_ERR_CALLBACK (-9)

/**
 * The processes that share a run did not all do their part, or have not the same images. What this one had before the step is kept.
 */
#define NSE_ERR_COLLECTIVE (-10)

/**
 * The device, or the machine, has no memory for it. Nothing is lost: the state before is kept, and the call can be made again.
 */
#define NSE_ERR_OUT_OF_MEMORY (-11)

/**
 * The device does not exist or cannot be used.
 */
#define NSE_ERR_DEVICE (-12)

/**
 * libtorch reported an error.
 */
#define NSE_ERR_TORCH (-13)

/**
 * The libtorch of this process is not one that the library was made for. The detail has both files and both versions.
 */
#define NSE_ERR_TORCH_MISMATCH (-14)

/**
 * This build of the library cannot do it, or no build in this kind of space; the message says which.
 */
#define NSE_ERR_UNSUPPORTED (-15)

/**
 * The caller's array is too small; the detail says how much is needed.
 */
#define NSE_ERR_BUFFER_TOO_SMALL (-16)

/**
 * Header and library do not fit together.
 */
#define NSE_ERR_ABI (-17)

/**
 * The process was forked after the library was used. Comes without an error object.
 */
#define NSE_ERR_FORKED (-18)

/**
 * An earlier internal error made this object unusable. It can only be freed.
 */
#define NSE_ERR_POISONED (-19)

/**
 * A bug in the library.
 */
#define NSE_ERR_PANIC (-20)

/**
 * There is no such thing, for example no architecture within the budget.
 */
#define NSE_ERR_NOT_FOUND (-21)

/**
 * No architecture costs what was asked for; the detail says what is reachable. Or hardly any does, so that none can be drawn.
 */
#define NSE_ERR_UNREACHABLE (-22)

/**
 * A loss became infinite or not a number. The state before that step is kept.
 */
#define NSE_ERR_DIVERGED (-23)

/**
 * Fewer different architectures exist than candidates are wanted. The detail says how many there are.
 */
#define NSE_ERR_TOO_FEW (-24)

/**
 * The latency table does not have every entry that the space needs. The detail lists what is missing.
 */
#define NSE_ERR_MISSING_LATENCY (-25)

/**
 * Another result of the same architecture is known. The detail has both.
 */
#define NSE_ERR_CONFLICT (-26)

/**
 * Name of a status, for example "NSE_ERR_CONFIG"; "unknown status" for any other number. Static text, never NULL.
 *
 * `status`: [in] any number.
 *
 * Since 0.1.
 */
NSE_API const char *nse_status_name(nse_status status);

/* ---- Text ---------------------------------------------------------------------------------------------------------- */

/**
 * Text owned by the caller. `data` has `len` bytes of UTF-8 (other bytes where a function says so) and a NUL behind them. Start
 * with zeros; free with nse_buffer_free.
 */
typedef struct nse_buffer {
    char *data;
    /**
     * Bytes, without the NUL.
     */
    size_t len;
    /**
     * For the library.
     */
    void *reserved;
} nse_buffer;

/**
 * Frees what a buffer holds and sets it to zeros. NULL and a buffer of zeros are allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_buffer_free(nse_buffer *buffer);

/* ---- Errors -------------------------------------------------------------------------------------------------------- */

/**
 * The status of an error, or NSE_ERR_INVALID_HANDLE when `error` is not one. Concurrent.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_error_code(const nse_error *error);

/**
 * The text of an error: one line, never NULL; "not an error" when `error` is not one. Lives as long as the error.
 * Concurrent.
 *
 * Since 0.1.
 */
NSE_API const char *nse_error_message(const nse_error *error);

/**
 * Details as a JSON object, for programs: for example {"document": "search options", "pointer": "/train/epochs"},
 * {"path": file}, or {"low", "high", "least", "greatest", "below", "above"} of a cost window out of reach, or
 * {"code", "known", "told"} of two results that differ.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_error_detail(const nse_error *error, nse_buffer *out);

/**
 * Frees an error. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_error_free(nse_error *error);

/* ---- Library ------------------------------------------------------------------------------------------------------- */

/**
 * ABI number of this header. It grows when something is removed or changed; additions keep it.
 */
#define NSE_ABI_VERSION 1

/**
 * Version of the library: major << 16 | minor << 8 | patch. Concurrent.
 *
 * Since 0.1.
 */
NSE_API uint32_t nse_version_number(void);

/**
 * Version of the library as text, for example "0.1.0". Static. Concurrent.
 *
 * Since 0.1.
 */
NSE_API const char *nse_version_string(void);

/**
 * Whether header and library fit together: call it first, with NSE_ABI_VERSION.
 *
 * `header_abi`: [in] the NSE_ABI_VERSION that the caller was compiled with.
 *
 * Returns NSE_OK or NSE_ERR_ABI. Since 0.1.
 */
NSE_API nse_status nse_abi_check(uint32_t header_abi);

/**
 * What runs here, as JSON:
 *
 * "nse": {"version", "abi", "torch": whether this build has libtorch}.
 * "runtime": null without libtorch, else {"libtorch", "cuda"}. "libtorch": {"version", "made_for": the version that nse was made
 * for, "file": where it was loaded from, "others": more files of libtorch in this process, "before_nse": whether it was there
 * before nse (null: unknown), "threads", "problem": null, or why it is refused (NSE_ERR_TORCH_MISMATCH)}. "cuda": {"available",
 * "devices", "reason": why it is off}.
 * "openmp": {"libraries": files of OpenMP runtimes in this process, "warning": null, or that there are two kinds}. The first
 * call looks for CUDA. Blocks for that long.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_runtime_info(nse_buffer *out, nse_error **err);

/**
 * Ends all threads of the library: everything that runs is cancelled, and returns NSE_ERR_CANCELLED, where other threads wait
 * for it too. Searches and models stay and can be looked at; what would compute with them (step, save, evaluate, export) returns
 * NSE_ERR_CANCELLED from then on. Save first what should go on later. user_free of a callback runs when its object is freed, as
 * ever. The log stays. New searches and models may be made, even at once: they have new threads. Not needed before a process ends.
 * Blocks.
 *
 * `timeout_ms`: milliseconds to wait for the threads, or NSE_FOREVER. A thread ends after its current batch, and not inside a
 * callback of the host.
 *
 * Returns NSE_OK: no thread that was there is left. NSE_PENDING: the time is up, call again; or this is called from a callback
 * on a thread of the library, which cannot wait for itself, and all threads end soon. Since 0.1.
 */
NSE_API
nse_status nse_shutdown(uint32_t timeout_ms,
                        nse_error **err);

/* ---- Progress ------------------------------------------------------------------------------------------------------ */

/**
 * Kind of an event: an optimizer step of the round under way; `step` of `steps`.
 */
#define NSE_EVENT_TRAIN 1

/**
 * Kind of an event: candidates were scored; `step` of `steps` of the round.
 */
#define NSE_EVENT_SCORE 2

/**
 * Kind of an event: a round, or a stand-alone training, is complete. Never left out; others may be when the callback
 * is slow.
 */
#define NSE_EVENT_FINISH 3

/**
 * Kind of an event: an operator was timed; `step` of `steps`. Rounds and epochs are 0; loss, accuracy and images_per_second
 * are NaN.
 */
#define NSE_EVENT_MEASURE 4

/**
 * Held-out images were evaluated behind an epoch of a stand-alone training: `loss` and `accuracy` are theirs, with the moving average
 * of the weights when there is one.
 */
#define NSE_EVENT_EVALUATE 5

/**
 * Flag of nse_events: deliver at once, on a thread of the library, while the work goes on; the callback holds it up. Otherwise
 * events wait for the call that works, or for nse_op_poll, and come on the thread that called it.
 */
#define NSE_EVENTS_DIRECT 1

/**
 * Progress. Valid during the callback only.
 */
typedef struct nse_event {
    uint32_t struct_size;
    /**
     * One of NSE_EVENT_*.
     */
    uint32_t kind;
    /**
     * Round under way, or just completed, from 1.
     */
    uint64_t round;
    uint64_t rounds;
    /**
     * Pass over the training images under way, from 1.
     */
    uint64_t epoch;
    uint64_t epochs;
    /**
     * Steps (or candidates) done, of so many in this round.
     */
    uint64_t step;
    uint64_t steps;
    /**
     * Training loss, smoothed over some 20 steps.
     */
    double loss;
    /**
     * 0 to 1. TRAIN: training accuracy, smoothed. SCORE and FINISH of a search: best held-out accuracy of the round so
     * far. Of a restoration it is the best fitness so far, in decibels: of the fit, or of the search.
     */
    double accuracy;
    /**
     * Training images per second, lately.
     */
    double images_per_second;
    /**
     * Since the search, or the training, began in this process.
     */
    double seconds;
    /**
     * Estimate for the whole rest; NaN while unknown.
     */
    double seconds_left;
} nse_event;

/**
 * Called with progress. Not 0: cancel; it is not called again in this call then. At NSE_EVENT_FINISH there is nothing left to
 * cancel. Must return normally: no exception, no
 * longjmp, no thread exit. From inside, getters and nse_search_cancel may be called on the object at work; calls that work
 * on it answer NSE_ERR_BUSY.
 */
typedef int32_t (*nse_event_fn)(void *user, const nse_event *event);

/**
 * Called once, when `user` is no longer needed; from any thread.
 */
typedef void (*nse_free_fn)(void *user);

/**
 * Where progress goes. Start with NSE_EVENTS_INIT. Events are delivered on the calling thread, inside the call that works or
 * polls, unless NSE_EVENTS_DIRECT is set.
 */
typedef struct nse_events {
    uint32_t struct_size;
    /**
     * 0, or NSE_EVENTS_DIRECT.
     */
    uint32_t flags;
    /**
     * May be NULL.
     */
    nse_event_fn on_event;
    /**
     * Passed to both functions; the library never looks at it.
     */
    void *user;
    /**
     * May be NULL. Called exactly once, also when the call that was given this struct fails (but not when a struct_size
     * is wrong, for then nothing can be read).
     */
    nse_free_fn user_free;
} nse_events;

/* ---- Log ----------------------------------------------------------------------------------------------------------- */

/**
 * Level of the log: nothing.
 */
#define NSE_LOG_OFF 0

/**
 * Level of the log: a bug in the library.
 */
#define NSE_LOG_ERROR 1

/**
 * Level of the log: something that the host will want to change, for example two OpenMP runtimes in its process.
 */
#define NSE_LOG_WARN 2

/**
 * Level of the log: searches, rounds, checkpoints, models and the libtorch in use; a few lines per round. The default.
 */
#define NSE_LOG_INFO 3

/**
 * Level of the log: what leads to them: operators that are dropped, calls that fail.
 */
#define NSE_LOG_DEBUG 4

/**
 * Level of the log: every optimizer step.
 */
#define NSE_LOG_TRACE 5

/**
 * Called with a message. `target`: one word, the part of the library that speaks: "search", "checkpoint", "model", "torch",
 * "openmp", "events", "library" or "ffi"; later versions may have more. `message`: UTF-8 with a NUL behind its `len` bytes. Both are
 * valid during the call only.
 *
 * Runs on any thread, those of the library included, and on several at once; no lock of the library is held, a slow one holds up
 * its own thread only. Every function may be called from inside, nse_set_log too; what they say on this thread is not logged. Must
 * return normally: no exception, no longjmp, no thread exit.
 */
typedef void (*nse_log_fn)(void *user, int32_t level, const char *target, const char *message, size_t len);

/**
 * Where messages go. Start with NSE_LOG_SINK_INIT.
 */
typedef struct nse_log_sink {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * Not NULL.
     */
    nse_log_fn log;
    /**
     * Passed to both functions; the library never looks at it.
     */
    void *user;
    /**
     * May be NULL. Called exactly once, when this sink was replaced and no call of it is under way any more, or when
     * nse_set_log fails (but not when a struct_size is wrong, for then nothing can be read).
     */
    nse_free_fn user_free;
} nse_log_sink;

/**
 * Sends the messages of the library, for the whole process, to `sink` instead of to where they went; NULL: nowhere, as at the
 * beginning. Never waits: calls of the old sink that are under way end in their own time.
 *
 * `sink`: [in] read during the call only.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_set_log(const nse_log_sink *sink, nse_error **err);

/**
 * Sets the level, for the whole process: messages of a higher number are not even made. Concurrent.
 *
 * `level`: NSE_LOG_OFF to NSE_LOG_TRACE.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such level. Since 0.1.
 */
NSE_API nse_status nse_set_log_level(int32_t level);

/* ---- Search space -------------------------------------------------------------------------------------------------- */

/**
 * A named space.
 *
 * `name`: [in] a name of nse_space_presets. `overrides_json`: [in] a JSON object that changes some of input {channels,
 * height, width}, classes, layout, repeats, channels, scale, divisor, stem_stride, block, tail, tail_norm, hidden, squeeze_excitation,
 * activation, operators, skip (docs/space.md); of stacked cells (docs/cells.md) some of input, classes, skeleton, channels, cells, nodes,
 * operators, shared, stem; NULL or "{}" changes nothing.
 * `out`: [out] to free with nse_space_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such preset. NSE_ERR_CONFIG: overrides. Since 0.1.
 */
NSE_API
nse_status nse_space_preset(const char *name,
                            const char *overrides_json,
                            nse_space **out,
                            nse_error **err);

/**
 * A space of one's own, from its JSON form (docs/space.md; of stacked cells docs/cells.md).
 *
 * `json`: [in] the document. `out`: [out] to free with nse_space_free.
 *
 * NSE_ERR_CONFIG. Since 0.1.
 */
NSE_API nse_status nse_space_from_json(const char *json, nse_space **out, nse_error **err);

/**
 * The canonical JSON form of a space; nse_space_from_json gives the same space back.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_space_to_json(const nse_space *space, nse_buffer *out, nse_error **err);

/**
 * What a space holds and costs, as JSON: name, cells (of stacked ones: edges), operators, most_operators_per_cell,
 * log10_architectures (subsets counted), single_branch (how many have one operator in every cell, or none where that is allowed:
 * exact, as a string), genotypes (a string: how many have two operators for every node, from two nodes; of DARTS's cells and of blocks only), and
 * {least, middle, greatest} of macs (multiply-accumulates of one image), params (trainable numbers), where weights are binary bits (of the trained
 * network, 1 for each of them) and operations (multiply-accumulates, 64 binary ones counted as one), and, with a
 * table, latency (in its unit) over all architectures. Half of them cost no more than the middle, which is exact in small spaces and
 * else to a few thousandths of the range.
 *
 * `latency`: [in] may be NULL. `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_MISSING_LATENCY: the table lacks something. NSE_ERR_UNSUPPORTED: a table, and stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_space_describe(const nse_space *space,
                              const nse_latency *latency,
                              nse_buffer *out,
                              nse_error **err);

/**
 * Whether a cost window can be met, before any search, as JSON: satisfiable, unit, {least, middle, greatest} of all architectures as
 * in nse_space_describe, and when it is satisfiable log10_architectures inside (left out where the window is too narrow to tell),
 * else "below" and "above", costs near it on both sides that architectures have (left out where there is none).
 * A budget that cannot be met is an answer, not an error.
 *
 * `budget_json`: [in] {"cost": "macs", "low": 0, "high": 1e8}; cost is "macs" (default), "params", "bits", "operations" or "latency".
 * `latency`: [in] the table of a latency; else NULL. `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_CONFIG: the budget. NSE_ERR_INVALID_ARGUMENT: a latency without table. NSE_ERR_MISSING_LATENCY. NSE_ERR_UNSUPPORTED: a
 * latency, and stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_space_budget(const nse_space *space,
                            const char *budget_json,
                            const nse_latency *latency,
                            nse_buffer *out,
                            nse_error **err);

/**
 * Names and descriptions of the presets, as JSON: [{"name", "description"}, ...].
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_space_presets(nse_buffer *out, nse_error **err);

/**
 * Frees a space. What was made from it lives on. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_space_free(nse_space *space);

/* ---- Dataset ------------------------------------------------------------------------------------------------------- */

/**
 * Images in the caller's memory. Start with NSE_IMAGES_INIT.
 */
typedef struct nse_images {
    uint32_t struct_size;
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    /**
     * Number of images.
     */
    uint32_t count;
    /**
     * Labels are below this; 0: the greatest label + 1.
     */
    uint32_t classes;
    /**
     * count x channels x height x width bytes: image after image, channel by channel, row by row.
     */
    const uint8_t *pixels;
    /**
     * `count` labels, from 0.
     */
    const uint32_t *labels;
} nse_images;

/**
 * Reads images and labels from files: {"format": "idx", "images": path, "labels": path, "classes": 10}. IDX files may
 * be gzip-compressed; "classes" may be left out. Blocks while it reads.
 *
 * `json`: [in] the document. `out`: [out] to free with nse_dataset_free.
 *
 * NSE_ERR_CONFIG. NSE_ERR_IO: a path that cannot be read, or is no regular file. NSE_ERR_FORMAT: a file is truncated, damaged or has a label out of range. Since 0.1.
 */
NSE_API
nse_status nse_dataset_open(const char *json,
                            nse_dataset **out,
                            nse_error **err);

/**
 * Copies images and labels from the caller's memory.
 *
 * `images`: [in] read during the call only. `out`: [out] to free with nse_dataset_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range. Since 0.1.
 */
NSE_API nse_status nse_dataset_from_memory(const nse_images *images, nse_dataset **out, nse_error **err);

/**
 * Like nse_dataset_from_memory, but uses the pixels where they are. They must not change, and stay readable, until `user_free`
 * is called: when nothing needs them any more, neither a dataset, nor a part of one, nor a search that was given one.
 *
 * `images`: [in] the struct and its labels are read during the call only. `user`: for `user_free`; the library never looks at it. `user_free`: may be NULL, for memory that stays; called exactly
 * once, also when the call fails, from any thread. `out`: [out] to free with nse_dataset_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: as for nse_dataset_from_memory. Since 0.1.
 */
NSE_API
nse_status nse_dataset_borrow(const nse_images *images,
                              void *user,
                              nse_free_fn user_free,
                              nse_dataset **out,
                              nse_error **err);

/**
 * Splits into two disjoint datasets, at random but always alike for the same `seed`. No pixel is copied.
 *
 * `fraction`: part of the images in the second one, above 0 and below 1, so that neither is empty.
 * `first`, `second`: [out] each to free with nse_dataset_free.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_dataset_split(const nse_dataset *dataset,
                             double fraction,
                             uint64_t seed,
                             nse_dataset **first,
                             nse_dataset **second,
                             nse_error **err);

/**
 * As JSON: images, classes, channels, height, width.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_dataset_info(const nse_dataset *dataset, nse_buffer *out, nse_error **err);

/**
 * Frees a dataset. What uses it lives on. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_dataset_free(nse_dataset *dataset);

/* ---- Images of the host -------------------------------------------------------------------------------------------- */

/**
 * Flag: use the pixels of a tensor where they are, if they lie as the library needs them: compact.
 */
#define NSE_BORROW 1

/**
 * Writes the images from `first` on, `count` of them: count x channels x height x width bytes to `pixels`, image after image,
 * channel by channel, row by row, and `count` labels from 0. The room is the library's, and of use during the call only.
 * Returns 0, or a number of the host's own that says what failed. Must return normally: no exception, no longjmp, no thread
 * exit. It may use the library.
 */
typedef int32_t (*nse_fill_fn)(void *user, uint32_t first, uint32_t count, uint8_t *pixels, uint32_t *labels);

/**
 * Images that a function of the host writes. Start with NSE_SOURCE_INIT.
 */
typedef struct nse_source {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    uint32_t channels;
    uint32_t height;
    uint32_t width;
    /**
     * Number of images.
     */
    uint32_t count;
    /**
     * Labels are below this; 0: the greatest label + 1.
     */
    uint32_t classes;
    nse_fill_fn fill;
    /**
     * Passed to both functions; the library never looks at it.
     */
    void *user;
    /**
     * May be NULL. Called exactly once, before the call that was given this struct returns, also when it fails (but not when
     * struct_size is wrong, for then nothing can be read).
     */
    nse_free_fn user_free;
} nse_source;

/**
 * Has a function of the host write all images, once, in order and some at a time, on this thread. Blocks until it has. Nothing of
 * the host's is needed afterwards. What `fill` leaves out is a black pixel, and a label that is an error.
 *
 * `source`: [in] read during the call only. `out`: [out] to free with nse_dataset_free.
 *
 * NSE_ERR_CALLBACK: `fill` did not return 0; the detail has what it returned, as "code". It is not called again.
 * NSE_ERR_INVALID_ARGUMENT: no images, or a label out of range. Since 0.1.
 */
NSE_API nse_status nse_dataset_from_source(const nse_source *source, nse_dataset **out, nse_error **err);

/**
 * Copies, or with NSE_BORROW uses, images and labels that are tensors of another library: DLPack, version 1.x, which has
 * tensors of NumPy, PyTorch, JAX and others. Any strides and byte offset. A tensor that is read-only will do: nothing is
 * written.
 *
 * Both tensors are the library's from here on, also when the call fails: it calls each deleter exactly once (NULL: there is none
 * to call, and what is borrowed must stay for good). That happens before the call returns, but for images that are borrowed: then
 * when nothing needs them any more, neither a dataset, nor a part of one, nor a search that was given one, from any thread; until
 * then they must not change.
 *
 * The major version decides what is touched: 1 is read; of 2 to 255 the deleter is called and nothing else read, which every
 * version of DLPack allows; with any other it is no DLManagedTensorVersioned (the older DLManagedTensor, perhaps), so nothing
 * else is read and no deleter called.
 *
 * `images`: uint8, [count, channels, height, width]. `labels`: int64, int32, uint32 or uint8, [count]; always copied.
 * `classes`: labels are below this; 0: the greatest label + 1.
 * `flags`: 0 or NSE_BORROW. Images that are not compact, or are on a CUDA device, are copied all the same.
 * `out`: [out] to free with nse_dataset_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: a tensor is NULL, of another version, element type or rank, has sizes or strides that are negative
 * where they must not or beyond memory, or a label out of range. NSE_ERR_DEVICE: in memory that is neither the CPU's nor that of
 * a CUDA device which can be used here. Since 0.1.
 */
NSE_API
nse_status nse_dataset_from_dlpack(struct DLManagedTensorVersioned *images,
                                   struct DLManagedTensorVersioned *labels,
                                   uint32_t classes,
                                   uint32_t flags,
                                   nse_dataset **out,
                                   nse_error **err);

/* ---- Architecture -------------------------------------------------------------------------------------------------- */

/**
 * Reads an architecture: {"space": name, "cells": [[operator names of cell 0], ...]}. `space` may be left out; an
 * empty list skips a normal cell. An ensemble, in a chain of cells, has in "cells" those that all its paths share, and in "paths" for each of its
 * 2 to 16 paths the list of the cells behind them; the order of paths says nothing. Instead of both may stand "tuple": the list of numbers of
 * NEAS's published code (docs/neas.md). Of stacked cells there is a list for every edge, empty for none, and instead of "cells" may stand
 * "genotype": the text of published code ("Genotype(normal=[...], ...)", "|nor_conv_3x3~0|+...") or the name of a published architecture.
 *
 * `space`: [in] retained. `json`: [in] the document. `out`: [out] to free with nse_arch_free.
 *
 * NSE_ERR_CONFIG. NSE_ERR_UNSUPPORTED: an ensemble of stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_arch_from_json(const nse_space *space,
                              const char *json,
                              nse_arch **out,
                              nse_error **err);

/**
 * The same operator, alone, in every cell, or on every edge of stacked ones: a network as one would design it by hand.
 *
 * `space`: [in] retained. `operator_name`: [in] for example "mbconv_k3_t6". `out`: [out] to free with nse_arch_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: not an operator. NSE_ERR_CONFIG: not a candidate of some cell. Since 0.1.
 */
NSE_API nse_status nse_arch_uniform(const nse_space *space, const char *operator_name, nse_arch **out, nse_error **err);

/**
 * A published architecture, in the space it was found in (which nse_arch_space gives).
 *
 * `name`: [in] a name of nse_arch_presets. `overrides_json`: [in] changes to the space as for nse_space_preset, for example
 * {"scale": 1.0} (without, the width is the published one); NULL or "{}" changes nothing.
 * `out`: [out] to free with nse_arch_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such architecture, or the changed space has fewer cells than it uses. NSE_ERR_CONFIG: overrides,
 * or an operator or an edge that the changed space lacks. Since 0.1.
 */
NSE_API nse_status nse_arch_preset(const char *name, const char *overrides_json, nse_arch **out, nse_error **err);

/**
 * Names and descriptions of the published architectures, as JSON: [{"name", "description"}, ...].
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_arch_presets(nse_buffer *out, nse_error **err);

/**
 * The space of an architecture.
 *
 * `out`: [out] to free with nse_space_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_arch_space(const nse_arch *arch, nse_space **out, nse_error **err);

/**
 * Costs of an architecture as JSON: space, macs, published_macs (the count of NSE's published code, which adds the outputs
 * of the average pooling; of stacked cells that of their published code, which adds the biases of the classifier), params, and for every
 * cell kind, channels, height and width of its output, operators, macs and params. Of stacked cells these are edges, "edge" says from
 * where to where, costs are those in all cells, sizes those in the first; and there are genotype (null where the text of DARTS cannot say
 * it) and topology (what is left without empty edges and skip_connect, see docs/cells.md; null where it is too long); of blocks canonical too
 * (the least text of the same cell; null where a side has not one operator).
 * Where weights are binary, "binary" has macs and params of what is, of the whole and of every cell, and there are bits (of the trained network, 1
 * for each binary weight) and operations (multiply-accumulates, 64 binary ones counted as one). Of an ensemble there
 * are paths, split (how many cells are shared), members (macs and params of each path's network alone) and saved (by how much the
 * ensemble is cheaper than these), and cells behind the split say which path and cell they are.
 *
 * `variant_json`: [in] of a stand-alone network, what it has beside what its space says: {"squeeze_excitation": true, "activation": "swish"},
 * both optional; NULL or "{}": nothing. The sums are with what it adds, the cells without. `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_CONFIG. NSE_ERR_UNSUPPORTED: squeeze-excitation, and stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_arch_describe(const nse_arch *arch,
                             const char *variant_json,
                             nse_buffer *out,
                             nse_error **err);

/**
 * An architecture as a diagram: the cells from top to bottom, their branches side by side, with widths, sizes and multiply-accumulates; of
 * stacked cells the nodes of each kind, with the operators that each is the sum of.
 *
 * `format`: [in] "svg": a document of its own, light or dark as its reader likes. `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such format. Since 0.1.
 */
NSE_API
nse_status nse_arch_draw(const nse_arch *arch,
                         const char *format,
                         nse_buffer *out,
                         nse_error **err);

/**
 * The JSON form; nse_arch_from_json gives the same architecture back.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_arch_to_json(const nse_arch *arch, nse_buffer *out, nse_error **err);

/**
 * The short code of an architecture: lower-case letters, digits and a dot, at most 63 of them (a Kubernetes label) for 22 cells of up
 * to three of 27 operators or two of 72; longer for more, and for ensembles. Of all spellings only this one is read back, by nse_arch_from_code.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_arch_code(const nse_arch *arch,
                         nse_buffer *out,
                         nse_error **err);

/**
 * The architecture that has this code.
 *
 * `space`: [in] retained; a code of another one is told apart. In a space of blocks also a code of a cell with fewer is one: nse_arch_space then gives
 * the smaller space. `code`: [in] from nse_arch_code. `out`: [out] to free with
 * nse_arch_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: not a code, cut or mistyped, or of another space. Since 0.1.
 */
NSE_API
nse_status nse_arch_from_code(const nse_space *space,
                              const char *code,
                              nse_arch **out,
                              nse_error **err);

/**
 * Cost: `macs`, multiply-accumulates for one image, of convolutions and classifier; `params`, trainable numbers.
 *
 * `macs`, `params`: [out] may be NULL.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_arch_cost(const nse_arch *arch, uint64_t *macs, uint64_t *params, nse_error **err);

/**
 * Frees an architecture. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_arch_free(nse_arch *arch);

/* ---- Latency ------------------------------------------------------------------------------------------------------- */

/**
 * What is to be measured. Start with NSE_MEASURE_DESC_INIT. The library retains what it uses.
 */
typedef struct nse_measure_desc {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * Every operation that an architecture of this space can need is timed.
     */
    const nse_space *space;
    /**
     * Options as a JSON object; see nse_measure_options_schema. NULL: all defaults.
     */
    const char *options_json;
    /**
     * Where progress goes; NULL: nowhere. Used during the measuring only.
     */
    const nse_events *events;
} nse_measure_desc;

/**
 * An empty table, to fill with nse_latency_set.
 *
 * `unit`: [in] what the times are in, for people; NULL: "ms". `out`: [out] to free with nse_latency_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_latency_create(const char *unit, nse_latency **out, nse_error **err);

/**
 * A table from its text, CSV or JSON (docs/latency.md).
 *
 * `text`: [in] the whole document. `out`: [out] to free with nse_latency_free.
 *
 * NSE_ERR_CONFIG: the detail has the line of a CSV text, or the JSON pointer. Since 0.1.
 */
NSE_API nse_status nse_latency_parse(const char *text, nse_latency **out, nse_error **err);

/**
 * Sets the time of one operation.
 *
 * `key`: [in] the first nine columns of a row of the CSV form, as nse_latency_missing lists them, for example
 * "conv,28,64,64,3,1,1,1,64". `time`: finite, 0 or more, for one batch, in the unit of the table.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_latency_set(const nse_latency *latency, const char *key, double time, nse_error **err);

/**
 * The table as text; nse_latency_parse gives the same table back.
 *
 * `format`: [in] "csv" or "json". `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_latency_to_text(const nse_latency *latency, const char *format, nse_buffer *out, nse_error **err);

/**
 * What an architecture of a space can need and the table lacks, as a JSON list of keys for nse_latency_set; "[]" when
 * nothing is missing.
 *
 * `space`: [in] whose architectures are meant. `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_UNSUPPORTED: stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_latency_missing(const nse_latency *latency,
                               const nse_space *space,
                               nse_buffer *out,
                               nse_error **err);

/**
 * The latency of an architecture: stem, open operators, the additions that join them, tail, pooling and classifier.
 *
 * `arch`: [in] of any space. `time`: [out] in the unit of the table; may be NULL.
 *
 * NSE_ERR_MISSING_LATENCY: the detail lists what the table lacks. NSE_ERR_UNSUPPORTED: stacked cells. Since 0.1.
 */
NSE_API nse_status nse_latency_arch(const nse_latency *latency, const nse_arch *arch, double *time, nse_error **err);

/**
 * The options of a measuring, as a JSON schema with keys, defaults, ranges and help.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_measure_options_schema(nse_buffer *out, nse_error **err);

/**
 * Times every operation that an architecture of a space can need, on the device of the options: the median of several
 * passes after a warm-up, in milliseconds per batch. Blocks, and delivers NSE_EVENT_MEASURE on this thread; the callback may
 * cancel.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_latency_free.
 *
 * NSE_ERR_CONFIG: options. NSE_ERR_CANCELLED. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
 * NSE_ERR_UNSUPPORTED: a build without libtorch, or stacked cells. Since 0.1.
 */
NSE_API nse_status nse_latency_measure(const nse_measure_desc *desc, nse_latency **out, nse_error **err);

/**
 * Times a whole network of an architecture, batch-norm and activations included, as nse_latency_measure times its parts: to hold a
 * table against what it predicts. Any weights take as long. Blocks.
 *
 * `arch`: [in] its network, in its space. `options_json`: [in] see nse_measure_options_schema; NULL: all defaults.
 * `time`: [out] milliseconds per batch, the median of several passes; may be NULL.
 *
 * NSE_ERR_CONFIG: options. NSE_ERR_CANCELLED: by nse_shutdown. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED: a build without
 * libtorch. Since 0.1.
 */
NSE_API
nse_status nse_latency_measure_arch(const nse_arch *arch,
                                    const char *options_json,
                                    double *time,
                                    nse_error **err);

/**
 * Frees a latency table. What uses it lives on. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_latency_free(nse_latency *latency);

/* ---- Ranks --------------------------------------------------------------------------------------------------------- */

/**
 * Makes every number the sum over all ranks: MPI_Allreduce with MPI_SUM of MPI_INT64_T, for example. Exact; no sum overflows.
 *
 * As of all functions of nse_comm_desc: it is called on all ranks in the same order with the same `count`, one at a time, on one
 * thread of the library; it works in place, and returns when its result is there. Returns 0, or a number of the host's own that
 * says what failed. Must return normally: no exception, no longjmp, no thread exit. What it is given is there until it returns, also
 * after the time limit.
 */
typedef int32_t (*nse_sum_fn)(void *user, int64_t *numbers, size_t count);

/**
 * Makes every number the greatest over all ranks. Infinities are numbers; none is NaN.
 */
typedef int32_t (*nse_max_fn)(void *user, double *numbers, size_t count);

/**
 * Makes all bytes those of rank 0.
 */
typedef int32_t (*nse_broadcast_fn)(void *user, uint8_t *bytes, size_t count);

/**
 * Makes `all`, which is size * count bytes, the `count` bytes `own` of all ranks, in the order of the ranks.
 */
typedef int32_t (*nse_gather_fn)(void *user, const uint8_t *own, size_t count, uint8_t *all);

/**
 * Returns when all ranks have called it.
 */
typedef int32_t (*nse_barrier_fn)(void *user);

/**
 * Collectives of the host. Start with NSE_COMM_DESC_INIT. None of the functions may be NULL.
 */
typedef struct nse_comm_desc {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * Of this process: from 0, below `size`.
     */
    uint32_t rank;
    /**
     * Number of ranks, 1 to 65536.
     */
    uint32_t size;
    /**
     * Time limit in milliseconds of every wait for the other ranks; 0: five minutes; NSE_FOREVER: none. It must be longer than the
     * longest step, and than the others may take to save a checkpoint.
     */
    uint32_t timeout_ms;
    nse_sum_fn sum;
    nse_max_fn max;
    nse_broadcast_fn broadcast;
    nse_gather_fn gather;
    nse_barrier_fn barrier;
    /**
     * Passed to all functions; the library never looks at it.
     */
    void *user;
    /**
     * May be NULL. Called exactly once, when none of the functions is called any more, from any thread; also when the call that was
     * given this struct fails (but not when struct_size is wrong, for then nothing can be read).
     */
    nse_free_fn user_free;
} nse_comm_desc;

/**
 * Makes this process one of several ranks, with collectives of the host: MPI, or whatever it has. All ranks call this, and it checks
 * with every function, and numbers that are known, that they compute what they should. Starts the thread on which the functions
 * are called from now on. Blocks until all ranks are there.
 *
 * Given to nse_search_create or nse_search_load (nse_search_desc) on all ranks, it divides the work of that search.
 *
 * When a function fails, is wrong, or does not return within the time limit, the group has failed for good: what needs it returns
 * NSE_ERR_COLLECTIVE. A function that never returns is not waited for, but holds up nse_shutdown; and user_free is only called when
 * it has.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_comm_free.
 *
 * NSE_ERR_COLLECTIVE: as said. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
 */
NSE_API
nse_status nse_comm_create(const nse_comm_desc *desc,
                           nse_comm **out,
                           nse_error **err);

/**
 * Makes this process the rank that its launcher says it is, with c10d of libtorch (gloo, over TCP) between the ranks: so a program
 * becomes one of several by being started several times. Otherwise as nse_comm_create, also when no launcher says anything: then
 * it is the only rank. Blocks until all ranks are there.
 *
 * Read from the environment are RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun, Kubeflow's PyTorchJob and scripts around
 * srun set them; without the first two PET_NODE_RANK, PET_NNODES, PET_MASTER_ADDR and PET_MASTER_PORT, as Kubeflow Trainer v2 does,
 * where there is one process for a node. LOCAL_RANK only goes to nse_comm_info. Rank 0 opens the port; with
 * TORCHELASTIC_USE_AGENT_STORE=True torchrun has. Gloo is bound to the local address on the way to MASTER_ADDR, or to the interface
 * GLOO_SOCKET_IFNAME. c10d writes warnings to stderr.
 *
 * `timeout_ms`: as in nse_comm_desc; for the others to come, too. `out`: [out] to free with nse_comm_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: some of the variables are there and others not, or one is wrong; the message names it.
 * NSE_ERR_COLLECTIVE: the others did not come in time, or it does not compute what it should. NSE_ERR_CANCELLED: nse_shutdown.
 * NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch, and a launcher. Since 0.1.
 */
NSE_API
nse_status nse_comm_launched(uint32_t timeout_ms,
                             nse_comm **out,
                             nse_error **err);

/**
 * Checks anew that a group computes what it should: some hundred thousand numbers that all ranks know, with every function. All ranks
 * call this. Blocks.
 *
 * NSE_ERR_COLLECTIVE: it does not, or did not come to an end within its time limit; the detail has "rank" and "size", of this
 * process, and the message says what was wrong. NSE_ERR_BUSY: a search has it. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
 */
NSE_API
nse_status nse_comm_test(const nse_comm *comm,
                         nse_error **err);

/**
 * A group as JSON: {"kind": "host", "c10d" or "alone", "rank", "size", "local_rank": among the processes of its machine (null: not known),
 * "timeout_ms" (null: none), "failure": null, or why it has failed}. Concurrent.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_comm_info(const nse_comm *comm,
                         nse_buffer *out,
                         nse_error **err);

/**
 * Frees a group; a search that has it keeps it. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_comm_free(nse_comm *comm);

/* ---- Search -------------------------------------------------------------------------------------------------------- */

/**
 * Flag of nse_search_desc: the search has no datasets; the host pushes its batches (nse_search_push).
 */
#define NSE_SEARCH_PUSHED 1

/**
 * Flag of nse_search_desc: the search trains nothing; the host asks for architectures and tells how they did (nse_search_ask). No
 * libtorch is touched; works in every build. Options about training, scoring and devices mean nothing then, and
 * candidates.too_few is "accept".
 */
#define NSE_SEARCH_TOLD 2

/**
 * Flag of nse_search_desc, for nse_search_load only: the search is looked at (results, status, history, report, scores, options), and
 * nothing else; needs neither images nor libtorch, and works with checkpoints of every kind.
 */
#define NSE_SEARCH_LOOK 4

/**
 * What a search is made of. Start with NSE_SEARCH_DESC_INIT. The library retains what it uses; everything may be freed
 * at once.
 */
typedef struct nse_search_desc {
    uint32_t struct_size;
    /**
     * 0, NSE_SEARCH_PUSHED, NSE_SEARCH_TOLD or NSE_SEARCH_LOOK. nse_search_load: as of the saved search, or NSE_SEARCH_LOOK.
     */
    uint32_t flags;
    /**
     * The space to search. nse_search_load: NULL, or the space of the checkpoint.
     */
    const nse_space *space;
    /**
     * Training images; NULL with a flag.
     */
    const nse_dataset *train;
    /**
     * Images for architecture steps and scoring; NULL: a part of `train` is held out for them (option held_out), or
     * a flag.
     */
    const nse_dataset *held_out;
    /**
     * Options as a JSON object; see nse_search_options_schema. Only "objective" must be there. nse_search_load: NULL, or the
     * options of the checkpoint, of which "device", "threads", "checkpoint", "tensorboard" and "candidates" may differ.
     */
    const char *options_json;
    /**
     * Where progress goes; NULL: nowhere. Used until the search is freed.
     */
    const nse_events *events;
    /**
     * Latencies, for the objective "latency"; else NULL. nse_search_load: NULL, or the table of the checkpoint.
     */
    const nse_latency *latency;
    /**
     * A finished search to go on from, in a space with the same cells and other operators: its front is active, protected
     * and scored again, and what had its turn there does not come again. NULL: none. nse_search_load: NULL.
     */
    const nse_search *continued;
    /**
     * Instead: architectures to begin with, as if they were the front of such a search, in this space or another with the same
     * cells (then what that space has and none of them uses does not come again).
     */
    const nse_arch *const *start;
    /**
     * How many architectures `start` has. nse_search_load: 0.
     */
    size_t start_count;
    /**
     * The ranks that share the search, see docs/distributed.md; NULL: this process alone. All of them make the same calls with the same
     * images, space and options (but "device", "threads", "checkpoint" and "tensorboard"). Only rank 0 writes checkpoints and logs, and
     * nse_search_load reads the file there, for all. Not with a flag.
     */
    const nse_comm *comm;
} nse_search_desc;

/**
 * The options of a search, as a JSON schema with keys, defaults, ranges and help.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_options_schema(nse_buffer *out, nse_error **err);

/**
 * Named sets of options, as JSON: [{"name", "description", "options"}, ...]. The option "preset" lays the others over one.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_options_presets(nse_buffer *out, nse_error **err);

/**
 * Makes a search; nothing is trained yet. Starts the thread on which all its tensor work will run. Blocks while that looks at
 * the images once.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_search_free.
 *
 * NSE_ERR_CONFIG: options. NSE_ERR_UNREACHABLE: no architecture lies in the cost window; the detail says what is
 * reachable. NSE_ERR_TOO_FEW: fewer lie there than candidates are wanted (option candidates.too_few).
 * NSE_ERR_INVALID_ARGUMENT: the images do not fit the space; the objective is a latency and there is no table; `continued` is
 * not finished, or it or `start` has other cells.
 * NSE_ERR_MISSING_LATENCY. NSE_ERR_BUSY: `continued` is, or another search has `comm`. NSE_ERR_COLLECTIVE: another rank failed, or has
 * other images or another search; nothing is made on any. NSE_ERR_IO: the folder for TensorBoard. NSE_ERR_DEVICE. NSE_ERR_CANCELLED:
 * nse_shutdown. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch; in a space of stacked cells a latency, or a
 * supernet with the scorer fitness.
 * Since 0.1.
 */
NSE_API
nse_status nse_search_create(const nse_search_desc *desc,
                             nse_search **out,
                             nse_error **err);

/**
 * Makes a search from a checkpoint; it goes on as if it had never stopped, on a CPU with the same number of threads to the
 * last bit. Blocks while it reads.
 *
 * `path`: [in] the file. `desc`: [in] read during the call only; `train` and `held_out` must be the images of the saved search,
 * and everything else may be NULL. `out`: [out] to free with nse_search_free.
 *
 * NSE_ERR_IO. NSE_ERR_FORMAT: no checkpoint, damaged, of another version, space, table or images. NSE_ERR_CONFIG: options that
 * differ. NSE_ERR_BUSY, NSE_ERR_COLLECTIVE, NSE_ERR_CANCELLED: as nse_search_create. NSE_ERR_DEVICE. NSE_ERR_TORCH_MISMATCH.
 * NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_search_load(const char *path,
                           const nse_search_desc *desc,
                           nse_search **out,
                           nse_error **err);

/**
 * Saves a search, with everything that nse_search_load needs to go on: also in the middle of a round, between two steps.
 * The option "checkpoint" saves while a step runs. Blocks.
 *
 * `path`: [in] an existing file is replaced, whole or not at all; its folder must exist.
 *
 * NSE_ERR_IO: the file is as it was. NSE_ERR_BUSY: a step is running. NSE_ERR_INVALID_ARGUMENT: of NSE_SEARCH_LOOK. Since 0.1.
 */
NSE_API nse_status nse_search_save(const nse_search *search, const char *path, nse_error **err);

/**
 * The space of a search.
 *
 * `out`: [out] to free with nse_space_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_space(const nse_search *search, nse_space **out, nse_error **err);

/**
 * All options of a search as a JSON object, defaults and those of a preset included.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_options(const nse_search *search, nse_buffer *out, nse_error **err);

/**
 * What a search will take, before it does, as JSON:
 * device; memory in bytes (weights, training with half of the branches open as on average, training_most with all, scoring, images,
 * peak), from the shapes, without what libtorch keeps for itself; seconds (weight_step, architecture_step, candidate, round, search:
 * all rounds to come), from a few steps on a supernet that is thrown away; steps and candidates of a round, and rounds to come.
 * With pushed batches a batch is taken to have train.batch images, and what only the host knows is null. With option shards, the parts
 * of a batch that this rank computes, one after the other; with ranks, its share of the candidates, and neither what they
 * exchange nor that they wait for each other. No other rank needs to call this. Blocks for some seconds; the search itself does
 * not change.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_OUT_OF_MEMORY: it would not fit. NSE_ERR_BUSY: a step is running. NSE_ERR_CANCELLED. NSE_ERR_TORCH. Since 0.1.
 */
NSE_API
nse_status nse_search_estimate(const nse_search *search,
                               nse_buffer *out,
                               nse_error **err);

/**
 * Runs one round: train, sample, score, filter, retain, refill. Blocks, and delivers events on this thread. After an
 * error, a cancel included, the next call goes on from the last finished step and ends with the same result as an
 * undisturbed round.
 *
 * With ranks, all of them call this. What fails or is cancelled on one ends the call on all, there with NSE_ERR_COLLECTIVE or
 * NSE_ERR_CANCELLED. Mostly none has lost anything, and the next call of all goes on. But where ranks are gone, or may hold different
 * things, every further call returns NSE_ERR_COLLECTIVE: make a new group if the old one has failed (nse_comm_info), and load
 * the last checkpoint, with as many ranks as there are.
 *
 * Returns NSE_OK: there are more rounds. NSE_DONE: that was the last, or there was none left.
 * NSE_ERR_CANCELLED. NSE_ERR_BUSY: another step of this search is running. NSE_ERR_DIVERGED: the loss is no longer finite.
 * NSE_ERR_UNREACHABLE: what is left of the space misses the cost window. NSE_ERR_TOO_FEW: it has fewer architectures than
 * candidates are wanted (option candidates.too_few). NSE_ERR_IO: the checkpoint or the log for TensorBoard could not be written; the
 * checkpoint before is as it was, and the search goes on with the next call. NSE_ERR_COLLECTIVE. NSE_ERR_TORCH. Since 0.1.
 */
NSE_API
nse_status nse_search_step(const nse_search *search,
                           nse_error **err);

/**
 * Begins a round as nse_search_step does, and returns at once. Events come in nse_op_poll; other functions, nse_search_cancel
 * included, work on the search as during a step.
 *
 * `out`: [out] to free with nse_op_free; freeing it, or never polling it, lets the round go on.
 *
 * NSE_ERR_BUSY: another step of this search is running. Since 0.1.
 */
NSE_API nse_status nse_search_step_async(const nse_search *search, nse_op **out, nse_error **err);

/**
 * Asks the step that is running to stop after its current batch; it returns NSE_ERR_CANCELLED. Without a running step
 * it does nothing. With ranks it stops all, when all are there. Never waits. Concurrent.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_cancel(const nse_search *search, nse_error **err);

/**
 * Frees a search. A running step is cancelled; the call returns at once. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_search_free(nse_search *search);

/* ---- Batches of the host ------------------------------------------------------------------------------------------- */

/**
 * Phase: the search is complete; nothing can be pushed.
 */
#define NSE_PHASE_DONE 0

/**
 * Phase: training images, for an optimizer step of the supernet. Instead of them NSE_PHASE_END ends an epoch, after at least one
 * such step in it.
 */
#define NSE_PHASE_WEIGHT 1

/**
 * Phase: held-out images, for a step in which operators learn. Comes after every fitness.interval weight steps, or those of scorer alpha.
 */
#define NSE_PHASE_ARCHITECTURE 2

/**
 * Phase: training images, as they are without augmentation, for the batch-norm statistics of the candidates; until there were
 * score.calibration of them, or NSE_PHASE_END. Works on all candidates at once.
 */
#define NSE_PHASE_CALIBRATE 3

/**
 * Phase: held-out images, for the accuracy of the candidates; until there were score.images of them, or NSE_PHASE_END. Works on
 * all candidates at once, and completes the round.
 */
#define NSE_PHASE_EVALUATE 4

/**
 * Only in nse_batch: there are no more images of the phase; the end of an epoch, of the calibration, or of the evaluation.
 */
#define NSE_PHASE_END 5

/**
 * One batch of the host's. Start with NSE_BATCH_INIT.
 */
typedef struct nse_batch {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * What it is for: the phase that the last push returned as `next`, or NSE_PHASE_END, and then everything below is empty.
     */
    uint32_t phase;
    /**
     * How many images, 2 or more; 0 with tensors, which say so themselves.
     */
    uint32_t count;
    /**
     * [count, channels, height, width] of the space's input, augmented and normalised as the host likes; NULL with tensors.
     */
    const float *images;
    /**
     * One for each image, below the classes of the space; NULL with tensors.
     */
    const uint32_t *labels;
    /**
     * Instead of the two: DLPack tensors, float32 [count, channels, height, width] and int64, int32, uint32 or uint8 labels, on
     * the CPU or a CUDA device, with any strides. They are the library's from here on, also when the call fails: it calls each
     * deleter once before it returns. On a CUDA device they must be ready for its default stream.
     */
    struct DLManagedTensorVersioned *images_dlpack;
    struct DLManagedTensorVersioned *labels_dlpack;
    /**
     * Learning rate of this weight step; 0: by the options, which must have pushed.steps_per_epoch then.
     */
    double lr;
} nse_batch;

/**
 * What became of a push, and what comes next. Start with NSE_PUSHED_INIT.
 */
typedef struct nse_pushed {
    uint32_t struct_size;
    /**
     * The phase that the next batch must be for.
     */
    uint32_t next;
    /**
     * Rounds completed, of so many.
     */
    uint64_t completed;
    uint64_t rounds;
    /**
     * Epoch under way in this round, from 1, of so many; the last one while candidates are scored.
     */
    uint64_t epoch;
    uint64_t epochs;
    /**
     * Weight steps made in this round.
     */
    uint64_t step;
    /**
     * Of the batch: mean loss of a weight or architecture step; else NaN.
     */
    double loss;
    /**
     * Of the batch, 0 to 1: of a weight step with the paths it drew, of an evaluation the mean over the candidates; else NaN.
     */
    double accuracy;
    /**
     * Learning rate of a weight step; else NaN.
     */
    double lr;
} nse_pushed;

/**
 * Does one piece of work of a search that was made with NSE_SEARCH_PUSHED, with a batch of the host's: an optimizer step of the
 * supernet, a step of the fitness, or one batch of the scoring. Blocks for that long, and delivers events on this thread as
 * nse_search_step does. After an error, a cancel included, nothing has happened: the same can be pushed again.
 *
 * `batch`: [in] read during the call only; NULL: nothing is done, the call only says what comes next.
 * `pushed`: [out] NULL: not wanted.
 *
 * Returns NSE_OK; NSE_DONE: the search is complete.
 * NSE_ERR_INVALID_ARGUMENT: a phase that is not next, images or labels that do not fit the space, no learning rate, or a search
 * that has datasets. NSE_ERR_DEVICE: a tensor on a device that cannot be used. NSE_ERR_BUSY. NSE_ERR_CANCELLED.
 * NSE_ERR_DIVERGED. NSE_ERR_OUT_OF_MEMORY. NSE_ERR_UNREACHABLE, NSE_ERR_TOO_FEW: as nse_search_step, at the end of the last epoch
 * or the first batch after it. NSE_ERR_IO: the checkpoint could not be written; the batch has been used all the same, and what
 * comes next is as `pushed` would have said (ask with NULL). NSE_ERR_TORCH. Since 0.1.
 */
NSE_API
nse_status nse_search_push(const nse_search *search,
                           const nse_batch *batch,
                           nse_pushed *pushed,
                           nse_error **err);

/* ---- Results of the host ------------------------------------------------------------------------------------------- */

/**
 * Flag of nse_result: it could not be evaluated. It counts in its round, teaches nothing, and is never on a front.
 */
#define NSE_RESULT_FAILED 1

/**
 * Flag of nse_result: `cost` was measured, and replaces the computed one in the front and the fitness.
 */
#define NSE_RESULT_COST 2

/**
 * Effect: asked in the round under way. It counts, and the fitness learns from it.
 */
#define NSE_TOLD_COUNTED 0

/**
 * Effect: told before, and the same. Nothing changes.
 */
#define NSE_TOLD_REPEATED 1

/**
 * Effect: asked in a round that is closed. It is kept, and may join the front.
 */
#define NSE_TOLD_LATE 2

/**
 * Effect: never asked, or forgotten: a result of an earlier search, for example. It is kept, may join the front when it is inside the
 * cost window, and is not asked any more.
 */
#define NSE_TOLD_UNASKED 3

/**
 * How an architecture did. Start with NSE_RESULT_INIT.
 */
typedef struct nse_result {
    uint32_t struct_size;
    /**
     * NSE_RESULT_*.
     */
    uint32_t flags;
    /**
     * Of the architecture, see nse_arch_code.
     */
    const char *code;
    /**
     * 0 to 1; of a failure it means nothing.
     */
    double accuracy;
    /**
     * In the unit of the objective, with NSE_RESULT_COST; else it means nothing.
     */
    double cost;
} nse_result;

/**
 * Hands out architectures to evaluate: inside the cost window, none of them asked or told before, drawn with what was learnt from the
 * results so far. As many as wanted, also more than a round has; a round ends with its candidates.count results (failures
 * count), and its operators are then retained and refilled as after nse_search_step. Where cells grow (strategy grow) a round is all of its cells, and the
 * ask or tell that ends it lets the predictor learn, for seconds. The same asks and tells in the same order
 * give the same architectures. Waits for another ask or tell of the same search, briefly but for the one that ends a round, and never gives NSE_ERR_BUSY.
 *
 * `count`: 1 to 1048576. `out`: [out] `count` places: the architectures, to free with nse_arch_free, and NULL behind them. `given`: [out] how many; may be
 * NULL.
 *
 * Returns NSE_OK: at least one, and fewer than wanted when there are no more. NSE_PENDING: none until a result is told, or what
 * was asked is forgotten. NSE_DONE: none, the last round is complete.
 * NSE_ERR_INVALID_ARGUMENT: a search that trains. NSE_ERR_UNREACHABLE. Since 0.1.
 */
NSE_API
nse_status nse_search_ask(const nse_search *search,
                          size_t count,
                          nse_arch **out,
                          size_t *given,
                          nse_error **err);

/**
 * Tells how an architecture did: at any time and in any order, also after the last round. The front is that of all results so far.
 * Waits for another ask or tell of the same search as nse_search_ask does, and never gives NSE_ERR_BUSY.
 *
 * `result`: [in] read during the call only. `effect`: [out] what became of it: NSE_TOLD_COUNTED, NSE_TOLD_REPEATED, NSE_TOLD_LATE or
 * NSE_TOLD_UNASKED; may be NULL.
 *
 * Returns NSE_OK; NSE_DONE: the last round is complete.
 * NSE_ERR_CONFLICT: another result of this architecture is known; nothing changes. NSE_ERR_INVALID_ARGUMENT: not a code of the
 * search's space (where cells grow, of one with fewer blocks), an accuracy outside 0 to 1, a cost that is none, or a search that trains. NSE_ERR_IO: the checkpoint could not
 * be written; the result is kept all the same, and telling it again is NSE_TOLD_REPEATED. Since 0.1.
 */
NSE_API
nse_status nse_search_tell(const nse_search *search,
                           const nse_result *result,
                           uint32_t *effect,
                           nse_error **err);

/**
 * Forgets that an architecture was asked, because whoever evaluated it died: it may be asked again. Nothing changes when it was told,
 * or was never asked.
 *
 * `code`: [in] of the architecture.
 *
 * NSE_ERR_INVALID_ARGUMENT: not a code of the search's space, or a search that trains. Since 0.1.
 */
NSE_API
nse_status nse_search_forget(const nse_search *search,
                             const char *code,
                             nse_error **err);

/**
 * What was asked and not told, as JSON: [{"code", "round"}, ...], with the round, from 1, it was asked in. For a platform that goes on
 * from a checkpoint.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: a search that trains. Since 0.1.
 */
NSE_API
nse_status nse_search_pending(const nse_search *search,
                              nse_buffer *out,
                              nse_error **err);

/* ---- Results ------------------------------------------------------------------------------------------------------- */

/**
 * Progress as JSON: completed rounds, rounds, done, and the latest event (null before the first). Never waits for a
 * step. Concurrent.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_status(const nse_search *search, nse_buffer *out, nse_error **err);

/**
 * The front as one snapshot, as JSON: cost, unit, and members, cheapest first, each with code (nse_arch_from_code), cells (operator
 * names; of an ensemble as in nse_arch_from_json, with paths), cost, macs, params, accuracy, and found (the round, from 1; 0: before this search). Never waits for a step. Concurrent.
 *
 * `cost_json`: [in] NULL: the front of the search. {"cost": "macs"}, "params", "bits", "operations" or "latency": the front of the architectures that
 * were scored in the last completed round (of a search that is told, of all results), inside the window of the search, under
 * that cost instead of the objective; nothing is trained or scored again. `latency`: [in] the table of a latency; else NULL.
 * `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_CONFIG: cost_json. NSE_ERR_INVALID_ARGUMENT: a latency without table. NSE_ERR_MISSING_LATENCY. Since 0.1.
 */
NSE_API
nse_status nse_search_front(const nse_search *search,
                            const char *cost_json,
                            const nse_latency *latency,
                            nse_buffer *out,
                            nse_error **err);

/**
 * The learnt fitness theta of every operator of every cell, as of about now: sigmoid(theta) is about the probability
 * that the operator is of use. Of the scorer alpha its share, of others what they said last. NaN for an operator of which nothing is known
 * yet. Never waits for a step. Concurrent.
 *
 * `out`: [out] cells x operators, row by row, padded with NaN where a cell has fewer; NULL: only the sizes are wanted.
 * `capacity`: values that fit. `cells`, `operators`: [out] the sizes; may be NULL.
 *
 * NSE_ERR_BUFFER_TOO_SMALL. Since 0.1.
 */
NSE_API
nse_status nse_search_scores(const nse_search *search,
                             double *out,
                             size_t capacity,
                             uint32_t *cells,
                             uint32_t *operators,
                             nse_error **err);

/**
 * Which operators have weights at the moment. Never waits for a step. Concurrent.
 *
 * `out`: [out] cells x operators, row by row, 1 for an active operator, else 0; NULL: only the sizes are wanted.
 * `capacity`: values that fit. `cells`, `operators`: [out] the sizes; may be NULL.
 *
 * NSE_ERR_BUFFER_TOO_SMALL. Since 0.1.
 */
NSE_API
nse_status nse_search_active(const nse_search *search,
                             uint8_t *out,
                             size_t capacity,
                             uint32_t *cells,
                             uint32_t *operators,
                             nse_error **err);

/**
 * Number of architectures on the Pareto front of the last completed round; before the first, of what the search began
 * with, if anything. Concurrent.
 *
 * `count`: [out] may be NULL.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_front_count(const nse_search *search, size_t *count, nse_error **err);

/**
 * One member of the Pareto front, cheapest first. Concurrent; while a step runs, the front may be replaced between two
 * calls.
 *
 * `index`: below nse_search_front_count. `arch`: [out] to free with nse_arch_free; NULL: not wanted. `accuracy`: [out]
 * held-out top-1 with the supernet's weights, 0 to 1; may be NULL.
 *
 * NSE_ERR_NOT_FOUND: no such index. Since 0.1.
 */
NSE_API
nse_status nse_search_front_get(const nse_search *search,
                                size_t index,
                                nse_arch **arch,
                                double *accuracy,
                                nse_error **err);

/**
 * The most accurate member of the front that costs at most `max_cost`. Concurrent.
 *
 * `max_cost`: in what the objective counts: multiply-accumulates, parameters, or the unit of the latency table.
 * `arch`: [out] to free with nse_arch_free; NULL: not wanted. `accuracy`: [out] as for nse_search_front_get; may be NULL.
 *
 * NSE_ERR_NOT_FOUND: the front has none so cheap. Since 0.1.
 */
NSE_API nse_status nse_search_best(const nse_search *search, double max_cost, nse_arch **arch, double *accuracy, nse_error **err);

/**
 * The completed rounds, one line of JSON each: fitness, dropped, retained and refilled operators, candidates, front,
 * times. Concurrent.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_search_history(const nse_search *search, nse_buffer *out, nse_error **err);

/**
 * What the search has found so far, for people and programs (docs/report.md). Before the first round is complete it says so. Never waits
 * for a step. Concurrent.
 *
 * `format`: [in] "html": a page of its own, needing no other file and no network: the front with the architectures, the fitness, how
 * the space moved, rounds, times, options, versions. "json": the same as data. "svg": candidates and fronts, cost against accuracy.
 * "png": the same picture, 1920 x 1200; bytes, not text. `out`: [out] the file's content, to free with nse_buffer_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such format. Since 0.1.
 */
NSE_API
nse_status nse_search_report(const nse_search *search,
                             const char *format,
                             nse_buffer *out,
                             nse_error **err);

/* ---- Model --------------------------------------------------------------------------------------------------------- */

/**
 * What a stand-alone training is made of. Start with NSE_MODEL_DESC_INIT. The library retains what it uses.
 */
typedef struct nse_model_desc {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * The architecture to train; may be NULL with `init`.
     */
    const nse_arch *arch;
    /**
     * Training images.
     */
    const nse_dataset *train;
    /**
     * Options as a JSON object; see nse_model_options_schema. NULL: all defaults.
     */
    const char *options_json;
    /**
     * Where progress goes; NULL: nowhere. Used during the training only.
     */
    const nse_events *events;
    /**
     * Images that are evaluated behind every epoch (see nse_model_history) and change nothing else; NULL: none.
     */
    const nse_dataset *held_out;
    /**
     * A model of the same architecture whose weights, variant and normalisation the training begins with; it may have had other
     * classes, then its classifier is not taken. NULL: fresh weights. With one, `arch` may be NULL: its own.
     */
    const nse_model *init;
} nse_model_desc;

/**
 * The options of a stand-alone training, as a JSON schema with keys, defaults, ranges and help.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_model_options_schema(nse_buffer *out, nse_error **err);

/**
 * Trains an architecture, from fresh weights or from those of another model. Blocks, and delivers events on this thread; the callback
 * may cancel. With the option checkpoint.path the training is saved while it runs, and when it is cancelled; with checkpoint.resume
 * it goes on from there, and ends with the same bits.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_model_free.
 *
 * NSE_ERR_CONFIG: options, also those that differ from the checkpoint's. NSE_ERR_INVALID_ARGUMENT: images or `init` do not fit.
 * NSE_ERR_CANCELLED. NSE_ERR_DIVERGED. NSE_ERR_IO: the checkpoint. NSE_ERR_FORMAT: it is damaged, or of another training.
 * NSE_ERR_BUSY: `init`. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch, or
 * squeeze-excitation, and stacked cells. Since 0.1.
 */
NSE_API
nse_status nse_model_train(const nse_model_desc *desc,
                           nse_model **out,
                           nse_error **err);

/**
 * Begins a training as nse_model_train does, and returns at once. Events come in nse_op_poll; when that returns NSE_OK,
 * nse_op_take_model has the model.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_op_free, which cancels the training.
 *
 * NSE_ERR_CONFIG: options. NSE_ERR_BUSY: `init`. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_model_train_async(const nse_model_desc *desc,
                                 nse_op **out,
                                 nse_error **err);

/**
 * Evaluates a model on a dataset. Blocks.
 *
 * `dataset`: [in] images of the size that the model was trained on. `loss`: [out] mean cross-entropy; `accuracy`: [out] top-1, 0 to 1. Both may be NULL.
 *
 * NSE_ERR_INVALID_ARGUMENT: the images do not fit. NSE_ERR_BUSY. NSE_ERR_CANCELLED: by nse_shutdown. NSE_ERR_TORCH. Since 0.1.
 */
NSE_API
nse_status nse_model_evaluate(const nse_model *model,
                              const nse_dataset *dataset,
                              double *loss,
                              double *accuracy,
                              nse_error **err);

/**
 * What became of every epoch of the training, as JSON: a list of objects with epoch (from 1), step, loss and accuracy (means over
 * the batches as they were trained on: changed, mixed, with smoothed labels), held_out and ema (loss and accuracy on the images of
 * `held_out`, with the weights themselves and with their moving average; null where there is none, or it was not its turn), lr and
 * seconds (since the start, pauses between two processes not counted). Empty for a model that was loaded or taken from a search.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_BUSY. Since 0.1.
 */
NSE_API
nse_status nse_model_history(const nse_model *model,
                             nse_buffer *out,
                             nse_error **err);

/**
 * Architecture and space of a model.
 *
 * `out`: [out] to free with nse_arch_free.
 *
 * NSE_ERR_BUSY. Since 0.1.
 */
NSE_API nse_status nse_model_arch(const nse_model *model, nse_arch **out, nse_error **err);

/**
 * What a model is, as JSON: the text nse.json that is in every exported file. It has space, architecture, variant, classes, input
 * (layout, type, channels, height, width) and normalisation: a pixel v, 0 to 255, becomes (v / scale - mean) / std per channel.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_BUSY. Since 0.1.
 */
NSE_API nse_status nse_model_describe(const nse_model *model, nse_buffer *out, nse_error **err);

/**
 * Frees a model. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_model_free(nse_model *model);

/* ---- Models elsewhere ---------------------------------------------------------------------------------------------- */

/**
 * The JSON form of what nse_model_export takes as `format`, as a JSON schema with keys, defaults and help.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_model_export_schema(nse_buffer *out, nse_error **err);

/**
 * Writes a model to a file, whole or not at all. Blocks.
 *
 * `format`: [in] "torchscript": an archive that libtorch and PyTorch load. "onnx": ONNX, operator set 17. Both take normalised images,
 * 32-bit floats [n, channels, height, width], n as one likes, and give logits [n, classes]. "safetensors": weights and batch-norm
 * statistics by name, which nse_model_load reads. Binary weights are as they are computed with, in safetensors as they are learnt. Or a JSON object, {"format": "onnx", "fold": true, "normalise": true}: batch-norm
 * folded into the convolutions, pixels 0 to 255 as input; see nse_model_export_schema. In each is the text of nse_model_describe:
 * the extra file nse.json of an archive, the metadata nse.json of the others. `path`: [in] an existing file is replaced.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG: the JSON object. NSE_ERR_IO. NSE_ERR_BUSY. NSE_ERR_TORCH.
 * NSE_ERR_UNSUPPORTED: binary activations, and another format than safetensors. Since 0.1.
 */
NSE_API
nse_status nse_model_export(const nse_model *model,
                            const char *format,
                            const char *path,
                            nse_error **err);

/**
 * The same to memory: what nse_model_export would write. Blocks.
 *
 * `format`: [in] as there. `out`: [out] the bytes, which are no text; to free with nse_buffer_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG: the JSON object. NSE_ERR_BUSY. NSE_ERR_TORCH.
 * NSE_ERR_UNSUPPORTED: as there. Since 0.1.
 */
NSE_API nse_status nse_model_export_memory(const nse_model *model, const char *format, nse_buffer *out, nse_error **err);

/**
 * Reads a model that nse_model_export wrote as "safetensors". It evaluates to the same bits on the same machine, is exported, and can be
 * trained on (`init` of nse_model_desc). Blocks.
 *
 * `path`: [in] the file. `device`: [in] where it computes: "cpu", "cuda" or "cuda:N"; NULL: "cpu". `out`: [out] to free with nse_model_free.
 *
 * NSE_ERR_IO. NSE_ERR_FORMAT: not such a file, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
 * NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_model_load(const char *path,
                          const char *device,
                          nse_model **out,
                          nse_error **err);

/**
 * The same from memory. Blocks.
 *
 * `data`: [in] `len` bytes, read during the call only. `len`: how many. `device`: [in] as there. `out`: [out] to free with
 * nse_model_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: not what nse_model_export_memory gave as "safetensors", or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
 * NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API nse_status nse_model_load_memory(const uint8_t *data, size_t len, const char *device, nse_model **out, nse_error **err);

/**
 * The network of an architecture with the weights that it has in the supernet of a search: the last trained, and batch-norm statistics
 * as for scoring. It is evaluated, exported and trained on (`init` of nse_model_desc) like any model; a training that begins with it
 * begins better than with fresh weights. Blocks.
 *
 * `search`: [in] one with datasets, of which a round was begun in this process or the checkpoint was made within one. `arch`: [in] of
 * the same space; all its operators must be active, as those of the front are. `out`: [out] to free with nse_model_free.
 *
 * NSE_ERR_INVALID_ARGUMENT: the search is pushed or told, samples channels, or the architecture is of another space. NSE_ERR_NOT_FOUND: there are no
 * weights, or not of every operator, or cells grow: those of one are forgotten when the next one is trained. NSE_ERR_BUSY: a step runs. NSE_ERR_CANCELLED: by nse_search_cancel. NSE_ERR_TORCH.
 * NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_model_from_search(const nse_search *search,
                                 const nse_arch *arch,
                                 nse_model **out,
                                 nse_error **err);

/* ---- Pictures ------------------------------------------------------------------------------------------------------ */

/**
 * An image as numbers in the caller's memory. Start with NSE_PICTURE_INIT.
 */
typedef struct nse_picture {
    uint32_t struct_size;
    /**
     * 1 or 3.
     */
    uint32_t channels;
    /**
     * 1 to 16384; no more than 2^26 pixels in all.
     */
    uint32_t height;
    uint32_t width;
    /**
     * channels x height x width numbers: plane after plane, row by row. Black is 0 and white is 1; noise may go beyond, from -1 to 2.
     */
    const float *data;
} nse_picture;

/**
 * How near two images are. PSNR is 10 log10(1 / mean squared difference), in decibels, infinite for equal images. SSIM (Wang et al. 2004)
 * has an 11 x 11 Gaussian window of sigma 1.5 that stays inside, and is the mean over places and channels; NaN where a side is
 * below 11. As scikit-image computes it with gaussian_weights, use_sample_covariance=False and data_range=1.
 *
 * `a`, `b`: [in] read during the call only. `psnr`, `ssim`: [out] may be NULL.
 *
 * NSE_ERR_INVALID_ARGUMENT: no images, or of different shapes. Since 0.1.
 */
NSE_API
nse_status nse_picture_compare(const nse_picture *a,
                               const nse_picture *b,
                               double *psnr,
                               double *ssim,
                               nse_error **err);

/* ---- Restoration --------------------------------------------------------------------------------------------------- */

/**
 * What a restoration is made of. Start with NSE_RESTORATION_DESC_INIT. The library copies the images.
 */
typedef struct nse_restoration_desc {
    uint32_t struct_size;
    /**
     * 0.
     */
    uint32_t flags;
    /**
     * The damaged image; of a super-resolution the small one.
     */
    const nse_picture *picture;
    /**
     * To inpaint: one channel as high and wide, 1 for a known pixel and 0 for a missing one. Otherwise NULL.
     */
    const nse_picture *mask;
    /**
     * How the restored image should be, if that is known: for fitness "reference", and for the PSNR and SSIM in reports. May be NULL.
     */
    const nse_picture *reference;
    /**
     * Options as a JSON object; see nse_restoration_options_schema. Only "task" must be there. nse_restoration_load: NULL, or those of the
     * checkpoint, of which "device", "threads", "checkpoint", "search.parallel" and "search.generations" may differ.
     */
    const char *options_json;
    /**
     * Where progress goes; NULL: nowhere. Used until the restoration is freed.
     */
    const nse_events *events;
} nse_restoration_desc;

/**
 * The options of a restoration, as a JSON schema with keys, defaults, ranges and help.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_restoration_options_schema(nse_buffer *out, nse_error **err);

/**
 * Makes a restoration and draws the first networks to search among; nothing is fitted yet. Needs no libtorch.
 *
 * `desc`: [in] read during the call only. `out`: [out] to free with nse_restoration_free.
 *
 * NSE_ERR_CONFIG: options; also when of very many random genomes none has a network inside search.max_params and search.max_macs.
 * NSE_ERR_INVALID_ARGUMENT: images of a wrong shape, or with other values; a mask with another task than "inpaint", or none with it.
 * NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
 */
NSE_API
nse_status nse_restoration_create(const nse_restoration_desc *desc,
                                  nse_restoration **out,
                                  nse_error **err);

/**
 * Makes a restoration from a checkpoint; it goes on as if it had never stopped, on a CPU with the same number of threads to the last bit.
 * Blocks while it reads.
 *
 * `path`: [in] the file. `desc`: [in] read during the call only; the images must be those of the saved one. `out`: [out] to free with
 * nse_restoration_free.
 *
 * NSE_ERR_IO. NSE_ERR_FORMAT: no checkpoint of a restoration, damaged, of another version or other images. NSE_ERR_CONFIG: options that
 * differ. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
 */
NSE_API
nse_status nse_restoration_load(const char *path,
                                const nse_restoration_desc *desc,
                                nse_restoration **out,
                                nse_error **err);

/**
 * Saves the search of a restoration: what is known of every network, and the generation under way. A step may be running: what it
 * has fitted so far is in the file. Blocks.
 *
 * `path`: [in] an existing file is replaced, whole or not at all; its folder must exist.
 *
 * NSE_ERR_IO: the file is as it was. Since 0.1.
 */
NSE_API nse_status nse_restoration_save(const nse_restoration *restoration, const char *path, nse_error **err);

/**
 * Runs one generation: fits every network of it that nothing is known of, several at once with option search.parallel, and draws the
 * next. Blocks, and delivers events on this thread. After an error, a cancel included, the next call goes on: what was fitted is
 * kept, the fits under way begin again, and the result is the same. A fit whose loss becomes no number is a result and no error.
 *
 * Returns NSE_OK: there are more generations. NSE_DONE: that was the last, or there was none left.
 * NSE_ERR_CANCELLED. NSE_ERR_BUSY: another step or run of this restoration is at work. NSE_ERR_OUT_OF_MEMORY: lower search.max_macs may
 * help. NSE_ERR_IO: the checkpoint could not be written; nothing is lost. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
 * NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_restoration_step(const nse_restoration *restoration,
                                nse_error **err);

/**
 * Begins a generation as nse_restoration_step does, and returns at once. Events come in nse_op_poll.
 *
 * `out`: [out] to free with nse_op_free; freeing it, or never polling it, lets the generation go on.
 *
 * NSE_ERR_BUSY: another step or run of this restoration is at work. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
 */
NSE_API nse_status nse_restoration_step_async(const nse_restoration *restoration, nse_op **out, nse_error **err);

/**
 * Hands out networks to be fitted elsewhere, in place of steps or between them, as a JSON list of codes. None was asked or told before; a
 * generation ends when all of it are told. A step that runs meanwhile fits what is open, asked or not. Needs no libtorch; never gives
 * NSE_ERR_BUSY.
 *
 * `count`: 1 to 1048576. `out`: [out] to free with nse_buffer_free.
 *
 * Returns NSE_OK: at least one. NSE_PENDING: none until a result is told, or what was asked is forgotten. NSE_DONE: none, the last
 * generation is complete. Since 0.1.
 */
NSE_API
nse_status nse_restoration_ask(const nse_restoration *restoration,
                               size_t count,
                               nse_buffer *out,
                               nse_error **err);

/**
 * Tells how fit a network is: at any time and in any order, also one that was never asked for. With the last one of a generation the next
 * is drawn, for a second or so where hardly any genome is cheap enough. Never gives NSE_ERR_BUSY. The option "checkpoint" does not
 * save what is told; nse_restoration_save does.
 *
 * `code`: [in] the genome. `fitness`: decibels, -1000 to 1000; NaN: it failed. `effect`: [out] NSE_TOLD_COUNTED, NSE_TOLD_REPEATED or
 * NSE_TOLD_UNASKED; may be NULL.
 *
 * Returns NSE_OK; NSE_DONE: the last generation is complete.
 * NSE_ERR_CONFLICT: another result of it is known; nothing changes. NSE_ERR_INVALID_ARGUMENT: no genome of this search, none with a
 * network, or one that costs too much. NSE_ERR_CONFIG: a genome in JSON that is none. Since 0.1.
 */
NSE_API
nse_status nse_restoration_tell(const nse_restoration *restoration,
                                const char *code,
                                double fitness,
                                uint32_t *effect,
                                nse_error **err);

/**
 * Forgets that a network was asked for, because whoever fitted it died: it may be asked for again.
 *
 * `code`: [in] the genome.
 *
 * NSE_ERR_INVALID_ARGUMENT, NSE_ERR_CONFIG: no genome. Since 0.1.
 */
NSE_API nse_status nse_restoration_forget(const nse_restoration *restoration, const char *code, nse_error **err);

/**
 * How a restoration stands, as JSON: image (channels, height and width of the restored one), options, generation (complete ones),
 * generations, done, networks and failed (numbers of those known), open and pending (codes: not known yet, and asked of them), best,
 * front (by search.cost and fitness, the cheapest first) and history (of every generation: networks, failed, best, median, survivors).
 * best and members of the front have code, fitness, params, macs, generation and, where they were fitted here, fits: of every repeat fitness,
 * best_step, steps, diverged, psnr and ssim (to the reference, or null). Works while a step runs.
 *
 * `out`: [out] to free with nse_buffer_free.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_restoration_report(const nse_restoration *restoration,
                                  nse_buffer *out,
                                  nse_error **err);

/**
 * Shape of the restored image: that of the picture, with super-resolution as many times as high and wide.
 *
 * `channels`, `height`, `width`: [out] may be NULL.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_restoration_shape(const nse_restoration *restoration,
                                 uint32_t *channels,
                                 uint32_t *height,
                                 uint32_t *width,
                                 nse_error **err);

/**
 * Restores the image with one network: fits it from fresh weights, and hands out what it makes of the image. Where an image is inpainted, its
 * known pixels are as they were. Blocks, and delivers events on this thread.
 *
 * `code`: [in] a genome, "classic" or "classic-inpaint" (the networks of Deep Image Prior), or NULL: the fittest that is known. `out`:
 * [out] the restored image as in nse_picture, of the shape that nse_restoration_shape gives. `capacity`: how many numbers fit there.
 * `report`: [out] JSON to free with nse_buffer_free: what nse_genome_describe says of the network, and fitness, best_step, steps,
 * diverged, psnr and ssim (to the reference, or null); may be NULL.
 *
 * NSE_ERR_NOT_FOUND: `code` is NULL, and nothing is known. NSE_ERR_INVALID_ARGUMENT: no genome, or none with a network; the message says
 * why. NSE_ERR_CONFIG: a genome in JSON that is none. NSE_ERR_BUFFER_TOO_SMALL: nothing was fitted. NSE_ERR_DIVERGED: the loss was no
 * number before there was any image. NSE_ERR_CANCELLED. NSE_ERR_BUSY. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
 * NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
 */
NSE_API
nse_status nse_restoration_run(const nse_restoration *restoration,
                               const char *code,
                               float *out,
                               size_t capacity,
                               nse_buffer *report,
                               nse_error **err);

/**
 * Asks the step or run that is at work to stop; it returns NSE_ERR_CANCELLED. Without one it does nothing. Never waits. Concurrent.
 *
 * Since 0.1.
 */
NSE_API
nse_status nse_restoration_cancel(const nse_restoration *restoration,
                                  nse_error **err);

/**
 * Frees a restoration. A running step is cancelled; the call returns at once. NULL is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_restoration_free(nse_restoration *restoration);

/* ---- Genomes ------------------------------------------------------------------------------------------------------- */

/**
 * What a genome says, as JSON: code (its text), bits, units (encoder and decoder with residual, kernel and channels; skips, from this encoder
 * to every decoder, with open and channels), and of its network for an image: params, macs (multiply-accumulates of one forward
 * pass), padded (height and width of its noise) and infeasible (null, or why there is no network; then there are no costs). The same document with
 * only units is a genome too, and so is turned into its code.
 *
 * `code`: [in] a genome, as a text such as "1-2cbe2" or as {"units": [...]}; or "classic" or "classic-inpaint", which have no units. `channels`: of the
 * image, 1 or 3. `height`, `width`: of the image. `input_channels`: of the noise, 1 to 256 (option train.input_channels). `out`: [out] to free with nse_buffer_free.
 *
 * NSE_ERR_INVALID_ARGUMENT, NSE_ERR_CONFIG: no genome; the message names what is wrong. Since 0.1.
 */
NSE_API
nse_status nse_genome_describe(const char *code,
                               uint32_t channels,
                               uint32_t height,
                               uint32_t width,
                               uint32_t input_channels,
                               nse_buffer *out,
                               nse_error **err);

/* ---- Operation ----------------------------------------------------------------------------------------------------- */

/**
 * Wait as long as it takes.
 */
#define NSE_FOREVER UINT32_MAX

/**
 * Delivers the events that wait, on this thread, and says how the work stands. Blocks as long as it is told to: returns when it is done or `timeout_ms` have
 * passed, whichever comes first; with 0 at once.
 *
 * `timeout_ms`: milliseconds, or NSE_FOREVER.
 *
 * Returns NSE_PENDING: still at work. Otherwise what the blocking function would have returned, and the same again when asked
 * again. NSE_ERR_BUSY: another call polls this operation, or a callback of it does. Since 0.1.
 */
NSE_API
nse_status nse_op_poll(const nse_op *op,
                       uint32_t timeout_ms,
                       nse_error **err);

/**
 * Asks the work to stop after its current batch. When it is done already, nothing happens, whatever its object does by now. Never
 * waits. Concurrent.
 *
 * Since 0.1.
 */
NSE_API nse_status nse_op_cancel(const nse_op *op, nse_error **err);

/**
 * The model that nse_model_train_async made; the operation has it no more.
 *
 * `out`: [out] to free with nse_model_free.
 *
 * NSE_ERR_NOT_FOUND: nse_op_poll has not returned NSE_OK yet, the model was taken, or the operation makes none. Since 0.1.
 */
NSE_API nse_status nse_op_take_model(const nse_op *op, nse_model **out, nse_error **err);

/**
 * Frees an operation. A step of a search goes on; the training of a model, which nobody could take any more, is cancelled. NULL
 * is allowed.
 *
 * Since 0.1.
 */
NSE_API void nse_op_free(nse_op *op);

#define NSE_BUFFER_INIT {NULL, 0, NULL}
#define NSE_LOG_SINK_INIT {sizeof(nse_log_sink), 0, NULL, NULL, NULL}
#define NSE_EVENTS_INIT {sizeof(nse_events), 0, NULL, NULL, NULL}
#define NSE_IMAGES_INIT {sizeof(nse_images), 0, 0, 0, 0, 0, NULL, NULL}
#define NSE_SOURCE_INIT {sizeof(nse_source), 0, 0, 0, 0, 0, 0, NULL, NULL, NULL}
#define NSE_MEASURE_DESC_INIT {sizeof(nse_measure_desc), 0, NULL, NULL, NULL}
#define NSE_COMM_DESC_INIT {sizeof(nse_comm_desc), 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL}
#define NSE_SEARCH_DESC_INIT {sizeof(nse_search_desc), 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL}
#define NSE_BATCH_INIT {sizeof(nse_batch), 0, 0, 0, NULL, NULL, NULL, NULL, 0.0}
#define NSE_PUSHED_INIT {sizeof(nse_pushed), 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0}
#define NSE_RESULT_INIT {sizeof(nse_result), 0, NULL, 0.0, 0.0}
#define NSE_MODEL_DESC_INIT {sizeof(nse_model_desc), 0, NULL, NULL, NULL, NULL, NULL, NULL}
#define NSE_PICTURE_INIT {sizeof(nse_picture), 0, 0, 0, NULL}
#define NSE_RESTORATION_DESC_INIT {sizeof(nse_restoration_desc), 0, NULL, NULL, NULL, NULL, NULL}

#ifdef __cplusplus
}
#endif

#endif /* NSE_H */
