//! A rank that times what is between the ranks, as libtorch's c10d has it: sums of whole numbers, and maxima; and what it does itself for a
//! sum: gradients become whole numbers, and these become gradients. Started by scale.py, as launchers start ranks; rank 0 prints a line of
//! JSON for each size: seconds of every turn.
//!
//! Usage: network TURNS COUNT...

use nse::dist::exact::{Buckets, Host, Own, Share};
use nse::dist::{Crew, Environment, Transport};
use nse::supernet::C10d;
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).filter(|argument| argument != "--bench").map(|number| number.parse::<usize>());
    let turns = numbers.next().ok_or("usage: network TURNS COUNT...")??;
    let at = Environment::read(|name| std::env::var(name).ok())?.ok_or("no launcher says which rank this is")?;
    let mut group = C10d::join(&at, "network", Some(Duration::from_secs(300)))?;
    for count in numbers {
        let count = count?;
        let (mut whole, mut real) = (vec![1_i64; count], vec![1.0_f64; count]);
        let (mut sums, mut maxima, mut converted) = (Vec::new(), Vec::new(), Vec::new());
        let buckets = Buckets::new(vec![count], count, 0);
        for _ in 0..turns {
            whole.fill(1);
            group.barrier()?;
            let begun = Instant::now();
            group.sum(&mut whole)?;
            sums.push(begun.elapsed().as_secs_f64());
            group.barrier()?;
            let begun = Instant::now();
            group.max(&mut real)?;
            maxima.push(begun.elapsed().as_secs_f64());
            let share = Share { weight: 0.5, numbers: (0..count).map(|place| place as f32).collect() };
            group.barrier()?;
            let begun = Instant::now();
            // One rank alone: only the conversions are left.
            buckets.add(&Crew::alone(), &Host, std::iter::once(Ok(Own { shares: vec![share], notes: Vec::new() })))?;
            converted.push(begun.elapsed().as_secs_f64());
        }
        if whole.iter().any(|number| *number != i64::from(at.place.size)) {
            return Err("a sum is wrong".into());
        }
        if at.place.rank == 0 {
            println!(
                "{}",
                serde_json::json!({"ranks": at.place.size, "bytes": 8 * count, "sum": sums, "max": maxima, "convert": converted})
            );
        }
    }
    Ok(())
}
