//! One library-owned thread per object that computes. The host's threads never enter the tensor library: their thread-local state
//! stays theirs, and no pool of compute threads grows per calling thread.

use super::callback::Events;
use super::{boundary, threads};
use crate::error::{Error, Result};
use crate::log;
use crate::search::{Control, Event, EventKind};
use crate::supernet;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Progress events waiting to be told; when the host is slower than this, some are left out.
const QUEUE: usize = 64;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;
/// The way to a thread; None when the library was shut down.
type Jobs<S> = Mutex<Option<Sender<Job<S>>>>;

/// A thread that owns an `S`. Dropping the worker lets the thread finish what it does, and end.
pub struct Worker<S> {
    name: &'static str,
    jobs: Arc<Jobs<S>>,
    turn: Arc<Turn>,
    poisoned: Arc<AtomicBool>,
}

/// Whether a job is under way, which one, and whether it was asked to stop: one value (number of the job << 2 | state), so that no
/// cancel is lost, and none hits another job than it was meant for.
#[derive(Default)]
struct Turn(AtomicU64);

const IDLE: u64 = 0;
const RUNNING: u64 = 1;
const STOPPING: u64 = 2;
/// For good: the object was freed, or the library shut down.
const RETIRED: u64 = 3;
const STATE: u64 = 3;

impl Turn {
    /// `to`, when the state is `from` (and the job is this one, when one is named).
    fn change(&self, job: Option<u64>, from: u64, to: u64) -> std::result::Result<u64, u64> {
        let changed = |now: u64| {
            let fits = now & STATE == from && job.is_none_or(|job| now >> 2 == job);
            fits.then_some(now & !STATE | to)
        };
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, changed)
    }

    fn cancel(&self, job: Option<u64>) {
        let _ = self.change(job, RUNNING, STOPPING);
    }

    /// The number of the new job.
    fn begin(&self, name: &'static str) -> Result<u64> {
        let next = |now: u64| (now & STATE == IDLE).then_some((((now >> 2) + 1) << 2) | RUNNING);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) {
            Ok(before) => Ok((before >> 2) + 1),
            Err(now) if now & STATE == RETIRED => Err(Error::Cancelled),
            Err(_) => Err(Error::Busy(name)),
        }
    }

    fn end(&self) {
        let idle = |now: u64| (now & STATE != RETIRED).then_some(now & !STATE | IDLE);
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, idle);
    }

    fn retire(&self) {
        self.0.fetch_or(RETIRED, Ordering::AcqRel);
    }

    fn stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed) & STATE >= STOPPING
    }
}

enum Message<R> {
    Event(Event),
    Done(Result<R>),
}

/// How a job reports progress, and hears that it should stop.
pub struct Reporter<R> {
    sender: Sender<Message<R>>,
    queued: Arc<AtomicUsize>,
    turn: Arc<Turn>,
    job: u64,
    /// Told at once, here; otherwise events wait for whoever holds the ticket.
    direct: Option<Arc<Events>>,
    deaf: Cell<bool>,
    left_out: Cell<u64>,
}

impl<R> Reporter<R> {
    pub fn event(&self, event: &Event) {
        if let Some(events) = &self.direct {
            if !self.deaf.get() && events.tell(event) {
                self.deaf.set(true);
                self.turn.cancel(Some(self.job));
            }
        } else if matches!(event.kind, EventKind::Finish | EventKind::Evaluate) || self.queued.load(Ordering::Relaxed) < QUEUE {
            self.queued.fetch_add(1, Ordering::Relaxed);
            // Nobody listening any more is no reason to stop: the result is kept all the same.
            let _ = self.sender.send(Message::Event(*event));
        } else {
            self.left_out.set(self.left_out.get() + 1);
        }
    }
}

impl<R> Control for Reporter<R> {
    fn cancelled(&self) -> bool {
        threads::outlast_host();
        self.turn.stopped()
    }
}

/// A job under way, for whoever waits for it. Dropping it lets the job go on.
pub struct Ticket<R> {
    messages: Receiver<Message<R>>,
    queued: Arc<AtomicUsize>,
    turn: Arc<Turn>,
    job: u64,
    deaf: bool,
}

impl<R> Ticket<R> {
    /// Tells the events that wait to `listener`, here, until the job is done (then its result) or the time is up (None; no limit
    /// without `timeout`). A listener that cancels is not told any more.
    pub fn wait(&mut self, timeout: Option<Duration>, listener: &Events) -> Option<Result<R>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let message = match deadline {
                None => self.messages.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(deadline) => self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())),
            };
            match message {
                Ok(Message::Event(event)) => {
                    self.queued.fetch_sub(1, Ordering::Relaxed);
                    if !self.deaf && listener.tell(&event) {
                        self.deaf = true;
                        self.cancel();
                    }
                }
                Ok(Message::Done(result)) => return Some(result),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => return Some(Err(ended())),
            }
        }
    }

    /// Asks this job, and no other, to stop.
    fn cancel(&self) {
        self.turn.cancel(Some(self.job));
    }

    /// The same from elsewhere.
    pub fn canceller(&self) -> impl Fn() + Send + Sync + 'static {
        let (turn, job) = (self.turn.clone(), self.job);
        move || turn.cancel(Some(job))
    }
}

fn ended() -> Error {
    Error::Panic("the worker thread ended".into())
}

impl<S: 'static> Worker<S> {
    /// Starts the thread and makes its state there.
    pub fn start(name: &'static str, make: impl FnOnce() -> Result<S> + Send + 'static) -> Result<Self> {
        let (jobs, queue) = channel::<Job<S>>();
        let (ready, made) = channel();
        let body = move || {
            let state = boundary::catch(make);
            supernet::rest();
            match state {
                Ok(state) => {
                    let _ = ready.send(Ok(()));
                    serve(state, queue);
                }
                Err(error) => {
                    let _ = ready.send(Err(error));
                }
            }
        };
        let worker = Worker { name, jobs: Arc::new(Mutex::new(Some(jobs))), turn: Arc::default(), poisoned: Arc::default() };
        threads::spawn(name, worker.stop(), body)?;
        made.recv().unwrap_or_else(|_| Err(ended()))?;
        if worker.jobs().is_none() {
            return Err(Error::ShutDown(name));
        }
        Ok(worker)
    }

    /// How this thread is brought to an end when the library is shut down. Keeps nothing alive.
    fn stop(&self) -> threads::Stop {
        let (turn, jobs) = (self.turn.clone(), Arc::downgrade(&self.jobs));
        Arc::new(move || {
            turn.retire();
            let jobs = jobs.upgrade();
            // The thread does what it was given, which ends soon, and then ends itself.
            drop(jobs.and_then(|jobs| jobs.lock().unwrap_or_else(PoisonError::into_inner).take()));
        })
    }

    fn jobs(&self) -> Option<Sender<Job<S>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the library was shut down since.
    pub fn closed(&self) -> bool {
        self.jobs().is_none()
    }

    /// Asks the job under way to stop. Without one it does nothing.
    pub fn cancel(&self) {
        self.turn.cancel(None);
    }

    /// Asks the job under way to stop, and lets no other begin.
    pub fn retire(&self) {
        self.turn.retire();
    }

    /// Begins `job` on the thread. One at a time: a second caller is told so until the job has ended. Events go to `events` as it
    /// wants: at once, from the thread of the job, or when the ticket is waited for.
    pub fn submit<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S, &Reporter<R>) -> Result<R> + Send + 'static,
        events: &Arc<Events>,
    ) -> Result<Ticket<R>> {
        self.send(job, events, true)
    }

    /// The turn ends with the job, or when the caller says so.
    fn send<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S, &Reporter<R>) -> Result<R> + Send + 'static,
        events: &Arc<Events>,
        ends: bool,
    ) -> Result<Ticket<R>> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Poisoned(self.name));
        }
        let jobs = self.jobs().ok_or(Error::ShutDown(self.name))?;
        let number = self.turn.begin(self.name)?;
        let (sender, messages) = channel();
        let direct = events.direct().then(|| events.clone());
        let (turn, queued) = (self.turn.clone(), Arc::<AtomicUsize>::default());
        let (deaf, left_out) = (Cell::new(false), Cell::new(0));
        let reporter = Reporter { sender, queued: queued.clone(), turn, job: number, direct, deaf, left_out };
        let poisoned = self.poisoned.clone();
        let sent = jobs.send(Box::new(move |state| {
            let result = boundary::catch(|| job(state, &reporter));
            supernet::rest();
            if reporter.left_out.get() > 0 {
                log::info!("events", "{} events were left out: the host was slow to take them", reporter.left_out.get());
            }
            if matches!(result, Err(Error::Panic(_))) {
                poisoned.store(true, Ordering::Release);
            }
            if ends {
                // Before the result: whoever has it may begin the next job.
                reporter.turn.end();
            }
            let _ = reporter.sender.send(Message::Done(result));
        }));
        if sent.is_err() {
            self.turn.end();
            return Err(ended());
        }
        Ok(Ticket { messages, queued, turn: self.turn.clone(), job: number, deaf: false })
    }

    /// Runs `job` on the thread and waits for it; until this returns, callbacks included, no other can begin.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S, &Reporter<R>) -> Result<R> + Send + 'static,
        events: &Arc<Events>,
    ) -> Result<R> {
        let mut ticket = self.send(job, events, false)?;
        let _end = End(&self.turn);
        ticket.wait(None, events).unwrap_or_else(|| Err(ended()))
    }
}

/// Runs `job` on a thread of ours of its own, and waits for it: libtorch keeps something on every thread that asks it for anything.
pub fn once<R: Send + 'static>(name: &'static str, job: impl FnOnce() -> Result<R> + Send + 'static) -> Result<R> {
    Worker::start(name, || Ok(()))?.run(|_, _| job(), &Arc::new(Events::none()))
}

struct End<'a>(&'a Turn);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.end();
    }
}

fn serve<S>(mut state: S, queue: Receiver<Job<S>>) {
    for job in queue {
        job(&mut state);
    }
}
