//! The options of a stand-alone training, and what is drawn for it: erased rectangles, and how much of a mix.

use nse::data::{Changes, Dataset, Normalisation};
use nse::search::{Purpose, Stream};
use nse::space::Shape;
use nse::supernet::{ModelOptions, Optimizer, Precision};
use nse::Error;

#[test]
fn options_are_strict_and_have_ranges() {
    let options = ModelOptions::from_json(
        r#"{"train": {"optimizer": "adamw", "precision": "bfloat16", "ema": 0.99, "clip": 1, "augment": {"erase": 0.25}},
            "checkpoint": {"path": "here", "resume": true}}"#,
    );
    let options = options.unwrap();
    assert_eq!((options.train.optimizer, options.train.precision), (Optimizer::AdamW, Precision::BFloat16));
    assert_eq!(options.train.augment, Changes { pad: 2, flip: true, erase: 0.25 });
    assert!(options.checkpoint.is_some_and(|checkpoint| checkpoint.resume && checkpoint.seconds.is_none()));
    for (text, at) in [
        (r#"{"train": {"optimizer": "adam"}}"#, "/train/optimizer"),
        (r#"{"train": {"ema": 1}}"#, "/train/ema"),
        (r#"{"train": {"mixup": -0.1}}"#, "/train/mixup"),
        (r#"{"train": {"drop_path": 0.95}}"#, "/train/drop_path"),
        (r#"{"train": {"clip": 0}}"#, "/train/clip"),
        (r#"{"train": {"augment": {"erase": 1.5}}}"#, "/train/augment/erase"),
        (r#"{"train": {"evaluate_every": 0}}"#, "/train/evaluate_every"),
        (r#"{"checkpoint": {"path": ""}}"#, "/checkpoint/path"),
        (r#"{"checkpoint": {"path": "a", "every": 3}}"#, "/checkpoint/every"),
    ] {
        match ModelOptions::from_json(text) {
            Err(Error::Config { document: "model options", pointer, .. }) => assert_eq!(pointer, at, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// Mean 1/2 and variance 1 / (4 (2 a + 1)).
#[test]
fn parts_of_a_mix_have_their_distribution() {
    for a in [0.1, 0.5, 1.0, 4.0] {
        let mut stream = Stream::new(3, Purpose::Mixup, 0, 0);
        let draws: Vec<f64> = (0..20_000).map(|_| stream.beta(a)).collect();
        assert!(draws.iter().all(|x| (0.0..=1.0).contains(x)));
        let mean = draws.iter().sum::<f64>() / draws.len() as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / draws.len() as f64;
        let expected = 1.0 / (4.0 * (2.0 * a + 1.0));
        assert!((mean - 0.5).abs() < 0.01 && (variance / expected - 1.0).abs() < 0.05, "{a}: {mean}, {variance}");
    }
}

/// White images, of which the erased part becomes the mean, 0.
fn erased(changes: Changes, count: usize) -> Vec<Vec<bool>> {
    let shape = Shape { channels: 2, height: 20, width: 30 };
    let data = Dataset::from_memory(shape, None, vec![255; count * 1200], vec![0; count]).unwrap();
    let normalisation = Normalisation { mean: vec![0.5; 2], std: vec![0.5; 2] };
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    let stream = Stream::new(4, Purpose::Augment, 0, 0);
    data.fill(&(0..count as u32).collect::<Vec<_>>(), &normalisation, Some((changes, stream)), &mut images, &mut labels).unwrap();
    let planes: Vec<Vec<bool>> = images.chunks(600).map(|plane| plane.iter().map(|v| *v == 0.0).collect()).collect();
    assert!(planes.chunks(2).all(|pair| pair[0] == pair[1]), "all channels alike");
    planes.into_iter().step_by(2).collect()
}

#[test]
fn some_images_lose_a_rectangle() {
    let changes = Changes { pad: 0, flip: false, erase: 0.5 };
    let images = erased(changes, 400);
    let hit: Vec<&Vec<bool>> = images.iter().filter(|image| image.contains(&true)).collect();
    assert!((150..250).contains(&hit.len()), "{} of 400", hit.len());
    for image in &hit {
        let lit = |(y, x): (usize, usize)| image[y * 30 + x];
        let places: Vec<(usize, usize)> = (0..20).flat_map(|y| (0..30).map(move |x| (y, x))).filter(|at| lit(*at)).collect();
        let range = |values: Vec<usize>| *values.iter().min().unwrap()..=*values.iter().max().unwrap();
        let (rows, columns) = (range(places.iter().map(|p| p.0).collect()), range(places.iter().map(|p| p.1).collect()));
        let (high, wide) = (rows.clone().count(), columns.clone().count());
        assert_eq!(places.len(), high * wide, "a rectangle, and all of it");
        let (area, aspect) = (places.len() as f64 / 600.0, high as f64 / wide as f64);
        assert!((0.01..0.37).contains(&area) && (0.2..4.5).contains(&aspect), "{high} x {wide}");
    }
    assert!(hit.iter().any(|image| image[0]) || hit.iter().any(|image| image[599]), "the corners are reached");
    assert!(erased(Changes { erase: 0.0, ..changes }, 20).iter().all(|image| !image.contains(&true)));
}
