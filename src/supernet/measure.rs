//! Fills a latency table by timing, on this machine, every operation that a space can need. Each by itself and as the supernet
//! computes it (our depthwise kernels included), without gradients. The only place where the clock makes a result.

use super::cores;
use super::device;
use super::measure_options::MeasureOptions;
use super::network::Network;
use super::norm::{Calibration, Norm, Reader};
use super::unit::{Init, Linear, Unit};
use crate::arch::{Architecture, Variant};
use crate::cost::{latency_keys, LatencyKey, LatencyKind, LatencyTable};
use crate::error::{Error, Result};
use crate::search::{Control, Event, EventKind, Meter};
use crate::space::{Activation, Convolution, Shape, Space};
use std::sync::Arc;
use std::time::Instant;
use tch::{no_grad_guard, Device, Kind, Tensor};

/// Milliseconds per batch (median of `options.repeats` passes) of everything an architecture of `space` can need. Batch-norm and
/// activations are not timed, as in the published tables. `watch` is told after every operation; cancelling in between gives
/// [`Error::Cancelled`] and no table.
pub fn measure_latencies(
    space: &Space,
    options: &MeasureOptions,
    control: &dyn Control,
    watch: &dyn Fn(&Event),
) -> Result<LatencyTable> {
    space.need_chain("measuring latencies")?;
    let device = device::parse(&options.device)?;
    if let Some(threads) = options.threads {
        device::set_threads(threads);
    }
    let _no_grad = no_grad_guard();
    let keys = latency_keys(space);
    let steps = keys.len() as u64;
    let meter = Meter::default();
    let mut table = LatencyTable::default();
    for (step, key) in (1..).zip(keys) {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        let seconds = time(&operation(&key, options.batch, device)?, options, device)?;
        table.set(key, seconds * 1e3)?;
        watch(&event(&meter, step, steps));
    }
    Ok(table)
}

type Operation = Box<dyn Fn() -> Result<Tensor>>;

/// The operation with its inputs and weights in place. Inputs are 1 everywhere: neither zero nor subnormal, which some machines compute
/// at another speed.
fn operation(key: &LatencyKey, batch: u32, device: Device) -> Result<Operation> {
    let [height, width] = key.input.map(i64::from);
    let input = |shape: &[i64]| Tensor::f_ones(shape, (Kind::Float, device));
    let (images, channels) = (i64::from(batch), i64::from(key.cin));
    let map = || input(&[images, channels, height, width]);
    // Any weights do; these are the same in every run.
    let mut init = Init::new(0, 0, 0, device);
    Ok(match key.kind {
        LatencyKind::Conv => {
            let shape = Convolution::kernel("measured", key.cin, key.cout, key.kernel).without_norm().linear();
            let shape = shape.stride(key.stride).dilation(key.dilation).groups(key.groups);
            let (unit, x) = (Unit::new(shape, Activation::Relu, &mut init)?, map()?);
            Box::new(move || unit.convolve(&x))
        }
        LatencyKind::Add => {
            let (x, y) = (map()?, map()?);
            Box::new(move || Ok(x.f_add(&y)?))
        }
        LatencyKind::AvgPool => {
            let x = map()?;
            Box::new(move || Ok(x.f_mean_dim([2i64, 3].as_slice(), false, None)?))
        }
        LatencyKind::Scale => {
            let (x, gate) = (map()?, input(&[images, channels, 1, 1])?);
            Box::new(move || Ok(x.f_mul(&gate)?))
        }
        LatencyKind::Linear => {
            let (linear, x) = (Linear::uniform(key.cin, key.cout, &mut init)?, input(&[images, channels])?);
            Box::new(move || linear.forward(&x))
        }
    })
}

/// Seconds of one pass: the median, so that a pass that was disturbed does not count.
fn time(operation: &Operation, options: &MeasureOptions, device: Device) -> Result<f64> {
    let _cores = cores::take_all(device);
    for _ in 0..options.warmup {
        drop(operation()?);
    }
    device::synchronize(device)?;
    let mut seconds = Vec::with_capacity(options.repeats as usize);
    for _ in 0..options.repeats.max(1) {
        let start = Instant::now();
        let output = operation()?;
        device::synchronize(device)?;
        seconds.push(start.elapsed().as_secs_f64());
        drop(output);
    }
    seconds.sort_by(f64::total_cmp);
    let (low, high) = (seconds[(seconds.len() - 1) / 2], seconds[seconds.len() / 2]);
    Ok((low + high) / 2.0)
}

fn event(meter: &Meter, step: u64, steps: u64) -> Event {
    let seconds = meter.seconds();
    Event {
        kind: EventKind::Measure,
        round: 0,
        rounds: 0,
        epoch: 0,
        epochs: 0,
        step,
        steps,
        loss: f64::NAN,
        accuracy: f64::NAN,
        images_per_second: f64::NAN,
        seconds,
        seconds_left: seconds / step as f64 * (steps - step) as f64,
    }
}

/// Milliseconds per batch (median of `options.repeats` passes) of a whole network of `architecture`, batch-norm and activations
/// included: what the sum over its operations is held against.
pub fn measure_network(
    space: Arc<Space>,
    architecture: &Architecture,
    options: &MeasureOptions,
    control: &dyn Control,
) -> Result<f64> {
    let device = device::parse(&options.device)?;
    if let Some(threads) = options.threads {
        device::set_threads(threads);
    }
    if control.cancelled() {
        return Err(Error::Cancelled);
    }
    let _no_grad = no_grad_guard();
    let Shape { channels, height, width } = space.input();
    let shape = [i64::from(options.batch), channels.into(), height.into(), width.into()];
    let images = Tensor::f_ones(shape.as_slice(), (Kind::Float, device))?;
    let open = architecture.cells().to_vec();
    let network = Network::of(space, architecture, Variant::default(), 0, 0, device)?;
    let mut calibration = Calibration::default();
    calibration.begin_pass();
    // One image of one pixel has no variance of its own: any statistics do, but there must be as many as there are norms.
    let _logits = network.forward(&images, &open, &Norm::Calibrate(&calibration))?;
    let statistics = calibration.into_statistics();
    let pass: Operation = Box::new(move || network.forward(&images, &open, &Norm::Fixed(Reader::new(&statistics))));
    Ok(time(&pass, options, device)? * 1e3)
}
