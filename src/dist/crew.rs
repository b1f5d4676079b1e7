//! The ranks of one run at work: which part is whose, and one answer for all of them, so that none goes on where another stops.

use crate::error::{Error, Result};
use crate::search::{Collective, Solo};
use std::ops::Range;
use std::sync::Arc;

/// A batch is computed in `shards` parts, whoever computes them: so what comes out depends on their number, and not on that of the
/// ranks.
#[derive(Clone)]
pub struct Crew {
    comm: Arc<dyn Collective>,
    shards: usize,
}

/// What a rank says of its part of the work.
const DONE: f64 = 0.0;
const CANCELLED: f64 = 1.0;
const FAILED: f64 = 2.0;

impl Crew {
    pub fn alone() -> Self {
        Crew::new(Arc::new(Solo), 1)
    }

    pub fn new(comm: Arc<dyn Collective>, shards: usize) -> Self {
        Crew { comm, shards }
    }

    pub fn size(&self) -> usize {
        self.comm.size()
    }

    pub fn shards(&self) -> usize {
        self.shards
    }

    /// Whether there is nothing to share and nothing to divide.
    pub fn whole(&self) -> bool {
        self.shards == 1 && self.size() == 1
    }

    /// Which of `count` pieces of work are this rank's: as many as the others', or one more or less.
    pub fn part(&self, count: usize) -> Range<usize> {
        let (rank, size) = (self.comm.rank(), self.size());
        rank * count / size..(rank + 1) * count / size
    }

    /// Whether `flag` is true on any rank.
    pub fn any(&self, flag: bool) -> Result<bool> {
        if self.size() == 1 {
            return Ok(flag);
        }
        let numbers = self.comm.max(vec![f64::from(u8::from(flag))])?;
        Ok(numbers.iter().any(|n| *n > 0.0))
    }

    /// `count` numbers, each known to one rank (place and number), known to all. Or, on all ranks, an error: what failed on this one,
    /// else [`Error::Cancelled`] or the rank that failed. What was not a number is infinite. Of several for one place the greatest counts.
    pub fn share(&self, own: Result<Vec<(usize, f64)>>, count: usize) -> Result<Vec<f64>> {
        let (rank, size) = (self.comm.rank(), self.size());
        let mut numbers = vec![f64::NEG_INFINITY; size + count];
        numbers[rank] = match &own {
            Ok(_) => DONE,
            Err(Error::Cancelled) => CANCELLED,
            Err(_) => FAILED,
        };
        for (place, number) in own.iter().flatten() {
            let number = if number.is_nan() { f64::INFINITY } else { *number };
            numbers[size + place] = number.max(numbers[size + place]);
        }
        // Also after a failure here: the others wait for this rank.
        let shared = self.comm.max(numbers);
        own?;
        let mut shared = shared?;
        let numbers = shared.split_off(size);
        let who = |what: f64| shared.iter().position(|said| *said == what);
        match (who(FAILED), who(CANCELLED)) {
            (Some(failed), _) => {
                let reason = format!("rank {failed} could not do its part; it has the error");
                Err(Error::Collective { rank, size, what: "a step", reason })
            }
            (None, Some(_)) => Err(Error::Cancelled),
            (None, None) => Ok(numbers),
        }
    }

    /// Of every number the sum over all ranks.
    pub fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
        self.comm.sum(numbers)
    }

    /// Fails on all ranks when `text` is not the same on all.
    pub fn same(&self, what: &'static str, text: &str) -> Result<()> {
        let own = blake3::hash(text.as_bytes());
        let all = self.comm.gather(own.as_bytes().to_vec())?;
        let first = all.first().cloned().unwrap_or_default();
        match all.iter().position(|other| *other != first) {
            None => Ok(()),
            Some(other) => {
                let reason = format!("rank {other} has another than rank 0");
                Err(Error::Collective { rank: self.comm.rank(), size: self.size(), what, reason })
            }
        }
    }
}
