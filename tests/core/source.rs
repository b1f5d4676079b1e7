//! Images that a function writes: every one once, in order, in pieces of bounded size.

use nse::data::Dataset;
use nse::space::Shape;
use nse::Error;

fn argument(result: nse::Result<Dataset>) -> String {
    match result {
        Err(Error::Argument { name: "source", reason }) => reason,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn every_image_is_asked_for_once_and_in_order() {
    // 300 KB each: a few at a time. 3 MB each: one at a time. 4 bytes each: all at once.
    for (side, count, calls) in [(548, 10, 4), (1733, 3, 3), (2, 100, 1)] {
        let shape = Shape { channels: 1, height: side, width: side };
        let (size, mut next, mut asked) = ((side * side) as usize, 0, 0);
        let dataset = Dataset::collect(shape, None, count, |first, pixels, labels| {
            assert_eq!((first, pixels.len()), (next, labels.len() * size));
            assert!(labels.len() == 1 || pixels.len() <= 1 << 20, "{} bytes at once", pixels.len());
            for (i, (image, label)) in pixels.chunks_exact_mut(size).zip(labels.iter_mut()).enumerate() {
                *label = (first + i as u32) % 7;
                image.fill((first + i as u32) as u8);
            }
            (next, asked) = (next + labels.len() as u32, asked + 1);
            Ok(())
        })
        .unwrap();
        assert_eq!((next, asked, dataset.len()), (count, calls, count as usize));
        for i in 0..dataset.len() {
            let (pixels, label) = dataset.image(i);
            assert!(label == i as u32 % 7 && pixels.iter().all(|v| *v == i as u8), "image {i}");
        }
    }
}

#[test]
fn what_was_left_out_is_black_and_a_label_that_is_an_error() {
    let shape = Shape { channels: 1, height: 1, width: 2 };
    let black = Dataset::collect(shape, Some(2), 3, |_, _, labels| {
        labels.fill(1);
        Ok(())
    });
    assert_eq!(black.unwrap().image(2), (&[0, 0][..], 1));
    for classes in [None, Some(2)] {
        let forgotten = Dataset::collect(shape, classes, 3, |_, _, labels| {
            labels[..2].fill(1);
            Ok(())
        });
        assert!(argument(forgotten).starts_with("label 4294967295 of image 2"));
    }
}

#[test]
fn a_failure_ends_it() {
    let shape = Shape { channels: 1, height: 1024, width: 1024 };
    let mut calls = 0;
    let failed = Dataset::collect(shape, None, 5, |first, _, _| {
        calls += 1;
        match first {
            2 => Err(Error::Callback { name: "fill", what: "image 2".into(), code: 7 }),
            _ => Ok(()),
        }
    });
    assert!(matches!(failed, Err(Error::Callback { code: 7, .. })));
    assert_eq!(calls, 3);
}

#[test]
fn impossible_sizes_ask_for_nothing() {
    let never = |_: u32, _: &mut [u8], _: &mut [u32]| -> nse::Result<()> { panic!("asked") };
    let huge = Shape { channels: u32::MAX, height: u32::MAX, width: u32::MAX };
    assert!(argument(Dataset::collect(huge, None, 1, never)).contains("more bytes than memory can have"));
    // Fits an address, but no machine.
    let large = Shape { channels: 1 << 10, height: 1 << 15, width: 1 << 15 };
    let refused = Dataset::collect(large, None, 1 << 20, never).err().expect("it does not fit");
    assert!(matches!(refused, nse::Error::OutOfMemory(text) if text.contains("no memory for 1152921504606846976")));
    let none = Shape { channels: 1, height: 0, width: 2 };
    assert!(argument(Dataset::collect(none, None, 4, never)).contains("4 images of 1x0x2: nothing to see"));
    assert!(argument(Dataset::collect(Shape { height: 2, ..none }, None, 0, never)).contains("0 images"));
}
