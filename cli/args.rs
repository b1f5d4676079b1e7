//! The command line. Its help is all that many users read, so examples are in it.

use crate::exit;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Parser)]
#[command(name = "nse", disable_version_flag = true, about = "Finds neural networks that fit a budget.", after_help = exit::HELP)]
#[command(long_about = "Finds neural networks that fit a budget.

A search evolves a space of convolutional networks round by round (NSE, Ci et al., ICCV 2021): it trains a supernet that shares weights, \
scores many architectures inside your budget, keeps the Pareto front of accuracy and cost, and goes on from what the front uses. Results, \
checkpoints and a report are in one folder, the RUN.

Begin with:
  nse search --data DIR --budget 350k --out RUN    finds architectures of at most 350,000 multiply-accumulates
  nse show RUN                                     says what was found; open RUN/report.html for pictures
  nse train RUN --data DIR --out model.pt          trains the best of them, and evaluates it

DIR is a folder with the four IDX files of MNIST, Fashion-MNIST or your own (train-images-idx3-ubyte, train-labels-idx1-ubyte, \
t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, each plain or .gz). On Debian and Ubuntu `apt-get install dataset-fashion-mnist` brings \
such a folder, /usr/share/datasets/fashion-mnist.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Common {
    /// Print the result as one JSON document on stdout (errors too)
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress and no lines about it
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Search a space inside a budget
    Search(Search),
    /// Go on with a search that was interrupted
    Resume(Resume),
    /// Say what a search has found so far
    Show(Show),
    /// Write the report of a search: a page, JSON, a picture, a diagram
    Report(Report),
    /// Train one architecture, and evaluate it
    Train(Train),
    /// Write a trained model in another format
    Export(Export),
    /// Time this device: a latency table, and how well it predicts whole networks
    Measure(Measure),
    /// Look at this machine: libtorch, CUDA, OpenMP, environment, writing
    Doctor(Doctor),
    /// Look at search spaces
    #[command(subcommand)]
    Space(SpaceCommand),
    /// Say the versions of nse and of its library
    Version,
}

/// Which space.
#[derive(Args, Clone)]
pub struct SpaceArgs {
    /// A preset (see `nse space list`), or a JSON file (docs/space.md)
    #[arg(long, value_name = "NAME|FILE", default_value = "nse-27-small")]
    pub space: String,
    /// Changes to a preset, JSON or a JSON file: input, classes, channels, repeats, scale, tail, ...
    #[arg(long, value_name = "JSON|FILE")]
    pub overrides: Option<String>,
}

#[derive(Args)]
pub struct Budget {
    /// Most that a network may cost: 350000, 350k, 2.5M, 1G
    #[arg(long, value_name = "COST", value_parser = cost)]
    pub budget: Option<f64>,
    /// Least that a candidate costs; 85% of the budget unless given
    #[arg(long, value_name = "COST", value_parser = cost)]
    pub low: Option<f64>,
    /// What the budget counts
    #[arg(long, value_enum, default_value_t = Cost::Macs)]
    pub cost: Cost,
    /// Latency table, CSV or JSON, for --cost latency; `nse measure` makes one
    #[arg(long, value_name = "FILE")]
    pub latency: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Cost {
    /// multiply-accumulates of one image
    Macs,
    /// trainable numbers
    Params,
    /// size of the trained network, 1 for each binary weight
    Bits,
    /// multiply-accumulates of one image, 64 binary ones counted as one
    Operations,
    /// time by a table, in its unit
    Latency,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse search --data /usr/share/datasets/fashion-mnist --budget 350k --out RUN
  nse search --data DIR --budget 2M --space space.json --options search.json --seed 7 --out RUN
  nse search --data DIR --cost latency --latency table.csv --budget 1.5 --out RUN
  nse search --data DIR --budget 350k --rounds 1 --epochs 0.2 --out TRY      a first look, in a minute or so

RUN afterwards: search.nse (checkpoint), report.html, report.json, best.json, tensorboard/ (see `tensorboard --logdir RUN`), run.json.
Ctrl-C saves and stops; `nse resume RUN` goes on, with the same result as if nothing had happened.")]
pub struct Search {
    /// Folder of IDX files, or JSON (or a file of it) for nse_dataset_open
    #[arg(long, value_name = "DIR|JSON|FILE")]
    pub data: String,
    /// Folder for results; it is made, and must not hold another search
    #[arg(long, value_name = "RUN")]
    pub out: PathBuf,
    #[command(flatten)]
    pub space: SpaceArgs,
    #[command(flatten)]
    pub budget: Budget,
    /// Options of the search, JSON or a JSON file (docs/search.md); flags of this command count more
    #[arg(long, value_name = "JSON|FILE")]
    pub options: Option<String>,
    /// Named set of options below all others: laptop, one-gpu, published-19, published-27, ...
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// The same seed gives the same result
    #[arg(long)]
    pub seed: Option<u64>,
    /// Rounds
    #[arg(long, value_name = "N")]
    pub rounds: Option<u64>,
    /// Passes over the training images per round; may be a fraction
    #[arg(long, value_name = "N")]
    pub epochs: Option<f64>,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Args)]
pub struct Device {
    /// cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<String>,
    /// Threads of libtorch
    #[arg(long, value_name = "N")]
    pub threads: Option<u32>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse resume RUN
  nse resume RUN --data DIR        the images are elsewhere now (they must be the same)")]
pub struct Resume {
    /// Folder of the search
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The images, if they are not where they were
    #[arg(long, value_name = "DIR|JSON|FILE")]
    pub data: Option<String>,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse show RUN
  nse show RUN --json | python3 -m json.tool      the whole report as JSON (docs/report.md)
  nse show search.nse --max-cost 300k             the best within less than the budget

Needs neither the images nor libtorch.")]
pub struct Show {
    /// Folder of a search, or a checkpoint
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    /// Show the best architecture that costs at most this
    #[arg(long, value_name = "COST", value_parser = cost)]
    pub max_cost: Option<f64>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse report RUN                                  writes RUN/report.html anew
  nse report RUN --format png --out front.png
  nse report RUN --format diagram --out best.svg  the best architecture, drawn
  nse report search.nse --format json --out -     to stdout")]
pub struct Report {
    /// Folder of a search, or a checkpoint
    #[arg(value_name = "RUN|CHECKPOINT")]
    pub run: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Html)]
    pub format: Format,
    /// File to write; `-`: stdout; report.<format> in the RUN unless given
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// With diagram: the best architecture that costs at most this
    #[arg(long, value_name = "COST", value_parser = cost)]
    pub max_cost: Option<f64>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Format {
    /// one page with everything, for a browser
    Html,
    /// the same as data
    Json,
    /// candidates and fronts, cost against accuracy
    Svg,
    /// the same picture in pixels
    Png,
    /// the best architecture as SVG
    Diagram,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse train RUN --data DIR --out model.pt --epochs 20
  nse train RUN --data DIR --max-cost 300k --out small.safetensors
  nse train --arch best.json --space nse-27-small --data DIR --out model.pt

The architecture is the best of RUN, or --arch. If the data has test images (t10k-*), the model is evaluated on them. A .pt is for libtorch \
and PyTorch, .onnx for other runtimes; from a .safetensors `nse export` makes both. Ctrl-C saves; the same command goes on.")]
pub struct Train {
    /// Folder of a search, or a checkpoint, whose best architecture is trained
    #[arg(value_name = "RUN|CHECKPOINT", required_unless_present = "arch", conflicts_with = "arch")]
    pub run: Option<PathBuf>,
    /// Instead: an architecture, a JSON file or a code (`nse show` prints them)
    #[arg(long, value_name = "FILE|CODE")]
    pub arch: Option<String>,
    #[command(flatten)]
    pub space: SpaceArgs,
    /// The best of RUN that costs at most this
    #[arg(long, value_name = "COST", value_parser = cost)]
    pub max_cost: Option<f64>,
    /// Folder of IDX files, or JSON (or a file of it) for nse_dataset_open
    #[arg(long, value_name = "DIR|JSON|FILE")]
    pub data: String,
    /// File of the trained model
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// torchscript, onnx or safetensors; by the end of its name unless given (.pt, .onnx, .safetensors)
    #[arg(long)]
    pub format: Option<String>,
    /// Options of the training, JSON or a JSON file; flags of this command count more
    #[arg(long, value_name = "JSON|FILE")]
    pub options: Option<String>,
    /// Passes over the training images
    #[arg(long, value_name = "N")]
    pub epochs: Option<f64>,
    /// Images per step
    #[arg(long, value_name = "N")]
    pub batch: Option<u64>,
    /// Peak learning rate
    #[arg(long)]
    pub lr: Option<f64>,
    /// The same seed gives the same model
    #[arg(long)]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse export model.safetensors --out model.onnx
  nse export model.safetensors --out model.onnx --fold --normalise    batch-norm folded, pixels 0 to 255 as input
  nse export model.safetensors --out model.pt")]
pub struct Export {
    /// A model that nse wrote as safetensors
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// File to write
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// torchscript, onnx or safetensors; by the end of its name unless given (.pt, .onnx, .safetensors)
    #[arg(long)]
    pub format: Option<String>,
    /// Fold batch-norm into the convolutions
    #[arg(long)]
    pub fold: bool,
    /// Let the network take pixels, 0 to 255, and normalise them itself
    #[arg(long)]
    pub normalise: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse measure --out table.csv
  nse measure --space space.json --device cuda --batch 32 --networks 20 --out gpu.csv
  nse search --data DIR --cost latency --latency table.csv --budget 1.5 --out RUN    then

Times every operation that the space can need, and then some whole networks, drawn at random, to hold the table against. What counts for a \
search is the rank correlation: 1 means that the table orders networks as the clock does. Leave the machine alone meanwhile.")]
pub struct Measure {
    #[command(flatten)]
    pub space: SpaceArgs,
    /// File of the table, CSV
    #[arg(long, short, value_name = "FILE")]
    pub out: PathBuf,
    /// Whole networks to time; 0: none
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(0..=1000))]
    pub networks: u32,
    /// Images per pass
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch: u32,
    /// Passes that are timed; their median counts
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub repeats: u32,
    /// Passes before the clock starts
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub warmup: u32,
    /// Which networks are drawn
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub device: Device,
}

#[derive(Args)]
#[command(after_help = "Examples:
  nse doctor
  nse doctor --folder RUN      also: can it be written to?

Ends with 5 when something stands in the way of a search on the CPU.")]
pub struct Doctor {
    /// Folder in which results are to be written
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub folder: PathBuf,
}

#[derive(Subcommand)]
pub enum SpaceCommand {
    /// Name the presets
    List,
    /// Say what a space holds and costs, and whether a budget can be met
    #[command(after_help = "Examples:
  nse space describe
  nse space describe --space nse-27 --overrides '{\"scale\": 0.5}' --budget 200M
  nse space describe --space space.json --cost latency --latency table.csv --budget 3.5")]
    Describe(Describe),
    /// Print a space as JSON, to change and give back with --space FILE
    Json(SpaceArgs),
}

#[derive(Args)]
pub struct Describe {
    #[command(flatten)]
    pub space: SpaceArgs,
    #[command(flatten)]
    pub budget: Budget,
}

/// 350000, 350k, 2.5M, 1G, 3e8.
pub fn cost(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.chars().last() {
        Some('k' | 'K') => (&text[..text.len() - 1], 1e3),
        Some('M') => (&text[..text.len() - 1], 1e6),
        Some('G') => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => {
            let scaled = value * unit;
            // 0.35M is 350000, not 349999.99999999994.
            Ok(if unit > 1.0 { scaled.round() } else { scaled })
        }
        _ => Err("a cost is a number from 0, such as 350000, 350k, 2.5M or 1G".into()),
    }
}
