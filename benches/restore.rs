//! What a search for restoring networks is worth: networks that it finds for standard test images with noise, against the network of Deep
//! Image Prior, after as many steps. `make evidence-restore` runs it, docs/nas-dip.md says what came out.
//!
//!     restore FOLDER OUT
//!
//! FOLDER has the images as PNG files. OUT gets a checkpoint and a picture for every image, and table.md. What is there is not done again.

use nse::checkpoint::Keeper;
use nse::restore::{psnr, ssim, Network, Picture, Problem, Restoration, RestoreOptions, Saved, Watch};
use nse::search::{CheckpointOptions, Purpose, Silent, Status, Stream};
use nse::supernet::ImageFitter;
use std::error::Error;
use std::fmt::Write;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

const IMAGES: [&str; 4] = ["astronaut", "camera", "chelsea", "coffee"];
/// Side to which they are made smaller.
const SIDE: usize = 64;
/// Standard deviation of the noise.
const SIGMA: f64 = 25.0 / 255.0;
const STEPS: u64 = 300;
/// Seeds of the fits that are compared; the search has seed 0.
const SEEDS: [u64; 2] = [1, 2];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn options(seed: u64) -> Result<RestoreOptions> {
    let text = format!(
        r#"{{"task": "denoise", "seed": {seed}, "threads": 1, "train": {{"iterations": {STEPS}, "smoothing": 0.95}},
            "search": {{"units": 3, "population": 6, "generations": 3, "max_macs": 40000000, "max_params": 2217831}}}}"#
    );
    Ok(RestoreOptions::from_json(&text)?)
}

/// The largest square in the middle of an image whose side is a multiple of ours, every pixel the mean of those that it covers.
fn read(path: &Path) -> Result<Picture> {
    let mut reader = png::Decoder::new(std::io::BufReader::new(File::open(path)?)).read_info()?;
    let mut bytes = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let info = reader.next_frame(&mut bytes)?;
    let channels = info.color_type.samples();
    let (width, height) = (info.width as usize, info.height as usize);
    let block = width.min(height) / SIDE;
    let (left, top) = ((width - block * SIDE) / 2, (height - block * SIDE) / 2);
    let mean = |at: usize| {
        let (channel, y, x) = (at / (SIDE * SIDE), at / SIDE % SIDE, at % SIDE);
        let pixel = |i: usize| {
            let (row, column) = (top + y * block + i / block, left + x * block + i % block);
            f64::from(bytes[(row * width + column) * channels + channel])
        };
        ((0..block * block).map(pixel).sum::<f64>() / (block * block) as f64 / 255.0) as f32
    };
    let shape = [channels as u32, SIDE as u32, SIDE as u32];
    Ok(Picture::new("image", shape, (0..channels * SIDE * SIDE).map(mean).collect())?)
}

fn noisy(clean: &Picture, number: u64) -> Result<Picture> {
    let mut stream = Stream::new(7, Purpose::Noise, number, 0);
    let values = clean.values.iter().map(|value| (f64::from(*value) + SIGMA * stream.normals()[0]).clamp(0.0, 1.0) as f32);
    Ok(Picture::new("image", clean.shape(), values.collect())?)
}

/// Pictures beside each other, every pixel three high and wide.
fn draw(path: &Path, pictures: &[&Picture]) -> Result<()> {
    let (zoom, gap) = (3, 6);
    let width = pictures.len() * (SIDE * zoom + gap) - gap;
    let mut bytes = vec![255; width * SIDE * zoom * 3];
    for (number, picture) in pictures.iter().enumerate() {
        for at in 0..SIDE * zoom * SIDE * zoom {
            let (y, x) = (at / (SIDE * zoom), at % (SIDE * zoom));
            for channel in 0..3 {
                let plane = channel.min(picture.channels as usize - 1);
                let value = picture.values[plane * SIDE * SIDE + y / zoom * SIDE + x / zoom];
                bytes[(y * width + number * (SIDE * zoom + gap) + x) * 3 + channel] =
                    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
            }
        }
    }
    let mut encoder = png::Encoder::new(BufWriter::new(File::create(path)?), width as u32, (SIDE * zoom) as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    Ok(encoder.write_header()?.write_image_data(&bytes)?)
}

struct Nobody;

impl Watch for Nobody {
    fn cancelled(&self) -> bool {
        false
    }

    fn step(&self, _: u64, _: f64, _: Option<f64>) {}
}

/// Searches, or goes on with it.
fn search(path: &Path, noisy: &Picture, fitter: &ImageFitter) -> Result<Restoration> {
    let problem = Problem::new(options(0)?, noisy.clone(), None, None)?;
    let search = match path.exists() {
        true => Restoration::resume(path, Saved::read(path)?, problem)?,
        false => Restoration::new(problem)?,
    };
    let keeper = Keeper::new(CheckpointOptions { path: path.into(), steps: Some(1), seconds: None });
    while search.step(fitter, Some(&keeper), &Silent, &|_| {})? == Status::Round {
        let best = search.population().best().map(|best| (best.code.to_string(), best.known.fitness));
        eprintln!("{}: {best:?}", path.display());
    }
    Ok(search)
}

/// PSNR and SSIM of every seed, and the image of the first.
fn fits(network: &Network, noisy: &Picture, clean: &Picture, fitter: &ImageFitter) -> Result<(Vec<[f64; 2]>, Picture)> {
    let (mut found, mut first) = (Vec::new(), None);
    for seed in SEEDS {
        let problem = Problem::new(options(seed)?, noisy.clone(), None, Some(clean.clone()))?;
        let (image, _, fit) = Restoration::new(problem)?.restore(Some(network.clone()), fitter, &Nobody)?;
        eprintln!("{network} seed {seed}: {fit:?}");
        found.push([psnr(&image, clean)?, ssim(&image, clean)?.unwrap_or(f64::NAN)]);
        first.get_or_insert(image);
    }
    Ok((found, first.ok_or("no seed")?))
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [folder, out] = &arguments[..] else { return Err("usage: restore FOLDER OUT".into()) };
    let (folder, out) = (PathBuf::from(folder), PathBuf::from(out));
    std::fs::create_dir_all(&out)?;
    let fitter = ImageFitter::new(&options(0)?)?;
    let mut table =
        String::from("| image | noisy | classic | found | found network | parameters | macs |\n|---|---|---|---|---|---|---|\n");
    let mut means: Vec<[f64; 3]> = Vec::new();
    for (number, name) in IMAGES.iter().enumerate() {
        let clean = read(&folder.join(name).with_extension("png"))?;
        let noisy = noisy(&clean, number as u64)?;
        let best = search(&out.join(name).with_extension("nse"), &noisy, &fitter)?.population().best().ok_or("nothing found")?;
        let (classic, by_classic) = fits(&Network::Classic(4), &noisy, &clean, &fitter)?;
        let (found, by_found) = fits(&Network::Genome(best.code.clone()), &noisy, &clean, &fitter)?;
        draw(&out.join(name).with_extension("png"), &[&noisy, &by_classic, &by_found, &clean])?;
        let mean = |fits: &[[f64; 2]], of: usize| fits.iter().map(|fit| fit[of]).sum::<f64>() / fits.len() as f64;
        let said = |fits: &[[f64; 2]]| format!("{:.2} dB, {:.3}", mean(fits, 0), mean(fits, 1));
        let before = [psnr(&noisy, &clean)?, ssim(&noisy, &clean)?.unwrap_or(f64::NAN)];
        let (params, macs) = (best.known.params, best.known.macs);
        writeln!(
            table,
            "| {name} | {} | {} | {} | `{}` | {params} | {macs} |",
            said(&[before]),
            said(&classic),
            said(&found),
            best.code
        )?;
        means.push([before[0], mean(&classic, 0), mean(&found, 0)]);
        let all = |of: usize| means.iter().map(|row| row[of]).sum::<f64>() / means.len() as f64;
        let last = format!("| mean | {:.2} dB | {:.2} dB | {:.2} dB | | | |\n", all(0), all(1), all(2));
        std::fs::write(out.join("table.md"), table.clone() + &last)?;
    }
    print!("{}", std::fs::read_to_string(out.join("table.md"))?);
    Ok(())
}
