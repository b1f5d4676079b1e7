//! The library against the same work in plain PyTorch, in turns, after equal results: `make bench`. Prints tables and writes them as JSON.
//!
//! Usage: speed PYTHON OUT [SIZES] [STEPS], e.g. speed python3 target/bench "S M L P" 7
//!        speed --alone SIZE STEPS GROUPS    so many of the library's steps, and groups of candidates scored, without the baseline: for a
//!                                           profiler

mod baseline;
mod engine;
mod equal;
mod limit;
mod measure;
mod setting;

use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--memory", size, steps] => return measure::memory_here(size, steps.parse()?),
        ["--alone", size, steps, groups] => return measure::alone(size, steps.parse()?, groups.parse()?),
        _ => {}
    }
    let [python, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: speed PYTHON OUT [SIZES] [STEPS]".into());
    };
    let sizes = rest.first().map_or("S M L P", String::as_str);
    let steps = rest.get(1).map_or(Ok(7), |steps| steps.parse())?;
    std::fs::create_dir_all(out)?;
    // libtorch's own number; the baseline is told to take as many.
    println!("{} threads, kernels {}", tch::get_num_threads(), nse::supernet::fused::level_name());
    let mut report = serde_json::Map::new();
    for size in sizes.split_whitespace() {
        report.insert(size.into(), measure::size(python, Path::new(out), size, steps)?);
        std::fs::write(Path::new(out).join("speed.json"), serde_json::to_string_pretty(&report)?)?;
    }
    report.insert("sampling".into(), engine::sampling(python, Path::new(out))?);
    report.insert("pools".into(), engine::pools()?);
    std::fs::write(Path::new(out).join("speed.json"), serde_json::to_string_pretty(&report)?)?;
    println!("written to {out}/speed.json");
    Ok(())
}
