//! A file replaced whole or not at all, and by one writer at a time.

use crate::files;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Gives `write` a partial file beside `path` and puts that in the place of `path` when all of it is on the disk. An error
/// leaves `path` as it was and no partial file; only when the disk fails in the very last step (the entry of the folder) may
/// the new file be in place already.
pub fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    let name = path.file_name().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path names no file"))?;
    refuse_special(path)?;
    let mut partial = OsString::from(".");
    partial.push(name);
    partial.push(".partial");
    let partial = path.with_file_name(partial);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Opened first: a folder that cannot be synchronised later is an error before anything is written.
    let folder = files::open_folder(folder)?;
    // Locked until the end of this function.
    let file = claim(&partial)?;
    let replaced = fill(&file, write).and_then(|()| fs::rename(&partial, path));
    if replaced.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&partial);
    }
    replaced?;
    match folder.sync_all() {
        // Some network file systems have no such call for folders.
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        synced => synced,
    }
}

/// Renaming onto `/dev/null` would destroy it.
fn refuse_special(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(metadata) => files::regular(metadata.file_type()),
        // A new file; or what is wrong will come up when it is made.
        Err(_) => Ok(()),
    }
}

/// Opens the partial file, new or left behind by a kill, and locks it. Two writers would otherwise mix in one file; the system
/// takes the lock back when its holder dies.
fn claim(partial: &Path) -> io::Result<File> {
    let busy = || io::Error::new(ErrorKind::WouldBlock, "another call or process is writing it");
    for _ in 0..100 {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
        let file = options.open(partial)?;
        // SAFETY: the descriptor is open.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } != 0 {
            match io::Error::last_os_error().kind() {
                ErrorKind::WouldBlock => return Err(busy()),
                ErrorKind::Interrupted => continue,
                // A file system without locks.
                _ => {}
            }
        }
        // Whoever held the lock before may have moved this very file to its place: it must not be touched any more.
        let (held, now) = (file.metadata()?, fs::symlink_metadata(partial));
        if now.is_ok_and(|now| (now.dev(), now.ino()) == (held.dev(), held.ino())) {
            return Ok(file);
        }
    }
    Err(busy())
}

fn fill(file: &File, write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>) -> io::Result<()> {
    file.set_len(0)?;
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    write(&mut out)?;
    out.flush()?;
    file.sync_all()
}
