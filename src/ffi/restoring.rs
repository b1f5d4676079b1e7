//! What lives behind an nse_restoration, and what its thread does.

use super::callback::Events;
use super::picture::nse_picture;
use super::restoration::nse_restoration_desc;
use super::text;
use super::worker::{Reporter, Worker};
use crate::checkpoint::Keeper;
use crate::error::{Error, Result};
use crate::restore::{Fit, Network, Picture, Problem, Restoration, RestoreOptions, Saved, Watch};
use crate::search::{Control, Event, EventKind, Status};
use crate::supernet::ImageFitter;
use std::cell::Cell;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub struct RestorationHandle {
    pub restoration: Arc<Restoration>,
    pub worker: Worker<Bench>,
    pub events: Arc<Events>,
}

/// What lives on the thread of a restoration.
pub struct Bench {
    /// None until something is fitted: asks and tells need no libtorch.
    fitter: Option<ImageFitter>,
    keeper: Option<Keeper>,
}

impl Bench {
    fn fitter(&mut self, options: &RestoreOptions) -> Result<(&ImageFitter, Option<&Keeper>)> {
        if self.fitter.is_none() {
            self.fitter = Some(ImageFitter::new(options)?);
        }
        match &self.fitter {
            Some(fitter) => Ok((fitter, self.keeper.as_ref())),
            None => Err(Error::Unsupported("restoring an image")),
        }
    }
}

impl RestorationHandle {
    pub fn create(desc: &nse_restoration_desc, events: Events) -> Result<Self> {
        let options = text::required("desc.options_json", desc.options_json)?;
        Self::begin(Restoration::new(problem(desc, RestoreOptions::from_json(options)?)?)?, events)
    }

    pub fn load(path: &Path, desc: &nse_restoration_desc, events: Events) -> Result<Self> {
        let options = text::optional("desc.options_json", desc.options_json)?.map(RestoreOptions::from_json).transpose()?;
        let saved = Saved::read(path)?;
        let problem = problem(desc, options.unwrap_or_else(|| saved.options().clone()))?;
        Self::begin(Restoration::resume(path, saved, problem)?, events)
    }

    fn begin(restoration: Restoration, events: Events) -> Result<Self> {
        let checkpoint = restoration.problem.options.checkpoint.clone();
        let worker = Worker::start("restoration", || Ok(Bench { fitter: None, keeper: checkpoint.map(Keeper::new) }))?;
        Ok(RestorationHandle { restoration: Arc::new(restoration), worker, events: Arc::new(events) })
    }

    /// A generation, as a job.
    pub fn generation(&self) -> impl FnOnce(&mut Bench, &Reporter<Status>) -> Result<Status> + Send + 'static {
        let restoration = self.restoration.clone();
        move |bench, reporter| {
            let (fitter, keeper) = bench.fitter(&restoration.problem.options)?;
            restoration.step(fitter, keeper, reporter, &|event| reporter.event(event))
        }
    }

    pub fn run(&self, network: Option<Network>) -> Result<(Picture, Network, Fit)> {
        let restoration = self.restoration.clone();
        let job = move |bench: &mut Bench, reporter: &Reporter<(Picture, Network, Fit)>| {
            let (fitter, _) = bench.fitter(&restoration.problem.options)?;
            let steps = restoration.problem.options.train.iterations;
            let told = Told { reporter, steps, started: Instant::now(), last: Cell::new((0, f64::NAN, None)) };
            let found = restoration.restore(network, fitter, &told)?;
            let (step, loss, fitness) = told.last.get();
            reporter.event(&told.event(EventKind::Finish, step, loss, fitness));
            Ok(found)
        };
        self.worker.run(job, &self.events)
    }
}

fn problem(desc: &nse_restoration_desc, options: RestoreOptions) -> Result<Problem> {
    if desc.flags != 0 {
        return Err(Error::Argument { name: "desc", reason: format!("flags {:#x} are not known", desc.flags) });
    }
    let picture = nse_picture::copied("desc.picture", desc.picture)?;
    let mask = nse_picture::optional("desc.mask", desc.mask)?;
    Problem::new(options, picture, mask, nse_picture::optional("desc.reference", desc.reference)?)
}

/// A fit by itself, told to the host.
struct Told<'a, R> {
    reporter: &'a Reporter<R>,
    steps: u64,
    started: Instant,
    last: Cell<(u64, f64, Option<f64>)>,
}

impl<R> Told<'_, R> {
    fn event(&self, kind: EventKind, step: u64, loss: f64, fitness: Option<f64>) -> Event {
        let seconds = self.started.elapsed().as_secs_f64();
        let left = match kind {
            EventKind::Finish => 0.0,
            _ => seconds / step as f64 * self.steps.saturating_sub(step) as f64,
        };
        let accuracy = fitness.unwrap_or(f64::NAN);
        let (images_per_second, seconds_left) = (f64::NAN, left);
        let (steps, one) = (self.steps, 1);
        Event {
            kind,
            round: one,
            rounds: one,
            epoch: one,
            epochs: one,
            step,
            steps,
            loss,
            accuracy,
            images_per_second,
            seconds,
            seconds_left,
        }
    }
}

impl<R> Watch for Told<'_, R> {
    fn cancelled(&self) -> bool {
        self.reporter.cancelled()
    }

    fn step(&self, step: u64, loss: f64, fitness: Option<f64>) {
        self.last.set((step, loss, fitness));
        self.reporter.event(&self.event(EventKind::Train, step, loss, fitness));
    }
}
