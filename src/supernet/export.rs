//! A trained model as a TorchScript archive. The network is written as source text over named parameters, so that the file can be
//! read (`module.code`), trained on, and run with any batch size, without nse.

use super::excitation::Excitation;
use super::model::Model;
use super::norm::EPSILON;
use super::shim::{self, Named};
use super::unit::{Linear, Unit};
use crate::arch::Activation;
use crate::checkpoint::replace;
use crate::error::{Error, Result};
use crate::space::CellKind;
use serde_json::json;
use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

impl Model {
    /// Writes the archive to `path`, whole or not at all. Its `forward` takes normalised images [n, channels, height, width] and
    /// returns logits [n, classes]. The extra file `nse.json` holds space, architecture, variant and normalisation.
    pub fn export_torchscript(&self, path: &Path) -> Result<()> {
        let io = |source| Error::Io { path: path.into(), source };
        let script = Script::write(self);
        let archive = shim::torchscript(&script.tensors, &script.source, &self.metadata())?;
        let archive = archive.map_err(|refused| io(std::io::Error::new(ErrorKind::OutOfMemory, refused)))?;
        replace(path, |out| out.write_all(&archive)).map_err(io)
    }

    fn metadata(&self) -> String {
        let space = self.network.space();
        let document = |text: String| serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        json!({
            "format": "nse-model",
            "version": 1,
            "space": document(space.to_json()),
            "architecture": document(self.architecture.to_json(space)),
            "variant": self.network.variant(),
            "normalisation": { "mean": self.normalisation.mean, "std": self.normalisation.std, "scale": 255 },
        })
        .to_string()
    }
}

struct Script<'a> {
    model: &'a Model,
    source: String,
    tensors: Vec<Named>,
    /// Batch-norms written so far.
    norms: usize,
}

impl<'a> Script<'a> {
    fn write(model: &'a Model) -> Self {
        let mut script =
            Script { model, source: "def forward(self, x: Tensor) -> Tensor:\n".into(), tensors: Vec::new(), norms: 0 };
        let (stem, tail, classifier) = model.network.ends();
        script.unit("x", "x", "stem", stem);
        for (cell, operators) in model.architecture.cells().iter().enumerate() {
            script.cell(cell, operators);
        }
        script.unit("x", "x", "tail", tail);
        script.line("x = torch.mean(x, [2, 3])");
        let logits = script.linear("x", "classifier", classifier);
        script.line(&format!("return {logits}"));
        script
    }

    fn cell(&mut self, cell: usize, operators: &[u16]) {
        let shape = &self.model.network.space().cells()[cell];
        let mut terms = Vec::new();
        for operator in operators {
            let name = shape.operators[usize::from(*operator)].to_string();
            let mut from = "x".to_owned();
            for unit in self.model.network.units(cell, *operator) {
                self.unit(&name, &from, &format!("cell{cell}.{name}.{}", unit.shape.name), unit);
                from.clone_from(&name);
            }
            terms.push(name);
        }
        if terms.is_empty() {
            return;
        }
        if shape.kind == CellKind::Normal {
            terms.push("x".into());
        }
        let mean = if terms.len() == 1 { terms[0].clone() } else { format!("({}) / {}", terms.join(" + "), terms.len()) };
        self.line(&format!("x = {mean}"));
    }

    fn unit(&mut self, to: &str, from: &str, path: &str, unit: &Unit) {
        let c = &unit.shape;
        let ([sy, sx], [py, px], d) = (c.stride, c.padding(), c.dilation);
        let groups = c.groups;
        self.line(&format!(
            "{to} = torch.conv2d({from}, self.{path}.weight, None, [{sy}, {sx}], [{py}, {px}], [{d}, {d}], {groups})"
        ));
        self.tensor(&format!("{path}.weight"), &unit.weight.value, false);
        if let Some([scale, shift]) = &unit.norm {
            let bn = format!("self.{path}.bn");
            self.line(&format!(
                "{to} = torch.batch_norm({to}, {bn}.weight, {bn}.bias, {bn}.running_mean, {bn}.running_var, False, 0.0, {EPSILON:e}, True)"
            ));
            let (mean, var) = &self.model.statistics[self.norms];
            self.norms += 1;
            self.tensor(&format!("{path}.bn.weight"), &scale.value, false);
            self.tensor(&format!("{path}.bn.bias"), &shift.value, false);
            self.tensor(&format!("{path}.bn.running_mean"), mean, true);
            self.tensor(&format!("{path}.bn.running_var"), var, true);
        }
        if let Some(activation) = unit.activation() {
            self.line(&format!("{to} = {}({to})", function(activation)));
        }
        if let Some(excitation) = &unit.excitation {
            self.excitation(to, path, excitation);
        }
    }

    fn excitation(&mut self, to: &str, path: &str, excitation: &Excitation) {
        self.line(&format!("gate = torch.mean({to}, [2, 3])"));
        let squeezed = self.linear("gate", &format!("{path}.squeeze"), &excitation.squeeze);
        self.line(&format!("gate = {}({squeezed})", function(excitation.activation)));
        let excited = self.linear("gate", &format!("{path}.excite"), &excitation.excite);
        self.line(&format!("gate = torch.sigmoid({excited})"));
        self.line(&format!("{to} = {to} * gate.unsqueeze(-1).unsqueeze(-1)"));
    }

    /// A linear layer of `from`, as an expression.
    fn linear(&mut self, from: &str, path: &str, layer: &Linear) -> String {
        self.tensor(&format!("{path}.weight"), &layer.weight.value, false);
        self.tensor(&format!("{path}.bias"), &layer.bias.value, false);
        format!("torch.linear({from}, self.{path}.weight, self.{path}.bias)")
    }

    fn line(&mut self, text: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.source, "    {text}");
    }

    fn tensor(&mut self, name: &str, tensor: &tch::Tensor, buffer: bool) {
        self.tensors.push(Named { name: name.into(), tensor: tensor.shallow_clone(), buffer });
    }
}

fn function(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "torch.relu",
        Activation::Swish => "torch.silu",
    }
}
