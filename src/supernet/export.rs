//! Models to files and memory, in every format of [`crate::export`]. What only libtorch can do is here: a TorchScript archive.

use super::model::Model;
use super::shim::{self, Named};
use crate::checkpoint::replace;
use crate::error::{Error, Result};
use crate::export::ExportOptions;
use crate::search::Array;
use std::io::{ErrorKind, Write as _};
use std::path::Path;
use tch::Tensor;

impl Model {
    /// The content of a file.
    pub fn export(&self, options: &ExportOptions) -> Result<Vec<u8>> {
        options.write(self.graph()?, &archive)
    }

    /// Writes a file, whole or not at all.
    pub fn export_to(&self, options: &ExportOptions, path: &Path) -> Result<()> {
        let io = |source| Error::Io { path: path.into(), source };
        let content = self.export(options).map_err(|error| match error {
            Error::OutOfMemory(refused) => io(std::io::Error::new(ErrorKind::OutOfMemory, refused)),
            other => other,
        })?;
        replace(path, |out| out.write_all(&content)).map_err(io)
    }
}

fn archive(source: &str, weights: &[(&String, &Array)], card: &str) -> Result<Vec<u8>> {
    let named = |(name, array): &(&String, &Array)| {
        let shape: Vec<i64> = array.shape.iter().map(|n| *n as i64).collect();
        let tensor = Tensor::f_from_slice(&array.values)?.f_view(shape.as_slice())?;
        // Statistics and constants are no parameters: an optimizer leaves them.
        let buffer = !(name.ends_with(".weight") || name.ends_with(".bias"));
        Ok(Named { name: name.to_string(), tensor, buffer })
    };
    let tensors: Vec<Named> = weights.iter().map(named).collect::<Result<_>>()?;
    shim::torchscript(&tensors, source, card)?.map_err(|refused| Error::OutOfMemory(refused.to_string()))
}
