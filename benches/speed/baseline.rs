//! The other side: the PyTorch program in benches/baseline, in a process of its own that is spoken to line by line.

use crate::setting::{parameters, Setting};
use crate::Outcome;
use nse::search::TwoPaths;
use nse::supernet::learner::Batch;
use nse::supernet::network::Network;
use serde_json::{json, Value};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use tch::{Kind, Tensor};

pub struct Baseline {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: PathBuf,
}

impl Baseline {
    pub fn start(python: &str, folder: &Path, setting: &Setting) -> Outcome<Self> {
        let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/baseline/worker.py");
        let mut process =
            Command::new(python).args(["-W", "ignore"]).arg(worker).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = process.stdin.take().ok_or("no stdin")?;
        let output = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        let mut baseline = Baseline { process, input, output, folder: folder.to_owned() };
        let active: Vec<_> = setting.active.iter().map(Vec::len).collect();
        baseline
            .ask(json!({ "do": "build", "space": setting.document(), "active": active, "threads": tch::get_num_threads() }))?;
        Ok(baseline)
    }

    pub fn ask(&mut self, command: Value) -> Outcome<Value> {
        writeln!(self.input, "{command}")?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the baseline ended; what it said is above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// The weights of the active operators become those of `network`.
    pub fn take_weights(&mut self, setting: &Setting, network: &Network) -> Outcome<()> {
        let flat: Vec<_> = parameters(network, &setting.active).iter().map(|p| p.detach().reshape([-1])).collect();
        let file = self.write("weights", &Tensor::cat(&flat, 0))?;
        self.ask(json!({ "do": "weights", "chosen": setting.active, "file": file })).map(|_| ())
    }

    pub fn take_batch(&mut self, name: &str, (images, labels): &Batch) -> Outcome<()> {
        let (file, label_file) = (self.write("images", images)?, self.write("labels", labels)?);
        let command = json!({ "do": "batch", "name": name, "images": file, "labels": label_file, "shape": images.size() });
        self.ask(command).map(|_| ())
    }

    /// Logits and then gradients, as 64-bit floats.
    pub fn outputs(&mut self, open: &[Vec<u16>], double: bool) -> Outcome<Vec<f64>> {
        let file = self.folder.join("outputs");
        self.ask(json!({ "do": "outputs", "batch": "0", "chosen": open, "double": double, "file": file }))?;
        Ok(std::fs::read(file)?.chunks_exact(8).map(|b| f64::from_le_bytes(std::array::from_fn(|i| b[i]))).collect())
    }

    pub fn weight_step(&mut self, open: &[Vec<u16>], lr: f64) -> Outcome<f64> {
        let answer = self.ask(json!({ "do": "weight_step", "batch": "0", "chosen": open, "lr": lr }))?;
        Ok(answer["seconds"].as_f64().ok_or("no seconds")?)
    }

    /// Seconds, loss, and dLoss/dps and dLoss/dpu of every cell.
    pub fn architecture_step(
        &mut self,
        setting: &Setting,
        paths: &[Option<TwoPaths>],
        double: bool,
    ) -> Outcome<(f64, f64, Vec<[f64; 2]>)> {
        let answer =
            self.ask(json!({ "do": "architecture_step", "batch": "0", "paths": setting.gates(paths), "double": double }))?;
        let number = |key: &str| answer[key].as_f64().ok_or("a number is missing");
        Ok((number("seconds")?, number("loss")?, serde_json::from_value(answer["gradients"].clone())?))
    }

    /// 32-bit floats or 64-bit integers in a file.
    fn write(&self, name: &str, tensor: &Tensor) -> Outcome<PathBuf> {
        let flat = tensor.detach().contiguous().reshape([-1]);
        let bytes: Vec<u8> = match flat.kind() {
            Kind::Int64 => Vec::<i64>::try_from(flat)?.iter().flat_map(|v| v.to_le_bytes()).collect(),
            _ => Vec::<f32>::try_from(flat)?.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        let file = self.folder.join(name);
        std::fs::write(&file, bytes)?;
        Ok(file)
    }
}

impl Drop for Baseline {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
