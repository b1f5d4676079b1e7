//! The ranks of one run at work: which part is whose, and one answer for all of them, so that none goes on where another stops.

use crate::error::{Error, Result};
use crate::search::{Collective, Ended, Solo};
use std::ops::Range;
use std::sync::Arc;

/// A batch is computed in `shards` parts, whoever computes them: so what comes out depends on their number, and not on that of the
/// ranks.
#[derive(Clone)]
pub struct Crew {
    comm: Arc<dyn Collective>,
    shards: usize,
    /// Gradients that are added at a time, at least.
    bucket: usize,
    whole_norms: bool,
    /// Some rank failed where others did not, or they are at different places: what they hold may differ.
    apart: bool,
}

/// Gradients that are added at a time: so many that the turns between the ranks, of which a sum has two for every rank, take
/// less of it than their bytes do.
const BUCKET: usize = 1 << 19;
const BUCKET_FOR_A_RANK: usize = 1 << 14;

/// What a rank says of its part of the work. Where all say CANCELLED or more, none has done it.
const DONE: f64 = 0.0;
const STOPS: f64 = 1.0;
const UNSAVED: f64 = 2.0;
const CANCELLED: f64 = 3.0;
const FAILED: f64 = 4.0;
/// What it says with the last of several messages.
const LAST: f64 = -1.0;

fn said(error: &Error) -> f64 {
    match error {
        Error::Cancelled => CANCELLED,
        _ => FAILED,
    }
}

/// `count` pieces of work in bundles for so many ranks: each is what a rank would have of half of what is left.
fn pieces(count: usize, size: usize) -> Vec<Range<usize>> {
    let (mut pieces, mut from) = (Vec::new(), 0);
    while from < count {
        let next = from + (count - from).div_ceil(2 * size);
        pieces.push(from..next);
        from = next;
    }
    pieces
}

impl Crew {
    pub fn alone() -> Self {
        Crew::new(Arc::new(Solo), 1)
    }

    pub fn new(comm: Arc<dyn Collective>, shards: usize) -> Self {
        let bucket = BUCKET.max(comm.size() * BUCKET_FOR_A_RANK);
        Crew { comm, shards, bucket, whole_norms: false, apart: false }
    }

    /// The same with so many gradients at a time, which is for speed alone.
    pub fn with_buckets(self, bucket: usize) -> Self {
        Crew { bucket, ..self }
    }

    pub fn bucket(&self) -> usize {
        self.bucket
    }

    /// The same with batch-norm statistics over all of a batch, whoever has which of its parts.
    pub fn with_whole_norms(self, whole_norms: bool) -> Self {
        Crew { whole_norms, ..self }
    }

    /// Whether the ranks are to have the batch-norm statistics of all of a batch, and each computes what it has of it in one piece.
    pub fn normalises_together(&self) -> bool {
        self.whole_norms
    }

    pub fn size(&self) -> usize {
        self.comm.size()
    }

    pub fn ranks(&self) -> Arc<dyn Collective> {
        self.comm.clone()
    }

    /// Whether this is the rank that writes what only one can write.
    pub fn first(&self) -> bool {
        self.comm.rank() == 0
    }

    pub fn shards(&self) -> usize {
        self.shards
    }

    /// In how many pieces a batch is computed: its parts, or one for each rank where they normalise together.
    pub fn pieces(&self) -> usize {
        match self.whole_norms {
            true => self.size(),
            false => self.shards,
        }
    }

    /// Whether there is nothing to share and nothing to divide.
    pub fn whole(&self) -> bool {
        self.pieces() == 1 && self.size() == 1
    }

    /// Which of `count` pieces of work are this rank's: as many as the others', or one more or less.
    pub fn part(&self, count: usize) -> Range<usize> {
        let (rank, size) = (self.comm.rank(), self.size());
        rank * count / size..(rank + 1) * count / size
    }

    /// Runs `work` on pieces of `count` pieces of work that together are all of it on all ranks. Where the ranks share a count, whoever is done
    /// with one takes the next, the first the largest, so that the slowest rank does least; else each has its part. What comes
    /// after it must be a call that all ranks make.
    pub fn divide(&self, count: usize, mut work: impl FnMut(Range<usize>) -> Result<()>) -> Result<()> {
        if self.size() == 1 {
            return work(0..count);
        }
        let Some(mut number) = self.comm.draw(true)? else { return work(self.part(count)) };
        let pieces = pieces(count, self.size());
        while let Some(piece) = usize::try_from(number).ok().and_then(|number| pieces.get(number)) {
            if let Err(error) = work(piece.clone()) {
                // All of it will be done again: the others need not begin more.
                while self.comm.draw(false).is_ok_and(|number| number.is_some_and(|number| number < pieces.len() as u64)) {}
                return Err(error);
            }
            number = self.comm.draw(false)?.unwrap_or(u64::MAX);
        }
        Ok(())
    }

    /// `count` numbers, each known to one rank (place and number), known to all. Or, on all ranks, an error: what failed on this one,
    /// else [`Error::Cancelled`] or the rank that failed. What was not a number is infinite. Of several for one place the greatest counts.
    pub fn share(&self, own: Result<Vec<(usize, f64)>>, count: usize) -> Result<Vec<f64>> {
        let (rank, size) = (self.comm.rank(), self.size());
        let mut numbers = vec![f64::NEG_INFINITY; size + count];
        numbers[rank] = own.as_ref().map_or_else(said, |_| DONE);
        for (place, number) in own.iter().flatten() {
            let number = if number.is_nan() { f64::INFINITY } else { *number };
            numbers[size + place] = number.max(numbers[size + place]);
        }
        // Also after a failure here: the others wait for this rank.
        let shared = self.comm.max(numbers);
        own?;
        let mut shared = shared?;
        let numbers = shared.split_off(size);
        self.verdict(&shared).map(|()| numbers)
    }

    fn verdict(&self, said: &[f64]) -> Result<()> {
        let who = |what: f64| said.iter().position(|said| *said == what);
        match (who(FAILED), who(CANCELLED), who(UNSAVED)) {
            (Some(failed), ..) => Err(self.error("a step", format!("rank {failed} could not do its part; it has the error"))),
            (None, Some(_), _) => Err(Error::Cancelled),
            (None, None, Some(unsaved)) => {
                Err(self.error("a step", format!("rank {unsaved} could not write down what was done; it has the error")))
            }
            (None, None, None) => Ok(()),
        }
    }

    /// `own`, or what failed elsewhere. To be called by all ranks at the same place.
    pub fn agree<T>(&self, own: Result<T>) -> Result<T> {
        let (own, said) = match own {
            Ok(own) => (Some(own), Ok(Vec::new())),
            Err(error) => (None, Err(error)),
        };
        self.share(said, 0)?;
        // There is none only after an error.
        own.ok_or(Error::Cancelled)
    }

    /// What every rank says at this place, of `width` numbers or less. `own`: whether it is the last that it says, or what failed; then there
    /// is an error on all ranks, as of [`Crew::share`].
    pub fn tell(&self, own: Result<bool>, numbers: &[f64], width: usize) -> Result<Vec<Vec<f64>>> {
        let says = own.as_ref().map_or_else(said, |last| if *last { LAST } else { DONE });
        let filled = numbers.iter().copied().chain(std::iter::repeat(0.0)).take(width);
        let message = std::iter::once(says).chain(filled).flat_map(f64::to_ne_bytes).collect();
        let heard = self.comm.gather(message);
        own?;
        let heard = heard?;
        let number = |bytes: &[u8]| bytes.try_into().map_or(f64::NAN, f64::from_ne_bytes);
        let mut said = Vec::with_capacity(heard.len());
        let all = heard.iter().map(|message| {
            let mut numbers = message.chunks(8).map(number);
            said.push(numbers.next().unwrap_or(FAILED));
            numbers.collect()
        });
        let all = all.collect();
        self.verdict(&said)?;
        match said.iter().position(|other| *other != says) {
            None => Ok(all),
            Some(other) => Err(self.error("a step", format!("rank {other} is at another place of it"))),
        }
    }

    /// See [`crate::search::Trainer::agree`].
    pub fn ended(&mut self, place: u64, own: Ended) -> Result<bool> {
        let (rank, size) = (self.comm.rank(), self.size());
        let (says, own) = match own {
            Ended::Done { stop } => (if stop { STOPS } else { DONE }, Ok(())),
            Ended::Unsaved(error) => (UNSAVED, Err(error)),
            Ended::Failed(error) => (said(&error), Err(error)),
        };
        if size == 1 {
            return own.map(|()| says == STOPS);
        }
        if self.apart {
            let reason = "the ranks hold different things since an earlier failure: load the last checkpoint on all".into();
            return Err(own.err().unwrap_or_else(|| self.error("a step", reason)));
        }
        let mut numbers = vec![f64::NEG_INFINITY; size + 2];
        numbers[rank] = says;
        (numbers[size], numbers[size + 1]) = (place as f64, -(place as f64));
        let shared = self.comm.max(numbers);
        let said = shared.as_ref().map_or(&[][..], |shared| &shared[..size]);
        let undone = said.iter().filter(|said| **said >= CANCELLED).count();
        let elsewhere = shared.as_ref().is_ok_and(|shared| undone == 0 && shared[size] != -shared[size + 1]);
        self.apart = shared.is_err() || elsewhere || (undone > 0 && undone < size);
        own?;
        let shared = shared?;
        self.verdict(&shared[..size])?;
        if elsewhere {
            return Err(self.error("a step", "the ranks are not at the same place of the search".into()));
        }
        Ok(shared[..size].contains(&STOPS))
    }

    /// What rank 0 makes, everywhere; when it fails there, on all ranks an error.
    pub fn from_first(&self, make: impl FnOnce() -> Result<Vec<u8>>) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let made = if self.first() { make().map(|made| bytes = made) } else { Ok(()) };
        if self.size() == 1 {
            return made.map(|()| bytes);
        }
        let length = self.share(made.map(|()| vec![(0, bytes.len() as f64)]), 1)?;
        let length = length.first().map_or(0, |length| *length as usize);
        let room = bytes.try_reserve_exact(length - bytes.len());
        self.agree(room.map_err(|_| Error::OutOfMemory(format!("no room for the {length} bytes of rank 0"))))?;
        bytes.resize(length, 0);
        self.comm.broadcast(bytes)
    }

    pub fn error(&self, what: &'static str, reason: String) -> Error {
        Error::Collective { rank: self.comm.rank(), size: self.size(), what, reason }
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
            Some(other) => Err(self.error(what, format!("rank {other} has another than rank 0"))),
        }
    }
}
