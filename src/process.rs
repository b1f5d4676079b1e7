//! What else is in this process: the files that are mapped into it, and what two OpenMP runtimes among them mean; and what a thread of ours
//! takes over from the one that begins it.

use crate::log;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that is mapped. Two paths of one file have the same `id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mapped {
    pub path: PathBuf,
    /// Device and inode.
    pub id: (String, u64),
}

impl Mapped {
    /// The name without folder, "lib" and what follows: "gomp" for /usr/lib/libgomp-7c85b1e2.so.1.
    pub fn stem(&self) -> &str {
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_prefix("lib").unwrap_or_default();
        name.split(['.', '-']).next().unwrap_or_default()
    }
}

/// The files mapped into this process, by path. Empty where the system does not tell.
pub fn mapped() -> Vec<Mapped> {
    parse(&std::fs::read_to_string("/proc/self/maps").unwrap_or_default())
}

/// Reads the form of /proc/self/maps.
pub fn parse(maps: &str) -> Vec<Mapped> {
    let file = |line: &str| {
        // Address, rights, offset, device, inode; then the path, which may have spaces.
        let (mut rest, mut fields) = (line, [""; 5]);
        for field in &mut fields {
            (*field, rest) = rest.trim_start().split_once(' ')?;
        }
        let (path, id) = (rest.trim_start(), (fields[3].into(), fields[4].parse().ok()?));
        path.starts_with('/').then(|| Mapped { path: path.into(), id })
    };
    let files: BTreeSet<_> = maps.lines().filter_map(file).collect();
    files.into_iter().collect()
}

/// The file at `path` as `mapped` knows it.
pub fn find<'a>(files: &'a [Mapped], path: &Path) -> Option<&'a Mapped> {
    // The loader may know a file by a link.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.into());
    files.iter().find(|file| file.path == real || file.path == path)
}

/// The OpenMP runtimes of this process.
pub struct OpenMp {
    pub libraries: Vec<PathBuf>,
    /// Why that is no good, when it is not.
    pub warning: Option<String>,
}

impl OpenMp {
    pub fn look() -> Self {
        Self::among(&mapped())
    }

    /// LLVM's, Intel's and GNU's runtimes know nothing of each other, nor do two files of one: each has its own threads.
    pub fn among(files: &[Mapped]) -> Self {
        let runtime = |file: &&Mapped| ["gomp", "omp", "omp5", "iomp5"].contains(&file.stem());
        let runtimes: Vec<_> = files.iter().filter(runtime).collect();
        let different: BTreeSet<_> = runtimes.iter().map(|file| &file.id).collect();
        let libraries: Vec<_> = runtimes.iter().map(|file| file.path.clone()).collect();
        let warning = (different.len() > 1).then(|| {
            let names: Vec<_> = libraries.iter().map(|path| path.display().to_string()).collect();
            format!("{} OpenMP runtimes in one process slow each other down, or crash: {}", different.len(), names.join(", "))
        });
        OpenMp { libraries, warning }
    }

    /// Says so in the log, once per process.
    pub fn warn_once(&self) {
        static SAID: AtomicBool = AtomicBool::new(false);
        if let Some(warning) = &self.warning {
            // Not used up while nobody listens.
            if log::enabled(log::Level::Warn) && !SAID.swap(true, Ordering::Relaxed) {
                log::warn!("openmp", "{warning}");
            }
        }
    }
}

/// A thread inherits how the one that began it rounds, and whether it flushes what is very small to zero: results must not.
pub fn usual_floats() {
    extern "C" {
        fn fesetenv(environment: *const std::ffi::c_void) -> std::ffi::c_int;
    }
    /// FE_DFL_ENV of the GNU C library.
    const DEFAULT: *const std::ffi::c_void = usize::MAX as *const _;
    // SAFETY: changes this thread only; the constant stands for the state in which a program starts.
    unsafe { fesetenv(DEFAULT) };
}

/// Runs `spawn` with all signals blocked, so that the new thread never runs a handler of the host.
pub fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: plain calls on local signal sets.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}
