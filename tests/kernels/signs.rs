//! Convolutions of signs by signs on packed bits: at every level the numbers of the same convolution of floats, to the bit, and what counting by hand gives.

use crate::at_every_level;
use crate::support::{normal, values};
use nse::search::{Purpose, Stream};
use nse::space::{Binary, Convolution};
use nse::supernet::binary::{packed, packs, sign, weight};
use tch::Tensor;

fn floats(c: &Convolution, x: &Tensor, w: &Tensor) -> Tensor {
    let [stride, padding, dilation] = [c.stride, c.padding(), [c.dilation; 2]].map(|pair| pair.map(i64::from));
    let y = sign(x).unwrap().conv2d::<Tensor>(&sign(w).unwrap(), None, stride, padding, dilation, 1);
    y * (w.abs().mean_dim([1i64, 2, 3].as_slice(), true, None)).view([1, -1, 1, 1])
}

#[test]
fn packed_bits_give_what_floats_give() {
    let mut stream = Stream::new(7, Purpose::Weights, 0, 0);
    let mut draw = |most: u64| 1 + stream.below(most) as u32;
    for case in 0..60 {
        let (cin, cout) = (draw(200), draw(70));
        let kernel = [[1, 1], [3, 3], [5, 5], [1, 7], [7, 1]][case % 5];
        let c = Convolution::kernel("signs", cin, cout, kernel).stride([draw(2), draw(3)]).dilation(draw(2));
        let (images, height, width) = (draw(3).into(), draw(11).into(), draw(11).into());
        let x = normal(&[images, cin.into(), height, width], case as u64);
        // Zeros of both signs, and channels together in memory.
        let x = x.where_self(&x.abs().gt(0.1), &(&x * 0.0));
        let x = if case % 2 == 0 { x } else { x.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]) };
        let w = normal(&[cout.into(), cin.into(), kernel[0].into(), kernel[1].into()], 100 + case as u64);
        assert!(packs(&c, &x, &w));
        let expected = floats(&c, &x, &w);
        at_every_level(|level| {
            let got = packed(&c, &x, &w).unwrap();
            assert_eq!(got.size(), expected.size());
            assert_eq!(values(&got), values(&expected), "{level}: {c:?}, {images} images of {height}x{width}");
        });
    }
}

/// n - 2 popcount(xor), with nothing but whole numbers.
#[test]
fn bits_counted_by_hand() {
    let mut stream = Stream::new(8, Purpose::Weights, 0, 0);
    for channels in [1usize, 63, 64, 65, 130] {
        let mut bits = || (0..channels).map(|_| stream.below(2) == 1).collect::<Vec<_>>();
        let (a, b) = (bits(), bits());
        let differ = a.iter().zip(&b).filter(|(a, b)| a != b).count() as f64;
        let tensor = |bits: &[bool]| {
            let signs: Vec<f32> = bits.iter().map(|bit| if *bit { 1.0 } else { -1.0 }).collect();
            Tensor::from_slice(&signs).view([1, channels as i64, 1, 1])
        };
        let c = Convolution::pointwise("signs", channels as u32, 1);
        at_every_level(|_| {
            let got = packed(&c, &tensor(&a), &tensor(&b)).unwrap();
            assert_eq!(values(&got), [channels as f64 - 2.0 * differ]);
        });
    }
    assert_eq!(
        values(&weight(Binary::Xnor(Default::default()), &Tensor::from_slice(&[2.0f32, -4.0]).view([1, 2, 1, 1]), None).unwrap()),
        [3.0, -3.0]
    );
}
