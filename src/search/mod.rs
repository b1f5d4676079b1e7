//! The search: how a space evolves, round by round. Pure: no tensors, no files, no clock that matters, no global randomness.
//!
//! [`Search`] is the state machine. It decides every number and asks a [`Trainer`] to compute with weights. How the space changes
//! between rounds is a [`strategy`], what gives an operator its score a [`scorer`].

mod affordable;
mod asking;
mod beam;
mod breeding;
mod budget;
pub mod children;
mod collective;
mod distinct;
pub mod eliminating;
mod elsewhere;
mod engine;
mod ensembles;
mod evolve;
pub mod fitness;
pub mod gates;
mod growing;
mod handover;
mod history;
mod ledger;
mod meter;
mod notes;
mod objective;
mod observe;
mod options;
mod outputs;
pub mod pareto;
pub mod predictor;
mod preset;
mod push;
mod random;
mod reach;
mod registry;
mod sample;
mod schedule;
pub mod scorer;
mod scoring;
mod start;
mod state;
pub mod strategy;
mod telling;
mod trainer;
mod weighing;

pub use asking::{Asked, Effect, ToldOptions};
pub use breeding::{Breeding, Plan};
pub use budget::{Budget, Reach};
pub use collective::{Collective, Solo};
pub use elsewhere::Elsewhere;
pub use engine::{Search, Status, GROUP};
pub use fitness::TwoPaths;
pub use history::{json_lines, ChoiceScore, Foretold, FrontMember, OperatorFitness, Point, RoundRecord};
pub use ledger::Outcome;
pub use meter::Meter;
pub use objective::Objective;
pub use observe::{Control, Event, EventKind, Observer, Silent};
pub use options::{
    Augment, BatchNorm, Branches, CandidateOptions, FitnessOptions, ScoreOptions, SearchOptions, TooFew, TrainOptions,
};
pub use outputs::{CheckpointOptions, TensorboardOptions};
pub use pareto::Scored;
pub use predictor::PredictorOptions;
pub use preset::{OptionsPreset, PRESETS};
pub use push::{BatchTrainer, Given, LastStep, Place, PushedOptions, Wanted};
pub use random::{Purpose, Stream};
pub use sample::{CellChoices, Sampler, Window};
pub use schedule::Schedule;
pub use scorer::{Difference, ScorerOptions};
pub use start::{Drive, Start};
pub use strategy::StrategyOptions;
pub use telling::Example;
pub use trainer::{Array, Arrays, At, Comparison, Ended, Judged, Parts, PathGradient, Products, StepOutcome, Trainer};
