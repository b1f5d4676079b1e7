//! What survives the process: a search or a training and its weights in one file, checksummed, replaced whole or not at all.

pub mod file;
mod keeper;
mod replace;
mod search;
pub mod tensors;
pub mod training;

pub use keeper::Keeper;
pub use replace::replace;
pub use search::{difference, identity, load, load_from, save, Checkpoint, Expected};
