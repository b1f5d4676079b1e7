//! What survives the process: one file with a JSON head and named arrays, checksummed, replaced whole or not at all.
//! No meaning here: what the head says and which arrays there are is up to the caller.

mod file;
mod replace;

pub use file::{read, write};
