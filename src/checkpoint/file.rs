//! The format of a checkpoint: 64 bytes of header, a JSON text (the head), safetensors (the body). All integers little-endian.
//! Nothing of a file is believed before its lengths and its checksum are right; the checksum finds damage, not malice.
//!
//! ```text
//!  0..8   "nse-ckpt"           8..12  version, now 1          12..16  zero
//! 16..24  length of the head  24..32  length of the body      32..64  BLAKE3 of bytes 0..32, the head and the body
//! ```

use super::replace::replace;
use super::tensors::{self, Broken};
use crate::error::{Error, Result};
use crate::files;
use crate::search::Arrays;
use blake3::Hasher;
use std::collections::TryReserveError;
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

const MAGIC: [u8; 8] = *b"nse-ckpt";
const VERSION: u32 = 1;
const HEADER: u64 = 64;

/// Replaces the checkpoint at `path`: when this returns without an error, the new one is on the disk, even if the power fails;
/// with an error, the one before is untouched. `head` is JSON, which is not checked here.
///
/// The new file is first written to `.NAME.partial` beside `path`, all that a kill leaves behind. A symbolic link at `path` is
/// itself replaced; a directory or a device is refused.
///
/// Errors: [`Error::Io`] (also when another call or process is writing the same checkpoint), [`Error::Argument`] for an array
/// whose shape is not that of its values.
pub fn write(path: &Path, head: &str, body: &Arrays) -> Result<()> {
    let content = Content::new(head, body)?;
    replace(path, |out| content.write_to(out)).map_err(|source| Error::Io { path: path.into(), source })
}

/// The head and the body of the checkpoint at `path`, as they were written.
///
/// Errors: [`Error::Io`] when the file is not there, is not a regular one or cannot be read, [`Error::Format`] when it is anything but a whole and
/// undamaged checkpoint of version 1.
pub fn read(path: &Path) -> Result<(String, Arrays)> {
    let opened = || {
        let mut file = files::open(path)?;
        let length = file.metadata()?.len();
        parse(&mut file, length)
    };
    opened().map_err(|failure| failure.of(path))
}

/// The same of bytes that are those of the file at `path`.
pub fn parse_all(path: &Path, contents: &[u8]) -> Result<(String, Arrays)> {
    parse(&mut &contents[..], contents.len() as u64).map_err(|failure| failure.of(path))
}

/// What is in the file at `path`, whatever that is.
pub fn contents(path: &Path) -> Result<Vec<u8>> {
    let opened = || {
        let mut file = files::open(path)?;
        let length = file.metadata()?.len();
        bytes(&mut file, length)
    };
    opened().map_err(|failure| failure.of(path))
}

// ---- Writing -----------------------------------------------------------------------------------------------------------

struct Content<'a> {
    head: &'a str,
    body: &'a Arrays,
    /// What the body begins with: for every array its type, shape and place.
    index: Vec<u8>,
    /// Length of the body in bytes.
    length: u64,
}

impl<'a> Content<'a> {
    fn new(head: &'a str, body: &'a Arrays) -> Result<Self> {
        let (index, values) = tensors::index(body, None)?;
        Ok(Content { head, body, length: index.len() as u64 + values, index })
    }

    /// Goes over the values twice, once for the checksum, and keeps no copy of them.
    fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        let mut top = Vec::with_capacity(32);
        top.extend(MAGIC);
        top.extend(VERSION.to_le_bytes());
        top.extend([0; 4]);
        top.extend((self.head.len() as u64).to_le_bytes());
        top.extend(self.length.to_le_bytes());
        let mut hasher = Hasher::new();
        hasher.update(&top);
        self.payload(&mut hasher)?;
        out.write_all(&top)?;
        out.write_all(hasher.finalize().as_bytes())?;
        self.payload(out)
    }

    fn payload(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.head.as_bytes())?;
        out.write_all(&self.index)?;
        tensors::write(self.body, out)
    }
}

// ---- Reading -----------------------------------------------------------------------------------------------------------

enum Failure {
    Io(io::Error),
    Format(String),
}

impl Failure {
    fn of(self, path: &Path) -> Error {
        match self {
            Failure::Io(source) => Error::Io { path: path.into(), source },
            Failure::Format(reason) => Error::Format { path: path.into(), reason },
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl From<TryReserveError> for Failure {
    fn from(error: TryReserveError) -> Self {
        Failure::Io(io::Error::new(ErrorKind::OutOfMemory, error))
    }
}

impl From<Broken> for Failure {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Memory(error) => error.into(),
            Broken::Reason(reason) => Failure::Format(format!("the body {reason}")),
        }
    }
}

type Parsed<T> = std::result::Result<T, Failure>;

fn format<T>(reason: String) -> Parsed<T> {
    Err(Failure::Format(reason))
}

/// `file` has so many bytes.
fn parse(file: &mut impl Read, present: u64) -> Parsed<(String, Arrays)> {
    let top = bytes(file, HEADER)?;
    let header = Header::parse(&top)?;
    let promised = HEADER.checked_add(header.head).and_then(|sum| sum.checked_add(header.body));
    let promised = promised.unwrap_or(u64::MAX);
    if present < promised {
        let Header { head, body, .. } = header;
        return format(format!("truncated: the header promises {HEADER} + {head} + {body} bytes, there are {present}"));
    }
    if present > promised {
        return format(format!("{} bytes follow the {promised} that the header promises", present - promised));
    }
    let head = bytes(file, header.head)?;
    let body = bytes(file, header.body)?;
    let mut hasher = Hasher::new();
    hasher.update(header.checked).update(&head).update(&body);
    // A file that became shorter since it was opened ends here too.
    if hasher.finalize() != header.checksum {
        return format("the file is damaged: its checksum is wrong".into());
    }
    let head = String::from_utf8(head).or_else(|error| format(format!("the head is not UTF-8: {}", error.utf8_error())))?;
    match tensors::read(&body)? {
        (arrays, None) => Ok((head, arrays)),
        (_, Some(_)) => format("the body is not safetensors of a checkpoint: it has metadata".into()),
    }
}

/// The next `length` bytes, or as many as there are. More than the memory holds is an error.
fn bytes(file: &mut impl Read, length: u64) -> Parsed<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(usize::try_from(length).unwrap_or(usize::MAX))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

struct Header<'a> {
    /// Lengths in bytes.
    head: u64,
    body: u64,
    /// The part of the header that the checksum covers.
    checked: &'a [u8],
    checksum: [u8; 32],
}

impl<'a> Header<'a> {
    fn parse(top: &'a [u8]) -> Parsed<Self> {
        let magic = top.get(..MAGIC.len()).unwrap_or(top);
        if !MAGIC.starts_with(magic) {
            return format(format!("not a checkpoint: it starts with \"{}\"", magic.escape_ascii()));
        }
        let fields = || {
            let (checked, checksum) = top.split_at_checked(32)?;
            let (version, rest) = checked.get(MAGIC.len()..)?.split_first_chunk()?;
            let (zero, rest) = rest.split_first_chunk()?;
            let (head, body) = rest.split_first_chunk()?;
            let (head, body) = (u64::from_le_bytes(*head), u64::from_le_bytes(*body.first_chunk()?));
            let header = Header { head, body, checked, checksum: *checksum.first_chunk()? };
            Some((u32::from_le_bytes(*version), u32::from_le_bytes(*zero), header))
        };
        match fields() {
            None => format(format!("truncated: the header takes {HEADER} bytes, there are {}", top.len())),
            Some((VERSION, 0, header)) => Ok(header),
            Some((VERSION, reserved, _)) => format(format!("the file is damaged: {reserved:#x} where zero is expected")),
            Some((version, ..)) => format(format!("version {version}, this library reads version {VERSION}")),
        }
    }
}
