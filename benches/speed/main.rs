//! The library against the same work in plain PyTorch, in turns, after equal results: `make bench`. Prints tables and writes them as JSON.
//!
//! Usage: speed PYTHON DATA OUT [PARTS] [STEPS], e.g. speed python3 fashion-mnist target/bench "S M L P round engine binary" 7
//!        speed --agreement DATA [SEED...]           how candidates are ranked with other and with fewer images for their statistics
//!        speed --precision DATA [SEED...]           how a round in bfloat16 ends
//!        speed --alone SIZE STEPS GROUPS PRECISION  so many of the library's steps, and groups of candidates scored, without the baseline:
//!                                                   for a profiler

mod agreement;
mod baseline;
mod binary;
mod engine;
mod equal;
mod images;
mod limit;
mod measure;
mod precision;
mod round;
mod setting;
#[path = "../evidence/tau.rs"]
mod tau;

use serde_json::json;
use std::error::Error;
use std::path::Path;

pub type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    // `cargo bench` adds an argument of its own.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--memory", size, steps] => return measure::memory_here(size, steps.parse()?),
        ["--precision", data, ref seeds @ ..] => return precision::print(data, seeds),
        ["--agreement", data, ref seeds @ ..] => return agreement::print(data, seeds),
        ["--alone", size, steps, groups, precision] => return measure::alone(size, steps.parse()?, groups.parse()?, precision),
        _ => {}
    }
    let [python, data, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: speed PYTHON DATA OUT [PARTS] [STEPS]".into());
    };
    let parts = rest.first().map_or("S M L P round engine binary", String::as_str);
    let steps = rest.get(1).map_or(Ok(7), |steps| steps.parse())?;
    let out = Path::new(out);
    std::fs::create_dir_all(out)?;
    // libtorch's own number; the baseline is told to take as many.
    println!("{} threads, kernels {}", tch::get_num_threads(), nse::supernet::fused::level_name());
    let mut report = serde_json::Map::new();
    for part in parts.split_whitespace() {
        let measured = match part {
            "round" => round::rounds(python, out, data)?,
            "engine" => json!({ "sampling": engine::sampling(python, out)?, "pools": engine::pools()? }),
            "binary" => binary::convolutions()?,
            size => measure::size(python, out, size, steps)?,
        };
        report.insert(part.into(), measured);
        std::fs::write(out.join("speed.json"), serde_json::to_string_pretty(&report)?)?;
    }
    println!("written to {}/speed.json", out.display());
    Ok(())
}
