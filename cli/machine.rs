//! `nse doctor`, `nse space` and `nse version`: the machine and the spaces, without a search.

use crate::api::{self, Space};
use crate::args::{Budget, Describe, Doctor, SpaceArgs};
use crate::exit::{Failure, Outcome, MACHINE};
use crate::inputs::{self, priced, short};
use crate::Session;
use serde_json::{json, Value};

/// What changes how libtorch and the loader behave.
const VARIABLES: [&str; 12] = [
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LIBTORCH",
    "OMP_NUM_THREADS",
    "OMP_WAIT_POLICY",
    "KMP_AFFINITY",
    "GOMP_SPINCOUNT",
    "MKL_NUM_THREADS",
    "CUDA_VISIBLE_DEVICES",
    "PYTORCH_CUDA_ALLOC_CONF",
    "MALLOC_ARENA_MAX",
    "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
];

pub fn doctor(args: &Doctor, session: &Session) -> Outcome<Value> {
    let info = api::runtime()?;
    let (torch, cuda) = (&info["runtime"]["libtorch"], &info["runtime"]["cuda"]);
    let variables: serde_json::Map<_, _> =
        VARIABLES.iter().filter_map(|name| Some((name.to_string(), json!(std::env::var_os(name)?.to_string_lossy())))).collect();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let probe = args.folder.join(format!(".nse-doctor-{}", std::process::id()));
    let writing = std::fs::write(&probe, b"nse").and_then(|()| std::fs::remove_file(&probe));
    let writing = writing.err().map(|error| error.to_string());
    let mut problems = Vec::new();
    if info["runtime"].is_null() {
        problems.push("this libnse was built without libtorch: it can describe and report, not train".to_owned());
    }
    problems.extend(torch["problem"].as_str().map(str::to_owned));
    problems.extend(writing.as_ref().map(|error| format!("{} cannot be written to: {error}", args.folder.display())));
    let warning = info["openmp"]["warning"].as_str();
    session.print(|| {
        println!("nse       {} (ABI {})", info["nse"]["version"].as_str().unwrap_or("?"), info["nse"]["abi"]);
        match torch["version"].as_str() {
            Some(version) => {
                println!("libtorch  {version}, {}, {} threads", torch["file"].as_str().unwrap_or("?"), torch["threads"])
            }
            None => println!("libtorch  none in this build"),
        }
        match cuda["available"].as_bool() {
            Some(true) => println!("CUDA      on, {} devices", cuda["devices"]),
            _ => println!("CUDA      off: {}", cuda["reason"].as_str().unwrap_or("this build has no libtorch")),
        }
        let libraries = info["openmp"]["libraries"].as_array();
        println!("OpenMP    {}", libraries.into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join(", "));
        if let Some(warning) = warning {
            println!("          warning: {warning}");
        }
        println!("cores     {cores}");
        println!("writing   {}: {}", args.folder.display(), writing.as_deref().unwrap_or("works"));
        for (name, value) in &variables {
            println!("          {name}={}", value.as_str().unwrap_or_default());
        }
        println!("{}", if problems.is_empty() { "all well".to_owned() } else { format!("problems: {}", problems.join("; ")) });
    });
    let healthy = problems.is_empty();
    let report = json!({
        "healthy": healthy, "problems": problems, "warnings": warning, "runtime": info, "cores": cores, "environment": variables,
        "folder": { "path": args.folder, "error": writing }
    });
    if healthy {
        return Ok(report);
    }
    session.document(&report);
    Err(Failure { code: MACHINE, message: String::new(), status: None })
}

pub fn list(session: &Session) -> Outcome<Value> {
    let presets = Space::presets()?;
    session.print(|| {
        for preset in presets.as_array().into_iter().flatten() {
            println!("{:<14}{}", preset["name"].as_str().unwrap_or_default(), preset["description"].as_str().unwrap_or_default());
        }
    });
    Ok(presets)
}

pub fn json(args: &SpaceArgs, session: &Session) -> Outcome<Value> {
    let document = inputs::space(args, None)?.to_json()?;
    session.print(|| println!("{document:#}"));
    Ok(document)
}

pub fn describe(args: &Describe, session: &Session) -> Outcome<Value> {
    let space = inputs::space(&args.space, None)?;
    let table = inputs::table(args.budget.latency.as_deref())?;
    let mut description = space.describe(table.as_ref())?;
    let reach = args.budget.window().map(|(low, high)| {
        let asked = json!({ "cost": args.budget.name(), "low": low, "high": high });
        space.budget(&asked, table.as_ref())
    });
    let reach = reach.transpose()?;
    session.print(|| print(&description, reach.as_ref(), &args.budget));
    if let Some(reach) = reach {
        description["budget"] = reach;
    }
    Ok(description)
}

fn print(description: &Value, reach: Option<&Value>, budget: &Budget) {
    println!(
        "{}: {} cells, {} operators ({} at most in a cell), 10^{:.0} architectures",
        description["name"].as_str().unwrap_or_default(),
        description["cells"],
        description["operators"],
        description["most_operators_per_cell"],
        description["log10_architectures"].as_f64().unwrap_or(0.0),
    );
    println!("\n{:<12}{:>12}{:>12}{:>12}", "", "least", "middle", "greatest");
    for (key, name) in
        [("macs", "MACs"), ("params", "parameters"), ("bits", "bits"), ("operations", "operations"), ("latency", "latency")]
    {
        let part = |which: &str| description[key][which].as_f64();
        if let (Some(least), Some(middle), Some(greatest)) = (part("least"), part("middle"), part("greatest")) {
            println!("{name:<12}{:>12}{:>12}{:>12}", short(least), short(middle), short(greatest));
        }
    }
    let (Some(reach), Some((low, high))) = (reach, budget.window()) else { return };
    println!("\nbudget {} to {}:", priced(budget.name(), low), priced(budget.name(), high));
    for (key, value) in reach.as_object().into_iter().flatten() {
        println!("  {key}: {value}");
    }
}

pub fn version(session: &Session) -> Outcome<Value> {
    session.print(|| println!("nse {}, libnse {}", env!("CARGO_PKG_VERSION"), api::version()));
    Ok(json!({ "nse": env!("CARGO_PKG_VERSION"), "libnse": api::version() }))
}
