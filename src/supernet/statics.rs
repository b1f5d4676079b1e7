//! What libtorch would have destroyed at the end of the process. It makes many things when it first needs them, and registers their
//! end there and then: in the middle of a piece of work, so ahead of any function with which exit() could be told to wait for that
//! work. Such a registration is therefore kept here, and carried out when no thread of ours is left. The way is the one that loaders
//! have: the places through which the files of libtorch call `__cxa_atexit` are given another function.
//!
//! This begins with the first thread of ours: a host that uses libtorch by itself is left alone.

use std::ffi::{c_char, c_int, c_void, CStr};
use std::mem::size_of;
use std::ptr::{null_mut, NonNull};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::Once;

type Destroy = unsafe extern "C" fn(*mut c_void);

/// A thing to destroy. A list without locks: a child that was forked in the middle of it may go on.
struct Kept {
    destroy: Destroy,
    object: *mut c_void,
    before: *mut Kept,
}

static LAST: AtomicPtr<Kept> = AtomicPtr::new(null_mut());

/// Stands in for `__cxa_atexit`.
unsafe extern "C" fn defer(destroy: Destroy, object: *mut c_void, _file: *mut c_void) -> c_int {
    let kept = Box::into_raw(Box::new(Kept { destroy, object, before: LAST.load(Ordering::Relaxed) }));
    // SAFETY: ours until it is in the list.
    let link = |last| unsafe {
        (*kept).before = last;
        Some(kept)
    };
    let _ = LAST.fetch_update(Ordering::AcqRel, Ordering::Relaxed, link);
    0
}

/// Destroys what was kept, the last first. To be called when the process ends and no thread of ours computes any more.
pub fn destroy() {
    while let Some(first) = NonNull::new(LAST.swap(null_mut(), Ordering::AcqRel)) {
        let mut next = Some(first);
        while let Some(kept) = next {
            // SAFETY: whoever took the list has its entries for itself.
            let kept = unsafe { Box::from_raw(kept.as_ptr()) };
            // SAFETY: what libtorch asked for, once.
            unsafe { (kept.destroy)(kept.object) };
            // It may have made another thing that it needs; that one is the last now.
            destroy();
            next = NonNull::new(kept.before);
        }
    }
}

/// From now on keeps what the files of libtorch register.
pub fn keep() {
    static FIRST: Once = Once::new();
    FIRST.call_once(look_again);
}

/// The same for files that were loaded since.
pub fn look_again() {
    // SAFETY: the callback has the type that is asked for.
    unsafe { libc::dl_iterate_phdr(Some(visit), null_mut()) };
}

/// Files that are loaded with libtorch and stay as long as nse, which stays.
const FILES: [&[u8]; 5] = [b"torch", b"torch_cpu", b"torch_cuda", b"c10", b"c10_cuda"];

/// As crate::process has it, for the loader's name of a file.
fn stem(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = name.strip_prefix(b"lib").unwrap_or_default();
    name.split(|byte| matches!(byte, b'.' | b'-')).next().unwrap_or_default()
}

unsafe extern "C" fn visit(info: *mut libc::dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
    // SAFETY: the loader gives a valid entry, with so many headers, of a file that stays loaded.
    unsafe {
        let info = &*info;
        if !info.dlpi_name.is_null()
            && !info.dlpi_phdr.is_null()
            && FILES.contains(&stem(CStr::from_ptr(info.dlpi_name).to_bytes()))
        {
            let headers = std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum));
            File { base: info.dlpi_addr as usize, headers }.divert();
        }
    }
    0
}

/// A loaded file in the ELF format (the System V ABI, chapter 5, and the supplements for x86-64 and AArch64).
struct File<'a> {
    base: usize,
    headers: &'a [libc::Elf64_Phdr],
}

#[repr(C)]
struct Dynamic {
    tag: u64,
    value: u64,
}

#[repr(C)]
struct Relocation {
    offset: u64,
    info: u64,
    addend: i64,
}

const DT_PLTRELSZ: u64 = 2;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_RELA: u64 = 7;
const DT_RELASZ: u64 = 8;
const DT_JMPREL: u64 = 23;
const DT_RELACOUNT: u64 = 0x6fff_fff9;
/// The two types that mean "the address of this function", GLOB_DAT and JUMP_SLOT.
const ADDRESSES: [u32; 2] = if cfg!(target_arch = "aarch64") { [1025, 1026] } else { [6, 7] };

impl File<'_> {
    fn header(&self, kind: u32) -> Option<&libc::Elf64_Phdr> {
        self.headers.iter().find(|header| header.p_type == kind)
    }

    /// The value of an entry of the dynamic section.
    unsafe fn value(&self, tag: u64) -> Option<usize> {
        let mut entry = (self.base + self.header(libc::PT_DYNAMIC)?.p_vaddr as usize) as *const Dynamic;
        // SAFETY: the section ends with a tag of zero.
        unsafe {
            while (*entry).tag != 0 {
                if (*entry).tag == tag {
                    return Some((*entry).value as usize);
                }
                entry = entry.add(1);
            }
        }
        None
    }

    /// Where something lies that an entry points to; the loader has made an address of it.
    unsafe fn place<T>(&self, tag: u64) -> Option<*const T> {
        // SAFETY: as for `value`.
        let place = unsafe { self.value(tag)? };
        Some(if place < self.base { place + self.base } else { place } as *const T)
    }

    unsafe fn divert(&self) {
        // SAFETY: the tables are where the file says, and as long.
        unsafe {
            let (Some(symbols), Some(names)) = (self.place::<libc::Elf64_Sym>(DT_SYMTAB), self.place::<c_char>(DT_STRTAB)) else {
                return;
            };
            // The first of the others, most of them, are relative: they name no function.
            let relative = self.value(DT_RELACOUNT).unwrap_or(0);
            for (table, bytes, skip) in [(DT_JMPREL, DT_PLTRELSZ, 0), (DT_RELA, DT_RELASZ, relative)] {
                let (Some(table), Some(bytes)) = (self.place::<Relocation>(table), self.value(bytes)) else { continue };
                for relocation in std::slice::from_raw_parts(table, bytes / size_of::<Relocation>()).iter().skip(skip) {
                    let name = (*symbols.add((relocation.info >> 32) as usize)).st_name as usize;
                    if ADDRESSES.contains(&(relocation.info as u32)) && CStr::from_ptr(names.add(name)) == c"__cxa_atexit" {
                        self.set(self.base + relocation.offset as usize);
                    }
                }
            }
        }
    }

    /// Writes the address of `defer`, also where the loader let nothing be written any more.
    unsafe fn set(&self, place: usize) {
        // SAFETY: takes nothing.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let sealed = self.header(libc::PT_GNU_RELRO).is_some_and(|header| {
            let start = self.base + header.p_vaddr as usize;
            (start & !(page - 1)..start + header.p_memsz as usize).contains(&place)
        });
        let (first, rights) = ((place & !(page - 1)) as *mut c_void, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a page of the file's own data, and an aligned pointer in it, which others read at any time.
        unsafe {
            if sealed && libc::mprotect(first, page, rights) != 0 {
                return;
            }
            (*(place as *const AtomicPtr<c_void>)).store(defer as *mut c_void, Ordering::Release);
            if sealed {
                libc::mprotect(first, page, libc::PROT_READ);
            }
        }
    }
}
