//! The file of a checkpoint: what is written comes back, and nothing else is ever taken for it. `checkpoint_crash` is about failures.

use crate::support::cases;
use nse::checkpoint::file::{read, write};
use nse::search::{Array, Arrays};
use nse::{Error, Result};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// An empty folder of one test, and the path of a checkpoint in it.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("nse-checkpoint-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Folder(path)
    }

    pub fn file(&self) -> PathBuf {
        self.0.join("run.nse")
    }

    pub fn partial(&self) -> PathBuf {
        self.0.join(".run.nse.partial")
    }

    pub fn entries(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub fn array(shape: &[usize], values: &[f32]) -> Array {
    Array { shape: shape.to_vec(), values: values.to_vec() }
}

pub fn small() -> (String, Arrays) {
    let body = [("a", array(&[2, 2], &[1.0, -0.0, f32::NAN, 4.0])), ("b.c", array(&[0, 3], &[])), ("é", array(&[], &[0.5]))];
    (r#"{"round":3}"#.into(), body.map(|(name, array)| (name.into(), array)).into())
}

/// A checkpoint of about `n` values, which differs from that of every other number.
pub fn numbered(n: usize) -> (String, Arrays) {
    (format!("{{\"n\":{n}}}"), [("w".into(), array(&[n], &vec![n as f32; n]))].into())
}

/// Head, and name, shape and values of every array.
pub type Bits = (String, Vec<(String, Vec<usize>, Vec<u32>)>);

/// NaN equals NaN, and 0 is not -0.
pub fn bits((head, body): &(String, Arrays)) -> Bits {
    let arrays = body.iter().map(|(name, a)| (name.clone(), a.shape.clone(), a.values.iter().map(|v| v.to_bits()).collect()));
    (head.clone(), arrays.collect())
}

pub fn write_all(path: &Path, content: &(String, Arrays)) {
    write(path, &content.0, &content.1).unwrap();
}

pub fn assert_holds(path: &Path, content: &(String, Arrays)) {
    assert_eq!(bits(&read(path).unwrap()), bits(content));
}

/// The layout, once more: a file with the given parts and a right checksum.
fn forged(version: u32, head: &[u8], body: &[u8]) -> Vec<u8> {
    let top = [
        b"nse-ckpt".as_slice(),
        &version.to_le_bytes(),
        &[0; 4],
        &(head.len() as u64).to_le_bytes(),
        &(body.len() as u64).to_le_bytes(),
    ]
    .concat();
    let checksum = blake3::hash(&[&top, head, body].concat());
    [&top, checksum.as_bytes().as_slice(), head, body].concat()
}

/// safetensors with the given index and values.
fn indexed(index: &str, values: usize) -> Vec<u8> {
    [&(index.len() as u64).to_le_bytes(), index.as_bytes(), &vec![0; 4 * values]].concat()
}

/// Why a file is no checkpoint; the error names the file.
fn refused(folder: &Folder, bytes: &[u8]) -> String {
    fs::write(folder.file(), bytes).unwrap();
    reason(&folder.file())
}

fn reason(path: &Path) -> String {
    match read(path) {
        Err(Error::Format { path: named, reason }) if named == path => reason,
        other => panic!("not a format error: {other:?}"),
    }
}

pub fn io_error<T: std::fmt::Debug>(result: Result<T>, path: &Path) -> io::Error {
    match result {
        Err(Error::Io { path: named, source }) if named == path => source,
        other => panic!("not an I/O error: {other:?}"),
    }
}

pub fn pipe(path: &Path) {
    let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name ends with a zero byte.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
}

// ---- What is written comes back ------------------------------------------------------------------------------------------

fn any_array() -> impl Strategy<Value = Array> {
    proptest::collection::vec(0..5usize, 0..4).prop_flat_map(|shape| {
        let value = prop_oneof![any::<u32>(), Just(f32::NAN.to_bits()), Just(0x7f80_0001), Just(0x8000_0000)];
        proptest::collection::vec(value.prop_map(f32::from_bits), shape.iter().product::<usize>())
            .prop_map(move |values| Array { shape: shape.clone(), values })
    })
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn any_head_and_arrays_come_back_bit_by_bit(head in any::<String>(), body in proptest::collection::btree_map(
        prop_oneof![any::<String>(), "[a-z]{1,3}(\\.[a-z]{1,3}){0,3}"], any_array(), 0..6,
    )) {
        let folder = Folder::new("round-trip");
        let content = (head, body);
        write_all(&folder.file(), &content);
        prop_assert_eq!(bits(&read(&folder.file()).unwrap()), bits(&content));
        prop_assert_eq!(folder.entries(), ["run.nse"]);
    }
}

#[test]
fn more_values_than_are_written_at_a_time_come_back() {
    let folder = Folder::new("large");
    let values: Vec<f32> = (0..100_001).map(|i| i as f32).collect();
    let content = (String::new(), [("x".into(), array(&[100_001], &values)), ("y".into(), array(&[1], &[7.0]))].into());
    write_all(&folder.file(), &content);
    assert_holds(&folder.file(), &content);
}

#[test]
fn the_layout_is_the_documented_one() {
    let folder = Folder::new("layout");
    let (head, body) = small();
    write(&folder.file(), &head, &body).unwrap();
    let index = concat!(
        r#"{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#,
        r#""b.c":{"dtype":"F32","shape":[0,3],"data_offsets":[16,16]},"#,
        r#""é":{"dtype":"F32","shape":[],"data_offsets":[16,20]}}"#
    );
    let index = format!("{index:width$}", width = index.chars().count() + (8 - index.len() % 8) % 8);
    let values: Vec<u8> = body.values().flat_map(|a| &a.values).flat_map(|v| v.to_le_bytes()).collect();
    let tensors = [&indexed(&index, 0)[..], &values].concat();
    assert_eq!(fs::read(folder.file()).unwrap(), forged(1, head.as_bytes(), &tensors));

    let other_reader = SafeTensors::deserialize(&tensors).unwrap();
    assert_eq!(other_reader.len(), 3);
    for (name, array) in &body {
        let tensor = other_reader.tensor(name).unwrap();
        let bytes: Vec<u8> = array.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!((tensor.dtype(), tensor.shape(), tensor.data()), (Dtype::F32, &array.shape[..], &bytes[..]));
    }
    assert_eq!(safetensors::serialize(other_reader.tensors(), &None).unwrap(), tensors);
}

#[test]
fn an_array_whose_shape_is_not_that_of_its_values_is_refused_and_nothing_is_written() {
    let folder = Folder::new("shape");
    for shape in [&[2, 3][..], &[], &[0], &[usize::MAX, 2, 0], &[usize::MAX]] {
        let body = [("cell0.weight".into(), array(shape, &[1.0; 5]))].into();
        let Err(Error::Argument { name, reason }) = write(&folder.file(), "{}", &body) else { panic!("{shape:?} was written") };
        assert_eq!((name, reason), ("body", format!("array \"cell0.weight\" has the shape {shape:?} and 5 values")));
    }
    assert!(folder.entries().is_empty());
}

// ---- Nothing else is taken for it ----------------------------------------------------------------------------------------

#[test]
fn every_shorter_file_is_truncated() {
    let folder = Folder::new("truncated");
    write_all(&folder.file(), &small());
    let whole = fs::read(folder.file()).unwrap();
    for length in 0..whole.len() {
        let reason = refused(&folder, &whole[..length]);
        assert!(reason.starts_with("truncated: ") && reason.ends_with(&format!(", there are {length}")), "{length}: {reason}");
    }
    assert_eq!(refused(&folder, &whole[..63]), "truncated: the header takes 64 bytes, there are 63");
}

#[test]
fn every_flipped_bit_is_found() {
    let folder = Folder::new("flipped");
    write_all(&folder.file(), &small());
    let whole = fs::read(folder.file()).unwrap();
    for at in 0..whole.len() {
        for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] {
            let mut damaged = whole.clone();
            damaged[at] ^= mask;
            let reason = refused(&folder, &damaged);
            let starts = match at {
                0..8 => ["not a checkpoint: it starts with \"", ""],
                8..12 => ["version ", ""],
                16..32 => ["truncated: ", ""],
                _ => ["the file is damaged: ", ""],
            };
            let trailing = (16..32).contains(&at) && reason.contains(" bytes follow the ");
            assert!(reason.starts_with(starts[0]) || trailing, "byte {at}, mask {mask}: {reason}");
        }
    }
}

#[test]
fn other_files_and_other_versions_are_named() {
    let folder = Folder::new("other");
    assert_eq!(refused(&folder, b"\x7fELF\x02\x01\x01\0\0"), "not a checkpoint: it starts with \"\\x7fELF\\x02\\x01\\x01\\x00\"");
    assert_eq!(refused(&folder, b"{}\n"), "not a checkpoint: it starts with \"{}\\n\"");
    for version in [0, 2, 7, u32::MAX] {
        let expected = format!("version {version}, this library reads version 1");
        assert_eq!(refused(&folder, &forged(version, b"{}", &indexed("{}", 0))), expected);
    }
    pipe(&folder.0.join("pipe"));
    for (path, what) in [(folder.0.clone(), "a folder"), (folder.0.join("pipe"), "a pipe"), ("/dev/zero".into(), "a device")] {
        assert_eq!(io_error(read(&path), &path).to_string(), format!("{what}, not a regular file"));
    }
    // A folder that is none is not waited for either.
    let inside = folder.0.join("pipe/file");
    assert_eq!(io_error(write(&inside, "{}", &Arrays::new()), &inside).kind(), ErrorKind::NotADirectory);
    assert_eq!(io_error(read(&folder.0.join("none")), &folder.0.join("none")).kind(), ErrorKind::NotFound);
}

#[test]
fn trailing_bytes_are_counted() {
    let folder = Folder::new("trailing");
    write_all(&folder.file(), &small());
    let whole = fs::read(folder.file()).unwrap();
    let expected = format!("3 bytes follow the {} that the header promises", whole.len());
    assert_eq!(refused(&folder, &[&whole[..], b"abc"].concat()), expected);
}

#[test]
fn promises_are_not_believed() {
    let folder = Folder::new("promises");
    let whole = forged(1, b"{}", &indexed("{}", 0));
    for at in [16, 24] {
        for length in [1 << 20, 1 << 33, 1 << 46, u64::MAX / 2, u64::MAX - 63, u64::MAX] {
            let mut greedy = whole.clone();
            greedy[at..at + 8].copy_from_slice(&u64::to_le_bytes(length));
            let reason = refused(&folder, &greedy);
            assert!(reason.contains(&length.to_string()) && reason.ends_with("there are 76"), "{reason}");
        }
    }
}

#[test]
fn a_right_checksum_does_not_make_a_wrong_body_right() {
    let folder = Folder::new("body");
    let one = |dtype: &str, shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let mut long = indexed("{}", 0);
    long[0] = 3;
    for (body, expected) in [
        (vec![], "it has 0 bytes"),
        (vec![0; 7], "it has 7 bytes"),
        (long, "an index of 3 bytes in a body of 10"),
        ([255; 9].to_vec(), "an index of 18446744073709551615 bytes in a body of 9"),
        (indexed("", 0), "EOF while parsing"),
        (indexed("[]", 0), "expected a map"),
        (indexed("{}", 1), "4 bytes belong to no array"),
        (indexed(r#"{"__metadata__":{"a":"b"}}"#, 0), "it has metadata"),
        (indexed(&one("F33", "[1]", "[0,4]"), 1), "unknown variant `F33`"),
        (indexed(&one("F64", "[1]", "[0,8]"), 2), "not F32: array \"a\" is F64"),
        (indexed(&one("F32", "[-1]", "[0,4]"), 1), "expected usize"),
        (indexed(&one("F32", "[2]", "[0,4]"), 1), "bytes 0 to 4 for array \"a\" of the shape [2]"),
        (indexed(&one("F32", "[1]", "[4,8]"), 2), "bytes 4 to 8 for array"),
        (indexed(&one("F32", "[1]", "[4,0]"), 1), "bytes 4 to 0 for array"),
        (indexed(&one("F32", "[2]", "[0,8]"), 1), "array \"a\" ends at byte 8 of 4"),
        (indexed(&one("F32", "[4611686018427387903]", "[0,18446744073709551612]"), 1), "ends at byte 18446744073709551612"),
        (indexed(&one("F32", "[4611686018427387904]", "[0,0]"), 0), "bytes 0 to 0 for array"),
        (indexed(&one("F32", "[4294967296,4294967296,0]", "[0,0]"), 0), "bytes 0 to 0 for array"),
    ] {
        let reason = refused(&folder, &forged(1, b"{}", &body));
        assert!(reason.starts_with("the body is not ") && reason.contains(expected), "{reason:?} does not say {expected:?}");
    }
    let reason = refused(&folder, &forged(1, b"{\"a\":\"\xff\"}", &indexed("{}", 0)));
    assert_eq!(reason, "the head is not UTF-8: invalid utf-8 sequence of 1 bytes from index 6");
    fs::write(folder.file(), forged(1, b"{}", &indexed("{}", 0))).unwrap();
    assert_holds(&folder.file(), &("{}".into(), Arrays::new()));
}
