//! One run in several processes: who does which part, how they agree, and whether what is between them computes what it should.

mod alone;
mod crew;
mod environment;
pub mod exact;
mod route;
mod selftest;
mod together;
mod transport;

pub use alone::Alone;
pub use crew::Crew;
pub use environment::{Environment, Place};
pub use route::route;
pub use selftest::selftest;
pub use together::Together;
pub use transport::Transport;
