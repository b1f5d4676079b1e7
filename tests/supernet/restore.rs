//! Networks that restore one image: built as their plans count them, and better than the image they are given.

use crate::support::{distance, normal};
use nse::restore::{psnr, Fitter, Gauge, Genome, Network, Picture, Plan, Problem, Restoration, RestoreOptions, Saved, Watch};
use nse::search::{Purpose, Silent, Status, Stream};
use nse::supernet::planned::Planned;
use nse::supernet::ImageFitter;
use std::cell::Cell;
use tch::{Device, Kind, Tensor};

fn feasible(units: usize, index: u64, most: u64) -> Plan {
    let mut stream = Stream::new(5, Purpose::Genomes, 0, index);
    loop {
        let genome = Genome::draw(units, &mut stream);
        if let Ok(plan) = Network::Genome(genome).plan(8, 3) {
            if plan.params() < most {
                return plan;
            }
        }
    }
}

#[test]
fn networks_have_as_many_parameters_as_their_plans_say() {
    let count = |plan: &Plan| {
        let parameters = Planned::new(plan, 1, 0, Device::Cpu).unwrap().parameters();
        parameters.iter().map(|parameter| parameter.numel() as u64).sum::<u64>()
    };
    for (name, params) in [("classic", 2_217_831), ("classic-inpaint", 3_002_627)] {
        let plan = Network::parse(name).unwrap().plan(32, 3).unwrap();
        assert_eq!((count(&plan), plan.params()), (params, params));
    }
    for index in 0..12 {
        let plan = feasible(1 + index as usize % 4, index, 400_000);
        assert_eq!(count(&plan), plan.params());
    }
}

/// The output has the size of the noise, for every shape of network.
#[test]
fn every_feasible_genome_gives_an_image() {
    for index in 0..24 {
        let plan = feasible(1 + index as usize % 4, index, 100_000);
        let [height, width] = plan.padded([13, 1 + index as u32]);
        let network = Planned::new(&plan, 2, 0, Device::Cpu).unwrap();
        let out = network.forward(&normal(&[1, 8, height.into(), width.into()], 1)).unwrap();
        assert_eq!(out.size(), [1, 3, i64::from(height), i64::from(width)]);
        assert!(out.min().double_value(&[]) > 0.0 && out.max().double_value(&[]) < 1.0);
    }
}

/// One unit by hand, in libtorch's own functions: 1 x 1 kernels, a shortcut in the encoder, a skip.
#[test]
fn a_pass_by_hand() {
    let network = Network::parse(
        "{\"units\": [{\"encoder\": {\"residual\": true, \"kernel\": 3, \"channels\": 8}, \"decoder\": \
        {\"residual\": false, \"kernel\": 1, \"channels\": 4}, \"skips\": [{\"open\": true, \"channels\": 16}]}]}",
    )
    .unwrap();
    let built = Planned::new(&network.plan(8, 1).unwrap(), 3, 0, Device::Cpu).unwrap();
    let all = built.parameters();
    let norm = |x: &Tensor| {
        let none = None::<Tensor>;
        x.batch_norm(none.as_ref(), none.as_ref(), none.as_ref(), none.as_ref(), true, 0.0, 1e-5, false)
    };
    let leaky = |x: &Tensor| x.maximum(&(x * 0.2));
    let noise = normal(&[1, 8, 6, 4], 4);
    let weights: Vec<Tensor> = all.iter().filter(|p| p.dim() == 4).map(Tensor::shallow_clone).collect();
    // Scales and shifts are 1 and 0.
    assert_eq!((weights.len(), all.len()), (9, 2 * 9 + 2 * 7));
    let biases: Vec<Tensor> =
        (0..all.len()).filter(|i| *i > 0 && all[*i - 1].dim() == 4).map(|i| all[i].shallow_clone()).collect();
    let conv = |x: &Tensor, at: usize| {
        let around = weights[at].size()[2] / 2;
        x.conv2d(&weights[at], Some(&biases[at]), [1, 1], [around, around], [1, 1], 1)
    };
    let x = leaky(&norm(&conv(&noise, 0)));
    let x = leaky(&(norm(&conv(&x, 1)) + norm(&conv(&noise, 2)))).max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false);
    let x = Tensor::cat(&[&x, &conv(&x, 3)], 1);
    let x = leaky(&norm(&conv(&leaky(&norm(&conv(&x, 4))), 5))).upsample_bilinear2d([6, 4], false, None, None);
    let x = leaky(&norm(&conv(&leaky(&norm(&conv(&x, 6))), 7)));
    let expected = conv(&x, 8).sigmoid();
    let off = distance(&expected.to_kind(Kind::Double), &built.forward(&noise).unwrap().to_kind(Kind::Double));
    assert!(off < 1e-5, "{off:.1e}");
}

// ---- Images ---------------------------------------------------------------------------------------------------------------

/// A smooth picture with an edge.
fn clean(channels: u32, height: u32, width: u32) -> Picture {
    let value = |at: u32| {
        let (plane, y, x) = (at / (height * width), at / width % height, at % width);
        let (y, x) = (y as f32 / height as f32, x as f32 / width as f32);
        let disc = if (y - 0.45).hypot(x - 0.55) < 0.28 { 0.4 } else { 0.0 };
        0.2 + 0.3 * y + disc * (1.0 - 0.3 * plane as f32)
    };
    Picture::new("clean", [channels, height, width], (0..channels * height * width).map(value).collect()).unwrap()
}

fn noisy(clean: &Picture, sigma: f64) -> Picture {
    let mut stream = Stream::new(9, Purpose::Noise, 0, 0);
    let values = clean.values.iter().map(|value| (value + (sigma * stream.normals()[0]) as f32).clamp(0.0, 1.0)).collect();
    Picture::new("noisy", clean.shape(), values).unwrap()
}

fn options(task: &str, more: &str) -> RestoreOptions {
    let text = format!(
        r#"{{"task": "{task}", "seed": 1, "threads": 1, "train": {{"input_channels": 8, "smoothing": 0.9, "iterations": 150}}{more}}}"#
    );
    RestoreOptions::from_json(&text).unwrap()
}

struct Nobody(Cell<u64>);

impl Watch for Nobody {
    fn cancelled(&self) -> bool {
        false
    }

    fn step(&self, step: u64, loss: f64, _: Option<f64>) {
        assert!(loss.is_finite() && step == self.0.get() + 1);
        self.0.set(step);
    }
}

/// A network that is small enough for a test.
const CODE: &str = "{\"units\": [{\"encoder\": {\"residual\": false, \"kernel\": 3, \"channels\": 16}, \"decoder\": {\"residual\": false, \
    \"kernel\": 3, \"channels\": 16}, \"skips\": [{\"open\": true, \"channels\": 4}, {\"open\": false, \"channels\": 4}]}, {\"encoder\": \
    {\"residual\": false, \"kernel\": 3, \"channels\": 16}, \"decoder\": {\"residual\": false, \"kernel\": 3, \"channels\": 16}, \"skips\": \
    [{\"open\": false, \"channels\": 4}, {\"open\": true, \"channels\": 4}]}]}";

fn restore(problem: Problem) -> (Picture, nse::restore::Fit) {
    let fitter = ImageFitter::new(&problem.options).unwrap();
    let restoration = Restoration::new(problem).unwrap();
    let (image, _, fit) = restoration.restore(Some(Network::parse(CODE).unwrap()), &fitter, &Nobody(Cell::new(0))).unwrap();
    (image, fit)
}

#[test]
fn noise_becomes_less() {
    for (channels, height, width) in [(3, 33, 30), (1, 24, 37)] {
        let clean = clean(channels, height, width);
        let noisy = noisy(&clean, 0.15);
        let problem = Problem::new(options("denoise", ""), noisy.clone(), None, Some(clean.clone())).unwrap();
        let (image, fit) = restore(problem);
        let (before, after) = (psnr(&noisy, &clean).unwrap(), psnr(&image, &clean).unwrap());
        assert!(after > before + 3.0, "{before} {after}");
        assert_eq!((image.shape(), fit.psnr, fit.diverged), (clean.shape(), Some(after), false));
    }
}

#[test]
fn missing_pixels_are_filled_in() {
    let clean = clean(3, 32, 32);
    let mut stream = Stream::new(4, Purpose::Noise, 0, 0);
    let mask: Vec<f32> = (0..1024).map(|_| f32::from(u8::from(stream.uniform() < 0.5))).collect();
    let holes: Vec<f32> = clean.values.iter().enumerate().map(|(at, value)| value * mask[at % 1024]).collect();
    let [given, mask] =
        [(clean.shape(), holes), ([1, 32, 32], mask)].map(|(shape, values)| Picture::new("", shape, values).unwrap());
    let problem = Problem::new(options("inpaint", ""), given.clone(), Some(mask.clone()), Some(clean.clone())).unwrap();
    let (image, fit) = restore(problem);
    assert!(fit.psnr.unwrap() > psnr(&given, &clean).unwrap() + 10.0, "{fit:?}");
    assert!((0..3072).all(|at| mask.values[at % 1024] == 0.0 || image.values[at] == clean.values[at]));
}

#[test]
fn a_small_image_becomes_larger() {
    let large = clean(3, 32, 44);
    let mean = |at: usize| {
        let (plane, y, x) = (at / 352, at % 352 / 22, at % 22);
        let pixel = |i: usize, j: usize| large.values[plane * 1408 + (2 * y + i) * 44 + 2 * x + j];
        (pixel(0, 0) + pixel(0, 1) + pixel(1, 0) + pixel(1, 1)) / 4.0
    };
    let small = Picture::new("small", [3, 16, 22], (0..1056).map(mean).collect()).unwrap();
    let more = r#", "downsampler": "area", "factor": 2"#;
    let (image, fit) = restore(Problem::new(options("super_resolution", more), small, None, Some(large.clone())).unwrap());
    assert_eq!(image.shape(), large.shape());
    // Better than grey, and about as near as the small image allows.
    assert!(fit.psnr.unwrap() > 24.0 && fit.fitness.unwrap() > 26.0, "{fit:?}");
}

/// The quality of what comes out of a fit rises, and falls when the noise is learnt too: it is stopped before.
#[test]
fn a_fit_ends_before_it_learns_the_noise() {
    let clean = clean(1, 24, 24);
    let noisy = noisy(&clean, 0.2);
    let fit = |more: &str, patience: Option<u64>| {
        let mut options = options("denoise", more);
        (options.train.iterations, options.train.patience, options.train.noise) = (600, patience, 0.0);
        let problem = Problem::new(options, noisy.clone(), None, Some(clean.clone())).unwrap();
        restore(problem).1
    };
    let known = fit(r#", "fitness": "reference""#, None);
    assert!(known.best_step < 500 && known.steps == 600, "{known:?}");
    let stopped = fit("", Some(60));
    assert!(stopped.steps < 600 && stopped.steps == stopped.best_step + 60, "{stopped:?}");
    assert!(stopped.psnr.unwrap() > psnr(&noisy, &clean).unwrap() + 3.0);
}

#[test]
fn a_loss_that_is_no_number_is_a_result() {
    let mut options = options("denoise", "");
    options.train.lr = 1.0;
    let mut given = clean(1, 16, 16);
    let problem = |given: &Picture| Problem::new(options.clone(), given.clone(), None, None).unwrap();
    let fitter = ImageFitter::new(&options).unwrap();
    let plan = Network::parse(CODE).unwrap().plan(8, 1).unwrap();
    // No host can give such an image: here it stands for whatever makes a loss infinite.
    given.values[3] = f32::INFINITY;
    let broken = problem(&given);
    let gauge: Gauge = fitter.fit(&broken, &plan, 0, &Nobody(Cell::new(0))).unwrap();
    let (image, fit) = gauge.fit().unwrap();
    assert!(image.is_none() && fit.diverged && fit.fitness.is_none() && fit.steps == 0);
    let restoration = Restoration::new(problem(&given)).unwrap();
    let error = restoration.restore(Some(Network::parse(CODE).unwrap()), &fitter, &Nobody(Cell::new(0))).unwrap_err();
    assert!(matches!(error, nse::Error::Diverged { step: 1, .. }), "{error}");
}

/// Real fits, in threads, cut and gone on with: the same bits.
#[test]
fn a_search_has_the_same_bits_however_it_runs() {
    let search = |parallel: usize| {
        let more = format!(
            r#", "search": {{"units": 2, "population": 4, "generations": 2, "max_macs": 4000000, "parallel": {parallel}}}"#
        );
        let mut options = options("denoise", &more);
        (options.train.iterations, options.train.every) = (12, 3);
        let clean = clean(1, 16, 16);
        Problem::new(options, noisy(&clean, 0.1), None, Some(clean)).unwrap()
    };
    let said = |restoration: &Restoration| {
        let mut report = restoration.report();
        report["options"] = serde_json::Value::Null;
        report
    };
    let fitter = ImageFitter::new(&search(1).options).unwrap();
    let whole = Restoration::new(search(1)).unwrap();
    while whole.step(&fitter, None, &Silent, &|_| {}).unwrap() == Status::Round {}
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("restoration.nse");
    let begun = Restoration::new(search(3)).unwrap();
    assert_eq!(begun.step(&fitter, None, &Silent, &|_| {}).unwrap(), Status::Round);
    begun.save(&path).unwrap();
    let gone_on = Restoration::resume(&path, Saved::read(&path).unwrap(), search(2)).unwrap();
    assert_eq!(gone_on.step(&fitter, None, &Silent, &|_| {}).unwrap(), Status::Done);
    assert_eq!(said(&gone_on), said(&whole));
    // And what a member is said to be is what it is.
    let best = whole.population().best().unwrap();
    let (_, network, fit) = whole.restore(None, &fitter, &Nobody(Cell::new(0))).unwrap();
    assert_eq!((network.to_string(), fit), (best.code.to_string(), best.known.fits[0].clone()));
}
