//! The studies in benches/evidence: their data are whole, and the tables in docs/ are what follows from them.

#[path = "../../../benches/evidence/numbers.rs"]
mod numbers;
#[path = "../../../benches/evidence/tau.rs"]
mod tau;

mod abs;
mod bnas;
mod neas;
mod pnas;

use std::path::Path;

type Outcome<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
