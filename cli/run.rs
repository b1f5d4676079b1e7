//! The folder of a search, and searching in it.

use crate::api::{Parts, Search};
use crate::args;
use crate::exit::{Failure, Outcome, INTERRUPTED, REFUSED};
use crate::inputs::{self, lay, lay_device, priced, Data};
use crate::progress::{duration, Watch};
use crate::sys::NSE_SEARCH_LOOK;
use crate::Session;
use serde_json::{json, Value};
use std::path::{Path, PathBuf};

const CHECKPOINT: &str = "search.nse";

/// A checkpoint by itself, or in the folder of a run.
pub fn checkpoint(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join(CHECKPOINT)
    } else {
        path.to_owned()
    }
}

fn utf8(path: &Path) -> Outcome<String> {
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| Failure::new(REFUSED, format!("{}: the name of this file is not UTF-8", path.display())))
}

/// To be shown; nothing is needed but the file.
pub fn look(path: &Path) -> Outcome<Search> {
    let file = checkpoint(path);
    if path.is_dir() && !file.exists() {
        return Err(Failure::new(
            crate::exit::DATA,
            format!("{}: there is no search in this folder (no {CHECKPOINT})", path.display()),
        ));
    }
    Search::load(&utf8(&file)?, &Parts { flags: NSE_SEARCH_LOOK, ..Parts::default() })
}

pub fn search(args: &args::Search, session: &Session) -> Outcome<Value> {
    let file = args.out.join(CHECKPOINT);
    if file.exists() {
        let (run, reason) = (args.out.display(), "holds a search already");
        return Err(Failure::new(REFUSED, format!("--out {run}: {reason}; `nse resume {run}` goes on with it")));
    }
    let mut options = inputs::object("--options", args.options.as_deref())?;
    lay(&mut options, &["preset"], args.preset.clone())?;
    if args.options.is_none() && args.preset.is_none() {
        lay(&mut options, &["preset"], Some("laptop"))?;
    }
    match args.budget.window() {
        Some((low, high)) => {
            lay(&mut options, &["objective", "cost"], Some(args.budget.name()))?;
            lay(&mut options, &["objective", "low"], Some(number(low)))?;
            lay(&mut options, &["objective", "high"], Some(number(high)))?;
        }
        None if options.contains_key("objective") || args.preset.as_deref().is_some_and(|name| name.starts_with("published")) => {
        }
        None => {
            return Err(Failure::new(crate::exit::USAGE, "--budget COST is needed, or an objective in --options or --preset"))
        }
    }
    lay(&mut options, &["seed"], args.seed)?;
    lay(&mut options, &["rounds"], args.rounds)?;
    lay(&mut options, &["train", "epochs"], args.epochs)?;
    lay_device(&mut options, &args.device)?;

    let data = Data::named(&args.data)?;
    let train = data.train()?;
    let space = inputs::space(&args.space, Some(&train))?;
    let latency = inputs::table(args.budget.latency.as_deref())?;
    std::fs::create_dir_all(&args.out).map_err(|e| Failure::file(&args.out, e))?;
    let out = args.out.canonicalize().map_err(|e| Failure::file(&args.out, e))?;
    at_home(&mut options, &out)?;
    let (options, watch) = (Value::Object(options), session.watch());
    let parts = Parts {
        space: Some(&space),
        train: Some(&train),
        latency: latency.as_ref(),
        options: Some(&options),
        watch: Some(&watch),
        flags: 0,
    };
    let search = Search::create(&parts)?;
    let run = json!({ "run": 1, "data": data.to_json(), "nse": crate::api::version() });
    inputs::write(&args.out.join("run.json"), format!("{run:#}\n").as_bytes())?;
    go_on(&search, &args.out, &watch, session)
}

pub fn resume(args: &args::Resume, session: &Session) -> Outcome<Value> {
    let saved = look(&args.run)?;
    let mut options = match saved.options()? {
        Value::Object(options) => options,
        other => return Err(Failure::new(REFUSED, format!("{}: {other} is not a set of options", args.run.display()))),
    };
    drop(saved);
    let out = args.run.canonicalize().map_err(|e| Failure::file(&args.run, e))?;
    at_home(&mut options, &out)?;
    lay_device(&mut options, &args.device)?;
    let data = match &args.data {
        Some(data) => Data::named(data)?,
        None => remembered(&args.run)?,
    };
    let train = data.train()?;
    let (options, watch) = (Value::Object(options), session.watch());
    let parts = Parts { train: Some(&train), options: Some(&options), watch: Some(&watch), ..Parts::default() };
    let search = Search::load(&utf8(&args.run.join(CHECKPOINT))?, &parts)?;
    go_on(&search, &args.run, &watch, session)
}

/// A whole number without a fraction, which the library wants for counts.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value < 9e15 {
        json!(value as u64)
    } else {
        json!(value)
    }
}

/// The files of a run belong into its folder, wherever that is now.
fn at_home(options: &mut serde_json::Map<String, Value>, out: &Path) -> Outcome<()> {
    if options.get("checkpoint").is_some_and(Value::is_null) {
        options.remove("checkpoint");
    }
    if options.get("tensorboard").is_some_and(Value::is_null) {
        options.remove("tensorboard");
    }
    lay(options, &["checkpoint", "path"], Some(utf8(&out.join(CHECKPOINT))?))?;
    lay(options, &["tensorboard", "path"], Some(utf8(&out.join("tensorboard"))?))
}

/// Where the images of a run were.
fn remembered(run: &Path) -> Outcome<Data> {
    let path = run.join("run.json");
    let known: Value = serde_json::from_str(&inputs::read(&path)?)
        .map_err(|e| Failure::new(crate::exit::DATA, format!("{}: {e}; say --data", path.display())))?;
    match &known["data"] {
        Value::String(folder) => Data::named(folder),
        Value::Object(json) => Ok(Data::Json(json.clone())),
        _ => {
            Err(Failure::new(crate::exit::DATA, format!("{}: it does not say where the images are; say --data", path.display())))
        }
    }
}

/// All rounds to come. The folder is up to date after every one, and after an interruption.
fn go_on(search: &Search, run: &Path, watch: &Watch, session: &Session) -> Outcome<Value> {
    // So that Ctrl-C finds something to go on from, however early it comes.
    search.save(&utf8(&run.join(CHECKPOINT))?)?;
    if report(search)?["done"] == true {
        session.say(watch, "the search is complete; nothing is left to do");
        return finish(search, run, session);
    }
    loop {
        let stepped = if watch.interrupted() { Err(Failure::new(INTERRUPTED, "interrupted")) } else { search.step() };
        match stepped {
            Ok(done) => {
                write_down(search, run)?;
                session.say(watch, &round(&report(search)?, watch));
                if done {
                    watch.done();
                    return finish(search, run, session);
                }
            }
            Err(failure) if failure.is_cancelled() => {
                watch.done();
                search.save(&utf8(&run.join(CHECKPOINT))?)?;
                write_down(search, run)?;
                let message = format!("interrupted; everything is saved. Go on with: nse resume {}", run.display());
                return Err(Failure::new(INTERRUPTED, message));
            }
            Err(failure) => {
                watch.done();
                return Err(failure);
            }
        }
    }
}

pub fn report(search: &Search) -> Outcome<Value> {
    serde_json::from_slice(&search.report("json")?).map_err(|e| Failure::new(crate::exit::FAILED, format!("the report: {e}")))
}

fn write_down(search: &Search, run: &Path) -> Outcome<()> {
    inputs::write(&run.join("report.html"), &search.report("html")?)?;
    inputs::write(&run.join("report.json"), &search.report("json")?)?;
    match search.best(f64::INFINITY) {
        Ok((arch, _)) => inputs::write(&run.join("best.json"), format!("{}\n", arch.to_json()?).as_bytes()),
        // No round is complete.
        Err(_) => Ok(()),
    }
}

fn round(report: &Value, watch: &Watch) -> String {
    let Some(last) = report["rounds"].as_array().and_then(|rounds| rounds.last()) else { return String::new() };
    let count = |key: &str| last[key].as_array().map_or(0, Vec::len);
    let seconds = last["seconds"]["train"].as_f64().unwrap_or(0.0) + last["seconds"]["score"].as_f64().unwrap_or(0.0);
    let supernet = watch.accuracy.get();
    let supernet = if supernet.is_nan() { String::new() } else { format!(", supernet {:.1}%", 100.0 * supernet) };
    format!(
        "round {} of {}: {} candidates, {} on the front, best {}{supernet}, {}",
        last["round"],
        report["total"],
        count("candidates"),
        count("front"),
        best(report),
        duration(seconds)
    )
}

/// The best of the front in words.
pub fn best(report: &Value) -> String {
    let (member, cost) = (&report["best"], report["cost"].as_str().unwrap_or_default());
    match (member["accuracy"].as_f64(), member["cost"].as_f64()) {
        (Some(accuracy), Some(price)) => format!("{:.2}% at {}", 100.0 * accuracy, priced(cost, price)),
        _ => "not known yet".into(),
    }
}

fn finish(search: &Search, run: &Path, session: &Session) -> Outcome<Value> {
    write_down(search, run)?;
    let report = report(search)?;
    session.print(|| {
        println!("best: {}", best(&report));
        println!("code: {}", report["best"]["code"].as_str().unwrap_or("none"));
        println!("page: {}", run.join("report.html").display());
        println!("next: nse train {} --data DIR --out model.pt", run.display());
    });
    Ok(json!({
        "run": run, "done": report["done"], "completed": report["completed"], "best": report["best"],
        "front": report["front"], "report": run.join("report.html")
    }))
}
