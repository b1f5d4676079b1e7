//! The pure core, without torch: one file per subject. `support` and `synthetic` are what several of them share.

mod arch;
mod arrow;
mod cost;
mod engine;
mod events;
mod fitness;
mod gates;
mod learning;
mod operators;
mod options;
mod pareto;
mod random;
mod resume;
mod rounds;
mod sample;
mod schedule;
mod space;
mod space_errors;
mod support;
mod synthetic;
mod variant;
mod windows;
