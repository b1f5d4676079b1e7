//! A network as safetensors, which nse reads back: weights and statistics by name, and in the metadata the card and a checksum.

use super::graph::Graph;
use super::{Archive, Card, Format};
use crate::checkpoint::tensors::{self, Broken, Metadata};
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::files;
use crate::search::Arrays;
use blake3::Hasher;
use std::io::Read;
use std::path::Path;

pub const FORMAT: Format = Format {
    name: "safetensors",
    help: "weights and statistics by name, and in the metadata what it is; nse reads it back",
    exact: true,
    write,
};

/// Keys of the metadata: the card, and BLAKE3 of it and of all arrays.
const CARD: &str = "nse.json";
const CHECKSUM: &str = "nse.blake3";

fn write(graph: &Graph, _: Archive) -> Result<Vec<u8>> {
    let card = graph.card.to_json(false);
    let metadata =
        Metadata::from([(CHECKSUM.to_owned(), checksum(&card, &graph.weights)), (CARD.to_owned(), card)]);
    let (index, values) = tensors::index(&graph.weights, Some(&metadata))?;
    let mut bytes = reserve("export", index.len() + values as usize)?;
    bytes.extend(index);
    tensors::write(&graph.weights, &mut bytes).map_err(|error| Error::Panic(format!("writing to memory: {error}")))?;
    Ok(bytes)
}

/// The model in a file. Errors: [`Error::Io`], [`Error::Format`] for anything but a whole and undamaged model of nse.
pub fn open(path: &Path) -> Result<Graph> {
    let io = |source| Error::Io { path: path.into(), source };
    let file = files::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut bytes = reserve("model", usize::try_from(length).unwrap_or(usize::MAX))?;
    file.take(length).read_to_end(&mut bytes).map_err(io)?;
    read(&bytes).map_err(|broken| match broken {
        Broken::Memory(refused) => Error::OutOfMemory(refused.to_string()),
        Broken::Reason(reason) => Error::Format { path: path.into(), reason: format!("the file {reason}") },
    })
}

/// The same from memory; an error is about the argument `data`.
pub fn from_memory(bytes: &[u8]) -> Result<Graph> {
    read(bytes).map_err(|broken| match broken {
        Broken::Memory(refused) => Error::OutOfMemory(refused.to_string()),
        Broken::Reason(reason) => Error::Argument { name: "data", reason },
    })
}

/// Reads what was written here; the error says why it cannot be a model.
fn read(bytes: &[u8]) -> std::result::Result<Graph, Broken> {
    let (weights, metadata) = tensors::read(bytes)?;
    let metadata = metadata.unwrap_or_default();
    let text = |key: &str| metadata.get(key).ok_or_else(|| Broken::Reason(format!("is not a model of nse: no {key} in its metadata")));
    let card = text(CARD)?;
    if *text(CHECKSUM)? != checksum(card, &weights) {
        return Err(Broken::Reason("is damaged: its checksum is wrong".into()));
    }
    let inside = |error: Error| Broken::Reason(format!("cannot be read: {error}"));
    let card = Card::from_json(card).map_err(inside)?;
    Graph::new(card, weights).map_err(inside)
}

/// BLAKE3 of a card and all arrays.
pub fn checksum(card: &str, weights: &Arrays) -> String {
    let mut hasher = Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    part(card.as_bytes());
    for (name, array) in weights {
        part(name.as_bytes());
        array.shape.iter().for_each(|size| part(&(*size as u64).to_le_bytes()));
        array.values.chunks(16 * 1024).for_each(|values| {
            part(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>());
        });
    }
    hasher.finalize().to_hex().to_string()
}
