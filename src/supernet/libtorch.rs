//! Which libtorch this process has. There can be only one: the loader gives a library that asks for libtorch the one that is there
//! already, whatever its version. So it is looked at once, before anything of it is used, and refused when it is another version.

use super::shim;
use crate::error::{Error, Result};
use crate::log;
use crate::process::{self, OpenMp};
use once_cell::sync::Lazy;
use serde_json::{json, Value};
use std::ffi::{c_int, c_void, CStr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

extern "C" {
    /// Version of libtorch as 0xMMmmpp.. (major, minor, patch in the top three bytes); exported by libtorch_cpu.
    fn aoti_torch_abi_version() -> u64;
}

/// What was found, the same for the life of the process.
pub struct Libtorch {
    version: [u8; 3],
    made_for: [u8; 2],
    /// Of libtorch, and of nse itself; empty when unknown.
    file: PathBuf,
    nse: PathBuf,
    /// Files with the name of libtorch_cpu that are mapped beside `file`.
    others: Vec<PathBuf>,
    /// Whether the loader had it before nse; None when it does not tell.
    before: Option<bool>,
}

static FOUND: Lazy<Libtorch> = Lazy::new(Libtorch::look);

/// The libtorch of this process, when it can be used. To be called before anything else of libtorch is.
pub fn usable() -> Result<&'static Libtorch> {
    let found = found();
    found.check()?;
    Ok(found)
}

/// The same, whether it can be used or not. Says in the log, once, what it is.
pub fn found() -> &'static Libtorch {
    static SAID: AtomicBool = AtomicBool::new(false);
    // Not while it is looked at: a sink may ask for it.
    let found = &*FOUND;
    if log::enabled(log::Level::Error) && !SAID.swap(true, Ordering::Relaxed) {
        match found.check() {
            Ok(()) => log::info!("torch", "libtorch {}, {}{}", found.version(), found.file.display(), found.origin()),
            Err(error) => log::error!("torch", "{error}"),
        }
    }
    OpenMp::look().warn_once();
    found
}

/// Version, file and the like, as nse_runtime_info has them.
pub fn described() -> Value {
    found().info(None)
}

/// The file in use. Says nothing in the log.
pub fn file() -> &'static Path {
    &FOUND.file
}

impl Libtorch {
    fn look() -> Self {
        // SAFETY: takes nothing, returns a constant.
        let [major, minor, patch, ..] = unsafe { aoti_torch_abi_version() }.to_be_bytes();
        let [made_for_major, made_for_minor, ..] = shim::torch_version().to_be_bytes();
        let (symbol, ours) = (aoti_torch_abi_version as *const c_void, found as *const c_void);
        let (file, nse) = (file_of(symbol).unwrap_or_default(), file_of(ours).unwrap_or_default());
        let mapped = process::mapped();
        let own = process::find(&mapped, &file).map(|own| &own.id);
        let others = mapped.iter().filter(|other| other.stem() == "torch_cpu" && Some(&other.id) != own);
        let others = others.map(|other| other.path.clone()).collect();
        let places = Places::of(symbol, ours);
        let before = places.torch.zip(places.ours).map(|(torch, ours)| torch < ours);
        Libtorch { version: [major, minor, patch], made_for: [made_for_major, made_for_minor], file, nse, others, before }
    }

    fn version(&self) -> String {
        let [major, minor, patch] = self.version;
        format!("{major}.{minor}.{patch}")
    }

    fn made_for(&self) -> String {
        let [major, minor] = self.made_for;
        format!("{major}.{minor}")
    }

    fn origin(&self) -> &'static str {
        if self.before == Some(true) {
            ", which was in the process before nse"
        } else {
            ""
        }
    }

    pub fn check(&self) -> Result<()> {
        if self.version[..2] == self.made_for {
            return Ok(());
        }
        let text = |path: &PathBuf| path.display().to_string();
        Err(Error::TorchMismatch {
            version: self.version(),
            file: text(&self.file),
            nse: text(&self.nse),
            made_for: self.made_for(),
            others: self.others.iter().map(text).collect(),
        })
    }

    pub fn info(&self, threads: Option<i32>) -> Value {
        json!({
            "version": self.version(),
            "made_for": self.made_for(),
            "file": self.file.display().to_string(),
            "others": self.others.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
            "before_nse": self.before,
            "threads": threads,
            "problem": self.check().err().map(|error| error.to_string()),
        })
    }
}

/// The file that has an address, as the loader knows it.
fn file_of(address: *const c_void) -> Option<PathBuf> {
    // SAFETY: all fields of Dl_info may be zero.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: dladdr only looks the address up and fills `info`.
    let found = unsafe { libc::dladdr(address, &mut info) };
    let name = (found != 0 && !info.dli_fname.is_null()).then_some(info.dli_fname)?;
    // SAFETY: dladdr's names are NUL-terminated and live as long as the library.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned().into())
}

/// Places in the loader's list, which is in the order of loading.
#[derive(Default)]
struct Places {
    symbols: [usize; 2],
    seen: usize,
    torch: Option<usize>,
    ours: Option<usize>,
}

impl Places {
    fn of(torch: *const c_void, ours: *const c_void) -> Self {
        let mut places = Places { symbols: [torch as usize, ours as usize], ..Places::default() };
        // SAFETY: the callback has the type that is asked for, and `places` outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(Self::visit), (&raw mut places).cast()) };
        places
    }

    unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, data: *mut c_void) -> c_int {
        // SAFETY: the loader gives a valid entry; `data` is ours.
        let (info, places) = unsafe { (&*info, &mut *data.cast::<Places>()) };
        if info.dlpi_phdr.is_null() {
            return 0;
        }
        // SAFETY: so many headers are there.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
        let has = |address: usize| {
            headers.iter().filter(|header| header.p_type == libc::PT_LOAD).any(|header| {
                let start = (info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
                address.wrapping_sub(start) < header.p_memsz as usize
            })
        };
        let [torch, ours] = places.symbols;
        if has(torch) {
            places.torch = Some(places.seen);
        }
        if has(ours) {
            places.ours = Some(places.seen);
        }
        places.seen += 1;
        0
    }
}
