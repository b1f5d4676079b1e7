//! One library-owned thread per object that computes. The host's threads never enter the tensor library: their thread-local state
//! stays theirs, and no pool of compute threads grows per calling thread.

use super::boundary;
use super::callback::Events;
use crate::error::{Error, Result};
use crate::search::{Control, Event, EventKind};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};
use std::sync::Arc;

/// Progress events on their way; when the host is slower than this, some are left out.
const QUEUE: usize = 64;
const STACK_BYTES: usize = 8 << 20;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that owns an `S`. Dropping the worker lets the thread finish what it does, and end.
pub struct Worker<S> {
    name: &'static str,
    jobs: Sender<Job<S>>,
    turn: Arc<Turn>,
    poisoned: AtomicBool,
}

/// Whether a job is under way, and whether it was asked to stop: one value, so that no cancel is lost and none outlives its job.
#[derive(Default)]
pub struct Turn(AtomicU8);

const IDLE: u8 = 0;
const RUNNING: u8 = 1;
const STOPPING: u8 = 2;
/// For good: the object was freed.
const RETIRED: u8 = 3;

impl Turn {
    fn cancel(&self) {
        let _ = self.0.compare_exchange(RUNNING, STOPPING, Ordering::AcqRel, Ordering::Relaxed);
    }

    fn begin(&self, name: &'static str) -> Result<()> {
        match self.0.compare_exchange(IDLE, RUNNING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Ok(()),
            Err(RETIRED) => Err(Error::Cancelled),
            Err(_) => Err(Error::Busy(name)),
        }
    }

    fn end(&self) {
        let _ = self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| (state != RETIRED).then_some(IDLE));
    }
}

impl Control for Turn {
    fn cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= STOPPING
    }
}

enum Message<R> {
    Event(Event),
    Done(Result<R>),
}

/// How a job reports progress, and hears that it should stop.
pub struct Reporter<R> {
    sender: SyncSender<Message<R>>,
    turn: Arc<Turn>,
}

impl<R> Reporter<R> {
    pub fn event(&self, event: &Event) {
        // Nobody listening any more is no reason to stop: the result is kept all the same.
        let _ = match event.kind {
            EventKind::Finish => self.sender.send(Message::Event(*event)).map_err(|_| ()),
            EventKind::Train | EventKind::Score | EventKind::Measure => {
                self.sender.try_send(Message::Event(*event)).map_err(|_| ())
            }
        };
    }
}

impl<R> Control for Reporter<R> {
    fn cancelled(&self) -> bool {
        self.turn.cancelled()
    }
}

impl<S: 'static> Worker<S> {
    /// Starts the thread and makes its state there.
    pub fn start(name: &'static str, make: impl FnOnce() -> Result<S> + Send + 'static) -> Result<Self> {
        let (jobs, queue) = channel::<Job<S>>();
        let (ready, made) = channel();
        let thread = std::thread::Builder::new().name(format!("nse-{name}")).stack_size(STACK_BYTES);
        let body = move || match boundary::catch(make) {
            Ok(state) => {
                let _ = ready.send(Ok(()));
                serve(state, queue);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        };
        without_signals(|| thread.spawn(body)).map_err(|source| Error::Io { path: "thread".into(), source })?;
        made.recv().unwrap_or_else(|_| Err(Error::Panic("the worker thread ended".into())))?;
        Ok(Worker { name, jobs, turn: Arc::default(), poisoned: AtomicBool::new(false) })
    }

    /// Asks the job under way to stop. Without one it does nothing.
    pub fn cancel(&self) {
        self.turn.cancel();
    }

    /// Asks the job under way to stop, and lets no other begin.
    pub fn retire(&self) {
        self.turn.0.store(RETIRED, Ordering::Release);
    }

    /// Runs `job` on the thread, tells its events to `listener` here, and returns its result. One at a time: a second caller is
    /// told so. A listener that cancels is not told any more.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S, &Reporter<R>) -> Result<R> + Send + 'static,
        listener: &Events,
    ) -> Result<R> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Poisoned(self.name));
        }
        self.turn.begin(self.name)?;
        let _end = End(&self.turn);
        let (sender, messages) = sync_channel(QUEUE);
        let reporter = Reporter { sender, turn: self.turn.clone() };
        let sent = self.jobs.send(Box::new(move |state| {
            let result = boundary::catch(|| job(state, &reporter));
            let _ = reporter.sender.send(Message::Done(result));
        }));
        let ended = || Error::Panic("the worker thread ended".into());
        sent.map_err(|_| ended())?;
        let mut listening = true;
        loop {
            match messages.recv() {
                Ok(Message::Event(event)) => {
                    if listening && listener.tell(&event) {
                        listening = false;
                        self.turn.cancel();
                    }
                }
                Ok(Message::Done(result)) => {
                    if matches!(result, Err(Error::Panic(_))) {
                        self.poisoned.store(true, Ordering::Release);
                    }
                    return result;
                }
                Err(_) => return Err(ended()),
            }
        }
    }
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

/// Runs `spawn` with all signals blocked, so that the new thread never runs a handler of the host.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: plain calls on local signal sets.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}
