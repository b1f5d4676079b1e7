//! One library-owned thread per object that computes. The host's threads never enter the tensor library: their thread-local state
//! stays theirs, and no pool of compute threads grows per calling thread.

use super::boundary;
use crate::error::{Error, Result};
use crate::search::{Event, EventKind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, sync_channel, Receiver, Sender, SyncSender};

/// Progress events on their way; when the host is slower than this, some are left out.
const QUEUE: usize = 64;
const STACK_BYTES: usize = 8 << 20;

type Job<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that owns an `S`. Dropping the worker lets the thread finish what it does, and end.
pub struct Worker<S> {
    name: &'static str,
    jobs: Sender<Job<S>>,
    busy: AtomicBool,
    poisoned: AtomicBool,
}

enum Message<R> {
    Event(Event),
    Done(Result<R>),
}

/// How a job reports progress.
pub struct Reporter<R>(SyncSender<Message<R>>);

impl<R> Reporter<R> {
    pub fn event(&self, event: &Event) {
        // Nobody listening any more is no reason to stop: the result is kept all the same.
        let _ = match event.kind {
            EventKind::Finish => self.0.send(Message::Event(*event)).map_err(|_| ()),
            EventKind::Train | EventKind::Score => self.0.try_send(Message::Event(*event)).map_err(|_| ()),
        };
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
        Ok(Worker { name, jobs, busy: AtomicBool::new(false), poisoned: AtomicBool::new(false) })
    }

    /// Runs `job` on the thread, delivers its events here, and returns its result. One at a time: a second caller is told
    /// so.
    pub fn run<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut S, &Reporter<R>) -> Result<R> + Send + 'static,
        mut on_event: impl FnMut(&Event),
    ) -> Result<R> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Poisoned(self.name));
        }
        if self.busy.swap(true, Ordering::AcqRel) {
            return Err(Error::Busy(self.name));
        }
        let _free = Release(&self.busy);
        let (sender, messages) = sync_channel(QUEUE);
        let reporter = Reporter(sender);
        let sent = self.jobs.send(Box::new(move |state| {
            let result = boundary::catch(|| job(state, &reporter));
            let _ = reporter.0.send(Message::Done(result));
        }));
        let ended = || Error::Panic("the worker thread ended".into());
        sent.map_err(|_| ended())?;
        loop {
            match messages.recv() {
                Ok(Message::Event(event)) => on_event(&event),
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

struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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
