//! The formats there are, and what a host says of the one it wants.

use super::{onnx, safetensors, script, Graph};
use crate::error::{Error, Result};
use crate::json;
use crate::search::Array;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

const DOCUMENT: &str = "export options";

/// One format.
pub struct Format {
    pub name: &'static str,
    /// One line for people.
    pub help: &'static str,
    /// Whether nse reads it back: then it must have the network as it is.
    pub exact: bool,
    /// The content of a file.
    pub write: fn(&Graph, Archive) -> Result<Vec<u8>>,
}

/// Makes a TorchScript archive of source text, weights and a card: only libtorch can.
pub type Archive<'a> = &'a dyn Fn(&str, &[(&String, &Array)], &str) -> Result<Vec<u8>>;

/// All of them.
pub static FORMATS: [Format; 3] = [script::FORMAT, onnx::FORMAT, safetensors::FORMAT];

/// How a model is exported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportOptions {
    /// "torchscript": an archive that libtorch and PyTorch load. "onnx": opset 17. "safetensors": weights and statistics by name; nse
    /// reads it back.
    pub format: String,
    /// Batch-norm becomes part of the convolutions: fewer layers, other numbers by rounding. Not for safetensors.
    #[serde(default)]
    pub fold: bool,
    /// The network takes pixels, 0 to 255, and normalises them itself. Not for safetensors.
    #[serde(default)]
    pub normalise: bool,
}

impl ExportOptions {
    /// Reads the name of a format, or a JSON object.
    pub fn parse(text: &str) -> Result<Self> {
        let object = text.trim_start().starts_with('{');
        let options = match object {
            true => json::parse(DOCUMENT, text)?,
            false => ExportOptions { format: text.into(), fold: false, normalise: false },
        };
        let format = options.known().map_err(|reason| match object {
            true => json::out_of_range(DOCUMENT, "/format", reason),
            false => Error::Argument { name: "format", reason },
        })?;
        for (wanted, pointer) in [(options.fold, "/fold"), (options.normalise, "/normalise")] {
            if wanted && format.exact {
                let reason = format!("{:?} has the network as it is", format.name);
                return Err(json::out_of_range(DOCUMENT, pointer, reason));
            }
        }
        Ok(options)
    }

    fn known(&self) -> std::result::Result<&'static Format, String> {
        FORMATS.iter().find(|format| format.name == self.format).ok_or_else(|| {
            let known: Vec<_> = FORMATS.iter().map(|format| format!("{:?}", format.name)).collect();
            format!("{:?} is not known; there are {}", self.format, known.join(", "))
        })
    }

    /// The content of a file.
    pub fn write(&self, mut graph: Graph, archive: Archive) -> Result<Vec<u8>> {
        let format = self.known().map_err(|reason| Error::Argument { name: "format", reason })?;
        if !format.exact {
            graph.binarize()?;
        }
        if self.fold {
            graph.fold()?;
        }
        if self.normalise {
            graph.normalise();
        }
        (format.write)(&graph, archive)
    }

    /// JSON schema with keys, defaults and help.
    pub fn schema() -> String {
        json::schema::<ExportOptions>()
    }
}
