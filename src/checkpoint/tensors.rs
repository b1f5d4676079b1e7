//! Arrays as safetensors: the length of an index (8 bytes, little-endian), the index as JSON, the values. Stricter than the format:
//! only F32, and every byte belongs to an array.

use crate::error::{Error, Result};
use crate::search::{Array, Arrays};
use safetensors::tensor::{Dtype, TensorInfo};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, TryReserveError};
use std::io::{self, Write};

pub type Metadata = BTreeMap<String, String>;

/// Key of the index under which texts may be.
const METADATA: &str = "__metadata__";
/// Values turned into bytes at a time.
const CHUNK: usize = 16 * 1024;

/// What the index has under a name.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry<'a> {
    Array(TensorInfo),
    Texts(&'a Metadata),
}

/// What comes in front of the values, and how many bytes those have.
pub fn index(arrays: &Arrays, metadata: Option<&Metadata>) -> Result<(Vec<u8>, u64)> {
    let argument = |reason| Error::Argument { name: "body", reason };
    let (mut infos, mut end) = (BTreeMap::new(), 0);
    for (name, Array { shape, values }) in arrays {
        let start = end;
        end += size_of_val(values.as_slice());
        if bytes_of(shape) != Some(end - start) {
            return Err(argument(format!("array {name:?} has the shape {shape:?} and {} values", values.len())));
        }
        let info = TensorInfo { dtype: Dtype::F32, shape: shape.clone(), data_offsets: (start, end) };
        infos.insert(name.as_str(), Entry::Array(info));
    }
    if let Some(metadata) = metadata {
        infos.insert(METADATA, Entry::Texts(metadata));
    }
    let index = serde_json::to_vec(&infos).map_err(|error| argument(error.to_string()))?;
    // Values start at a multiple of 8, as in the files that the safetensors library writes.
    let length = index.len().next_multiple_of(8);
    let mut bytes = Vec::with_capacity(8 + length);
    bytes.extend((length as u64).to_le_bytes());
    bytes.extend(index);
    bytes.resize(8 + length, b' ');
    Ok((bytes, end as u64))
}

/// The values behind the index. No copy of all of them is made.
pub fn write(arrays: &Arrays, out: &mut impl Write) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(4 * CHUNK);
    for chunk in arrays.values().flat_map(|array| array.values.chunks(CHUNK)) {
        bytes.clear();
        chunk.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        out.write_all(&bytes)?;
    }
    Ok(())
}

/// Bytes of an array, None when no machine could hold it.
fn bytes_of(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(4, |product: usize, size| product.checked_mul(*size))
}

/// Why something is not what [`index`] and [`write`] wrote.
pub enum Broken {
    Memory(TryReserveError),
    /// What is to be said of the thing: "is not safetensors: ...".
    Reason(String),
}

impl From<TryReserveError> for Broken {
    fn from(error: TryReserveError) -> Self {
        Broken::Memory(error)
    }
}

/// Arrays, and the texts that are with them, if there are any.
pub fn read(bytes: &[u8]) -> std::result::Result<(Arrays, Option<Metadata>), Broken> {
    let wrong = |reason: String| Broken::Reason(format!("is not safetensors: {reason}"));
    let (length, rest) = bytes.split_first_chunk().ok_or_else(|| wrong(format!("it has {} bytes", bytes.len())))?;
    let length = u64::from_le_bytes(*length);
    let split = usize::try_from(length).ok().and_then(|length| rest.split_at_checked(length));
    let (index, data) = split.ok_or_else(|| wrong(format!("an index of {length} bytes in a body of {}", bytes.len())))?;
    let mut infos: BTreeMap<String, Value> = serde_json::from_slice(index).map_err(|error| wrong(error.to_string()))?;
    let metadata = infos.remove(METADATA).map(serde_json::from_value).transpose();
    let metadata = metadata.map_err(|error| wrong(error.to_string()))?;
    let info = |(name, info)| serde_json::from_value(info).map(|info| (name, info));
    let infos: std::result::Result<Vec<(String, TensorInfo)>, _> = infos.into_iter().map(info).collect();
    let mut infos = infos.map_err(|error| wrong(error.to_string()))?;
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let mut arrays = Arrays::new();
    let mut next = 0;
    for (name, TensorInfo { dtype, shape, data_offsets: (start, end) }) in infos {
        if dtype != Dtype::F32 {
            return Err(Broken::Reason(format!("is not F32: array {name:?} is {dtype:?}")));
        }
        if start != next || end.checked_sub(start) != bytes_of(&shape) {
            return Err(wrong(format!("bytes {start} to {end} for array {name:?} of the shape {shape:?}")));
        }
        let bytes = data.get(start..end);
        let bytes = bytes.ok_or_else(|| wrong(format!("array {name:?} ends at byte {end} of {}", data.len())))?;
        let mut values = Vec::new();
        values.try_reserve_exact(bytes.len() / 4)?;
        values.extend(bytes.chunks_exact(4).map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]])));
        arrays.insert(name, Array { shape, values });
        next = end;
    }
    match data.len() - next {
        0 => Ok((arrays, metadata)),
        extra => Err(wrong(format!("{extra} bytes belong to no array"))),
    }
}
