//! The library's objects as values of Rust: the only place that calls it.

use crate::exit::{Failure, Outcome, FAILED};
use crate::progress::Watch;
use crate::sys::*;
use serde_json::Value;
use std::ffi::{c_char, CStr, CString};
use std::ptr::{null, null_mut};

/// Text for the length of a call.
fn text(name: &str, value: &str) -> Outcome<CString> {
    CString::new(value).map_err(|_| Failure::new(crate::exit::REFUSED, format!("{name}: {value:?} has a NUL in it")))
}

fn said(text: *const c_char) -> String {
    // SAFETY: the library's texts end in NUL.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn call(function: impl FnOnce(*mut *mut nse_error) -> nse_status) -> Outcome<nse_status> {
    let mut error = null_mut();
    let status = function(&mut error);
    if status >= 0 {
        return Ok(status);
    }
    // SAFETY: the error is ours, and freed once.
    let (name, message, detail) = unsafe {
        let detail = take(|out| nse_error_detail(error, out)).and_then(|bytes| serde_json::from_slice(&bytes).ok());
        (said(nse_status_name(status)), said(nse_error_message(error)), detail.unwrap_or(Value::Null))
    };
    // SAFETY: as above.
    unsafe { nse_error_free(error) };
    Err(Failure::of(status, name, message, detail))
}

/// What a function writes into a buffer; None when it fails.
fn take(function: impl FnOnce(*mut nse_buffer) -> nse_status) -> Option<Vec<u8>> {
    let mut buffer = nse_buffer { data: null_mut(), len: 0, reserved: null_mut() };
    if function(&mut buffer) < 0 || buffer.data.is_null() {
        return None;
    }
    // SAFETY: the library wrote so many bytes there.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.data.cast::<u8>(), buffer.len) }.to_vec();
    // SAFETY: it is the library's buffer.
    unsafe { nse_buffer_free(&mut buffer) };
    Some(bytes)
}

fn read(function: impl FnOnce(*mut nse_buffer, *mut *mut nse_error) -> nse_status) -> Outcome<Vec<u8>> {
    let mut outcome = Ok(NSE_OK);
    let bytes = take(|out| {
        outcome = call(|err| function(out, err));
        outcome.as_ref().map_or(-1, |status| *status)
    });
    outcome.map(|_| bytes.unwrap_or_default())
}

fn read_text(function: impl FnOnce(*mut nse_buffer, *mut *mut nse_error) -> nse_status) -> Outcome<String> {
    String::from_utf8(read(function)?).map_err(|e| Failure::new(FAILED, format!("the library gave no UTF-8: {e}")))
}

fn read_json(function: impl FnOnce(*mut nse_buffer, *mut *mut nse_error) -> nse_status) -> Outcome<Value> {
    serde_json::from_slice(&read(function)?).map_err(|e| Failure::new(FAILED, format!("the library gave no JSON: {e}")))
}

macro_rules! objects {
    ($($name:ident $raw:ident $free:ident;)*) => {$(
        pub struct $name(*mut $raw);

        impl $name {
            fn make(function: impl FnOnce(*mut *mut $raw, *mut *mut nse_error) -> nse_status) -> Outcome<Self> {
                let mut handle = null_mut();
                call(|err| function(&mut handle, err)).map(|_| $name(handle))
            }
        }

        impl Drop for $name {
            fn drop(&mut self) {
                // SAFETY: handles are checked by the library.
                unsafe { $free(self.0) }
            }
        }
    )*};
}
objects! {
    Space nse_space nse_space_free;
    Dataset nse_dataset nse_dataset_free;
    Arch nse_arch nse_arch_free;
    Latency nse_latency nse_latency_free;
    Search nse_search nse_search_free;
    Model nse_model nse_model_free;
}

// SAFETY of all calls below: handles are checked by the library, texts end in NUL and outlive the call, structs are as nse.h has them
// (tests/abi/cli.rs), and what is written to has the right type.

pub fn check_abi() -> Outcome<()> {
    match unsafe { nse_abi_check(NSE_ABI_VERSION) } {
        NSE_OK => Ok(()),
        _ => Err(Failure::new(
            crate::exit::MACHINE,
            format!("this nse is for ABI {NSE_ABI_VERSION}, the libnse found ({}) has another", version()),
        )),
    }
}

pub fn version() -> String {
    said(unsafe { nse_version_string() })
}

pub fn runtime() -> Outcome<Value> {
    read_json(|out, err| unsafe { nse_runtime_info(out, err) })
}

impl Space {
    pub fn preset(name: &str, overrides: &Value) -> Outcome<Self> {
        let (name, overrides) = (text("--space", name)?, text("--overrides", &overrides.to_string())?);
        Space::make(|out, err| unsafe { nse_space_preset(name.as_ptr(), overrides.as_ptr(), out, err) })
    }

    pub fn parse(json: &str) -> Outcome<Self> {
        let json = text("--space", json)?;
        Space::make(|out, err| unsafe { nse_space_from_json(json.as_ptr(), out, err) })
    }

    pub fn presets() -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_space_presets(out, err) })
    }

    pub fn to_json(&self) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_space_to_json(self.0, out, err) })
    }

    pub fn describe(&self, latency: Option<&Latency>) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_space_describe(self.0, latency.map_or(null(), |l| l.0), out, err) })
    }

    pub fn budget(&self, budget: &Value, latency: Option<&Latency>) -> Outcome<Value> {
        let budget = text("--budget", &budget.to_string())?;
        let table = latency.map_or(null(), |l| l.0.cast_const());
        read_json(|out, err| unsafe { nse_space_budget(self.0, budget.as_ptr(), table, out, err) })
    }
}

impl Dataset {
    pub fn open(json: &Value) -> Outcome<Self> {
        let json = text("--data", &json.to_string())?;
        Dataset::make(|out, err| unsafe { nse_dataset_open(json.as_ptr(), out, err) })
    }

    pub fn info(&self) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_dataset_info(self.0, out, err) })
    }
}

impl Arch {
    pub fn parse(space: &Space, json: &str) -> Outcome<Self> {
        let json = text("--arch", json)?;
        Arch::make(|out, err| unsafe { nse_arch_from_json(space.0, json.as_ptr(), out, err) })
    }

    pub fn from_code(space: &Space, code: &str) -> Outcome<Self> {
        let code = text("--arch", code)?;
        Arch::make(|out, err| unsafe { nse_arch_from_code(space.0, code.as_ptr(), out, err) })
    }

    pub fn to_json(&self) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_arch_to_json(self.0, out, err) })
    }

    pub fn code(&self) -> Outcome<String> {
        read_text(|out, err| unsafe { nse_arch_code(self.0, out, err) })
    }

    pub fn describe(&self) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_arch_describe(self.0, null(), out, err) })
    }

    pub fn draw(&self) -> Outcome<Vec<u8>> {
        read(|out, err| unsafe { nse_arch_draw(self.0, c"svg".as_ptr(), out, err) })
    }

    pub fn measure(&self, options: &Value) -> Outcome<f64> {
        let options = text("--options", &options.to_string())?;
        let mut time = f64::NAN;
        call(|err| unsafe { nse_latency_measure_arch(self.0, options.as_ptr(), &mut time, err) }).map(|_| time)
    }
}

impl Latency {
    pub fn parse(table: &str) -> Outcome<Self> {
        let table = text("--latency", table)?;
        Latency::make(|out, err| unsafe { nse_latency_parse(table.as_ptr(), out, err) })
    }

    pub fn measure(space: &Space, options: &Value, watch: &Watch) -> Outcome<Self> {
        let (options, events) = (text("--options", &options.to_string())?, watch.events());
        let desc = nse_measure_desc {
            struct_size: size_of::<nse_measure_desc>() as u32,
            flags: 0,
            space: space.0,
            options_json: options.as_ptr(),
            events: &events,
        };
        Latency::make(|out, err| unsafe { nse_latency_measure(&desc, out, err) })
    }

    pub fn csv(&self) -> Outcome<String> {
        read_text(|out, err| unsafe { nse_latency_to_text(self.0, c"csv".as_ptr(), out, err) })
    }

    pub fn predict(&self, arch: &Arch) -> Outcome<f64> {
        let mut time = f64::NAN;
        call(|err| unsafe { nse_latency_arch(self.0, arch.0, &mut time, err) }).map(|_| time)
    }
}

/// What a search is made from.
#[derive(Default)]
pub struct Parts<'a> {
    pub space: Option<&'a Space>,
    pub train: Option<&'a Dataset>,
    pub latency: Option<&'a Latency>,
    pub options: Option<&'a Value>,
    pub watch: Option<&'a Watch>,
    pub flags: u32,
}

impl Parts<'_> {
    fn with(&self, make: impl FnOnce(&nse_search_desc) -> Outcome<Search>) -> Outcome<Search> {
        let options = self.options.map(|options| text("--options", &options.to_string())).transpose()?;
        let events = self.watch.map(Watch::events);
        make(&nse_search_desc {
            struct_size: size_of::<nse_search_desc>() as u32,
            flags: self.flags,
            space: self.space.map_or(null(), |space| space.0.cast_const()),
            train: self.train.map_or(null(), |train| train.0.cast_const()),
            held_out: null(),
            options_json: options.as_ref().map_or(null(), |options| options.as_ptr()),
            events: events.as_ref().map_or(null(), |events| events),
            latency: self.latency.map_or(null(), |latency| latency.0.cast_const()),
            continued: null(),
            start: null(),
            start_count: 0,
            comm: null(),
        })
    }
}

impl Search {
    pub fn create(parts: &Parts) -> Outcome<Self> {
        parts.with(|desc| Search::make(|out, err| unsafe { nse_search_create(desc, out, err) }))
    }

    pub fn load(path: &str, parts: &Parts) -> Outcome<Self> {
        let path = text("the checkpoint", path)?;
        parts.with(|desc| Search::make(|out, err| unsafe { nse_search_load(path.as_ptr(), desc, out, err) }))
    }

    /// Whether that was the last round.
    pub fn step(&self) -> Outcome<bool> {
        call(|err| unsafe { nse_search_step(self.0, err) }).map(|status| status == NSE_DONE)
    }

    pub fn save(&self, path: &str) -> Outcome<()> {
        let path = text("the checkpoint", path)?;
        call(|err| unsafe { nse_search_save(self.0, path.as_ptr(), err) }).map(|_| ())
    }

    pub fn options(&self) -> Outcome<Value> {
        read_json(|out, err| unsafe { nse_search_options(self.0, out, err) })
    }

    pub fn ask(&self, count: usize) -> Outcome<Vec<Arch>> {
        let (mut handles, mut given) = (vec![null_mut(); count], 0);
        call(|err| unsafe { nse_search_ask(self.0, count, handles.as_mut_ptr(), &mut given, err) })?;
        Ok(handles.into_iter().filter(|handle| !handle.is_null()).map(Arch).collect())
    }

    pub fn best(&self, max_cost: f64) -> Outcome<(Arch, f64)> {
        let mut accuracy = f64::NAN;
        let arch = Arch::make(|out, err| unsafe { nse_search_best(self.0, max_cost, out, &mut accuracy, err) })?;
        Ok((arch, accuracy))
    }

    pub fn report(&self, format: &str) -> Outcome<Vec<u8>> {
        let format = text("--format", format)?;
        read(|out, err| unsafe { nse_search_report(self.0, format.as_ptr(), out, err) })
    }
}

impl Model {
    pub fn train(arch: &Arch, train: &Dataset, options: &Value, watch: &Watch) -> Outcome<Self> {
        let (options, events) = (text("--options", &options.to_string())?, watch.events());
        let desc = nse_model_desc {
            struct_size: size_of::<nse_model_desc>() as u32,
            flags: 0,
            arch: arch.0,
            train: train.0,
            options_json: options.as_ptr(),
            events: &events,
            held_out: null(),
            init: null(),
        };
        Model::make(|out, err| unsafe { nse_model_train(&desc, out, err) })
    }

    /// Loss and accuracy.
    pub fn evaluate(&self, images: &Dataset) -> Outcome<(f64, f64)> {
        let (mut loss, mut accuracy) = (f64::NAN, f64::NAN);
        call(|err| unsafe { nse_model_evaluate(self.0, images.0, &mut loss, &mut accuracy, err) }).map(|_| (loss, accuracy))
    }

    /// From the form that nse reads back.
    pub fn load(path: &str) -> Outcome<Self> {
        let path = text("the model", path)?;
        Model::make(|out, err| unsafe { nse_model_load(path.as_ptr(), null(), out, err) })
    }

    pub fn export(&self, options: &Value, path: &str) -> Outcome<()> {
        let (format, path) = (text("--format", &options.to_string())?, text("--out", path)?);
        call(|err| unsafe { nse_model_export(self.0, format.as_ptr(), path.as_ptr(), err) }).map(|_| ())
    }
}
