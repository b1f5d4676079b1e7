//! `libnse.so`, as `tools/link.sh` left it in this build's folder: its name, what it exports, what it needs.

use nse::ffi::layout::NSE_ABI_VERSION;
use object::elf::{FileHeader64, DF_1_NODELETE, DF_1_NOW, DT_FLAGS_1, DT_NEEDED, DT_RUNPATH, DT_SONAME, SHN_ABS, SHT_DYNSYM};
use object::read::elf::{Dyn, FileHeader, SectionTable, Sym};
use object::Endianness;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const TORCH: &[&str] = &["libtorch.so", "libtorch_cpu.so", "libc10.so", "libstdc++.so.6"];
/// Of these only what the build uses is needed, and what was a library of its own in an older C library.
const SYSTEM: &[&str] = &[
    "libgcc_s.so.1",
    "libc.so.6",
    "libm.so.6",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];

fn path() -> PathBuf {
    let test = std::env::current_exe().expect("this test is a file");
    let path = test.ancestors().nth(2).expect("tests are in target/<profile>/deps").join("libnse.so");
    assert!(path.exists(), "{} is not there: run `make build`, or tools/link.sh for this folder", path.display());
    path
}

/// Gives `look` the header's byte order, the sections and the bytes of the library.
fn with_library<R>(look: impl FnOnce(Endianness, SectionTable<FileHeader64<Endianness>>, &[u8]) -> R) -> R {
    let bytes = std::fs::read(path()).expect("libnse.so can be read");
    let header = FileHeader64::<Endianness>::parse(&*bytes).expect("libnse.so is an ELF file of 64 bits");
    let endian = header.endian().expect("it has a byte order");
    let sections = header.sections(endian, &*bytes).expect("it has sections");
    look(endian, sections, &bytes)
}

/// Names and versions of what it exports.
fn exported() -> BTreeSet<(String, String)> {
    with_library(|endian, sections, bytes| {
        let symbols = sections.symbols(endian, bytes, SHT_DYNSYM).expect("it has dynamic symbols");
        let versions = sections.versions(endian, bytes).expect("its versions can be read").expect("it has versions");
        let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        let mut found = BTreeSet::new();
        for (index, symbol) in symbols.enumerate() {
            // GNU ld defines the name of every version as an absolute symbol.
            if symbol.is_undefined(endian) || symbol.st_shndx(endian) == SHN_ABS || symbol.st_name(endian) == 0 {
                continue;
            }
            let name = symbol.name(endian, symbols.strings()).expect("a name");
            let version = versions.version(versions.version_index(endian, index)).expect("a version that exists");
            found.insert((text(name), version.map_or("no version".into(), |version| text(version.name()))));
        }
        found
    })
}

/// Texts of one kind of entry of the dynamic section, and all values of DT_FLAGS_1.
fn dynamic(tag: u32) -> (Vec<String>, u64) {
    with_library(|endian, sections, bytes| {
        let (entries, link) = sections.dynamic(endian, bytes).expect("its dynamic section can be read").expect("it has one");
        let strings = sections.strings(endian, bytes, link).expect("the section has texts");
        let of = |wanted: u32| entries.iter().filter(move |entry| entry.tag32(endian) == Some(wanted));
        let text = |entry| Dyn::string(entry, endian, strings).expect("an entry with a text");
        let texts = of(tag).map(|entry| String::from_utf8_lossy(text(entry)).into_owned()).collect();
        (texts, of(DT_FLAGS_1).fold(0, |flags, entry| flags | entry.d_val(endian)))
    })
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn golden() -> BTreeSet<String> {
    let list = std::fs::read_to_string(root().join("tests/abi/symbols.txt")).expect("tests/abi/symbols.txt is there");
    list.lines().map(str::to_owned).collect()
}

/// What is in one list only, as a message; empty when they are the same.
fn difference(left: &str, ours: &BTreeSet<String>, right: &str, theirs: &BTreeSet<String>) -> String {
    let only = |here: &str, one: &BTreeSet<String>, there: &str, other: &BTreeSet<String>| -> String {
        one.difference(other).map(|name| format!("{name} is in {here} and not in {there}\n")).collect()
    };
    only(left, ours, right, theirs) + &only(right, theirs, left, ours)
}

#[test]
fn exports_are_the_golden_list() {
    let names = exported().into_iter().map(|(name, _)| name).collect();
    let changes = difference("libnse.so", &names, "tests/abi/symbols.txt", &golden());
    assert!(
        changes.is_empty(),
        "{changes}A new function goes into the list; once released, one leaves it only with a new NSE_ABI_VERSION."
    );
}

#[test]
fn exports_are_what_the_header_declares() {
    let header = std::fs::read_to_string(root().join("include/nse.h")).expect("include/nse.h is there");
    let code = header.lines().filter(|line| !line.trim_start().starts_with(['*', '/', '#']));
    let declared = code
        .filter_map(|line| line.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .filter(|name| name.starts_with("nse_"))
        .map(str::to_owned)
        .collect();
    let changes = difference("include/nse.h", &declared, "tests/abi/symbols.txt", &golden());
    assert!(changes.is_empty(), "{changes}");
}

#[test]
fn every_export_has_the_version_of_the_abi() {
    let node = format!("NSE_{NSE_ABI_VERSION}");
    for (name, version) in exported() {
        assert_eq!(version, node, "{name} has {version}");
    }
}

#[test]
fn its_names_are_a_chain_to_one_file() {
    let soname = format!("libnse.so.{NSE_ABI_VERSION}");
    assert_eq!(dynamic(DT_SONAME).0, [soname.as_str()], "NSE_ABI_VERSION is {NSE_ABI_VERSION}");
    let real = path().with_file_name(concat!("libnse.so.", env!("CARGO_PKG_VERSION")));
    assert!(real.symlink_metadata().is_ok_and(|file| file.is_file()), "{} is not a file", real.display());
    for (link, to) in [("libnse.so", soname.as_str()), (soname.as_str(), concat!("libnse.so.", env!("CARGO_PKG_VERSION")))] {
        let target = std::fs::read_link(path().with_file_name(link)).expect("a link");
        assert_eq!(target, Path::new(to), "{link}");
    }
}

#[test]
fn it_needs_libtorch_and_the_system_only() {
    let needed = dynamic(DT_NEEDED).0;
    for name in &needed {
        let torch = cfg!(feature = "torch") && TORCH.contains(&name.as_str());
        assert!(torch || SYSTEM.contains(&name.as_str()), "libnse.so needs {name}");
    }
    // libtorch.so is what brings CUDA; that nothing uses it by name must not drop it.
    for name in TORCH.iter().filter(|_| cfg!(feature = "torch")) {
        assert!(needed.iter().any(|have| have == name), "libnse.so does not need {name}: {needed:?}");
    }
}

#[test]
fn it_is_found_and_loaded_as_the_manual_says() {
    let (paths, flags) = dynamic(DT_RUNPATH);
    let wanted = u64::from(DF_1_NODELETE | DF_1_NOW);
    assert_eq!(flags & wanted, wanted, "it can be unloaded, or binds late: {flags:#x}");
    if cfg!(feature = "torch") {
        assert_eq!(paths, ["$ORIGIN:$ORIGIN/nse-torch"], "no path of the machine it was built on");
    } else {
        assert!(paths.is_empty(), "RUNPATH {paths:?}");
    }
}
