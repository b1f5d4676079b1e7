//! Memory of another library, read with any strides. The device is the CPU here; for CUDA the same code runs.

use crate::support::values;
use nse::data::Strided;
use nse::supernet::foreign;
use nse::Error;
use tch::{Device, Kind};

/// 0, 1, 2, ... in memory; seen as 2 x 3 x 4 with the last two dimensions exchanged.
fn transposed<T>(numbers: &[T]) -> Strided {
    let (shape, strides) = ([2, 3, 4], [12, 1, 3]);
    Strided::new("images", numbers.as_ptr().cast(), size_of::<T>(), &shape, Some(&strides)).unwrap()
}

fn expected(at: usize) -> usize {
    let (i, j, k) = (at / 12, at / 4 % 3, at % 4);
    12 * i + j + 3 * k
}

#[test]
fn floats_are_copied_in_the_order_of_their_indices() {
    let mut numbers: Vec<f32> = (0..24).map(|n| n as f32).collect();
    let array = transposed(&numbers);
    // SAFETY: the numbers outlive the call.
    let copy = unsafe { foreign::copy(&array, Device::Cpu, Device::Cpu) }.unwrap();
    numbers.fill(-1.0);
    assert_eq!((copy.size(), copy.kind()), (vec![2, 3, 4], Kind::Float));
    assert_eq!(values(&copy), (0..24).map(|at| expected(at) as f64).collect::<Vec<_>>());
}

#[test]
fn bytes_of_elements_of_every_size() {
    let numbers: Vec<u8> = (0..24).collect();
    // SAFETY: the numbers outlive the call.
    let bytes = unsafe { foreign::bytes("images", &transposed(&numbers), Device::Cpu) }.unwrap();
    assert_eq!(bytes, (0..24).map(|at| expected(at) as u8).collect::<Vec<_>>());
    let numbers: Vec<i64> = (0..24).map(|n| n << 40).collect();
    // SAFETY: as above.
    let bytes = unsafe { foreign::bytes("labels", &transposed(&numbers), Device::Cpu) }.unwrap();
    let read: Vec<i64> = bytes.chunks_exact(8).map(|b| i64::from_ne_bytes(b.try_into().unwrap())).collect();
    assert_eq!(read, (0..24).map(|at| (expected(at) as i64) << 40).collect::<Vec<_>>());
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    let numbers = [0u8; 24];
    // SAFETY: nothing is read on a device that is not there.
    match unsafe { nse::supernet::fetch("images", &transposed(&numbers), 99) } {
        Err(Error::Device { device, .. }) => assert_eq!(device, "cuda:99"),
        other => panic!("{other:?}"),
    }
}
