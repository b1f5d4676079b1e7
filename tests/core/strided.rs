//! Strided arrays: what they gather against plain indexing, and every shape that cannot be.

use nse::data::Strided;
use nse::search::{Purpose, Stream};
use nse::Error;

fn reason(result: nse::Result<Strided>) -> String {
    match result {
        Err(Error::Argument { name: "images", reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error"),
    }
}

/// Strides of a compact array.
fn compact(shape: &[i64]) -> Vec<i64> {
    (0..shape.len()).map(|i| shape[i + 1..].iter().product()).collect()
}

/// Every element by its index: the definition.
fn by_index(memory: &[u8], at: i64, element: usize, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    match shape {
        [] => memory[at as usize * element..][..element].to_vec(),
        [n, rest @ ..] => (0..*n).flat_map(|i| by_index(memory, at + i * strides[0], element, rest, &strides[1..])).collect(),
    }
}

fn gathered(memory: &[u8], at: i64, element: usize, shape: &[i64], strides: Option<&[i64]>) -> Vec<u8> {
    let array = Strided::new("images", memory.as_ptr().wrapping_add(at as usize * element), element, shape, strides).unwrap();
    // SAFETY: the tests stay inside `memory`.
    unsafe { array.gather() }.unwrap()
}

#[test]
fn any_order_of_axes_forwards_and_backwards() {
    let mut stream = Stream::new(5, Purpose::Split, 0, 0);
    for case in 0..200 {
        let element = [1, 4, 8][case % 3];
        let sizes: Vec<i64> = (0..1 + case % 4).map(|_| 1 + stream.below(5) as i64).collect();
        let mut axes: Vec<usize> = (0..sizes.len()).collect();
        stream.shuffle(&mut axes);
        let inner: Vec<i64> = axes.iter().map(|a| sizes[*a]).collect();
        let (mut strides, mut at) = (vec![0; sizes.len()], 3);
        for (axis, stride) in axes.iter().zip(compact(&inner)) {
            let backwards = stream.below(3) == 0;
            strides[*axis] = if backwards { -2 * stride } else { 2 * stride };
            at += if backwards { 2 * stride * (sizes[*axis] - 1) } else { 0 };
        }
        let memory: Vec<u8> =
            (0..(2 * sizes.iter().product::<i64>() as usize + 4) * element).map(|i| (i * 131 % 255) as u8).collect();
        let wanted = by_index(&memory, at, element, &sizes, &strides);
        assert_eq!(gathered(&memory, at, element, &sizes, Some(&strides)), wanted, "{sizes:?} {strides:?}");
    }
}

#[test]
fn channels_last_becomes_channels_first() {
    let memory: Vec<u8> = (0..2 * 2 * 3 * 3).collect();
    let planes = gathered(&memory, 0, 1, &[2, 3, 2, 3], Some(&[18, 1, 9, 3]));
    assert_eq!(planes[..6], [0, 3, 6, 9, 12, 15]);
    assert_eq!(planes[6..12], [1, 4, 7, 10, 13, 16]);
    assert_eq!(planes[18..24], [18, 21, 24, 27, 30, 33]);
}

#[test]
fn a_stride_of_0_repeats_and_no_strides_are_compact() {
    let memory = [1, 2, 3, 4, 5, 6];
    assert_eq!(gathered(&memory, 1, 1, &[2, 3], Some(&[0, 1])), [2, 3, 4, 2, 3, 4]);
    assert_eq!(gathered(&memory, 0, 1, &[2, 3], None), memory);
}

#[test]
fn compact_is_a_matter_of_axes_that_have_more_than_one() {
    let is_compact = |shape: &[i64], strides: Option<&[i64]>| {
        Strided::new("images", [0u8; 64].as_ptr(), 1, shape, strides).unwrap().is_compact()
    };
    assert!(is_compact(&[2, 3, 4, 2], None));
    assert!(is_compact(&[2, 3, 4, 2], Some(&[24, 8, 2, 1])));
    assert!(is_compact(&[2, 1, 4, 2], Some(&[8, -77, 2, 1])));
    assert!(!is_compact(&[2, 3, 4, 2], Some(&[24, 1, 6, 3])));
    assert!(!is_compact(&[2, 2], Some(&[-2, 1])));
    assert!(!is_compact(&[2, 2], Some(&[3, 1])));
    assert!(!is_compact(&[2, 2], Some(&[0, 1])));
}

#[test]
fn what_cannot_be_is_an_error_with_its_numbers() {
    let memory = [0u8; 64];
    let wrong = |shape: &[i64], strides: Option<&[i64]>| reason(Strided::new("images", memory.as_ptr(), 8, shape, strides));
    assert_eq!(wrong(&[2, -1], None), "the shape [2, -1] has a negative size");
    assert_eq!(wrong(&[i64::MIN], None), format!("the shape [{}] has a negative size", i64::MIN));
    assert_eq!(wrong(&[2, 0], None), "the shape [2, 0] has nothing in it");
    assert!(wrong(&[1 << 40, 1 << 40], None).contains("more bytes than memory can have"));
    assert!(wrong(&[1 << 60], None).contains("more bytes than memory can have"));
    assert!(wrong(&[i64::MAX, 2], None).contains("more bytes than memory can have"));
    assert!(wrong(&[2, 2], Some(&[1 << 60, 1])).contains("with strides [1152921504606846976, 1] reaches beyond memory"));
    assert!(wrong(&[2, 2], Some(&[i64::MIN, i64::MAX])).contains("reaches beyond memory"));
    assert!(wrong(&[i64::from(i32::MAX), 2], Some(&[-(1 << 40), 1])).contains("reaches beyond memory"));
    assert!(wrong(&[2], Some(&[-(1 << 59)])).contains("reaches beyond memory"));
    assert!(wrong(&[2], Some(&[1, 1])).contains("2 strides for 1 dimensions"));
    assert!(reason(Strided::new("images", std::ptr::null(), 1, &[2], None)).contains("NULL is not a place"));
    // A copy that no machine has room for.
    let repeated = Strided::new("images", memory.as_ptr(), 1, &[1 << 60], Some(&[0])).unwrap();
    // SAFETY: one element, again and again.
    assert!(unsafe { repeated.gather() }.unwrap_err().to_string().contains("no memory for 1152921504606846976"));
}
