//! The ranks as a search sees them: a transport on a thread of its own, where it may take as long as it likes, and a time limit here.

use super::callback::Events;
use super::worker::Worker;
use crate::data::reserve;
use crate::dist::Transport;
use crate::error::{Error, Result};
use crate::log;
use crate::search::Collective;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a shutdown waits for one who waits for others.
const SLICE: Duration = Duration::from_millis(50);

pub struct Group {
    rank: usize,
    size: usize,
    /// None: as long as it takes.
    limit: Option<Duration>,
    thread: Worker<Option<Box<dyn Transport>>>,
    /// Why nothing goes any more.
    failed: Mutex<Option<Arc<Error>>>,
}

impl Group {
    /// `make` runs on the thread of the transport.
    pub fn start(
        rank: usize,
        size: usize,
        limit: Option<Duration>,
        make: impl FnOnce() -> Result<Box<dyn Transport>> + Send + 'static,
    ) -> Result<Self> {
        Ok(Group { rank, size, limit, thread: Worker::start("group", || make().map(Some))?, failed: Mutex::default() })
    }

    pub fn limit(&self) -> Option<Duration> {
        self.limit
    }

    pub fn failure(&self) -> Option<Arc<Error>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs `work` on the thread of the transport. What it works with is its own, and stays so when it is not waited for any more.
    fn call<R: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut dyn Transport) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        if let Some(failure) = self.failure() {
            return Err(Error::Shared(failure));
        }
        let nobody = Arc::new(Events::none());
        let mut ticket = self.thread.submit(
            move |place, _| {
                let outcome = match place {
                    Some(transport) => work(transport.as_mut()),
                    None => Err(Error::Cancelled),
                };
                if outcome.is_err() {
                    // The others are not to wait for this rank.
                    *place = None;
                }
                outcome
            },
            &nobody,
        )?;
        let begun = Instant::now();
        let outcome = loop {
            let left = self.limit.map_or(SLICE, |limit| limit.saturating_sub(begun.elapsed()));
            if let Some(outcome) = ticket.wait(Some(left.min(SLICE)), &nobody) {
                break outcome;
            }
            if self.thread.closed() {
                break Err(Error::ShutDown("group"));
            }
            if let Some(reason) = self.over(begun) {
                break Err(self.error(what, reason));
            }
        };
        outcome.map_err(|error| {
            let error = match error {
                Error::Collective { .. } | Error::ShutDown(_) | Error::Panic(_) => error,
                other => self.error(what, other.to_string()),
            };
            log::warn!("group", "{error}");
            let error = Arc::new(error);
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.clone());
            Error::Shared(error)
        })
    }

    fn over(&self, begun: Instant) -> Option<String> {
        let limit = self.limit?;
        (begun.elapsed() >= limit).then(|| format!("not all ranks came within {} ms", begun.elapsed().as_millis()))
    }

    fn error(&self, what: &'static str, reason: String) -> Error {
        Error::Collective { rank: self.rank, size: self.size, what, reason }
    }
}

impl Collective for Group {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    // Nothing is not sent: hosts need not know what a pointer to nothing is.
    fn sum(&self, mut numbers: Vec<i64>) -> Result<Vec<i64>> {
        if numbers.is_empty() {
            return Ok(numbers);
        }
        self.call("a sum", move |transport| transport.sum(&mut numbers).map(|()| numbers))
    }

    fn max(&self, mut numbers: Vec<f64>) -> Result<Vec<f64>> {
        if numbers.is_empty() {
            return Ok(numbers);
        }
        self.call("a maximum", move |transport| transport.max(&mut numbers).map(|()| numbers))
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        if bytes.is_empty() {
            return Ok(bytes);
        }
        self.call("a broadcast", move |transport| transport.broadcast(&mut bytes).map(|()| bytes))
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let (length, size) = (bytes.len(), self.size);
        if length == 0 {
            return Ok(vec![Vec::new(); size]);
        }
        let all = self.call("a gather", move |transport| {
            let mut all = reserve("gathered parts", length * size)?;
            all.resize(length * size, 0);
            transport.gather(&bytes, &mut all).map(|()| all)
        })?;
        Ok((0..size).map(|rank| all.iter().skip(rank * length).take(length).copied().collect()).collect())
    }

    fn barrier(&self) -> Result<()> {
        self.call("a barrier", |transport| transport.barrier())
    }

    fn draw(&self, anew: bool) -> Result<Option<u64>> {
        self.call("a draw", move |transport| transport.draw(anew))
    }

    fn late(&self, begun: Instant) -> Option<String> {
        match self.thread.closed() {
            true => Some(Error::ShutDown("group").to_string()),
            false => self.over(begun),
        }
    }

    fn fail(&self, what: &'static str, reason: String) -> Error {
        let error = self.error(what, reason);
        match self.call(what, move |_| Err::<(), _>(error)) {
            Err(error) => error,
            Ok(()) => Error::Cancelled,
        }
    }
}
