//! Whether a group computes what it should: a wrong sum would show as bad science, not as an error.

use crate::error::{Error, Result};
use crate::search::Collective;
use std::fmt::Debug;

/// More than any buffer on the way is likely to hold at once, and no round number.
const MANY: usize = 100_003;

/// Every operation once, with numbers that differ by rank and place. To be called by all ranks.
pub fn selftest(comm: &dyn Collective) -> Result<()> {
    let (rank, size) = (comm.rank(), comm.size());
    let test = Test { rank, size };
    comm.barrier()?;
    // The sum over the ranks of (rank + 1) * n is n * size * (size + 1) / 2; large enough to need all 64 bits.
    let large = (1i64 << 61) / (size * (size + 1)) as i64;
    let number = |place: usize, part: i64| if place % 2 == 0 { part * large } else { -part * place as i64 };
    let of_all = (size * (size + 1) / 2) as i64;
    let sum = comm.sum((0..MANY).map(|place| number(place, rank as i64 + 1)).collect())?;
    test.holds("the sum", &sum, (0..MANY).map(|place| number(place, of_all)))?;
    // The place says whose number is the greatest; some ranks have none.
    let known = |place: usize, rank: usize| if place % size == rank { 0.1 * place as f64 - 7.0 } else { f64::NEG_INFINITY };
    let max = comm.max((0..MANY).map(|place| known(place, rank)).collect())?;
    test.holds("the maximum", &max, (0..MANY).map(|place| known(place, place % size)))?;
    let byte = |place: usize, rank: usize| (place * 7 + place / 256 + rank * 31 + 1) as u8;
    let bytes = |rank: usize| (0..MANY).map(move |place| byte(place, rank));
    test.holds("the broadcast of rank 0", &comm.broadcast(bytes(rank).collect())?, bytes(0))?;
    let gathered = comm.gather(bytes(rank).take(1001).collect())?;
    if gathered.len() != size {
        return Err(test.wrong("the gathered parts", format!("{} of them, not {size}", gathered.len())));
    }
    for (rank, part) in gathered.iter().enumerate() {
        test.holds("a gathered part", part, bytes(rank).take(1001))?;
    }
    comm.barrier()
}

struct Test {
    rank: usize,
    size: usize,
}

impl Test {
    fn holds<T: Copy + PartialEq + Debug>(&self, what: &str, got: &[T], wanted: impl Iterator<Item = T>) -> Result<()> {
        let wanted: Vec<T> = wanted.collect();
        if got.len() != wanted.len() {
            return Err(self.wrong(what, format!("{} values, not {}", got.len(), wanted.len())));
        }
        match got.iter().zip(&wanted).position(|(got, wanted)| got != wanted) {
            None => Ok(()),
            Some(place) => Err(self.wrong(what, format!("value {place} is {:?}, not {:?}", got[place], wanted[place]))),
        }
    }

    fn wrong(&self, what: &str, how: String) -> Error {
        Error::Collective { rank: self.rank, size: self.size, what: "the self-test", reason: format!("{what} is wrong: {how}") }
    }
}
