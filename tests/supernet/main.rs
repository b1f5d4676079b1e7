//! The weights, held against hand computations: every operator, every gradient, every statistic.

mod alpha;
mod alpha_search;
mod binary;
mod cells;
mod cells_search;
mod details;
mod ensemble;
mod export;
mod foreign;
mod forward;
mod gradient;
mod grow;
mod kill;
mod measure;
mod model;
mod nccl;
mod onnx;
mod optimizer;
mod outgoing;
mod pushed;
mod ranks;
mod reference;
mod reload;
mod restore;
mod run;
mod score;
mod shrink;
mod stealing;
mod store;
mod support;
#[path = "../core/threads.rs"]
mod threads;
mod training;
mod training_kill;
mod two_path;
mod variant;
