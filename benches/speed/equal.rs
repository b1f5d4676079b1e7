//! Equal results from equal weights come first: nothing is timed before these hold.

use crate::baseline::Baseline;
use crate::setting::{parameters, Setting};
use crate::Outcome;
use nse::search::At;
use nse::supernet::learner::{cross_entropy, Batch};
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::paths;
use serde_json::{json, Value};
use tch::{Kind, Tensor};

/// Outputs may differ by so much of the largest, in the mean of the paths, and by twice that in any; or, where 32 bits can't say it so exactly
/// (22 cells, 16 images), be as near to those in 64 bits as gradients are.
const OUTPUTS: f64 = 1e-5;
/// So many times further from those in 64 bits may gradients be than the baseline's are.
const FURTHER: f64 = 2.0;

fn values(tensors: &[Tensor]) -> Outcome<Vec<f64>> {
    let flat: Vec<_> = tensors.iter().map(|t| t.detach().to_kind(Kind::Double).contiguous().reshape([-1])).collect();
    Ok(Vec::<f64>::try_from(Tensor::cat(&flat, 0))?)
}

/// Largest difference, relative to the largest value of `b`.
fn largest(a: &[f64], b: &[f64]) -> f64 {
    let most = b.iter().fold(0f64, |most, v| most.max(v.abs()));
    a.iter().zip(b).fold(0f64, |most, (a, b)| most.max((a - b).abs())) / most
}

/// Distance relative to the length of `b`.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    square(&mut a.iter().zip(b).map(|(a, b)| a - b)) / square(&mut b.iter().copied())
}

/// Paths that are compared: fewer where the baseline is slow.
fn paths_of(size: &str) -> u64 {
    match size {
        "L" => 3,
        "M" => 7,
        _ => 15,
    }
}

/// Distances of both sides from 64 bits, one pair a path. What they are off by is mostly a few ReLUs that rounding puts on the other side of
/// zero, now in one program and now in the other; so it is their geometric means that are compared, as far as so few paths can tell.
#[derive(Default)]
struct Distances(Vec<(f64, f64)>);

impl Distances {
    fn mean(&self, of: impl Fn(&(f64, f64)) -> f64) -> f64 {
        (self.0.iter().map(|d| of(d).max(1e-12).ln()).sum::<f64>() / self.0.len() as f64).exp()
    }

    /// Whether the library's are more than `FURTHER` times the baseline's by more than two standard errors.
    fn too_far(&self) -> bool {
        let logs: Vec<f64> = self.0.iter().map(|(a, b)| (a.max(1e-12) / b.max(1e-12)).ln()).collect();
        let (count, mean) = (logs.len() as f64, logs.iter().sum::<f64>() / logs.len() as f64);
        let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / (count - 1.0);
        mean - 2.0 * (variance / count).sqrt() > FURTHER.ln()
    }
}

/// Logits and gradients of a weight step.
fn found(network: &Network, batch: &Batch, open: &[Vec<u16>]) -> Outcome<[Vec<f64>; 2]> {
    let _turn = network.turn(&batch.0, &Norm::Batch)?;
    let logits = network.forward(&batch.0, open, &Norm::Batch)?;
    let loss = cross_entropy(&logits, &batch.1, 0.0)?;
    let gradients = Tensor::f_run_backward(&[&loss], &parameters(network, open), false, false)?;
    Ok([values(&[logits])?, values(&gradients)?])
}

/// A weight step's logits and gradients, and an architecture step's gradients. The second network is in bfloat16, which is told and asked nothing.
pub fn check(setting: &Setting, [network, low]: &[Network; 2], batch: &Batch, baseline: &mut Baseline) -> Outcome<Value> {
    let count = paths_of(setting.name);
    let (mut apart, [mut outputs, mut weights, mut two_paths, mut lows]) = (vec![], [(); 4].map(|()| Distances::default()));
    for index in 1000..1000 + count {
        let open = setting.open(index);
        let ([logits, gradients], of_low) = (found(network, batch, &open)?, found(low, batch, &open)?);
        let (plain, exact) = (baseline.outputs(&open, false)?, baseline.outputs(&open, true)?);
        let (plain, exact) = (plain.split_at(logits.len()), exact.split_at(logits.len()));
        apart.push(largest(&logits, plain.0));
        outputs.0.push((largest(&logits, exact.0), largest(plain.0, exact.0)));
        weights.0.push((distance(&gradients, exact.1), distance(plain.1, exact.1)));
        lows.0.push((largest(&of_low[0], exact.0), distance(&of_low[1], exact.1)));
        let paths = setting.paths(index);
        let at = At { seed: 0, round: 0, step: 0 };
        let (_, two) = paths::step(network, batch, at, &setting.active, &paths)?;
        let two: Vec<f64> = two.iter().flat_map(|g| [g.selected, g.unselected]).collect();
        let exact = baseline.architecture_step(setting, &paths, true)?.2.concat();
        let plain = baseline.architecture_step(setting, &paths, false)?.2.concat();
        two_paths.0.push((distance(&two, &exact), distance(&plain, &exact)));
    }
    let (mean, most) = (apart.iter().sum::<f64>() / count as f64, apart.iter().fold(0f64, |most, o| most.max(*o)));
    println!("  over {count} paths outputs differ by {mean:.1e}, {most:.1e} at most; distance from 64 bits, and the baseline's:");
    for (name, of) in [("outputs", &outputs), ("weight gradients", &weights), ("architecture gradients", &two_paths)] {
        println!("    {name:<32} {:>10.1e} {:>10.1e}", of.mean(|d| d.0), of.mean(|d| d.1));
    }
    println!("    in bfloat16: outputs {:.1e}, weight gradients {:.1e}", lows.mean(|d| d.0), lows.mean(|d| d.1));
    let near = mean <= OUTPUTS && most <= 2.0 * OUTPUTS;
    if !near && outputs.too_far() || weights.too_far() || two_paths.too_far() {
        return Err(format!("size {}: results are not equal, so nothing is timed", setting.name).into());
    }
    Ok(
        json!({ "apart": apart, "outputs": outputs.0, "gradients": weights.0, "architecture_gradients": two_paths.0, "bfloat16": lows.0 }),
    )
}
