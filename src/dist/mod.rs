//! One run in several processes: who does which part, how they agree, and whether their transport computes what it should. A transport is
//! whatever implements `search::Collective`.

mod crew;
mod selftest;

pub use crew::Crew;
pub use selftest::selftest;
