//! Neural architecture search as a library.
//!
//! A host program gives a [`space`] of networks, data and a budget; a [`search::Search`] evolves the space round by round
//! (train a weight-sharing supernet, sample, score, keep the Pareto front, refill) and hands back architectures and models.
//! The method is NSE, Neural Search-space Evolution (Ci et al., ICCV 2021).
//!
//! ```text
//! space      what can be searched: operators, cells, pools, presets, the JSON form         pure
//! arch       one architecture: operators per cell, canonical form, JSON                    pure
//! cost       multiply-accumulates, parameters, latencies of operators and architectures    pure
//! search     the round as a state machine; talks to weights only through `search::Trainer` pure
//! log        messages for people, silent until a host listens                          pure
//! data       images in memory: IDX files, memory of the host, splits, normalisation, augmentation
//! dist       one run in several processes: parts of the work, agreement
//! checkpoint a search, or a training, and its weights in one file: checksummed, replaced whole or not at all
//! export     trained networks as a list of layers, and the formats written from it: ONNX, safetensors, TorchScript
//! restore    one image restored by a network fitted to it alone, and the search for that network
//! report     a search as a page, JSON, SVG, PNG and a log for TensorBoard; diagrams of architectures
//! files      opening what a path names, and only regular files
//! process    which files are mapped into this process: libtorch, OpenMP
//! supernet   the weights: the only folder that names `tch` (libtorch)
//! ffi        the C ABI, `include/nse.h`
//! ```
//!
//! The arrow of dependency is `ffi -> search -> {space, arch, cost}`; `supernet`, `data`, `dist` and `checkpoint` serve `search` through
//! traits.

pub mod arch;
pub mod checkpoint;
pub mod cost;
pub mod data;
pub mod dist;
mod error;
pub mod export;
pub mod ffi;
mod files;
pub mod json;
pub mod log;
pub mod process;
pub mod report;
pub mod restore;
pub mod search;
pub mod space;
#[cfg_attr(not(feature = "torch"), path = "supernet/absent.rs")]
pub mod supernet;

pub use error::{Error, Result};
