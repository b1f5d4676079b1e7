//! How long a round is trained, and how fast: what a strategy makes of the options of training. The first round may begin with a warm-up, behind
//! which the weights are taken that later ones are compared with.

use super::engine::Search;
use super::start::Drive;
use super::train_options::TrainOptions;

impl Search {
    /// How a round is trained, without a warm-up.
    pub(super) fn training(&self, round: u64) -> TrainOptions {
        let train = self.options.train.clone();
        TrainOptions { epochs: self.strategy().epochs(round, train.epochs), ..train }
    }

    /// The same of a warm-up in front of that, where the round has one.
    fn warm_up(&self, round: u64) -> Option<TrainOptions> {
        let epochs = self.strategy().warm_up().filter(|_| round == 0)?;
        Some(TrainOptions { epochs, ..self.options.train.clone() })
    }

    /// Whether the round under way has a warm-up.
    pub(super) fn warms_up(&self) -> bool {
        self.warm_up(self.run.round).is_some()
    }

    /// Whole passes over the images of a host, with those of a warm-up.
    pub(super) fn whole_epochs(&self, round: u64) -> u64 {
        self.training(round).whole_epochs() + self.warm_up(round).map_or(0, |train| train.whole_epochs())
    }

    /// Passes of round `round` over the training images, with its warm-up.
    pub(super) fn passes(&self, round: u64) -> f64 {
        self.training(round).epochs + self.warm_up(round).map_or(0.0, |train| train.epochs)
    }

    /// Of a round's training, or of one of those that it has; with its warm-up.
    pub(super) fn steps_of(&self, round: u64, steps_per_epoch: u64) -> u64 {
        self.warm_up_steps(round, steps_per_epoch) + self.steps_in(&self.training(round), steps_per_epoch)
    }

    /// Of these, the steps of the warm-up.
    pub(super) fn warm_up_steps(&self, round: u64, steps_per_epoch: u64) -> u64 {
        self.warm_up(round).map_or(0, |train| self.steps_in(&train, steps_per_epoch))
    }

    fn steps_in(&self, train: &TrainOptions, steps_per_epoch: u64) -> u64 {
        match self.drive() == Drive::Pushed {
            true => train.whole_epochs() * steps_per_epoch,
            false => train.steps(steps_per_epoch),
        }
    }

    /// Whether a warm-up is over, and the round's training begins with this step.
    pub(super) fn warm(&self, step: u64, steps_per_epoch: u64) -> bool {
        match (self.warm_up(self.run.round), self.run.epochs_ended) {
            (None, _) => false,
            // It is the host who ends an epoch.
            (Some(train), Some(ended)) => ended == train.whole_epochs() && step == self.run.epoch_began,
            (Some(_), None) => step == self.warm_up_steps(self.run.round, steps_per_epoch),
        }
    }

    /// Learning rate of a step of the round under way.
    pub(super) fn rate(&self, step: u64, steps_per_epoch: u64) -> f64 {
        let (round, train) = (self.run.round, &self.options.train);
        let warm_up = self.warm_up_steps(round, steps_per_epoch);
        let Some(step) = step.checked_sub(warm_up) else { return train.schedule(warm_up).at(step) };
        match self.strategy().ramp() {
            None => train.schedule(self.run.steps.saturating_sub(warm_up)).at(step),
            Some(ramp) => {
                let before: u64 = (0..round).map(|round| self.steps_in(&self.training(round), steps_per_epoch)).sum();
                train.lr * ramp.part((before + step) as f64 / steps_per_epoch.max(1) as f64)
            }
        }
    }
}
