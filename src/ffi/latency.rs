//! Section "latency".

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::callback::{nse_events, Events};
use super::error::nse_error;
use super::space::nse_space;
use super::status::{nse_status, NSE_OK};
use super::structs::Sized32;
use super::worker::{Reporter, Worker};
use super::{boundary, handle, structs, text};
use crate::cost::{LatencyKey, LatencyTable, LOOKING_UP};
use crate::error::{Error, Result};
use crate::search::Event;
use crate::space::Space;
use crate::supernet::{measure_latencies, measure_network, MeasureOptions};
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;
use std::sync::{Arc, PoisonError, RwLock};

/// A latency look-up table: the time of every operation, by kind, input size, channels, kernel, stride, padding, dilation
/// and groups. Searches and descriptions use it as it is when they are given it; later changes do not reach them.
pub struct nse_latency {
    _private: [u8; 0],
}

/// What is to be measured. Start with NSE_MEASURE_DESC_INIT. The library retains what it uses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_measure_desc {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// Every operation that an architecture of this space can need is timed.
    pub space: *const nse_space,
    /// Options as a JSON object; see nse_measure_options_schema. NULL: all defaults.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used during the measuring only.
    pub events: *const nse_events,
}

// SAFETY: starts with its size; zero is NULL and no flags.
unsafe impl Sized32 for nse_measure_desc {
    const LEAST: usize = size_of::<nse_measure_desc>();
}

pub struct LatencyHandle(RwLock<Arc<LatencyTable>>);

impl LatencyHandle {
    fn new(table: LatencyTable) -> Self {
        LatencyHandle(RwLock::new(Arc::new(table)))
    }

    fn table(&self) -> Arc<LatencyTable> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The table behind a handle as it is now.
    pub fn get(name: &'static str, latency: *const nse_latency) -> Result<Arc<LatencyTable>> {
        Ok(handle::get::<LatencyHandle>(name, latency)?.table())
    }

    /// None for NULL.
    pub fn optional(name: &'static str, latency: *const nse_latency) -> Result<Option<Arc<LatencyTable>>> {
        if latency.is_null() {
            Ok(None)
        } else {
            Self::get(name, latency).map(Some)
        }
    }
}

/// An empty table, to fill with nse_latency_set.
///
/// `unit`: [in] what the times are in, for people; NULL: "ms". `out`: [out] to free with nse_latency_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_create(unit: *const c_char, out: *mut *mut nse_latency, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || {
        let table = text::optional("unit", unit)?.map_or(Ok(LatencyTable::default()), LatencyTable::new)?;
        Ok(LatencyHandle::new(table))
    })
}

/// A table from its text, CSV or JSON (docs/latency.md).
///
/// `text`: [in] the whole document. `out`: [out] to free with nse_latency_free.
///
/// NSE_ERR_CONFIG: the detail has the line of a CSV text, or the JSON pointer. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_parse(text: *const c_char, out: *mut *mut nse_latency, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || Ok(LatencyHandle::new(LatencyTable::parse(text::required("text", text)?)?)))
}

/// Sets the time of one operation.
///
/// `key`: [in] the first nine columns of a row of the CSV form, as nse_latency_missing lists them, for example
/// "conv,28,64,64,3,1,1,1,64". `time`: finite, 0 or more, for one batch, in the unit of the table.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_set(
    latency: *const nse_latency,
    key: *const c_char,
    time: f64,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let object = handle::get::<LatencyHandle>("latency", latency)?;
        let key = text::required("key", key)?;
        let mut table = object.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::make_mut(&mut table).set_row(key, time)?;
        Ok(NSE_OK)
    })
}

/// The table as text; nse_latency_parse gives the same table back.
///
/// `format`: [in] "csv" or "json". `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_to_text(
    latency: *const nse_latency,
    format: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let table = LatencyHandle::get("latency", latency)?;
        match text::required("format", format)? {
            "csv" => buffer::write("out", out, table.to_csv()),
            "json" => buffer::write("out", out, table.to_json()),
            other => {
                let reason = format!("{other:?} is not known; there are \"csv\" and \"json\"");
                Err(Error::Argument { name: "format", reason })
            }
        }
    })
}

/// What an architecture of a space can need and the table lacks, as a JSON list of keys for nse_latency_set; "[]" when
/// nothing is missing.
///
/// `space`: [in] whose architectures are meant. `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_UNSUPPORTED: stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_missing(
    latency: *const nse_latency,
    space: *const nse_space,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let table = LatencyHandle::get("latency", latency)?;
        let space = handle::get::<Space>("space", space)?;
        space.need_chain(LOOKING_UP)?;
        let missing = table.missing(&space);
        let keys: Vec<_> = missing.iter().map(LatencyKey::to_string).collect();
        buffer::write("out", out, json!(keys).to_string())
    })
}

/// The latency of an architecture: stem, open operators, the additions that join them, tail, pooling and classifier.
///
/// `arch`: [in] of any space. `time`: [out] in the unit of the table; may be NULL.
///
/// NSE_ERR_MISSING_LATENCY: the detail lists what the table lacks. NSE_ERR_UNSUPPORTED: stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_arch(
    latency: *const nse_latency,
    arch: *const nse_arch,
    time: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let table = LatencyHandle::get("latency", latency)?;
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        structs::put(time, table.architecture(&arch.space, &arch.architecture)?);
        Ok(NSE_OK)
    })
}

/// The options of a measuring, as a JSON schema with keys, defaults, ranges and help.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_measure_options_schema(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, MeasureOptions::schema()))
}

/// Times every operation that an architecture of a space can need, on the device of the options: the median of several
/// passes after a warm-up, in milliseconds per batch. Blocks, and delivers NSE_EVENT_MEASURE on this thread; the callback may
/// cancel.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_latency_free.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_CANCELLED. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
/// NSE_ERR_UNSUPPORTED: a build without libtorch, or stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_measure(
    desc: *const nse_measure_desc,
    out: *mut *mut nse_latency,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || measure(&desc?, &Arc::new(events?)))
}

/// Times a whole network of an architecture, batch-norm and activations included, as nse_latency_measure times its parts: to hold a
/// table against what it predicts. Any weights take as long. Blocks.
///
/// `arch`: [in] its network, in its space. `options_json`: [in] see nse_measure_options_schema; NULL: all defaults.
/// `time`: [out] milliseconds per batch, the median of several passes; may be NULL.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_CANCELLED: by nse_shutdown. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_UNSUPPORTED: a build without
/// libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_measure_arch(
    arch: *const nse_arch,
    options_json: *const c_char,
    time: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        let options = MeasureOptions::from_json(text::optional("options_json", options_json)?.unwrap_or("{}"))?;
        let worker = Worker::start("measuring", || Ok(()))?;
        let job = move |_: &mut (), reporter: &Reporter<f64>| {
            measure_network(arch.space.clone(), &arch.architecture, &options, reporter)
        };
        structs::put(time, worker.run(job, &Arc::new(Events::none()))?);
        Ok(NSE_OK)
    })
}

fn measure(desc: &nse_measure_desc, events: &Arc<Events>) -> Result<LatencyHandle> {
    if desc.flags != 0 {
        return Err(Error::Argument { name: "desc", reason: format!("flags {:#x} are not known", desc.flags) });
    }
    let space = handle::get::<Space>("desc.space", desc.space)?;
    let options = MeasureOptions::from_json(text::optional("desc.options_json", desc.options_json)?.unwrap_or("{}"))?;
    let worker = Worker::start("measuring", || Ok(()))?;
    let job = move |_: &mut (), reporter: &Reporter<LatencyTable>| {
        let watch = |event: &Event| reporter.event(event);
        measure_latencies(&space, &options, reporter, &watch)
    };
    Ok(LatencyHandle::new(worker.run(job, events)?))
}

/// Frees a latency table. What uses it lives on. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_latency_free(latency: *mut nse_latency) {
    if !boundary::forked() {
        handle::free::<LatencyHandle>(latency);
    }
}
