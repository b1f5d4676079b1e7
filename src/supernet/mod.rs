//! The weights: the only folder that names `tch` (libtorch). Serves a search through `search::Trainer`, and trains, evaluates
//! and exports stand-alone models. Device-generic: the same code runs on CPU and CUDA.

mod backward;
pub mod binary;
mod c10d;
mod chain;
mod cores;
mod device;
mod ensemble;
mod estimate;
pub mod excitation;
mod export;
pub mod foreign;
pub mod fused;
pub mod learner;
mod libtorch;
mod measure;
mod measure_options;
pub mod mixed;
mod model;
mod names;
pub mod nccl;
pub mod network;
pub mod norm;
pub mod on_device;
pub mod optimizer;
mod options;
pub mod outgoing;
pub mod partial;
pub mod paths;
pub mod planned;
mod pushed;
mod remembered;
mod restore;
pub mod score;
pub mod sgd;
mod shards;
pub mod shim;
pub mod stacked;
mod statics;
pub mod step;
pub mod store;
mod streams;
pub mod tape;
mod trainer;
mod training;
mod turn;
pub mod unit;
mod weights;
mod whole_norm;
mod workers;

pub use c10d::C10d;
pub use cores::rest;
pub use device::runtime_info;
pub use estimate::Estimate;
pub use foreign::fetch;
pub use libtorch::described as libtorch;
pub use measure::{measure_latencies, measure_network};
pub use measure_options::MeasureOptions;
pub use model::{Lesson, Model};
pub use options::{Epoch, Evaluation, ModelOptions, Optimizer, Precision, Recipe, TrainingCheckpoint};
pub use pushed::PushTrainer;
pub use restore::ImageFitter;
pub use statics::{destroy as destroy_statics, keep as keep_statics};
pub use trainer::SupernetTrainer;
pub use workers::end as end_workers;

use crate::error::Error;

impl From<tch::TchError> for Error {
    fn from(error: tch::TchError) -> Self {
        said(error.to_string().trim_start_matches("Internal torch error: "))
    }
}

/// What libtorch says when a device (c10/cuda/CUDACachingAllocator.cpp) or the machine (c10/core/impl/alloc_cpu.cpp) has no room.
const NO_ROOM: [&str; 5] =
    ["out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "CUBLAS_STATUS_ALLOC_FAILED"];

/// An error of libtorch by its text, of which the first line is the message and the rest a C++ backtrace.
fn said(text: &str) -> Error {
    let message = text.lines().next().unwrap_or_default().to_owned();
    match NO_ROOM.iter().any(|sign| message.contains(sign)) {
        true => Error::OutOfMemory(message),
        false => Error::Torch(message),
    }
}
