//! A stand-alone training as a resumable run: steps, epochs, held-out curve, checkpoints. All that it draws comes from streams named
//! by the step, so that one that was killed and goes on from its checkpoint ends with the same bits.

use super::ensemble::mean;
use super::learner::{correct, cross_entropy, summed, Batch, Loader};
use super::network::Network;
use super::norm::Norm;
use super::optimizer::Optimizer;
use super::options::{Epoch, Evaluation, ModelOptions, Precision, Recipe};
use super::score;
use super::shim::BFloat16;
use super::tape::Tape;
use crate::checkpoint::training::{self, Identity};
use crate::checkpoint::Keeper;
use crate::data::Order;
use crate::error::{Error, Result};
use crate::search::{Control, Event, EventKind, Meter, Purpose, Schedule, StepOutcome, Stream};
use crate::space::CellKind;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::Instant;
use tch::{Kind, Tensor};

/// Images per pass when no gradient is needed.
pub const PASS: usize = 1024;

pub struct Training<'a> {
    pub network: &'a Network,
    pub open: &'a [Vec<u16>],
    pub options: &'a ModelOptions,
    pub train: Loader,
    /// Training images for the batch-norm statistics.
    pub calibration: Loader,
    pub held_out: Option<Loader>,
    /// What a checkpoint must be of.
    pub identity: Identity,
    pub control: &'a dyn Control,
    pub watch: &'a dyn Fn(&Event),
}

/// How far it is.
#[derive(Default, Serialize, Deserialize)]
struct Progress {
    /// Steps that were made.
    step: u64,
    history: Vec<Epoch>,
    meter: Meter,
    /// Of the epoch under way: sums of losses and counts over its steps.
    loss: f64,
    correct: u64,
    images: u64,
    /// Of earlier processes.
    seconds: f64,
}

impl Training<'_> {
    /// Trains to the end. The weights are then those of the moving average, if there is one. Returns the curve.
    pub fn run(mut self) -> Result<(Vec<Epoch>, Meter)> {
        let recipe = &self.options.train;
        let mut order = Order::new(self.options.seed, Purpose::TrainOrder, self.train.dataset.len(), recipe.batch);
        let per_epoch = order.steps_per_epoch();
        let steps = recipe.steps(per_epoch);
        let schedule = recipe.schedule(steps);
        let optimizer = Optimizer::new(self.network, self.open, recipe)?;
        let checkpoint = self.options.checkpoint.as_ref();
        let keeper = checkpoint.map(|checkpoint| Keeper::new(checkpoint.rhythm()));
        let mut progress = match checkpoint.filter(|checkpoint| checkpoint.resume && checkpoint.path.exists()) {
            Some(checkpoint) => self.resume(&checkpoint.path, &optimizer, steps, per_epoch)?,
            None => Progress::default(),
        };
        let (before, started) = (progress.seconds, Instant::now());
        progress.meter.start();
        loop {
            progress.seconds = before + started.elapsed().as_secs_f64();
            let worked = match progress.step {
                step if progress.epoch_ended(steps, per_epoch) => {
                    self.end_epoch(&optimizer, &mut progress, schedule.at(step - 1), steps, per_epoch).map(|()| None)
                }
                step if step == steps => break,
                _ if self.control.cancelled() => Err(Error::Cancelled),
                step => self.step(&optimizer, &mut order, step, &schedule).map(Some),
            };
            if let Ok(Some(outcome)) = &worked {
                progress.add(*outcome);
            }
            let save = |path: &Path| self.save(path, &optimizer, &progress);
            match (&worked, &keeper) {
                (Ok(_), Some(keeper)) => keeper.keep_with(progress.epoch_ended(steps, per_epoch), save)?,
                (Err(Error::Cancelled), Some(keeper)) => keeper.keep_with(true, save)?,
                _ => {}
            }
            if worked?.is_some() {
                (self.watch)(&progress.event(EventKind::Train, steps, per_epoch));
            }
        }
        if optimizer.averages() {
            optimizer.exchange()?;
        }
        (self.watch)(&progress.event(EventKind::Finish, steps, per_epoch));
        Ok((progress.history, progress.meter))
    }

    fn step(&mut self, optimizer: &Optimizer, order: &mut Order, step: u64, schedule: &Schedule) -> Result<StepOutcome> {
        let (seed, recipe) = (self.options.seed, &self.options.train);
        let changes = (recipe.augment, Stream::new(seed, Purpose::Augment, 0, step));
        let (images, labels) = self.train.load(order.batch(0, step), Some(changes))?;
        let _turn = self.network.turn(&images, &Norm::Batch)?;
        let mixed = Mixed::new(recipe, (images, labels), Stream::new(seed, Purpose::Mixup, 0, step))?;
        let drops = |most, purpose| Drops { most, stream: Stream::new(seed, purpose, 0, step) };
        let branches = drops(recipe.drop_path, Purpose::DropPath);
        let numbers = drops(recipe.dropout, Purpose::Dropout);
        let tape = Tape::begin(self.network.is_row(&mixed.images, self.network.paths(), &Norm::Batch))?;
        let logits = {
            let _low = (recipe.precision == Precision::BFloat16).then(|| BFloat16::on(mixed.images.device())).transpose()?;
            forward(self.network, self.open, &mixed.images, branches, numbers)?
        };
        let logits: Vec<_> = logits.iter().map(|logits| Ok(logits.f_to_kind(Kind::Float)?)).collect::<Result<_>>()?;
        let loss = summed(&logits, |logits| mixed.loss(logits, recipe.label_smoothing))?;
        let logits = mean(&logits)?;
        let value = loss.f_double_value(&[])?;
        let diverged = |loss: f64| Error::Diverged { loss, round: 1, step: step + 1 };
        if !value.is_finite() {
            return Err(diverged(value));
        }
        let values: Vec<&Tensor> = optimizer.parameters().iter().collect();
        let gradients = tape.gradients(&loss, &values)?;
        if !optimizer.step(&gradients, step, schedule.at(step))? {
            return Err(diverged(f64::NAN));
        }
        Ok(StepOutcome { loss: value, correct: correct(&logits, mixed.main())?, images: mixed.labels.size()[0] as u64 })
    }

    /// Writes the line of an epoch whose steps were made.
    fn end_epoch(&mut self, optimizer: &Optimizer, progress: &mut Progress, lr: f64, steps: u64, per_epoch: u64) -> Result<()> {
        let epoch = progress.history.len() as u64 + 1;
        let due = epoch % self.options.train.evaluate_every == 0 || progress.step == steps;
        let (mut held_out, mut ema) = (None, None);
        if due && self.held_out.is_some() {
            held_out = self.evaluate()?;
            if optimizer.averages() {
                optimizer.exchange()?;
                let evaluated = self.evaluate();
                optimizer.exchange()?;
                ema = evaluated?;
            }
        }
        let images = progress.images.max(1) as f64;
        let made = progress.step.saturating_sub((epoch - 1) * per_epoch).max(1);
        progress.history.push(Epoch {
            epoch,
            step: progress.step,
            loss: progress.loss / made as f64,
            accuracy: progress.correct as f64 / images,
            held_out,
            ema,
            lr,
            seconds: progress.seconds,
        });
        (progress.loss, progress.correct, progress.images) = (0.0, 0, 0);
        if let Some(Evaluation { loss, accuracy }) = ema.or(held_out) {
            let event = progress.event(EventKind::Evaluate, steps, per_epoch);
            (self.watch)(&Event { loss, accuracy, ..event });
        }
        progress.meter.start();
        Ok(())
    }

    /// On the held-out images, with the weights as they are.
    fn evaluate(&mut self) -> Result<Option<Evaluation>> {
        let Some(held_out) = &mut self.held_out else { return Ok(None) };
        let statistics = score::calibrate(self.network, self.open, &mut self.calibration, PASS, self.control)?;
        let (loss, accuracy) = score::evaluate(self.network, self.open, &statistics, held_out, PASS, self.control)?;
        Ok(Some(Evaluation { loss, accuracy }))
    }

    fn save(&self, path: &Path, optimizer: &Optimizer, progress: &Progress) -> Result<()> {
        let progress = serde_json::to_value(progress).map_err(|e| Error::Panic(format!("writing a checkpoint: {e}")))?;
        training::save(path, &self.identity, progress, &optimizer.save()?)
    }

    fn resume(&self, path: &Path, optimizer: &Optimizer, steps: u64, per_epoch: u64) -> Result<Progress> {
        let (progress, weights) = training::load(path, &self.identity)?;
        let wrong = |reason: String| Error::Format { path: path.into(), reason };
        let progress: Progress = serde_json::from_value(progress).map_err(|e| wrong(format!("the progress: {e}")))?;
        let (step, epochs) = (progress.step, progress.history.len() as u64);
        let ended = if step == steps { steps.div_ceil(per_epoch) } else { step / per_epoch };
        // The line of the last epoch may be still to write.
        if step > steps || !(epochs == ended || epochs + 1 == ended && progress.images > 0) {
            return Err(wrong(format!("{epochs} epochs after step {step} of {steps}")));
        }
        optimizer.restore(&weights).map_err(|error| match error {
            Error::Argument { reason, .. } => wrong(format!("the weights: {reason}")),
            other => other,
        })?;
        Ok(progress)
    }
}

impl Progress {
    fn add(&mut self, outcome: StepOutcome) {
        self.step += 1;
        self.loss += outcome.loss;
        self.correct += outcome.correct;
        self.images += outcome.images;
        self.meter.trained(outcome.loss, outcome.correct, outcome.images);
    }

    /// Whether all steps of an epoch were made, and its line is still to write.
    fn epoch_ended(&self, steps: u64, per_epoch: u64) -> bool {
        self.images > 0 && (self.step == steps || self.step % per_epoch == 0)
    }

    fn event(&self, kind: EventKind, steps: u64, per_epoch: u64) -> Event {
        let meter = &self.meter;
        Event {
            kind,
            round: 1,
            rounds: 1,
            epoch: self.step.saturating_sub(1) / per_epoch + 1,
            epochs: steps.div_ceil(per_epoch),
            step: self.step,
            steps,
            loss: meter.loss(),
            accuracy: meter.accuracy(),
            images_per_second: meter.images_per_second(),
            seconds: meter.seconds(),
            seconds_left: meter.seconds_left(steps - self.step, 0, 0.0),
        }
    }
}

/// A batch, mixed with itself in another order where that is wanted.
struct Mixed {
    images: Tensor,
    labels: Tensor,
    /// Labels of the other order, and the part of the first, as a tensor and as a number.
    other: Option<(Tensor, Tensor, f64)>,
}

impl Mixed {
    fn new(recipe: &Recipe, (images, labels): Batch, mut stream: Stream) -> Result<Self> {
        if recipe.mixup == 0.0 {
            return Ok(Mixed { images, labels, other: None });
        }
        let part = stream.beta(recipe.mixup) as f32;
        let mut order: Vec<i64> = (0..labels.size()[0]).collect();
        stream.shuffle(&mut order);
        let order = Tensor::f_from_slice(&order)?.f_to_device(labels.device())?;
        // Tensors and not numbers: tch panics when it drops a number after libtorch has failed.
        let weight = Tensor::f_from_slice(&[part])?.f_view::<&[i64]>(&[])?.f_to_device(images.device())?;
        let others = images.f_index_select(0, &order)?;
        Ok(Mixed {
            images: others.f_lerp_tensor(&images, &weight)?,
            other: Some((labels.f_index_select(0, &order)?, weight, part.into())),
            labels,
        })
    }

    fn loss(&self, logits: &Tensor, smoothing: f64) -> Result<Tensor> {
        let loss = cross_entropy(logits, &self.labels, smoothing)?;
        match &self.other {
            Some((labels, weight, _)) => Ok(cross_entropy(logits, labels, smoothing)?.f_lerp_tensor(&loss, weight)?),
            None => Ok(loss),
        }
    }

    /// The labels that weigh more.
    fn main(&self) -> &Tensor {
        match &self.other {
            Some((labels, _, part)) if *part < 0.5 => labels,
            _ => &self.labels,
        }
    }
}

/// What is left out of a step: branches, or numbers.
struct Drops {
    /// Greatest probability.
    most: f64,
    stream: Stream,
}

impl Drops {
    /// Of a map, for every image 0, or what keeps the mean as it would be without; `depth`: the part of the greatest probability.
    fn branch(&mut self, depth: f64, y: &Tensor) -> Result<Tensor> {
        self.times(y, &[y.size()[0], 1, 1, 1], self.most * depth)
    }

    /// Of a vector, the same for every number.
    fn numbers(&mut self, x: &Tensor) -> Result<Tensor> {
        self.times(x, &x.size(), self.most)
    }

    fn times(&mut self, x: &Tensor, shape: &[i64], drop: f64) -> Result<Tensor> {
        let kept = (1.0 / (1.0 - drop)) as f32;
        let factors = (0..shape.iter().product()).map(|_: i64| if self.stream.uniform() < drop { 0.0 } else { kept });
        let factors = Tensor::f_from_slice(&factors.collect::<Vec<f32>>())?.f_view(shape)?;
        Ok(x.f_mul(&factors.f_to_device(x.device())?.f_to_kind(x.kind())?)?)
    }
}

/// Logits of every path, with branches left out, and numbers in front of the classifiers.
fn forward(network: &Network, open: &[Vec<u16>], images: &Tensor, branches: Drops, mut numbers: Drops) -> Result<Vec<Tensor>> {
    let mut vectors = vectors(network, open, images, branches)?;
    if numbers.most > 0.0 {
        vectors = vectors.iter().map(|vector| numbers.numbers(vector)).collect::<Result<_>>()?;
    }
    network.classify(&vectors)
}

fn vectors(network: &Network, open: &[Vec<u16>], images: &Tensor, mut drops: Drops) -> Result<Vec<Tensor>> {
    let paths = network.paths();
    if drops.most == 0.0 {
        return network.vectors(images, open, paths, &Norm::Batch);
    }
    if network.space().stack().is_some() {
        let mut drop = |depth, y: Tensor| drops.branch(depth, &y);
        return network.vectors_dropping(images, open, &Norm::Batch, &mut drop);
    }
    network.along(images, paths, &Norm::Batch, &mut |place, at, x| {
        let depth = (paths.cell(place) + 1) as f64 / paths.cells() as f64;
        let drops_here = network.shape(at).kind == CellKind::Normal;
        let mut branches = Vec::with_capacity(open[place].len());
        for operator in &open[place] {
            let y = network.branch(at, *operator, x, &Norm::Batch)?;
            branches.push(if drops_here { drops.branch(depth, &y)? } else { y });
        }
        network.merge(at, x, &branches.iter().collect::<Vec<_>>())
    })
}
