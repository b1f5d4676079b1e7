//! The C ABI. `include/nse.h` is generated from these files and is the manual; one file here is one section there.
//!
//! ```text
//! status boundary handle error buffer text structs    what every function is made of
//! callback worker threads view driver group restoring           how calls wait, report and stop
//! dlpack                                              tensors of other libraries
//! library log space dataset source arch latency comm search push told result op model export picture restoration genome   the sections: decode, call, encode
//! ```

// C names, and pointers that every function checks before it looks behind them.
#![allow(non_camel_case_types, clippy::not_unsafe_ptr_arg_deref)]
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod arch;
mod begin;
mod boundary;
mod buffer;
mod callback;
mod comm;
mod dataset;
mod dlpack;
mod driver;
mod error;
mod export;
mod genome;
mod group;
mod handle;
mod latency;
mod library;
mod log;
mod model;
mod op;
mod picture;
mod push;
mod restoration;
mod restoring;
mod result;
mod search;
mod source;
mod space;
mod status;
mod structs;
mod text;
mod threads;
mod told;
mod view;
mod worker;

/// What the tests hold against the header; everything else of the ABI is reached by its C name.
#[doc(hidden)]
pub mod layout {
    pub use super::{
        buffer::nse_buffer,
        callback::{nse_event, nse_events},
        comm::nse_comm_desc,
        dataset::nse_images,
        latency::nse_measure_desc,
        library::NSE_ABI_VERSION,
        log::nse_log_sink,
        model::nse_model_desc,
        picture::nse_picture,
        push::{nse_batch, nse_pushed},
        restoration::nse_restoration_desc,
        search::nse_search_desc,
        source::nse_source,
        told::nse_result,
    };
}
