//! Opening what a path of the host's names. Nothing but a regular file is opened: a pipe or a terminal could be waited for without
//! limit, a device may do something when it is opened, and a folder has no content.

use std::fs::{self, File, FileType, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Opens a regular file, or a symbolic link to one, for reading. Never waits.
pub fn open(path: &Path) -> io::Result<File> {
    // Before it is opened; and after, for it may be another one by then.
    regular(fs::metadata(path)?.file_type())?;
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    regular(file.metadata()?.file_type())?;
    Ok(file)
}

/// Opens a folder, to synchronise it.
pub fn open_folder(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECTORY | libc::O_NONBLOCK).open(path)
}

/// Fails, and says what it is, when it is anything else.
pub fn regular(kind: FileType) -> io::Result<()> {
    let name = match kind {
        _ if kind.is_file() => return Ok(()),
        _ if kind.is_dir() => "a folder",
        _ if kind.is_fifo() => "a pipe",
        _ if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(io::Error::new(ErrorKind::InvalidInput, format!("{name}, not a regular file")))
}
