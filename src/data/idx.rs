//! The IDX format of MNIST and its relatives, plain or gzip-compressed. Every deviation is an error; sizes promised by a header
//! are never trusted with memory.

use crate::error::{Error, Result};
use crate::files;
use flate2::bufread::MultiGzDecoder;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// Unsigned bytes of `dimensions`, in row-major order.
#[derive(Debug)]
pub struct Idx {
    pub dimensions: Vec<u32>,
    pub data: Vec<u8>,
}

const UNSIGNED_BYTE: u8 = 0x08;

/// Reads a file of unsigned bytes with as many dimensions as `what` needs.
pub fn read(path: &Path, dimensions: u8) -> Result<Idx> {
    let io = |source| Error::Io { path: path.into(), source };
    let mut file = BufReader::new(files::open(path).map_err(io)?);
    let compressed = loop {
        match file.fill_buf() {
            // A signal of the host's; all other ways to read try again by themselves.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            start => break start.map_err(io)?.starts_with(&[0x1f, 0x8b]),
        }
    };
    let result = if compressed { parse(MultiGzDecoder::new(file), dimensions) } else { parse(file, dimensions) };
    result.map_err(|failure| match failure {
        Failure::Format(reason) => Error::Format { path: path.into(), reason },
        Failure::Io(source) if source.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::Format { path: path.into(), reason: "the file ends too early".into() }
        }
        Failure::Io(source) if compressed && source.raw_os_error().is_none() => {
            Error::Format { path: path.into(), reason: format!("the compressed data is damaged: {source}") }
        }
        Failure::Io(source) => io(source),
    })
}

enum Failure {
    Io(std::io::Error),
    Format(String),
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::Io(error)
    }
}

fn parse(mut reader: impl Read, wanted: u8) -> std::result::Result<Idx, Failure> {
    let mut magic = [0; 4];
    reader.read_exact(&mut magic)?;
    let [zero1, zero2, kind, count] = magic;
    if (zero1, zero2) != (0, 0) {
        return Err(Failure::Format(format!("not an IDX file: it starts with {magic:02x?}")));
    }
    if kind != UNSIGNED_BYTE {
        return Err(Failure::Format(format!("element type {kind:#04x}, only unsigned bytes (0x08) are supported")));
    }
    if count != wanted {
        return Err(Failure::Format(format!("{count} dimensions, {wanted} are expected")));
    }
    let mut dimensions = Vec::with_capacity(usize::from(count));
    for _ in 0..count {
        let mut size = [0; 4];
        reader.read_exact(&mut size)?;
        dimensions.push(u32::from_be_bytes(size));
    }
    let promised = dimensions.iter().try_fold(1u64, |product, d| product.checked_mul(u64::from(*d)));
    let promised = promised.ok_or_else(|| Failure::Format(format!("impossible size {dimensions:?}")))?;
    let mut data = Vec::new();
    let read = reader.take(promised.saturating_add(1)).read_to_end(&mut data)? as u64;
    match read.cmp(&promised) {
        std::cmp::Ordering::Equal => Ok(Idx { dimensions, data }),
        std::cmp::Ordering::Less => {
            Err(Failure::Format(format!("the header {dimensions:?} promises {promised} bytes, there are {read}")))
        }
        std::cmp::Ordering::Greater => {
            Err(Failure::Format(format!("more than the {promised} bytes that the header {dimensions:?} promises")))
        }
    }
}
