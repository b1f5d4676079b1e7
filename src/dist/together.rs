//! What several ranks compute as one, with numbers that go between them at every turn: all of their messages have the same length, so
//! that a rank that fails can say so at any moment, and no other waits for what will not come.

use super::Crew;
use crate::error::{Error, Result};
use std::cell::Cell;

/// Numbers of a message, besides what the rank says of itself.
const WIDTH: usize = 511;

/// Begun on all ranks at the same place, and ended on all.
pub struct Together<'a> {
    crew: &'a Crew,
    /// All know that it has failed.
    over: Cell<bool>,
}

impl<'a> Together<'a> {
    pub fn new(crew: &'a Crew) -> Self {
        Together { crew, over: Cell::new(false) }
    }

    pub fn ranks(&self) -> usize {
        self.crew.size()
    }

    /// The numbers of every rank, in order, all of as many.
    pub fn gather(&self, own: &[f64]) -> Result<Vec<Vec<f64>>> {
        let mut all: Vec<Vec<f64>> = (0..self.ranks()).map(|_| Vec::with_capacity(own.len())).collect();
        for part in own.chunks(WIDTH) {
            let messages = self.crew.tell(Ok(false), part, WIDTH).inspect_err(|_| self.over.set(true))?;
            all.iter_mut().zip(messages).for_each(|(all, message)| all.extend(&message[..part.len()]));
        }
        Ok(all)
    }

    /// `own`, or what failed elsewhere.
    pub fn end<T>(self, own: Result<T>) -> Result<T> {
        if self.over.get() {
            // An error, and known.
            return own;
        }
        let (own, said) = match own {
            Ok(own) => (Some(own), Ok(true)),
            Err(error) => (None, Err(error)),
        };
        self.crew.tell(said, &[], WIDTH)?;
        // There is none only after an error.
        own.ok_or(Error::Cancelled)
    }
}
