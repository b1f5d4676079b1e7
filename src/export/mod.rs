//! Trained networks for others: one description of the layers ([`Graph`]), and formats that are written from it. No tensors of a
//! library: weights are arrays. A format is a file here and a line in [`FORMATS`].

mod binary;
mod card;
mod fold;
mod format;
mod graph;
mod onnx;
#[rustfmt::skip]
#[allow(clippy::enum_variant_names)]
mod onnx_proto;
pub mod safetensors;
mod script;
mod stacked;

pub use card::Card;
pub use format::{Archive, ExportOptions, Format, FORMATS};
pub use graph::{Graph, Layer, Node};
pub use script::script;
