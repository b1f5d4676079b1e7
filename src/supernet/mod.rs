//! The weights: the only folder that names `tch` (libtorch). Serves a search through `search::Trainer`, and trains, evaluates
//! and exports stand-alone models. Device-generic: the same code runs on CPU and CUDA.

mod cores;
mod device;
pub mod excitation;
mod export;
pub mod learner;
mod libtorch;
mod measure;
mod measure_options;
mod model;
pub mod network;
pub mod norm;
mod options;
pub mod score;
pub mod shim;
pub mod store;
mod trainer;
pub mod unit;

pub use cores::rest;
pub use device::runtime_info;
pub use measure::measure_latencies;
pub use measure_options::MeasureOptions;
pub use model::Model;
pub use options::{Evaluation, ModelOptions};
pub use trainer::SupernetTrainer;

use crate::error::Error;

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        // The first line is the message; the rest is a C++ backtrace.
        Error::Torch(error.to_string().lines().next().unwrap_or_default().trim_start_matches("Internal torch error: ").into())
    }
}
