//! Images as planes: what is refused, how near two are, how they become smaller.

use nse::restore::{downsampling, psnr, ssim, Downsampler, Picture, Problem, RestoreOptions};

pub fn picture(shape: [u32; 3], value: impl Fn(usize) -> f32) -> Picture {
    Picture::new("picture", shape, (0..shape.iter().product::<u32>() as usize).map(value).collect()).unwrap()
}

/// Two images of 24 x 20 with three channels, made by arithmetic that other programs can repeat.
const PSNR: f64 = 21.825207874701753;
const SSIM: f64 = 0.9527503427927343;

fn two() -> [Picture; 2] {
    let value = |at: usize| ((at * 37 + at * at % 101) % 256) as f32 / 255.0;
    let other = |at: usize| (value(at) * 0.8 + ((at * 53) % 97) as f32 / 97.0 * 0.2).min(1.0);
    [picture([3, 24, 20], value), picture([3, 24, 20], other)]
}

/// Values of scikit-image 0.25.2: peak_signal_noise_ratio and structural_similarity with gaussian_weights, sigma 1.5, use_sample_covariance
/// False, data_range 1 and channel_axis 0, in 64 bits.
#[test]
fn psnr_and_ssim_are_those_of_scikit_image() {
    let [a, b] = two();
    assert!((psnr(&a, &b).unwrap() - PSNR).abs() < 1e-9, "{}", psnr(&a, &b).unwrap());
    assert!((ssim(&a, &b).unwrap().unwrap() - SSIM).abs() < 1e-9, "{:?}", ssim(&a, &b).unwrap());
    assert_eq!((psnr(&a, &a).unwrap(), ssim(&a, &a).unwrap()), (f64::INFINITY, Some(1.0)));
    let [black, white] = [0.0, 1.0].map(|value| picture([1, 2, 3], |_| value));
    assert_eq!((psnr(&black, &white).unwrap(), ssim(&black, &white).unwrap()), (0.0, None));
    assert!(psnr(&a, &black).unwrap_err().to_string().contains("it is 1 x 2 x 3, beside an image of 3 x 24 x 20"));
}

#[test]
fn what_is_no_image_is_named() {
    let said = |shape: [u32; 3], values: Vec<f32>| Picture::new("picture", shape, values).unwrap_err().to_string();
    assert!(said([2, 4, 4], vec![0.0; 32]).contains("picture: 2 channels"));
    assert!(said([1, 0, 4], vec![]).contains("0 x 4 pixels"));
    assert!(said([1, 4, 16_385], vec![]).contains("4 x 16385"));
    assert!(said([1, 16_384, 16_384], vec![]).contains("at most"));
    assert!(said([1, 2, 2], vec![0.0; 3]).contains("3 values, where 1 x 2 x 2 are 4"));
    assert!(said([1, 2, 2], vec![0.0, 0.5, 255.0, 0.0]).contains("value 2 is 255"));
    assert!(said([1, 2, 2], vec![0.0, f32::NAN, 0.0, 0.0]).contains("value 1 is NaN"));
    assert!(Picture::new("picture", [1, 2, 2], vec![-0.3, 1.4, 0.0, 1.0]).is_ok());
}

#[test]
fn smaller_pixels_are_weighted_means() {
    for (kind, factor) in [(Downsampler::Area, 2), (Downsampler::Area, 3), (Downsampler::Lanczos2, 2), (Downsampler::Lanczos2, 5)]
    {
        let matrix = downsampling(kind, 6, factor).unwrap();
        assert_eq!((matrix.columns, matrix.rows()), (6 * factor, 6));
        for (i, row) in matrix.values.chunks_exact(matrix.columns).enumerate() {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{kind:?} {factor} {row:?}");
            if kind == Downsampler::Area {
                let inside = |at: usize| at / factor == i;
                let expected = |at| if inside(at) { 1.0 / factor as f32 } else { 0.0 };
                assert!(row.iter().enumerate().all(|(at, w)| (w - expected(at)).abs() < 1e-7));
            } else {
                // The mirror image of the row from the other end.
                let other = &matrix.values[(5 - i) * matrix.columns..][..matrix.columns];
                assert!(row.iter().zip(other.iter().rev()).all(|(a, b)| (a - b).abs() < 1e-6));
            }
        }
    }
    // Lanczos of two lobes at factor 2, by hand: distances 1/4, 3/4, 5/4, 7/4 with sinc(d) sinc(d/2).
    let row: Vec<f64> =
        downsampling(Downsampler::Lanczos2, 8, 2).unwrap().values[4 * 16..][..16].iter().map(|v| f64::from(*v)).collect();
    let sinc = |x: f64| (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x);
    let raw: Vec<f64> = [1.75, 1.25, 0.75, 0.25, 0.25, 0.75, 1.25, 1.75].map(|d| sinc(d) * sinc(d / 2.0)).to_vec();
    let sum: f64 = raw.iter().sum();
    assert!(raw.iter().enumerate().all(|(i, w)| (row[5 + i] - w / sum).abs() < 1e-6), "{row:?}");
}

fn problem(options: &str, given: Picture, mask: Option<Picture>, reference: Option<Picture>) -> Result<Problem, String> {
    let options = RestoreOptions::from_json(options).map_err(|e| e.to_string())?;
    Problem::new(options, given, mask, reference).map_err(|e| e.to_string())
}

#[test]
fn what_does_not_fit_together_is_named() {
    let image = || picture([3, 8, 6], |_| 0.5);
    let said = |options: &str, mask, reference| problem(options, image(), mask, reference).unwrap_err();
    assert!(said("{}", None, None).contains("task"));
    assert!(said(r#"{"task": "paint"}"#, None, None).contains("paint"));
    assert!(said(r#"{"task": "inpaint"}"#, None, None).contains("mask: NULL"));
    assert!(said(r#"{"task": "inpaint"}"#, Some(image()), None).contains("mask: [3, 8, 6]"));
    let grey = picture([1, 8, 6], |at| if at == 5 { 0.5 } else { 1.0 });
    assert!(said(r#"{"task": "inpaint"}"#, Some(grey), None).contains("value 5 is 0.5"));
    assert!(said(r#"{"task": "inpaint"}"#, Some(picture([1, 8, 6], |_| 0.0)), None).contains("no pixel is known"));
    assert!(said(r#"{"task": "denoise"}"#, Some(picture([1, 8, 6], |_| 1.0)), None).contains("alone"));
    assert!(said(r#"{"task": "denoise", "fitness": "reference"}"#, None, None).contains("/fitness"));
    assert!(said(r#"{"task": "super_resolution"}"#, None, Some(image())).contains("reference: [3, 8, 6]"));
    assert!(said(r#"{"task": "denoise", "search": {"units": 8}}"#, None, None).contains("/search/units"));
    assert!(said(r#"{"task": "denoise", "held_out": 0.9}"#, None, None).contains("/held_out"));
    let one = problem(r#"{"task": "denoise"}"#, picture([1, 1, 1], |_| 0.0), None, None).unwrap_err();
    assert!(one.contains("1 known pixels"));
}

/// Blind fitness sees only what is held out, and what is fitted only the rest.
#[test]
fn pixels_that_are_held_out_are_not_fitted() {
    let image = picture([3, 10, 10], |at| at as f32 / 300.0);
    let mask = picture([1, 10, 10], |at| f32::from(u8::from(at % 4 != 0)));
    let found = problem(r#"{"task": "inpaint", "held_out": 0.2}"#, image.clone(), Some(mask.clone()), None).unwrap();
    let known: Vec<usize> = (0..100).filter(|at| at % 4 != 0).collect();
    let held: Vec<usize> = known.iter().copied().filter(|at| !found.fitted[*at]).collect();
    assert_eq!((held.len(), found.fitted.iter().filter(|f| **f).count()), (15, 60));
    let mut output = image.values.clone();
    assert_eq!(found.fitness(&output), 300.0);
    (0..300).filter(|at| !held.contains(&(at % 100))).for_each(|at| output[at] = 9.0);
    assert_eq!(found.fitness(&output), 300.0);
    output[held[0]] += 0.1;
    let expected = -10.0 * (0.01f64 / 45.0).log10();
    assert!((found.fitness(&output) - expected).abs() < 1e-4);
    // Known pixels stay as they are.
    let whole = found.restored(vec![0.25; 300]).unwrap();
    assert!((0..300).all(|at| whole.values[at] == if at % 100 % 4 == 0 { 0.25 } else { image.values[at] }));
}

#[test]
fn of_super_resolution_the_small_image_is_compared() {
    let large = picture([3, 12, 8], |at| (at % 29) as f32 / 29.0);
    for kind in ["area", "lanczos2"] {
        let options = format!(r#"{{"task": "super_resolution", "factor": 2, "downsampler": "{kind}", "held_out": 0.5}}"#);
        let first = problem(&options, picture([3, 6, 4], |_| 0.0), None, None).unwrap();
        assert_eq!(first.shape(), [3, 12, 8]);
        let [rows, columns] = first.smaller.as_ref().unwrap();
        let mut small = vec![0.0f32; 3 * 24];
        for (at, value) in small.iter_mut().enumerate() {
            let (plane, y, x) = (at / 24, at % 24 / 4, at % 4);
            for (i, j) in (0..12).flat_map(|i| (0..8).map(move |j| (i, j))) {
                *value += rows.values[y * 12 + i] * columns.values[x * 8 + j] * large.values[plane * 96 + i * 8 + j];
            }
        }
        let exact = problem(&options, Picture::new("picture", [3, 6, 4], small).unwrap(), None, None).unwrap();
        assert!(exact.fitness(&large.values) > 120.0, "{}", exact.fitness(&large.values));
        assert!(exact.fitness(&vec![0.5; 288]) < 30.0);
    }
}
