//! Copying a strided array by libtorch, here from the CPU: the bytes that plain gathering has.

use nse::data::Strided;
use nse::supernet::download;
use tch::Device;

#[test]
fn libtorch_copies_what_gathering_copies() {
    let memory: Vec<u8> = (0..4096).map(|i| (i * 131 % 255) as u8).collect();
    let cases: [(usize, &[i64], Option<&[i64]>); 5] = [
        (1, &[3, 2, 4, 4], None),
        (1, &[3, 2, 4, 5], Some(&[50, 1, 10, 2])),
        (1, &[4, 3], Some(&[0, 7])),
        (4, &[40], Some(&[3])),
        (8, &[40], None),
    ];
    for (element, shape, strides) in cases {
        let array = Strided::new("tensor", memory[16..].as_ptr(), element, shape, strides).unwrap();
        // SAFETY: every element is in `memory`.
        let (copied, gathered) = unsafe { (download::copy(&array, Device::Cpu), array.gather()) };
        assert_eq!(copied.unwrap(), gathered.unwrap(), "{element} {shape:?} {strides:?}");
    }
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let memory = [0u8; 8];
    let array = Strided::new("tensor", memory.as_ptr(), 1, &[8], None).unwrap();
    for device in ["cuda:-1", "cuda:70000", "cuda:9999"] {
        // SAFETY: no device, no reading.
        let error = unsafe { nse::supernet::download(&array, device) }.unwrap_err();
        assert!(matches!(&error, nse::Error::Device { device: named, .. } if named == device), "{error}");
    }
}
