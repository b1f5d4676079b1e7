//! The memory of maps: cut, put together and moved while other maps are in use.

use nse::search::{Purpose, Stream};
use nse::supernet::fused::{pointwise, trim};
use tch::{Device, Kind, Tensor};

/// Maps of 64 KB to 12 MB, of which 24 at most are there at once; each is full of one number, and still is when it goes.
#[test]
fn maps_keep_what_they_hold_while_others_come_and_go() {
    let _no_grad = tch::no_grad_guard();
    let mut stream = Stream::new(5, Purpose::Noise, 0, 0);
    let weight = Tensor::full([8i64, 4, 1, 1].as_slice(), 0.25, (Kind::Float, Device::Cpu));
    let mut maps: Vec<(f64, Tensor)> = Vec::new();
    for number in 0..600 {
        if maps.len() == 24 || (!maps.is_empty() && stream.below(3) == 0) {
            let (number, map) = maps.swap_remove(stream.below(maps.len() as u64) as usize);
            assert_eq!([map.min(), map.max()].map(|v| v.double_value(&[])), [number; 2]);
        }
        if number % 100 == 0 {
            trim();
        }
        let images = if stream.below(2) == 0 { 2 } else { 2 + stream.below(374) as i64 };
        let x = Tensor::full([images, 4, 32, 32].as_slice(), f64::from(number), (Kind::Float, Device::Cpu));
        maps.push((f64::from(number), pointwise(&x, &weight).unwrap().unwrap()));
    }
    for (number, map) in maps {
        assert_eq!([map.min(), map.max()].map(|v| v.double_value(&[])), [number; 2]);
    }
}
