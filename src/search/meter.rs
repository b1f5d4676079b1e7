//! Progress in numbers: smoothed loss and accuracy, throughput, and how long the rest will take.

use crate::json;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Weight of the newest step in the smoothed values.
const FRESH: f64 = 0.05;

/// An average that forgets, exact for the first values.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Smoothed {
    #[serde(deserialize_with = "json::unknown")]
    sum: f64,
    weight: f64,
}

impl Smoothed {
    fn add(&mut self, value: f64) {
        self.sum += FRESH * (value - self.sum);
        self.weight += FRESH * (1.0 - self.weight);
    }

    fn value(&self) -> f64 {
        if self.weight > 0.0 {
            self.sum / self.weight
        } else {
            f64::NAN
        }
    }
}

/// Of one run in one process. Times are wall clock and influence no result. Only loss and accuracy outlive the process.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Kept", into = "Kept")]
pub struct Meter {
    started: Instant,
    mark: Instant,
    loss: Smoothed,
    accuracy: Smoothed,
    step_seconds: Smoothed,
    candidate_seconds: Smoothed,
    images_per_second: Smoothed,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    loss: Smoothed,
    accuracy: Smoothed,
}

impl From<Meter> for Kept {
    fn from(meter: Meter) -> Self {
        Kept { loss: meter.loss, accuracy: meter.accuracy }
    }
}

impl From<Kept> for Meter {
    fn from(kept: Kept) -> Self {
        Meter { loss: kept.loss, accuracy: kept.accuracy, ..Meter::default() }
    }
}

impl Default for Meter {
    fn default() -> Self {
        let now = Instant::now();
        let none = Smoothed::default();
        Meter {
            started: now,
            mark: now,
            loss: none,
            accuracy: none,
            step_seconds: none,
            candidate_seconds: none,
            images_per_second: none,
        }
    }
}

impl Meter {
    /// Starts the clock of the next step; what went before (a pause, another phase) is not counted.
    pub fn start(&mut self) {
        self.mark = Instant::now();
    }

    /// Forgets loss and accuracy, at the start of a round.
    pub fn restart(&mut self) {
        self.loss = Smoothed::default();
        self.accuracy = Smoothed::default();
        self.start();
    }

    pub fn trained(&mut self, loss: f64, correct: u64, images: u64) {
        let seconds = self.lap();
        self.loss.add(loss);
        self.accuracy.add(correct as f64 / images.max(1) as f64);
        self.step_seconds.add(seconds);
        self.images_per_second.add(images as f64 / seconds);
    }

    pub fn scored(&mut self, candidates: u64) {
        let seconds = self.lap() / candidates.max(1) as f64;
        self.candidate_seconds.add(seconds);
    }

    pub fn loss(&self) -> f64 {
        self.loss.value()
    }

    pub fn accuracy(&self) -> f64 {
        self.accuracy.value()
    }

    /// Images of optimizer steps per second.
    pub fn images_per_second(&self) -> f64 {
        self.images_per_second.value()
    }

    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// For so many more optimizer steps and candidates. Before a candidate was timed, one is taken for `steps_per_candidate` steps.
    pub fn seconds_left(&self, steps: u64, candidates: u64, steps_per_candidate: f64) -> f64 {
        let step = self.step_seconds.value();
        let timed = self.candidate_seconds.value();
        let candidate = if timed.is_nan() { step * steps_per_candidate } else { timed };
        steps as f64 * step + candidates as f64 * candidate
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.mark).as_secs_f64();
        self.mark = now;
        seconds.max(1e-9)
    }
}
