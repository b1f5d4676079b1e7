//! A restoration: an image, and the search for the network that restores it best. Shared by threads.

use super::fit::{Fit, Fitter, Watch};
use super::genome::Genome;
use super::network::Network;
use super::picture::Picture;
use super::population::Population;
use super::problem::Problem;
use super::saved::{self, Saved};
use crate::checkpoint::Keeper;
use crate::error::{Error, Result};
use crate::search::{Control, Event, EventKind, Status};
use serde_json::{json, Value};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError, Sender};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

pub struct Restoration {
    pub problem: Problem,
    population: Mutex<Population>,
}

/// How often a call that only waits for fits asks whether it is cancelled.
const PATIENCE: Duration = Duration::from_millis(20);

enum Said {
    Step(usize, u64, f64, Option<f64>),
    Done(usize, Result<Vec<Fit>>),
}

impl Restoration {
    pub fn new(problem: Problem) -> Result<Self> {
        let population = Population::new(&problem.options, problem.shape())?;
        Ok(Restoration { problem, population: Mutex::new(population) })
    }

    /// One that was saved, of the same problem.
    pub fn resume(path: &Path, saved: Saved, problem: Problem) -> Result<Self> {
        let population = saved.resume(path, &problem)?;
        Ok(Restoration { problem, population: Mutex::new(population) })
    }

    pub fn save(&self, path: &Path) -> Result<()> {
        saved::save(path, &self.problem, &self.population())
    }

    /// The search, as it is at the moment. Nobody holds it for long, but for the draw of a generation.
    pub fn population(&self) -> MutexGuard<'_, Population> {
        self.population.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fits all networks of the generation under way that nothing is known of, several at once where the options want that. Each result is
    /// kept when it is there; a cancel, or an error, loses the fits under way.
    pub fn step(
        &self,
        fitter: &dyn Fitter,
        keeper: Option<&Keeper>,
        control: &dyn Control,
        tell: &dyn Fn(&Event),
    ) -> Result<Status> {
        let (open, generation, all) = {
            let population = self.population();
            let (open, all) = population.open();
            (open, population.generations(), all)
        };
        if self.population().done() {
            return Ok(Status::Done);
        }
        let (before, fitted) = (all - open.len(), Cell::new(0));
        let narrator = Narrator { restoration: self, started: Instant::now(), generation, all, before, fitted };
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let (sender, said) = channel::<Said>();
        let workers = self.problem.options.search.parallel.min(open.len());
        let work = |sender: Sender<Said>| loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(genome) = open.get(at).filter(|_| !stop.load(Ordering::Relaxed)) else { break };
            let fits = self.fits(genome, fitter, &Ear { at, sender: &sender, stop: &stop });
            let _ = sender.send(Said::Done(at, fits));
        };
        thread::scope(|scope| {
            for _ in 0..workers {
                let (sender, work) = (sender.clone(), &work);
                let spawned = thread::Builder::new().name("nse-fit".into()).spawn_scoped(scope, move || work(sender));
                if let Err(error) = spawned {
                    stop.store(true, Ordering::Relaxed);
                    return Err(Error::OutOfMemory(format!("no thread can be begun: {error}")));
                }
            }
            drop(sender);
            let mut ended = Ok(());
            loop {
                let heard = match said.recv_timeout(PATIENCE) {
                    Ok(Said::Step(at, step, loss, fitness)) => {
                        tell(&narrator.step(at, step, loss, fitness));
                        Ok(())
                    }
                    Ok(Said::Done(at, fits)) => fits.and_then(|fits| self.fitted(&open[at], fits, keeper, &narrator, tell)),
                    Err(RecvTimeoutError::Timeout) => Ok(()),
                    Err(RecvTimeoutError::Disconnected) => break,
                };
                // The first error is the reason; others follow from it.
                ended = ended.and(heard);
                if ended.is_ok() && control.cancelled() {
                    ended = Err(Error::Cancelled);
                }
                if ended.is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            // A generation that is complete is not to be stopped any more.
            match self.population().generations().0 > generation.0 {
                true => Ok(()),
                false => ended,
            }
        })?;
        tell(&narrator.event(EventKind::Finish, all as u64, all as u64, f64::NAN, self.best()));
        Ok(if self.population().done() { Status::Done } else { Status::Round })
    }

    /// Every fit of one network.
    fn fits(&self, genome: &Genome, fitter: &dyn Fitter, watch: &dyn Watch) -> Result<Vec<Fit>> {
        let plan = Network::Genome(genome.clone()).feasible(self.problem.input_channels(), self.problem.given.channels)?;
        let fit = |repeat| Ok(fitter.fit(&self.problem, &plan, repeat, watch)?.fit()?.1);
        (0..self.problem.options.search.repeats).map(fit).collect()
    }

    fn fitted(
        &self,
        genome: &Genome,
        fits: Vec<Fit>,
        keeper: Option<&Keeper>,
        narrator: &Narrator,
        tell: &dyn Fn(&Event),
    ) -> Result<()> {
        let sum = fits.iter().map(|fit| fit.fitness).sum::<Option<f64>>();
        let fitness = sum.map(|sum| sum / fits.len() as f64);
        let complete = {
            let mut population = self.population();
            let before = population.generations();
            match population.tell(genome, fitness, fits) {
                // The host was faster, and its word counts.
                Err(Error::Conflict { .. }) => {}
                told => drop(told?),
            }
            population.generations() != before
        };
        narrator.fitted.set(narrator.fitted.get() + 1);
        tell(&narrator.scored());
        keeper.map_or(Ok(()), |keeper| keeper.keep_with(complete, |path| self.save(path)))
    }

    /// Restores the image with one network; none: the fittest that is known.
    pub fn restore(&self, network: Option<Network>, fitter: &dyn Fitter, watch: &dyn Watch) -> Result<(Picture, Network, Fit)> {
        let best = || self.population().best().map(|member| Network::Genome(member.code));
        let network = network.or_else(best).ok_or_else(|| Error::NotFound("no network was found yet".into()))?;
        let plan = network.feasible(self.problem.input_channels(), self.problem.given.channels)?;
        let (image, fit) = fitter.fit(&self.problem, &plan, 0, watch)?.fit()?;
        match image {
            Some(image) => Ok((image, network, fit)),
            None => Err(Error::Diverged { loss: f64::NAN, round: 1, step: fit.steps + 1 }),
        }
    }

    fn best(&self) -> Option<f64> {
        self.population().best().and_then(|member| member.known.fitness)
    }

    /// All that there is to say, as JSON.
    pub fn report(&self) -> Value {
        let population = self.population();
        let (generation, generations) = population.generations();
        let known = population.known();
        json!({
            "image": self.problem.shape(),
            "options": self.problem.options,
            "generation": generation,
            "generations": generations,
            "done": population.done(),
            "networks": known.len(),
            "failed": known.values().filter(|known| known.fitness.is_none()).count(),
            "open": population.open().0,
            "pending": population.pending().collect::<Vec<_>>(),
            "best": population.best(),
            "front": population.front(),
            "history": population.history(),
        })
    }
}

/// The end of a thread that fits: it hears of a cancel, and is heard.
struct Ear<'a> {
    at: usize,
    sender: &'a Sender<Said>,
    stop: &'a AtomicBool,
}

impl Watch for Ear<'_> {
    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn step(&self, step: u64, loss: f64, fitness: Option<f64>) {
        let _ = self.sender.send(Said::Step(self.at, step, loss, fitness));
    }
}

/// What is told of a generation.
struct Narrator<'a> {
    restoration: &'a Restoration,
    started: Instant,
    generation: (u64, u64),
    /// Networks of the generation, and those that were known when the call began.
    all: usize,
    before: usize,
    /// Since then.
    fitted: Cell<usize>,
}

impl Narrator<'_> {
    fn event(&self, kind: EventKind, step: u64, steps: u64, loss: f64, accuracy: Option<f64>) -> Event {
        let seconds = self.started.elapsed().as_secs_f64();
        let (generation, generations) = self.generation;
        let fitted = self.fitted.get();
        let open = self.all - self.before - fitted;
        let left =
            open as f64 + (generations - generation - 1) as f64 * self.restoration.problem.options.search.population as f64;
        Event {
            kind,
            round: generation + 1,
            rounds: generations,
            epoch: (self.all - open) as u64,
            epochs: self.all as u64,
            step,
            steps,
            loss,
            accuracy: accuracy.unwrap_or(f64::NAN),
            images_per_second: f64::NAN,
            seconds,
            seconds_left: if fitted == 0 { f64::NAN } else { seconds / fitted as f64 * left },
        }
    }

    fn step(&self, at: usize, step: u64, loss: f64, fitness: Option<f64>) -> Event {
        let event = self.event(EventKind::Train, step, self.restoration.problem.options.train.iterations, loss, fitness);
        Event { epoch: (self.before + at + 1) as u64, ..event }
    }

    fn scored(&self) -> Event {
        let event = self.event(EventKind::Score, 0, self.all as u64, f64::NAN, self.restoration.best());
        Event { step: event.epoch, ..event }
    }
}
