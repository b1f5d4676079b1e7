//! Fitting networks to one image (Deep Image Prior): Adam on the squared difference between what comes out, as it would be damaged, and the
//! image that is given.

use super::cores;
use super::device;
use super::planned::Planned;
use super::shim::{self, Moments};
use super::tape::gradients;
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::restore::{Fitter, Gauge, Matrix, Picture, Plan, Problem, RestoreOptions, Watch};
use crate::search::{Purpose, Stream};
use tch::{no_grad_guard, Device, Kind, Tensor};

pub struct ImageFitter {
    device: Device,
}

impl ImageFitter {
    pub fn new(options: &RestoreOptions) -> Result<Self> {
        let device = device::parse(&options.device)?;
        if let Some(threads) = options.threads {
            device::set_threads(threads);
        }
        Ok(ImageFitter { device })
    }
}

impl Fitter for ImageFitter {
    fn fit<'a>(&self, problem: &'a Problem, plan: &Plan, repeat: u64, watch: &dyn Watch) -> Result<Gauge<'a>> {
        let train = &problem.options.train;
        let mut gauge = Gauge::new(problem);
        let mut fit = {
            let _cores = cores::take(self.device);
            Fit::new(problem, plan, repeat, self.device)?
        };
        for step in 0..train.iterations {
            if watch.cancelled() {
                return Err(Error::Cancelled);
            }
            let _cores = cores::take(self.device);
            let loss = fit.step(step)?;
            let Some(loss) = loss else { return Ok(gauge.end(step, true)) };
            let ends = gauge.due(step + 1) && gauge.look(step + 1, fit.output()?);
            drop(_cores);
            watch.step(step + 1, loss, gauge.fitness());
            if ends {
                return Ok(gauge.end(step + 1, false));
            }
        }
        Ok(gauge.end(train.iterations, false))
    }
}

/// One network on its way.
struct Fit<'a> {
    problem: &'a Problem,
    repeat: u64,
    network: Planned,
    parameters: Vec<Tensor>,
    /// Averages of gradients and of their squares, and numbers of steps.
    moments: [Vec<Tensor>; 3],
    /// The noise that everything begins with.
    noise: Tensor,
    target: Target,
    /// Moving average of the outputs, [1, channels, height, width], once there is one.
    smooth: Option<Tensor>,
}

impl<'a> Fit<'a> {
    fn new(problem: &'a Problem, plan: &Plan, repeat: u64, device: Device) -> Result<Self> {
        let seed = problem.options.seed;
        let network = Planned::new(plan, seed, repeat, device)?;
        let parameters = network.parameters();
        let zeros = || parameters.iter().map(|p| Ok(p.f_detach()?.f_zeros_like()?)).collect::<Result<Vec<_>>>();
        let steps =
            parameters.iter().map(|_| Ok(Tensor::f_from_slice(&[0f32])?.f_view::<&[i64]>(&[])?)).collect::<Result<_>>()?;
        let moments = [zeros()?, zeros()?, steps];
        let [_, height, width] = problem.shape();
        let [height, width] = plan.padded([height, width]).map(i64::from);
        let shape = [1, i64::from(problem.input_channels()), height, width];
        let count = shape.iter().product::<i64>() as usize;
        let mut stream = Stream::new(seed, Purpose::Noise, repeat, 0);
        let mut values = reserve("noise", count)?;
        values.extend((0..count).map(|_| (stream.uniform() * 0.1) as f32));
        let noise = Tensor::f_from_slice(&values)?.f_view(shape)?.f_to_device(device)?;
        let target = Target::new(problem, device)?;
        Ok(Fit { problem, repeat, network, parameters, moments, noise, target, smooth: None })
    }

    /// The loss in front of the step; none, and no step, where it or a gradient is no number.
    fn step(&mut self, step: u64) -> Result<Option<f64>> {
        let train = &self.problem.options.train;
        let out = self.network.forward(&self.input(step)?)?;
        let [_, height, width] = self.problem.shape().map(i64::from);
        let out = out.f_narrow(2, 0, height)?.f_narrow(3, 0, width)?;
        let loss = self.target.loss(&out)?;
        let value = loss.f_double_value(&[])?;
        if !value.is_finite() {
            return Ok(None);
        }
        let gradients = gradients(&loss, &self.parameters.iter().collect::<Vec<_>>())?;
        let _no_grad = no_grad_guard();
        let out = out.f_detach()?;
        match &self.smooth {
            Some(smooth) => shim::average(std::slice::from_ref(smooth), &[out], 1.0 - train.smoothing)?,
            None => self.smooth = Some(out.f_detach_copy()?),
        }
        let [first, second, steps] = &self.moments;
        let whole = shim::adamw(&self.parameters, &gradients, Moments { first, second, steps }, 0, train.lr, 0.0)?;
        Ok(whole.then_some(value))
    }

    /// The noise of a step.
    fn input(&self, step: u64) -> Result<Tensor> {
        let (noise, options) = (&self.noise, &self.problem.options);
        if options.train.noise == 0.0 {
            return Ok(noise.shallow_clone());
        }
        let count = noise.numel();
        let mut stream = Stream::new(options.seed, Purpose::Noise, self.repeat, step + 1);
        let mut values = reserve("noise", count + 1)?;
        while values.len() < count {
            values.extend(stream.normals().map(|value| (value * options.train.noise) as f32));
        }
        let added = Tensor::f_from_slice(&values[..count])?.f_view(noise.size().as_slice())?;
        Ok(noise.f_add(&added.f_to_device(noise.device())?)?)
    }

    /// The smoothed output, plane after plane.
    fn output(&self) -> Result<Vec<f32>> {
        let smooth = self.smooth.as_ref().ok_or_else(|| Error::NotFound("no step was made".into()))?;
        values(smooth)
    }
}

fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?.f_contiguous()?;
    let count = flat.numel();
    let mut values = reserve("output", count)?;
    values.resize(count, 0.0);
    flat.f_copy_data(&mut values, count)?;
    Ok(values)
}

/// What an output should be.
struct Target {
    /// [1, channels, height, width] of the image that is given.
    image: Tensor,
    /// [height, width]: 1 / how many numbers are fitted, 0 where none is.
    weight: Tensor,
    /// Makes an image smaller from the left and from the right.
    smaller: Option<[Tensor; 2]>,
}

impl Target {
    fn new(problem: &Problem, device: Device) -> Result<Self> {
        let Picture { channels, height, width, values } = &problem.given;
        let [channels, height, width] = [channels, height, width].map(|side| i64::from(*side));
        let count = problem.fitted.iter().filter(|fitted| **fitted).count() as i64 * channels;
        let weights: Vec<f32> = problem.fitted.iter().map(|fitted| if *fitted { 1.0 / count as f32 } else { 0.0 }).collect();
        let matrix = |matrix: &Matrix| {
            Tensor::f_from_slice(&matrix.values)?.f_view([matrix.rows() as i64, matrix.columns as i64])?.f_to_device(device)
        };
        let smaller = match &problem.smaller {
            Some([rows, columns]) => Some([matrix(rows)?, matrix(columns)?.f_transpose(0, 1)?.f_contiguous()?]),
            None => None,
        };
        Ok(Target {
            image: Tensor::f_from_slice(values)?.f_view([1, channels, height, width])?.f_to_device(device)?,
            weight: Tensor::f_from_slice(&weights)?.f_view([height, width])?.f_to_device(device)?,
            smaller,
        })
    }

    /// Mean squared difference over all numbers that are fitted.
    fn loss(&self, out: &Tensor) -> Result<Tensor> {
        let as_given = match &self.smaller {
            Some([rows, columns]) => rows.f_matmul(out)?.f_matmul(columns)?,
            None => out.shallow_clone(),
        };
        let difference = as_given.f_sub(&self.image)?;
        Ok(difference.f_mul(&difference)?.f_mul(&self.weight)?.f_sum(Kind::Float)?)
    }
}
