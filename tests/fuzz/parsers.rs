//! Every parser of the library, given bytes. A parser answers with a value or an error; what it accepts it must be able to write
//! and read again. `target.rs` feeds them what libFuzzer finds, `tests/core/corpus.rs` what is checked in.

use nse::arch::{Architecture, Variant};
use nse::checkpoint::{self, Expected};
use nse::cost::{describe, describe_architecture, CostTable, LatencyTable};
use nse::data::Dataset;
use nse::export::{safetensors, Card, ExportOptions, Graph};
use nse::report::{Format, Report};
use nse::search::{Array, Arrays, SearchOptions};
use nse::space::{Shape, Space};
use nse::supernet::{MeasureOptions, ModelOptions};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

// Named, because this file is a module of two crates.
#[path = "structs.rs"]
mod structs;

type Parser = fn(&[u8]);

pub const PARSERS: [(&str, Parser); 18] = [
    ("space", |data| text(data, space)),
    ("overrides", |data| text(data, overrides)),
    ("search_options", |data| text(data, search_options)),
    ("model_options", |data| text(data, model_options)),
    ("export_options", |data| text(data, export_options)),
    ("measure_options", |data| text(data, |text| drop(MeasureOptions::from_json(text)))),
    ("architecture", |data| text(data, architecture)),
    ("genotype", |data| text(data, genotype)),
    ("variant", |data| text(data, variant)),
    ("dataset", |data| text(data, dataset)),
    ("idx", idx),
    ("latency", |data| text(data, latency)),
    ("checkpoint_file", checkpoint_file),
    ("checkpoint", checkpoint_content),
    ("model", model),
    ("model_content", model_content),
    ("dlpack", structs::dlpack),
    ("source", structs::source),
];

pub fn named(name: &str) -> Parser {
    PARSERS.into_iter().find(|(known, _)| *known == name).map(|(_, parser)| parser).expect("a parser of this name")
}

fn text(data: &[u8], parser: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(data) {
        parser(text);
    }
}

// ---- Documents ---------------------------------------------------------------------------------------------------------

fn small() -> &'static Space {
    static SMALL: OnceLock<Space> = OnceLock::new();
    SMALL.get_or_init(|| Space::from_json(include_str!("corpus/space/small.json")).expect("a space"))
}

fn look_at(space: &Space) {
    assert_eq!(Space::from_json(&space.to_json()).expect("what was written can be read"), *space);
    let (least, greatest) = CostTable::new(space).range();
    assert!(least.macs <= greatest.macs && least.params <= greatest.params);
    describe(space, None).expect("a space without latencies can be described");
    for operator in &space.cells()[0].operators {
        if let Ok(architecture) = Architecture::uniform(space, operator) {
            CostTable::new(space).architecture(&architecture);
        }
    }
}

fn space(text: &str) {
    if let Ok(space) = Space::from_json(text) {
        look_at(&space);
    }
}

fn overrides(text: &str) {
    if let Ok(space) = Space::preset("proxyless", text) {
        look_at(&space);
    }
    if let Ok((space, architecture)) = Architecture::preset("proxyless_mobile", text) {
        describe_architecture(&space, &architecture, Variant::default());
    }
}

fn search_options(text: &str) {
    if let Ok(options) = SearchOptions::from_json(text) {
        let written = serde_json::to_string(&options).expect("options can be written");
        let again = SearchOptions::from_json(&written).expect("what was written can be read");
        assert_eq!(serde_json::to_string(&again).expect("options can be written"), written);
        options.objective.window();
        options.train.schedule(options.train.steps(7));
    }
}

fn model_options(text: &str) {
    if let Ok(options) = ModelOptions::from_json(text) {
        let written = serde_json::to_string(&options).expect("options can be written");
        assert_eq!(ModelOptions::from_json(&written).expect("what was written can be read"), options);
        options.train.schedule(options.train.steps(7));
    }
}

fn export_options(text: &str) {
    if let Ok(options) = ExportOptions::parse(text) {
        let written = serde_json::to_string(&options).expect("options can be written");
        assert_eq!(ExportOptions::parse(&written).expect("what was written can be read"), options);
    }
}

fn architecture(text: &str) {
    if let Ok(architecture) = Architecture::from_json(small(), text) {
        let again = Architecture::from_json(small(), &architecture.to_json(small()));
        assert_eq!(again.expect("what was written can be read"), architecture);
        describe_architecture(small(), &architecture, Variant::default());
    }
}

fn genotype(text: &str) {
    static SPACES: OnceLock<Vec<Space>> = OnceLock::new();
    let spaces =
        || ["darts-cifar", "darts-shared", "nas-bench-201"].map(|name| Space::preset(name, "{}").expect("a space")).into();
    for space in SPACES.get_or_init(spaces) {
        let Ok(architecture) = Architecture::from_genotype(space, text) else { continue };
        let again = Architecture::from_json(space, &architecture.to_json(space));
        assert_eq!(again.expect("what was written can be read"), architecture);
        if let Some(written) = architecture.genotype(space) {
            let again = Architecture::from_genotype(space, &written);
            assert_eq!(again.expect("what was written can be read"), architecture);
        }
        assert!(architecture.topology(space).is_some());
    }
}

fn variant(text: &str) {
    if let Ok(variant) = Variant::from_json(text) {
        let operator = small().cells()[0].operators[0];
        let architecture = Architecture::uniform(small(), &operator).expect("an operator of every cell");
        describe_architecture(small(), &architecture, variant);
    }
}

fn latency(text: &str) {
    if let Ok(table) = LatencyTable::parse(text) {
        assert_eq!(LatencyTable::parse(&table.to_csv()).expect("what was written can be read"), table);
        assert_eq!(LatencyTable::parse(&table.to_json()).expect("what was written can be read"), table);
        table.missing(small());
        let _ = table.resolve(small());
    }
}

// ---- Files -------------------------------------------------------------------------------------------------------------

/// A file with `content`, in memory where there is such a folder.
struct Temporary(PathBuf);

impl Temporary {
    fn new(name: &str, content: &[u8]) -> Self {
        let memory = Path::new("/dev/shm");
        let folder = if memory.is_dir() { memory.into() } else { std::env::temp_dir() };
        let path = folder.join(format!("nse-fuzz-{}-{:?}-{name}", std::process::id(), std::thread::current().id()));
        std::fs::write(&path, content).expect("a file can be written");
        Temporary(path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Never a file that is somewhere: only the document is of interest.
fn dataset(text: &str) {
    if !text.contains(['/', '.']) {
        let _ = Dataset::open(text);
    }
}

/// The first two bytes are the length of the images' file; the labels' is the rest.
fn idx(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let (images, labels) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let (images, labels) = (Temporary::new("images", images), Temporary::new("labels", labels));
    let document = serde_json::json!({ "format": "idx", "images": images.0, "labels": labels.0 });
    if let Ok(dataset) = Dataset::open(&document.to_string()) {
        look_at_images(&dataset);
    }
}

fn look_at_images(dataset: &Dataset) {
    let Shape { channels, height, width } = dataset.shape();
    let (pixels, label) = dataset.image(dataset.len() - 1);
    assert_eq!(pixels.len(), channels as usize * height as usize * width as usize);
    assert!(label < dataset.classes());
    let _ = dataset.split(0.5, 1);
}

fn checkpoint_file(data: &[u8]) {
    let file = Temporary::new("checkpoint", data);
    if let Ok(checkpoint) = checkpoint::load(&file.0, &Expected::default()) {
        look_at_search(&checkpoint);
    }
}

/// The first two bytes are the length of the head; the body is the rest. Lengths and checksum are made right.
fn checkpoint_content(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let (head, body) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let mut file = b"nse-ckpt\x01\0\0\0\0\0\0\0".to_vec();
    file.extend((head.len() as u64).to_le_bytes());
    file.extend((body.len() as u64).to_le_bytes());
    let checksum = blake3::Hasher::new().update(&file).update(head).update(body).finalize();
    file.extend(checksum.as_bytes());
    file.extend(head);
    file.extend(body);
    checkpoint_file(&file);
}

fn look_at_search(checkpoint: &checkpoint::Checkpoint) {
    let search = checkpoint.search();
    search.active();
    search.rounds();
    search.under_way();
    search.state();
    let costs = CostTable::new(search.space());
    let cost: u64 = search.front().iter().map(|scored| costs.architecture(&scored.architecture).macs).fold(0, u64::wrapping_add);
    assert!(cost > 0 || search.front().is_empty());
    let report = Report::of(search);
    for format in [Format::Html, Format::Json, Format::Svg] {
        report.write(format).unwrap();
    }
}

fn model(data: &[u8]) {
    if let Ok(graph) = safetensors::from_memory(data) {
        look_at_model(graph);
    }
}

/// The first two bytes are the length of the card; the rest become its weights. Index and checksum are made right.
fn model_content(data: &[u8]) {
    let Some((length, rest)) = data.split_first_chunk() else { return };
    let (card, values) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
    let Some(card) = std::str::from_utf8(card).ok().and_then(|text| Card::from_json(text).ok()) else { return };
    let shapes = Graph::shapes(&card);
    let count = |shape: &[usize]| shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n)).filter(|n| *n < 1 << 16);
    if shapes.len() > 1 << 12 {
        return;
    }
    let mut numbers = structs::Numbers(values);
    let mut weights = Arrays::new();
    for (name, shape) in shapes {
        let Some(count) = count(&shape) else { return };
        let values = (0..count).map(|_| f32::from_bits(numbers.u32())).collect();
        weights.insert(name, Array { shape, values });
    }
    let graph = Graph::new(card, weights).expect("these are its weights");
    let archive = |_: &str, _: &[(&String, &Array)], _: &str| Ok(Vec::new());
    let whole =
        ExportOptions::parse("safetensors").and_then(|options| options.write(graph, &archive)).expect("it can be written");
    look_at_model(safetensors::from_memory(&whole).expect("what was written can be read"));
}

fn look_at_model(graph: Graph) {
    assert_eq!(Card::from_json(&graph.card.to_json(false)).expect("what was written can be read"), graph.card);
    let options = ExportOptions::parse(r#"{"format": "onnx", "fold": true, "normalise": true}"#).expect("a format");
    let archive = |_: &str, _: &[(&String, &Array)], _: &str| Ok(Vec::new());
    assert!(!options.write(graph, &archive).expect("it can be written").is_empty());
}
