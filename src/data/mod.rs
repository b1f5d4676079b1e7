//! Images in memory: where they come from, how they are split, and how a batch of them becomes numbers.
//! No tensors: batches are filled into plain buffers.

mod batch;
mod change;
mod dataset;
mod idx;
mod pixels;
mod pushed;
mod source;
mod strided;

pub use batch::{Normalisation, Order};
pub use change::Changes;
pub use dataset::Dataset;
pub use pixels::{reserve, Pixels};
pub use pushed::{PushedBatch, Values};
pub use strided::Strided;
