//! `nse measure`: a latency table of this device, and how well it tells networks apart.

use crate::api::{Arch, Latency, Parts, Search, Space};
use crate::args::Measure;
use crate::exit::{Failure, Outcome, INTERRUPTED};
use crate::inputs::{self, lay_device};
use crate::sys::NSE_SEARCH_TOLD;
use crate::Session;
use serde_json::{json, Map, Value};

pub fn measure(args: &Measure, session: &Session) -> Outcome<Value> {
    let mut options = Map::new();
    options.insert("batch".into(), args.batch.into());
    options.insert("repeats".into(), args.repeats.into());
    options.insert("warmup".into(), args.warmup.into());
    lay_device(&mut options, &args.device)?;
    let options = Value::Object(options);
    let space = inputs::space(&args.space, None)?;
    // Before the clock starts: a place that cannot be written to is not to be found out afterwards.
    inputs::write(&args.out, b"")?;
    let watch = session.watch();
    let measured = Latency::measure(&space, &options, &watch);
    watch.done();
    let table = measured.inspect_err(|_| drop(std::fs::remove_file(&args.out)))?;
    inputs::write(&args.out, table.csv()?.as_bytes())?;
    session.print(|| {
        println!("{}: {} operations", args.out.display(), table.csv().map_or(0, |csv| csv.lines().count().saturating_sub(2)))
    });

    let mut networks = Vec::new();
    for arch in draw(&space, args)? {
        if watch.interrupted() {
            return Err(Failure::new(
                INTERRUPTED,
                format!("interrupted; {} is complete, not all networks were timed", args.out.display()),
            ));
        }
        networks.push((arch.code()?, table.predict(&arch)?, arch.measure(&options)?));
    }
    let pairs: Vec<_> = networks.iter().map(|(_, predicted, measured)| (*predicted, *measured)).collect();
    let (scale, error, rank) = (scale(&pairs), error(&pairs), rank_correlation(&pairs));
    session.print(|| {
        if networks.is_empty() {
            return;
        }
        println!("\npredicted ms  measured ms  ratio  network");
        for (code, predicted, measured) in &networks {
            println!("{predicted:>12.4}  {measured:>11.4}  {:>5.2}  {code}", measured / predicted);
        }
        println!(
            "\nmeasured is {scale:.2} times what the table predicts; beside that factor it is off by {:.1}% on average",
            100.0 * error
        );
        match rank {
            Some(rank) => println!("rank correlation (Spearman) {rank:.3}"),
            None => println!("too few different networks for a rank correlation"),
        }
    });
    let list = networks
        .iter()
        .map(|(code, predicted, measured)| json!({ "code": code, "predicted_ms": predicted, "measured_ms": measured }));
    Ok(json!({
        "file": args.out, "networks": list.collect::<Vec<_>>(), "factor": scale, "mean_error": error, "rank_correlation": rank
    }))
}

/// Networks of every size, drawn as a search that is told its results would.
fn draw(space: &Space, args: &Measure) -> Outcome<Vec<Arch>> {
    if args.networks == 0 {
        return Ok(Vec::new());
    }
    let description = space.describe(None)?;
    let options = json!({
        "seed": args.seed, "rounds": 1, "active": description["most_operators_per_cell"].as_u64().unwrap_or(2).clamp(2, 1000),
        "objective": { "low": description["macs"]["least"], "high": description["macs"]["greatest"] },
        "candidates": { "count": args.networks, "extras": 0 }
    });
    Search::create(&Parts { space: Some(space), options: Some(&options), flags: NSE_SEARCH_TOLD, ..Parts::default() })?
        .ask(args.networks as usize)
}

/// By how much the networks are slower than predicted: what a whole pass costs beside its parts is much the same for all.
fn scale(pairs: &[(f64, f64)]) -> f64 {
    let (predicted, measured) = pairs.iter().fold((0.0, 0.0), |(p, m), (predicted, measured)| (p + predicted, m + measured));
    measured / predicted
}

/// Mean of |measured - scaled prediction| / measured.
fn error(pairs: &[(f64, f64)]) -> f64 {
    let scale = scale(pairs);
    pairs.iter().map(|(predicted, measured)| (measured - scale * predicted).abs() / measured).sum::<f64>() / pairs.len() as f64
}

/// Spearman's: Pearson's of the ranks, equal values having the mean of theirs. None when one side is constant.
fn rank_correlation(pairs: &[(f64, f64)]) -> Option<f64> {
    let ranks = |values: Vec<f64>| -> Vec<f64> {
        let rank = |v: &f64| {
            let below = values.iter().filter(|other| *other < v).count();
            let equal = values.iter().filter(|other| *other == v).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        };
        values.iter().map(rank).collect()
    };
    let (x, y) = (ranks(pairs.iter().map(|p| p.0).collect()), ranks(pairs.iter().map(|p| p.1).collect()));
    let middle = (pairs.len() as f64 - 1.0) / 2.0;
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - middle) * (b - middle)).sum::<f64>();
    let spread = (sum(&x, &x) * sum(&y, &y)).sqrt();
    (spread > 0.0).then(|| sum(&x, &y) / spread)
}
