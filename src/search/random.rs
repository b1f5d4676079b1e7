//! Randomness without state: every draw of a run comes from a stream named by (seed, purpose, round, index).
//! So a result does not depend on where a run was cut, nor on who computed what first. No global generator is touched.

use rand_chacha::rand_core::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream is for. The numbers are part of every stored result: never reuse or renumber one.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Purpose {
    /// Order in which a cell's operators enter the active subset; index = cell.
    Pool = 1,
    /// Gates of a weight step; index = step.
    WeightGates = 2,
    /// The two gate vectors of an architecture step; index = step.
    ArchitectureGates = 3,
    /// Candidate architectures of a round.
    Candidates = 4,
    /// Initial weights of one branch; index names the branch.
    Weights = 5,
    /// Order of the training images; index = epoch.
    TrainOrder = 6,
    /// Order of the held-out images; index = epoch.
    HeldOutOrder = 7,
    /// Crop and flip of a batch; index = step.
    Augment = 8,
    /// Which images are held out.
    Split = 9,
    /// Which training images re-calibrate batch-norm.
    Calibration = 10,
    /// Draws that only find out whether a cost window can be met.
    Probe = 11,
    /// Architectures handed out to be evaluated elsewhere; index = how many of the round were before, the greatest: see `retained`.
    Asked = 12,
    /// What a batch of a stand-alone training is mixed with, and how much; index = step.
    Mixup = 13,
    /// Which branches a step of a stand-alone training leaves out; index = step.
    DropPath = 14,
    /// Architectures by which operators are scored.
    Children = 15,
    /// A generation of ensembles; index = how many candidates of the round were before.
    Breeding = 16,
    /// What a net that foretells results begins with and learns from, and in which order; index = member.
    Predictor = 17,
    /// Genomes of a generation; index = place in it.
    Genomes = 18,
    /// The noise that a network is fitted from (index 0), and what is added to it in step `index`.
    Noise = 19,
    /// Which pixels are held out of a fit.
    HeldOutPixels = 20,
    /// Networks by which operators are eliminated; index = which time, the greatest: which of equal operators are in question.
    Trials = 21,
    /// Which numbers in front of the classifiers a step of a stand-alone training leaves out; index = step.
    Dropout = 22,
    /// Shares of operators that run all at once, as they begin; index = cell, then, behind all cells, node.
    Mixture = 23,
}

pub struct Stream(ChaCha8Rng);

impl Stream {
    pub fn new(seed: u64, purpose: Purpose, round: u64, index: u64) -> Self {
        let mut key = [0; 32];
        for (part, word) in key.chunks_exact_mut(8).zip([seed, purpose as u64, round, index]) {
            part.copy_from_slice(&word.to_le_bytes());
        }
        Stream(ChaCha8Rng::from_seed(key))
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1), a multiple of 2^-53.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (0.5f64).powi(53)
    }

    /// Uniform in 0..n, without bias (Lemire's multiply-shift with rejection). `n` must not be 0.
    pub fn below(&mut self, n: u64) -> u64 {
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= n.wrapping_neg() % n {
                return (product >> 64) as u64;
            }
        }
    }

    /// Two independent standard normal values (Box-Muller).
    pub fn normals(&mut self) -> [f64; 2] {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.uniform()).sin_cos();
        [radius * cos, radius * sin]
    }

    /// Beta distribution with the parameter `a` > 0 twice: a / (a + b) of two Gamma variables.
    pub fn beta(&mut self, a: f64) -> f64 {
        let [ln_x, ln_y] = [self.ln_gamma(a), self.ln_gamma(a)];
        1.0 / (1.0 + (ln_y - ln_x).exp())
    }

    /// Logarithm of a Gamma variable with the shape `a` and scale 1 (Marsaglia and Tsang 2000); as a logarithm it does not become 0
    /// for a small shape.
    fn ln_gamma(&mut self, a: f64) -> f64 {
        let boost = if a < 1.0 { (1.0 - self.uniform()).ln() / a } else { 0.0 };
        let d = if a < 1.0 { a + 1.0 } else { a } - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normals()[0];
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.uniform()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d.ln() + v.ln() + boost;
            }
        }
    }

    /// Fisher-Yates.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}
