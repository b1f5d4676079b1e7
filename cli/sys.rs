//! nse.h, as far as the commands use it. A test (tests/abi/cli.rs) holds every line against the header.

use std::ffi::{c_char, c_void};

pub const NSE_ABI_VERSION: u32 = 1;
pub const NSE_OK: nse_status = 0;
pub const NSE_DONE: nse_status = 1;
pub const NSE_ERR_INVALID_ARGUMENT: nse_status = -1;
pub const NSE_ERR_CONFIG: nse_status = -3;
pub const NSE_ERR_IO: nse_status = -4;
pub const NSE_ERR_FORMAT: nse_status = -5;
pub const NSE_ERR_CANCELLED: nse_status = -7;
pub const NSE_ERR_OUT_OF_MEMORY: nse_status = -11;
pub const NSE_ERR_DEVICE: nse_status = -12;
pub const NSE_ERR_TORCH_MISMATCH: nse_status = -14;
pub const NSE_ERR_UNSUPPORTED: nse_status = -15;
pub const NSE_ERR_NOT_FOUND: nse_status = -21;
pub const NSE_ERR_UNREACHABLE: nse_status = -22;
pub const NSE_ERR_TOO_FEW: nse_status = -24;
pub const NSE_ERR_MISSING_LATENCY: nse_status = -25;
pub const NSE_EVENT_TRAIN: u32 = 1;
pub const NSE_EVENT_SCORE: u32 = 2;
pub const NSE_EVENT_FINISH: u32 = 3;
pub const NSE_EVENT_MEASURE: u32 = 4;
pub const NSE_SEARCH_TOLD: u32 = 2;
pub const NSE_SEARCH_LOOK: u32 = 4;

pub type nse_status = i32;
pub type nse_event_fn = Option<unsafe extern "C" fn(user: *mut c_void, event: *const nse_event) -> i32>;
pub type nse_free_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

macro_rules! opaque {
    ($($name:ident)*) => {
        $(#[repr(C)] pub struct $name { _private: [u8; 0] })*
    };
}
opaque! { nse_error nse_space nse_dataset nse_arch nse_latency nse_search nse_model }

#[repr(C)]
pub struct nse_buffer {
    pub data: *mut c_char,
    pub len: usize,
    pub reserved: *mut c_void,
}

#[repr(C)]
pub struct nse_event {
    pub struct_size: u32,
    pub kind: u32,
    pub round: u64,
    pub rounds: u64,
    pub epoch: u64,
    pub epochs: u64,
    pub step: u64,
    pub steps: u64,
    pub loss: f64,
    pub accuracy: f64,
    pub images_per_second: f64,
    pub seconds: f64,
    pub seconds_left: f64,
}

#[repr(C)]
pub struct nse_events {
    pub struct_size: u32,
    pub flags: u32,
    pub on_event: nse_event_fn,
    pub user: *mut c_void,
    pub user_free: nse_free_fn,
}

#[repr(C)]
pub struct nse_measure_desc {
    pub struct_size: u32,
    pub flags: u32,
    pub space: *const nse_space,
    pub options_json: *const c_char,
    pub events: *const nse_events,
}

#[repr(C)]
pub struct nse_search_desc {
    pub struct_size: u32,
    pub flags: u32,
    pub space: *const nse_space,
    pub train: *const nse_dataset,
    pub held_out: *const nse_dataset,
    pub options_json: *const c_char,
    pub events: *const nse_events,
    pub latency: *const nse_latency,
    pub continued: *const nse_search,
    pub start: *const *const nse_arch,
    pub start_count: usize,
    /// None: the program is alone.
    pub comm: *const c_void,
}

#[repr(C)]
pub struct nse_model_desc {
    pub struct_size: u32,
    pub flags: u32,
    pub arch: *const nse_arch,
    pub train: *const nse_dataset,
    pub options_json: *const c_char,
    pub events: *const nse_events,
    pub held_out: *const nse_dataset,
    pub init: *const nse_model,
}

extern "C" {
    pub fn nse_status_name(status: nse_status) -> *const c_char;
    pub fn nse_buffer_free(buffer: *mut nse_buffer);
    pub fn nse_error_message(error: *const nse_error) -> *const c_char;
    pub fn nse_error_detail(error: *const nse_error, out: *mut nse_buffer) -> nse_status;
    pub fn nse_error_free(error: *mut nse_error);
    pub fn nse_abi_check(header_abi: u32) -> nse_status;
    pub fn nse_version_string() -> *const c_char;
    pub fn nse_runtime_info(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_space_preset(
        name: *const c_char,
        overrides_json: *const c_char,
        out: *mut *mut nse_space,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_space_from_json(json: *const c_char, out: *mut *mut nse_space, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_space_to_json(space: *const nse_space, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_space_describe(
        space: *const nse_space,
        latency: *const nse_latency,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_space_budget(
        space: *const nse_space,
        budget_json: *const c_char,
        latency: *const nse_latency,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_space_presets(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_space_free(space: *mut nse_space);
    pub fn nse_dataset_open(json: *const c_char, out: *mut *mut nse_dataset, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_dataset_info(dataset: *const nse_dataset, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_dataset_free(dataset: *mut nse_dataset);
    pub fn nse_arch_from_json(
        space: *const nse_space,
        json: *const c_char,
        out: *mut *mut nse_arch,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_arch_from_code(
        space: *const nse_space,
        code: *const c_char,
        out: *mut *mut nse_arch,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_arch_describe(
        arch: *const nse_arch,
        variant_json: *const c_char,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_arch_draw(
        arch: *const nse_arch,
        format: *const c_char,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_arch_to_json(arch: *const nse_arch, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_arch_code(arch: *const nse_arch, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_arch_free(arch: *mut nse_arch);
    pub fn nse_latency_parse(text: *const c_char, out: *mut *mut nse_latency, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_latency_to_text(
        latency: *const nse_latency,
        format: *const c_char,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_latency_arch(
        latency: *const nse_latency,
        arch: *const nse_arch,
        time: *mut f64,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_latency_measure(desc: *const nse_measure_desc, out: *mut *mut nse_latency, err: *mut *mut nse_error)
        -> nse_status;
    pub fn nse_latency_measure_arch(
        arch: *const nse_arch,
        options_json: *const c_char,
        time: *mut f64,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_latency_free(latency: *mut nse_latency);
    pub fn nse_search_create(desc: *const nse_search_desc, out: *mut *mut nse_search, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_search_load(
        path: *const c_char,
        desc: *const nse_search_desc,
        out: *mut *mut nse_search,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_search_save(search: *const nse_search, path: *const c_char, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_search_options(search: *const nse_search, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_search_step(search: *const nse_search, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_search_ask(
        search: *const nse_search,
        count: usize,
        out: *mut *mut nse_arch,
        given: *mut usize,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_search_best(
        search: *const nse_search,
        max_cost: f64,
        arch: *mut *mut nse_arch,
        accuracy: *mut f64,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_search_report(
        search: *const nse_search,
        format: *const c_char,
        out: *mut nse_buffer,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_search_free(search: *mut nse_search);
    pub fn nse_model_train(desc: *const nse_model_desc, out: *mut *mut nse_model, err: *mut *mut nse_error) -> nse_status;
    pub fn nse_model_evaluate(
        model: *const nse_model,
        dataset: *const nse_dataset,
        loss: *mut f64,
        accuracy: *mut f64,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_model_export(
        model: *const nse_model,
        format: *const c_char,
        path: *const c_char,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_model_load(
        path: *const c_char,
        device: *const c_char,
        out: *mut *mut nse_model,
        err: *mut *mut nse_error,
    ) -> nse_status;
    pub fn nse_model_free(model: *mut nse_model);
}
