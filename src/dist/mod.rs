//! One run in several processes: who does which part, how they agree, and whether what is between them computes what it should.

mod crew;
mod selftest;
mod transport;

pub use crew::Crew;
pub use selftest::selftest;
pub use transport::Transport;
