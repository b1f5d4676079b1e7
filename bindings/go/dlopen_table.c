//go:build nse_dlopen

/* Made by "go generate" from nse.h; do not edit. Every function of nse.h, by way of a table that nsego_load fills. */

#include "dlopen.h"
#include <stdatomic.h>

struct table {
    __typeof__(nse_status_name) *nse_status_name;
    __typeof__(nse_buffer_free) *nse_buffer_free;
    __typeof__(nse_error_code) *nse_error_code;
    __typeof__(nse_error_message) *nse_error_message;
    __typeof__(nse_error_detail) *nse_error_detail;
    __typeof__(nse_error_free) *nse_error_free;
    __typeof__(nse_version_number) *nse_version_number;
    __typeof__(nse_version_string) *nse_version_string;
    __typeof__(nse_abi_check) *nse_abi_check;
    __typeof__(nse_runtime_info) *nse_runtime_info;
    __typeof__(nse_shutdown) *nse_shutdown;
    __typeof__(nse_set_log) *nse_set_log;
    __typeof__(nse_set_log_level) *nse_set_log_level;
    __typeof__(nse_space_preset) *nse_space_preset;
    __typeof__(nse_space_from_json) *nse_space_from_json;
    __typeof__(nse_space_to_json) *nse_space_to_json;
    __typeof__(nse_space_describe) *nse_space_describe;
    __typeof__(nse_space_budget) *nse_space_budget;
    __typeof__(nse_space_presets) *nse_space_presets;
    __typeof__(nse_space_free) *nse_space_free;
    __typeof__(nse_dataset_open) *nse_dataset_open;
    __typeof__(nse_dataset_from_memory) *nse_dataset_from_memory;
    __typeof__(nse_dataset_borrow) *nse_dataset_borrow;
    __typeof__(nse_dataset_split) *nse_dataset_split;
    __typeof__(nse_dataset_info) *nse_dataset_info;
    __typeof__(nse_dataset_free) *nse_dataset_free;
    __typeof__(nse_dataset_from_source) *nse_dataset_from_source;
    __typeof__(nse_dataset_from_dlpack) *nse_dataset_from_dlpack;
    __typeof__(nse_arch_from_json) *nse_arch_from_json;
    __typeof__(nse_arch_uniform) *nse_arch_uniform;
    __typeof__(nse_arch_preset) *nse_arch_preset;
    __typeof__(nse_arch_presets) *nse_arch_presets;
    __typeof__(nse_arch_space) *nse_arch_space;
    __typeof__(nse_arch_describe) *nse_arch_describe;
    __typeof__(nse_arch_draw) *nse_arch_draw;
    __typeof__(nse_arch_to_json) *nse_arch_to_json;
    __typeof__(nse_arch_code) *nse_arch_code;
    __typeof__(nse_arch_from_code) *nse_arch_from_code;
    __typeof__(nse_arch_cost) *nse_arch_cost;
    __typeof__(nse_arch_free) *nse_arch_free;
    __typeof__(nse_latency_create) *nse_latency_create;
    __typeof__(nse_latency_parse) *nse_latency_parse;
    __typeof__(nse_latency_set) *nse_latency_set;
    __typeof__(nse_latency_to_text) *nse_latency_to_text;
    __typeof__(nse_latency_missing) *nse_latency_missing;
    __typeof__(nse_latency_arch) *nse_latency_arch;
    __typeof__(nse_measure_options_schema) *nse_measure_options_schema;
    __typeof__(nse_latency_measure) *nse_latency_measure;
    __typeof__(nse_latency_measure_arch) *nse_latency_measure_arch;
    __typeof__(nse_latency_free) *nse_latency_free;
    __typeof__(nse_comm_create) *nse_comm_create;
    __typeof__(nse_comm_launched) *nse_comm_launched;
    __typeof__(nse_comm_test) *nse_comm_test;
    __typeof__(nse_comm_info) *nse_comm_info;
    __typeof__(nse_comm_free) *nse_comm_free;
    __typeof__(nse_search_options_schema) *nse_search_options_schema;
    __typeof__(nse_search_options_presets) *nse_search_options_presets;
    __typeof__(nse_search_create) *nse_search_create;
    __typeof__(nse_search_load) *nse_search_load;
    __typeof__(nse_search_save) *nse_search_save;
    __typeof__(nse_search_space) *nse_search_space;
    __typeof__(nse_search_options) *nse_search_options;
    __typeof__(nse_search_estimate) *nse_search_estimate;
    __typeof__(nse_search_step) *nse_search_step;
    __typeof__(nse_search_step_async) *nse_search_step_async;
    __typeof__(nse_search_cancel) *nse_search_cancel;
    __typeof__(nse_search_free) *nse_search_free;
    __typeof__(nse_search_push) *nse_search_push;
    __typeof__(nse_search_ask) *nse_search_ask;
    __typeof__(nse_search_tell) *nse_search_tell;
    __typeof__(nse_search_forget) *nse_search_forget;
    __typeof__(nse_search_pending) *nse_search_pending;
    __typeof__(nse_search_status) *nse_search_status;
    __typeof__(nse_search_front) *nse_search_front;
    __typeof__(nse_search_scores) *nse_search_scores;
    __typeof__(nse_search_active) *nse_search_active;
    __typeof__(nse_search_front_count) *nse_search_front_count;
    __typeof__(nse_search_front_get) *nse_search_front_get;
    __typeof__(nse_search_best) *nse_search_best;
    __typeof__(nse_search_history) *nse_search_history;
    __typeof__(nse_search_report) *nse_search_report;
    __typeof__(nse_model_options_schema) *nse_model_options_schema;
    __typeof__(nse_model_train) *nse_model_train;
    __typeof__(nse_model_train_async) *nse_model_train_async;
    __typeof__(nse_model_evaluate) *nse_model_evaluate;
    __typeof__(nse_model_history) *nse_model_history;
    __typeof__(nse_model_arch) *nse_model_arch;
    __typeof__(nse_model_describe) *nse_model_describe;
    __typeof__(nse_model_free) *nse_model_free;
    __typeof__(nse_model_export_schema) *nse_model_export_schema;
    __typeof__(nse_model_export) *nse_model_export;
    __typeof__(nse_model_export_memory) *nse_model_export_memory;
    __typeof__(nse_model_load) *nse_model_load;
    __typeof__(nse_model_load_memory) *nse_model_load_memory;
    __typeof__(nse_model_from_search) *nse_model_from_search;
    __typeof__(nse_picture_compare) *nse_picture_compare;
    __typeof__(nse_restoration_options_schema) *nse_restoration_options_schema;
    __typeof__(nse_restoration_create) *nse_restoration_create;
    __typeof__(nse_restoration_load) *nse_restoration_load;
    __typeof__(nse_restoration_save) *nse_restoration_save;
    __typeof__(nse_restoration_step) *nse_restoration_step;
    __typeof__(nse_restoration_step_async) *nse_restoration_step_async;
    __typeof__(nse_restoration_ask) *nse_restoration_ask;
    __typeof__(nse_restoration_tell) *nse_restoration_tell;
    __typeof__(nse_restoration_forget) *nse_restoration_forget;
    __typeof__(nse_restoration_report) *nse_restoration_report;
    __typeof__(nse_restoration_shape) *nse_restoration_shape;
    __typeof__(nse_restoration_run) *nse_restoration_run;
    __typeof__(nse_restoration_cancel) *nse_restoration_cancel;
    __typeof__(nse_restoration_free) *nse_restoration_free;
    __typeof__(nse_genome_describe) *nse_genome_describe;
    __typeof__(nse_op_poll) *nse_op_poll;
    __typeof__(nse_op_cancel) *nse_op_cancel;
    __typeof__(nse_op_take_model) *nse_op_take_model;
    __typeof__(nse_op_free) *nse_op_free;
};

static struct table functions;
static _Atomic(struct table *) loaded;

/* Without a library there is no handle that could be good. */
static nse_status unloaded(nse_error **err) {
    if (err) *err = NULL;
    return NSE_ERR_INVALID_HANDLE;
}

const char *nsego_fill(void *(*find)(void *from, const char *name), void *from) {
    if (!(functions.nse_status_name = (__typeof__(nse_status_name) *)find(from, "nse_status_name"))) return "nse_status_name";
    if (!(functions.nse_buffer_free = (__typeof__(nse_buffer_free) *)find(from, "nse_buffer_free"))) return "nse_buffer_free";
    if (!(functions.nse_error_code = (__typeof__(nse_error_code) *)find(from, "nse_error_code"))) return "nse_error_code";
    if (!(functions.nse_error_message = (__typeof__(nse_error_message) *)find(from, "nse_error_message"))) return "nse_error_message";
    if (!(functions.nse_error_detail = (__typeof__(nse_error_detail) *)find(from, "nse_error_detail"))) return "nse_error_detail";
    if (!(functions.nse_error_free = (__typeof__(nse_error_free) *)find(from, "nse_error_free"))) return "nse_error_free";
    if (!(functions.nse_version_number = (__typeof__(nse_version_number) *)find(from, "nse_version_number"))) return "nse_version_number";
    if (!(functions.nse_version_string = (__typeof__(nse_version_string) *)find(from, "nse_version_string"))) return "nse_version_string";
    if (!(functions.nse_abi_check = (__typeof__(nse_abi_check) *)find(from, "nse_abi_check"))) return "nse_abi_check";
    if (!(functions.nse_runtime_info = (__typeof__(nse_runtime_info) *)find(from, "nse_runtime_info"))) return "nse_runtime_info";
    if (!(functions.nse_shutdown = (__typeof__(nse_shutdown) *)find(from, "nse_shutdown"))) return "nse_shutdown";
    if (!(functions.nse_set_log = (__typeof__(nse_set_log) *)find(from, "nse_set_log"))) return "nse_set_log";
    if (!(functions.nse_set_log_level = (__typeof__(nse_set_log_level) *)find(from, "nse_set_log_level"))) return "nse_set_log_level";
    if (!(functions.nse_space_preset = (__typeof__(nse_space_preset) *)find(from, "nse_space_preset"))) return "nse_space_preset";
    if (!(functions.nse_space_from_json = (__typeof__(nse_space_from_json) *)find(from, "nse_space_from_json"))) return "nse_space_from_json";
    if (!(functions.nse_space_to_json = (__typeof__(nse_space_to_json) *)find(from, "nse_space_to_json"))) return "nse_space_to_json";
    if (!(functions.nse_space_describe = (__typeof__(nse_space_describe) *)find(from, "nse_space_describe"))) return "nse_space_describe";
    if (!(functions.nse_space_budget = (__typeof__(nse_space_budget) *)find(from, "nse_space_budget"))) return "nse_space_budget";
    if (!(functions.nse_space_presets = (__typeof__(nse_space_presets) *)find(from, "nse_space_presets"))) return "nse_space_presets";
    if (!(functions.nse_space_free = (__typeof__(nse_space_free) *)find(from, "nse_space_free"))) return "nse_space_free";
    if (!(functions.nse_dataset_open = (__typeof__(nse_dataset_open) *)find(from, "nse_dataset_open"))) return "nse_dataset_open";
    if (!(functions.nse_dataset_from_memory = (__typeof__(nse_dataset_from_memory) *)find(from, "nse_dataset_from_memory"))) return "nse_dataset_from_memory";
    if (!(functions.nse_dataset_borrow = (__typeof__(nse_dataset_borrow) *)find(from, "nse_dataset_borrow"))) return "nse_dataset_borrow";
    if (!(functions.nse_dataset_split = (__typeof__(nse_dataset_split) *)find(from, "nse_dataset_split"))) return "nse_dataset_split";
    if (!(functions.nse_dataset_info = (__typeof__(nse_dataset_info) *)find(from, "nse_dataset_info"))) return "nse_dataset_info";
    if (!(functions.nse_dataset_free = (__typeof__(nse_dataset_free) *)find(from, "nse_dataset_free"))) return "nse_dataset_free";
    if (!(functions.nse_dataset_from_source = (__typeof__(nse_dataset_from_source) *)find(from, "nse_dataset_from_source"))) return "nse_dataset_from_source";
    if (!(functions.nse_dataset_from_dlpack = (__typeof__(nse_dataset_from_dlpack) *)find(from, "nse_dataset_from_dlpack"))) return "nse_dataset_from_dlpack";
    if (!(functions.nse_arch_from_json = (__typeof__(nse_arch_from_json) *)find(from, "nse_arch_from_json"))) return "nse_arch_from_json";
    if (!(functions.nse_arch_uniform = (__typeof__(nse_arch_uniform) *)find(from, "nse_arch_uniform"))) return "nse_arch_uniform";
    if (!(functions.nse_arch_preset = (__typeof__(nse_arch_preset) *)find(from, "nse_arch_preset"))) return "nse_arch_preset";
    if (!(functions.nse_arch_presets = (__typeof__(nse_arch_presets) *)find(from, "nse_arch_presets"))) return "nse_arch_presets";
    if (!(functions.nse_arch_space = (__typeof__(nse_arch_space) *)find(from, "nse_arch_space"))) return "nse_arch_space";
    if (!(functions.nse_arch_describe = (__typeof__(nse_arch_describe) *)find(from, "nse_arch_describe"))) return "nse_arch_describe";
    if (!(functions.nse_arch_draw = (__typeof__(nse_arch_draw) *)find(from, "nse_arch_draw"))) return "nse_arch_draw";
    if (!(functions.nse_arch_to_json = (__typeof__(nse_arch_to_json) *)find(from, "nse_arch_to_json"))) return "nse_arch_to_json";
    if (!(functions.nse_arch_code = (__typeof__(nse_arch_code) *)find(from, "nse_arch_code"))) return "nse_arch_code";
    if (!(functions.nse_arch_from_code = (__typeof__(nse_arch_from_code) *)find(from, "nse_arch_from_code"))) return "nse_arch_from_code";
    if (!(functions.nse_arch_cost = (__typeof__(nse_arch_cost) *)find(from, "nse_arch_cost"))) return "nse_arch_cost";
    if (!(functions.nse_arch_free = (__typeof__(nse_arch_free) *)find(from, "nse_arch_free"))) return "nse_arch_free";
    if (!(functions.nse_latency_create = (__typeof__(nse_latency_create) *)find(from, "nse_latency_create"))) return "nse_latency_create";
    if (!(functions.nse_latency_parse = (__typeof__(nse_latency_parse) *)find(from, "nse_latency_parse"))) return "nse_latency_parse";
    if (!(functions.nse_latency_set = (__typeof__(nse_latency_set) *)find(from, "nse_latency_set"))) return "nse_latency_set";
    if (!(functions.nse_latency_to_text = (__typeof__(nse_latency_to_text) *)find(from, "nse_latency_to_text"))) return "nse_latency_to_text";
    if (!(functions.nse_latency_missing = (__typeof__(nse_latency_missing) *)find(from, "nse_latency_missing"))) return "nse_latency_missing";
    if (!(functions.nse_latency_arch = (__typeof__(nse_latency_arch) *)find(from, "nse_latency_arch"))) return "nse_latency_arch";
    if (!(functions.nse_measure_options_schema = (__typeof__(nse_measure_options_schema) *)find(from, "nse_measure_options_schema"))) return "nse_measure_options_schema";
    if (!(functions.nse_latency_measure = (__typeof__(nse_latency_measure) *)find(from, "nse_latency_measure"))) return "nse_latency_measure";
    if (!(functions.nse_latency_measure_arch = (__typeof__(nse_latency_measure_arch) *)find(from, "nse_latency_measure_arch"))) return "nse_latency_measure_arch";
    if (!(functions.nse_latency_free = (__typeof__(nse_latency_free) *)find(from, "nse_latency_free"))) return "nse_latency_free";
    if (!(functions.nse_comm_create = (__typeof__(nse_comm_create) *)find(from, "nse_comm_create"))) return "nse_comm_create";
    if (!(functions.nse_comm_launched = (__typeof__(nse_comm_launched) *)find(from, "nse_comm_launched"))) return "nse_comm_launched";
    if (!(functions.nse_comm_test = (__typeof__(nse_comm_test) *)find(from, "nse_comm_test"))) return "nse_comm_test";
    if (!(functions.nse_comm_info = (__typeof__(nse_comm_info) *)find(from, "nse_comm_info"))) return "nse_comm_info";
    if (!(functions.nse_comm_free = (__typeof__(nse_comm_free) *)find(from, "nse_comm_free"))) return "nse_comm_free";
    if (!(functions.nse_search_options_schema = (__typeof__(nse_search_options_schema) *)find(from, "nse_search_options_schema"))) return "nse_search_options_schema";
    if (!(functions.nse_search_options_presets = (__typeof__(nse_search_options_presets) *)find(from, "nse_search_options_presets"))) return "nse_search_options_presets";
    if (!(functions.nse_search_create = (__typeof__(nse_search_create) *)find(from, "nse_search_create"))) return "nse_search_create";
    if (!(functions.nse_search_load = (__typeof__(nse_search_load) *)find(from, "nse_search_load"))) return "nse_search_load";
    if (!(functions.nse_search_save = (__typeof__(nse_search_save) *)find(from, "nse_search_save"))) return "nse_search_save";
    if (!(functions.nse_search_space = (__typeof__(nse_search_space) *)find(from, "nse_search_space"))) return "nse_search_space";
    if (!(functions.nse_search_options = (__typeof__(nse_search_options) *)find(from, "nse_search_options"))) return "nse_search_options";
    if (!(functions.nse_search_estimate = (__typeof__(nse_search_estimate) *)find(from, "nse_search_estimate"))) return "nse_search_estimate";
    if (!(functions.nse_search_step = (__typeof__(nse_search_step) *)find(from, "nse_search_step"))) return "nse_search_step";
    if (!(functions.nse_search_step_async = (__typeof__(nse_search_step_async) *)find(from, "nse_search_step_async"))) return "nse_search_step_async";
    if (!(functions.nse_search_cancel = (__typeof__(nse_search_cancel) *)find(from, "nse_search_cancel"))) return "nse_search_cancel";
    if (!(functions.nse_search_free = (__typeof__(nse_search_free) *)find(from, "nse_search_free"))) return "nse_search_free";
    if (!(functions.nse_search_push = (__typeof__(nse_search_push) *)find(from, "nse_search_push"))) return "nse_search_push";
    if (!(functions.nse_search_ask = (__typeof__(nse_search_ask) *)find(from, "nse_search_ask"))) return "nse_search_ask";
    if (!(functions.nse_search_tell = (__typeof__(nse_search_tell) *)find(from, "nse_search_tell"))) return "nse_search_tell";
    if (!(functions.nse_search_forget = (__typeof__(nse_search_forget) *)find(from, "nse_search_forget"))) return "nse_search_forget";
    if (!(functions.nse_search_pending = (__typeof__(nse_search_pending) *)find(from, "nse_search_pending"))) return "nse_search_pending";
    if (!(functions.nse_search_status = (__typeof__(nse_search_status) *)find(from, "nse_search_status"))) return "nse_search_status";
    if (!(functions.nse_search_front = (__typeof__(nse_search_front) *)find(from, "nse_search_front"))) return "nse_search_front";
    if (!(functions.nse_search_scores = (__typeof__(nse_search_scores) *)find(from, "nse_search_scores"))) return "nse_search_scores";
    if (!(functions.nse_search_active = (__typeof__(nse_search_active) *)find(from, "nse_search_active"))) return "nse_search_active";
    if (!(functions.nse_search_front_count = (__typeof__(nse_search_front_count) *)find(from, "nse_search_front_count"))) return "nse_search_front_count";
    if (!(functions.nse_search_front_get = (__typeof__(nse_search_front_get) *)find(from, "nse_search_front_get"))) return "nse_search_front_get";
    if (!(functions.nse_search_best = (__typeof__(nse_search_best) *)find(from, "nse_search_best"))) return "nse_search_best";
    if (!(functions.nse_search_history = (__typeof__(nse_search_history) *)find(from, "nse_search_history"))) return "nse_search_history";
    if (!(functions.nse_search_report = (__typeof__(nse_search_report) *)find(from, "nse_search_report"))) return "nse_search_report";
    if (!(functions.nse_model_options_schema = (__typeof__(nse_model_options_schema) *)find(from, "nse_model_options_schema"))) return "nse_model_options_schema";
    if (!(functions.nse_model_train = (__typeof__(nse_model_train) *)find(from, "nse_model_train"))) return "nse_model_train";
    if (!(functions.nse_model_train_async = (__typeof__(nse_model_train_async) *)find(from, "nse_model_train_async"))) return "nse_model_train_async";
    if (!(functions.nse_model_evaluate = (__typeof__(nse_model_evaluate) *)find(from, "nse_model_evaluate"))) return "nse_model_evaluate";
    if (!(functions.nse_model_history = (__typeof__(nse_model_history) *)find(from, "nse_model_history"))) return "nse_model_history";
    if (!(functions.nse_model_arch = (__typeof__(nse_model_arch) *)find(from, "nse_model_arch"))) return "nse_model_arch";
    if (!(functions.nse_model_describe = (__typeof__(nse_model_describe) *)find(from, "nse_model_describe"))) return "nse_model_describe";
    if (!(functions.nse_model_free = (__typeof__(nse_model_free) *)find(from, "nse_model_free"))) return "nse_model_free";
    if (!(functions.nse_model_export_schema = (__typeof__(nse_model_export_schema) *)find(from, "nse_model_export_schema"))) return "nse_model_export_schema";
    if (!(functions.nse_model_export = (__typeof__(nse_model_export) *)find(from, "nse_model_export"))) return "nse_model_export";
    if (!(functions.nse_model_export_memory = (__typeof__(nse_model_export_memory) *)find(from, "nse_model_export_memory"))) return "nse_model_export_memory";
    if (!(functions.nse_model_load = (__typeof__(nse_model_load) *)find(from, "nse_model_load"))) return "nse_model_load";
    if (!(functions.nse_model_load_memory = (__typeof__(nse_model_load_memory) *)find(from, "nse_model_load_memory"))) return "nse_model_load_memory";
    if (!(functions.nse_model_from_search = (__typeof__(nse_model_from_search) *)find(from, "nse_model_from_search"))) return "nse_model_from_search";
    if (!(functions.nse_picture_compare = (__typeof__(nse_picture_compare) *)find(from, "nse_picture_compare"))) return "nse_picture_compare";
    if (!(functions.nse_restoration_options_schema = (__typeof__(nse_restoration_options_schema) *)find(from, "nse_restoration_options_schema"))) return "nse_restoration_options_schema";
    if (!(functions.nse_restoration_create = (__typeof__(nse_restoration_create) *)find(from, "nse_restoration_create"))) return "nse_restoration_create";
    if (!(functions.nse_restoration_load = (__typeof__(nse_restoration_load) *)find(from, "nse_restoration_load"))) return "nse_restoration_load";
    if (!(functions.nse_restoration_save = (__typeof__(nse_restoration_save) *)find(from, "nse_restoration_save"))) return "nse_restoration_save";
    if (!(functions.nse_restoration_step = (__typeof__(nse_restoration_step) *)find(from, "nse_restoration_step"))) return "nse_restoration_step";
    if (!(functions.nse_restoration_step_async = (__typeof__(nse_restoration_step_async) *)find(from, "nse_restoration_step_async"))) return "nse_restoration_step_async";
    if (!(functions.nse_restoration_ask = (__typeof__(nse_restoration_ask) *)find(from, "nse_restoration_ask"))) return "nse_restoration_ask";
    if (!(functions.nse_restoration_tell = (__typeof__(nse_restoration_tell) *)find(from, "nse_restoration_tell"))) return "nse_restoration_tell";
    if (!(functions.nse_restoration_forget = (__typeof__(nse_restoration_forget) *)find(from, "nse_restoration_forget"))) return "nse_restoration_forget";
    if (!(functions.nse_restoration_report = (__typeof__(nse_restoration_report) *)find(from, "nse_restoration_report"))) return "nse_restoration_report";
    if (!(functions.nse_restoration_shape = (__typeof__(nse_restoration_shape) *)find(from, "nse_restoration_shape"))) return "nse_restoration_shape";
    if (!(functions.nse_restoration_run = (__typeof__(nse_restoration_run) *)find(from, "nse_restoration_run"))) return "nse_restoration_run";
    if (!(functions.nse_restoration_cancel = (__typeof__(nse_restoration_cancel) *)find(from, "nse_restoration_cancel"))) return "nse_restoration_cancel";
    if (!(functions.nse_restoration_free = (__typeof__(nse_restoration_free) *)find(from, "nse_restoration_free"))) return "nse_restoration_free";
    if (!(functions.nse_genome_describe = (__typeof__(nse_genome_describe) *)find(from, "nse_genome_describe"))) return "nse_genome_describe";
    if (!(functions.nse_op_poll = (__typeof__(nse_op_poll) *)find(from, "nse_op_poll"))) return "nse_op_poll";
    if (!(functions.nse_op_cancel = (__typeof__(nse_op_cancel) *)find(from, "nse_op_cancel"))) return "nse_op_cancel";
    if (!(functions.nse_op_take_model = (__typeof__(nse_op_take_model) *)find(from, "nse_op_take_model"))) return "nse_op_take_model";
    if (!(functions.nse_op_free = (__typeof__(nse_op_free) *)find(from, "nse_op_free"))) return "nse_op_free";
    return NULL;
}

void nsego_publish(void) {
    atomic_store(&loaded, &functions);
}

const char *nse_status_name(nse_status status) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_status_name(status) : "";
}

void nse_buffer_free(nse_buffer *buffer) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_buffer_free(buffer);
}

nse_status nse_error_code(const nse_error *error) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_error_code(error) : unloaded(NULL);
}

const char *nse_error_message(const nse_error *error) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_error_message(error) : "";
}

nse_status nse_error_detail(const nse_error *error, nse_buffer *out) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_error_detail(error, out) : unloaded(NULL);
}

void nse_error_free(nse_error *error) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_error_free(error);
}

uint32_t nse_version_number(void) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_version_number() : 0;
}

const char *nse_version_string(void) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_version_string() : "";
}

nse_status nse_abi_check(uint32_t header_abi) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_abi_check(header_abi) : unloaded(NULL);
}

nse_status nse_runtime_info(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_runtime_info(out, err) : unloaded(err);
}

nse_status nse_shutdown(uint32_t timeout_ms, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_shutdown(timeout_ms, err) : unloaded(err);
}

nse_status nse_set_log(const nse_log_sink *sink, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_set_log(sink, err) : unloaded(err);
}

nse_status nse_set_log_level(int32_t level) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_set_log_level(level) : unloaded(NULL);
}

nse_status nse_space_preset(const char *name, const char *overrides_json, nse_space **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_preset(name, overrides_json, out, err) : unloaded(err);
}

nse_status nse_space_from_json(const char *json, nse_space **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_from_json(json, out, err) : unloaded(err);
}

nse_status nse_space_to_json(const nse_space *space, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_to_json(space, out, err) : unloaded(err);
}

nse_status nse_space_describe(const nse_space *space, const nse_latency *latency, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_describe(space, latency, out, err) : unloaded(err);
}

nse_status nse_space_budget(const nse_space *space, const char *budget_json, const nse_latency *latency, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_budget(space, budget_json, latency, out, err) : unloaded(err);
}

nse_status nse_space_presets(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_space_presets(out, err) : unloaded(err);
}

void nse_space_free(nse_space *space) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_space_free(space);
}

nse_status nse_dataset_open(const char *json, nse_dataset **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_open(json, out, err) : unloaded(err);
}

nse_status nse_dataset_from_memory(const nse_images *images, nse_dataset **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_from_memory(images, out, err) : unloaded(err);
}

nse_status nse_dataset_borrow(const nse_images *images, void *user, nse_free_fn user_free, nse_dataset **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_borrow(images, user, user_free, out, err) : unloaded(err);
}

nse_status nse_dataset_split(const nse_dataset *dataset, double fraction, uint64_t seed, nse_dataset **first, nse_dataset **second, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_split(dataset, fraction, seed, first, second, err) : unloaded(err);
}

nse_status nse_dataset_info(const nse_dataset *dataset, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_info(dataset, out, err) : unloaded(err);
}

void nse_dataset_free(nse_dataset *dataset) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_dataset_free(dataset);
}

nse_status nse_dataset_from_source(const nse_source *source, nse_dataset **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_from_source(source, out, err) : unloaded(err);
}

nse_status nse_dataset_from_dlpack(struct DLManagedTensorVersioned *images, struct DLManagedTensorVersioned *labels, uint32_t classes, uint32_t flags, nse_dataset **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_dataset_from_dlpack(images, labels, classes, flags, out, err) : unloaded(err);
}

nse_status nse_arch_from_json(const nse_space *space, const char *json, nse_arch **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_from_json(space, json, out, err) : unloaded(err);
}

nse_status nse_arch_uniform(const nse_space *space, const char *operator_name, nse_arch **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_uniform(space, operator_name, out, err) : unloaded(err);
}

nse_status nse_arch_preset(const char *name, const char *overrides_json, nse_arch **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_preset(name, overrides_json, out, err) : unloaded(err);
}

nse_status nse_arch_presets(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_presets(out, err) : unloaded(err);
}

nse_status nse_arch_space(const nse_arch *arch, nse_space **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_space(arch, out, err) : unloaded(err);
}

nse_status nse_arch_describe(const nse_arch *arch, const char *variant_json, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_describe(arch, variant_json, out, err) : unloaded(err);
}

nse_status nse_arch_draw(const nse_arch *arch, const char *format, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_draw(arch, format, out, err) : unloaded(err);
}

nse_status nse_arch_to_json(const nse_arch *arch, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_to_json(arch, out, err) : unloaded(err);
}

nse_status nse_arch_code(const nse_arch *arch, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_code(arch, out, err) : unloaded(err);
}

nse_status nse_arch_from_code(const nse_space *space, const char *code, nse_arch **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_from_code(space, code, out, err) : unloaded(err);
}

nse_status nse_arch_cost(const nse_arch *arch, uint64_t *macs, uint64_t *params, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_arch_cost(arch, macs, params, err) : unloaded(err);
}

void nse_arch_free(nse_arch *arch) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_arch_free(arch);
}

nse_status nse_latency_create(const char *unit, nse_latency **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_create(unit, out, err) : unloaded(err);
}

nse_status nse_latency_parse(const char *text, nse_latency **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_parse(text, out, err) : unloaded(err);
}

nse_status nse_latency_set(const nse_latency *latency, const char *key, double time, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_set(latency, key, time, err) : unloaded(err);
}

nse_status nse_latency_to_text(const nse_latency *latency, const char *format, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_to_text(latency, format, out, err) : unloaded(err);
}

nse_status nse_latency_missing(const nse_latency *latency, const nse_space *space, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_missing(latency, space, out, err) : unloaded(err);
}

nse_status nse_latency_arch(const nse_latency *latency, const nse_arch *arch, double *time, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_arch(latency, arch, time, err) : unloaded(err);
}

nse_status nse_measure_options_schema(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_measure_options_schema(out, err) : unloaded(err);
}

nse_status nse_latency_measure(const nse_measure_desc *desc, nse_latency **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_measure(desc, out, err) : unloaded(err);
}

nse_status nse_latency_measure_arch(const nse_arch *arch, const char *options_json, double *time, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_latency_measure_arch(arch, options_json, time, err) : unloaded(err);
}

void nse_latency_free(nse_latency *latency) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_latency_free(latency);
}

nse_status nse_comm_create(const nse_comm_desc *desc, nse_comm **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_comm_create(desc, out, err) : unloaded(err);
}

nse_status nse_comm_launched(uint32_t timeout_ms, nse_comm **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_comm_launched(timeout_ms, out, err) : unloaded(err);
}

nse_status nse_comm_test(const nse_comm *comm, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_comm_test(comm, err) : unloaded(err);
}

nse_status nse_comm_info(const nse_comm *comm, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_comm_info(comm, out, err) : unloaded(err);
}

void nse_comm_free(nse_comm *comm) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_comm_free(comm);
}

nse_status nse_search_options_schema(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_options_schema(out, err) : unloaded(err);
}

nse_status nse_search_options_presets(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_options_presets(out, err) : unloaded(err);
}

nse_status nse_search_create(const nse_search_desc *desc, nse_search **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_create(desc, out, err) : unloaded(err);
}

nse_status nse_search_load(const char *path, const nse_search_desc *desc, nse_search **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_load(path, desc, out, err) : unloaded(err);
}

nse_status nse_search_save(const nse_search *search, const char *path, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_save(search, path, err) : unloaded(err);
}

nse_status nse_search_space(const nse_search *search, nse_space **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_space(search, out, err) : unloaded(err);
}

nse_status nse_search_options(const nse_search *search, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_options(search, out, err) : unloaded(err);
}

nse_status nse_search_estimate(const nse_search *search, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_estimate(search, out, err) : unloaded(err);
}

nse_status nse_search_step(const nse_search *search, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_step(search, err) : unloaded(err);
}

nse_status nse_search_step_async(const nse_search *search, nse_op **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_step_async(search, out, err) : unloaded(err);
}

nse_status nse_search_cancel(const nse_search *search, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_cancel(search, err) : unloaded(err);
}

void nse_search_free(nse_search *search) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_search_free(search);
}

nse_status nse_search_push(const nse_search *search, const nse_batch *batch, nse_pushed *pushed, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_push(search, batch, pushed, err) : unloaded(err);
}

nse_status nse_search_ask(const nse_search *search, size_t count, nse_arch **out, size_t *given, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_ask(search, count, out, given, err) : unloaded(err);
}

nse_status nse_search_tell(const nse_search *search, const nse_result *result, uint32_t *effect, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_tell(search, result, effect, err) : unloaded(err);
}

nse_status nse_search_forget(const nse_search *search, const char *code, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_forget(search, code, err) : unloaded(err);
}

nse_status nse_search_pending(const nse_search *search, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_pending(search, out, err) : unloaded(err);
}

nse_status nse_search_status(const nse_search *search, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_status(search, out, err) : unloaded(err);
}

nse_status nse_search_front(const nse_search *search, const char *cost_json, const nse_latency *latency, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_front(search, cost_json, latency, out, err) : unloaded(err);
}

nse_status nse_search_scores(const nse_search *search, double *out, size_t capacity, uint32_t *cells, uint32_t *operators, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_scores(search, out, capacity, cells, operators, err) : unloaded(err);
}

nse_status nse_search_active(const nse_search *search, uint8_t *out, size_t capacity, uint32_t *cells, uint32_t *operators, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_active(search, out, capacity, cells, operators, err) : unloaded(err);
}

nse_status nse_search_front_count(const nse_search *search, size_t *count, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_front_count(search, count, err) : unloaded(err);
}

nse_status nse_search_front_get(const nse_search *search, size_t index, nse_arch **arch, double *accuracy, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_front_get(search, index, arch, accuracy, err) : unloaded(err);
}

nse_status nse_search_best(const nse_search *search, double max_cost, nse_arch **arch, double *accuracy, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_best(search, max_cost, arch, accuracy, err) : unloaded(err);
}

nse_status nse_search_history(const nse_search *search, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_history(search, out, err) : unloaded(err);
}

nse_status nse_search_report(const nse_search *search, const char *format, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_search_report(search, format, out, err) : unloaded(err);
}

nse_status nse_model_options_schema(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_options_schema(out, err) : unloaded(err);
}

nse_status nse_model_train(const nse_model_desc *desc, nse_model **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_train(desc, out, err) : unloaded(err);
}

nse_status nse_model_train_async(const nse_model_desc *desc, nse_op **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_train_async(desc, out, err) : unloaded(err);
}

nse_status nse_model_evaluate(const nse_model *model, const nse_dataset *dataset, double *loss, double *accuracy, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_evaluate(model, dataset, loss, accuracy, err) : unloaded(err);
}

nse_status nse_model_history(const nse_model *model, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_history(model, out, err) : unloaded(err);
}

nse_status nse_model_arch(const nse_model *model, nse_arch **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_arch(model, out, err) : unloaded(err);
}

nse_status nse_model_describe(const nse_model *model, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_describe(model, out, err) : unloaded(err);
}

void nse_model_free(nse_model *model) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_model_free(model);
}

nse_status nse_model_export_schema(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_export_schema(out, err) : unloaded(err);
}

nse_status nse_model_export(const nse_model *model, const char *format, const char *path, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_export(model, format, path, err) : unloaded(err);
}

nse_status nse_model_export_memory(const nse_model *model, const char *format, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_export_memory(model, format, out, err) : unloaded(err);
}

nse_status nse_model_load(const char *path, const char *device, nse_model **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_load(path, device, out, err) : unloaded(err);
}

nse_status nse_model_load_memory(const uint8_t *data, size_t len, const char *device, nse_model **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_load_memory(data, len, device, out, err) : unloaded(err);
}

nse_status nse_model_from_search(const nse_search *search, const nse_arch *arch, nse_model **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_model_from_search(search, arch, out, err) : unloaded(err);
}

nse_status nse_picture_compare(const nse_picture *a, const nse_picture *b, double *psnr, double *ssim, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_picture_compare(a, b, psnr, ssim, err) : unloaded(err);
}

nse_status nse_restoration_options_schema(nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_options_schema(out, err) : unloaded(err);
}

nse_status nse_restoration_create(const nse_restoration_desc *desc, nse_restoration **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_create(desc, out, err) : unloaded(err);
}

nse_status nse_restoration_load(const char *path, const nse_restoration_desc *desc, nse_restoration **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_load(path, desc, out, err) : unloaded(err);
}

nse_status nse_restoration_save(const nse_restoration *restoration, const char *path, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_save(restoration, path, err) : unloaded(err);
}

nse_status nse_restoration_step(const nse_restoration *restoration, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_step(restoration, err) : unloaded(err);
}

nse_status nse_restoration_step_async(const nse_restoration *restoration, nse_op **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_step_async(restoration, out, err) : unloaded(err);
}

nse_status nse_restoration_ask(const nse_restoration *restoration, size_t count, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_ask(restoration, count, out, err) : unloaded(err);
}

nse_status nse_restoration_tell(const nse_restoration *restoration, const char *code, double fitness, uint32_t *effect, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_tell(restoration, code, fitness, effect, err) : unloaded(err);
}

nse_status nse_restoration_forget(const nse_restoration *restoration, const char *code, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_forget(restoration, code, err) : unloaded(err);
}

nse_status nse_restoration_report(const nse_restoration *restoration, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_report(restoration, out, err) : unloaded(err);
}

nse_status nse_restoration_shape(const nse_restoration *restoration, uint32_t *channels, uint32_t *height, uint32_t *width, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_shape(restoration, channels, height, width, err) : unloaded(err);
}

nse_status nse_restoration_run(const nse_restoration *restoration, const char *code, float *out, size_t capacity, nse_buffer *report, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_run(restoration, code, out, capacity, report, err) : unloaded(err);
}

nse_status nse_restoration_cancel(const nse_restoration *restoration, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_restoration_cancel(restoration, err) : unloaded(err);
}

void nse_restoration_free(nse_restoration *restoration) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_restoration_free(restoration);
}

nse_status nse_genome_describe(const char *code, uint32_t channels, uint32_t height, uint32_t width, uint32_t input_channels, nse_buffer *out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_genome_describe(code, channels, height, width, input_channels, out, err) : unloaded(err);
}

nse_status nse_op_poll(const nse_op *op, uint32_t timeout_ms, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_op_poll(op, timeout_ms, err) : unloaded(err);
}

nse_status nse_op_cancel(const nse_op *op, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_op_cancel(op, err) : unloaded(err);
}

nse_status nse_op_take_model(const nse_op *op, nse_model **out, nse_error **err) {
    struct table *nse = atomic_load(&loaded);
    return nse ? nse->nse_op_take_model(op, out, err) : unloaded(err);
}

void nse_op_free(nse_op *op) {
    struct table *nse = atomic_load(&loaded);
    if (nse) nse->nse_op_free(op);
}
