//! The shape of the C ABI, held against files that are checked in.

mod cli;
mod header;
mod layout;
mod library;
mod manual;
