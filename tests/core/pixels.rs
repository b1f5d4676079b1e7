//! Memory of the host behind a dataset: read where it is, given back once, when the last view is gone.

use nse::data::{Dataset, Pixels};
use nse::search::{Purpose, Stream};
use nse::space::Shape;
use nse::Error;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Arc;

const SHAPE: Shape = Shape { channels: 1, height: 2, width: 2 };

/// The host's side: its memory, and how often it was given back.
struct Owner {
    memory: Box<[u8]>,
    returned: Arc<AtomicU32>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What still read here after the end would not see what it should.
        self.memory.fill(0xee);
        self.returned.fetch_add(1, Ordering::SeqCst);
    }
}

fn memory(images: u32) -> (Vec<u8>, Vec<u32>) {
    ((0..images * 4).map(|i| (i * 37 % 251) as u8).collect(), (0..images).map(|i| i % 3).collect())
}

fn borrowed(images: u32) -> (Pixels, NonNull<u8>, Arc<AtomicU32>) {
    let returned = Arc::new(AtomicU32::new(0));
    let mut owner = Owner { memory: memory(images).0.into(), returned: returned.clone() };
    let (first, len) = (NonNull::new(owner.memory.as_mut_ptr()).unwrap(), owner.memory.len());
    // SAFETY: the owner has the memory, and nobody writes it before its end.
    (unsafe { Pixels::borrow(first, len, owner) }, first, returned)
}

#[test]
fn borrowed_pixels_are_where_they_were_and_equal_copied_ones() {
    let (pixels, first, returned) = borrowed(6);
    let (copy, labels) = memory(6);
    let there = Dataset::from_memory(SHAPE, None, pixels, labels.clone()).unwrap();
    let here = Dataset::from_memory(SHAPE, None, copy, labels).unwrap();
    assert_eq!(there.image(0).0.as_ptr(), first.as_ptr().cast_const());
    assert_eq!(there.fingerprint(), here.fingerprint());
    assert_eq!(returned.load(Ordering::SeqCst), 0);
    drop(there);
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

#[test]
fn the_last_view_gives_them_back_on_whatever_thread() {
    let (pixels, _, returned) = borrowed(12);
    let whole = Dataset::from_memory(SHAPE, None, pixels, memory(12).1).unwrap();
    let seen = whole.fingerprint();
    let (rest, part) = whole.split(0.25, 3).unwrap();
    let chosen = part.choose(2, &mut Stream::new(1, Purpose::Calibration, 0, 0)).unwrap();
    let clone = whole.clone();
    drop((whole, rest, part));
    assert_eq!(returned.load(Ordering::SeqCst), 0);
    assert_eq!(clone.fingerprint(), seen);
    std::thread::spawn(move || drop(clone)).join().unwrap();
    assert_eq!((returned.load(Ordering::SeqCst), chosen.len()), (0, 2));
    std::thread::spawn(move || drop(chosen)).join().unwrap();
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}

#[test]
fn pixels_that_make_no_dataset_are_given_back() {
    for labels in [vec![0; 5], vec![0; 7], vec![], vec![9; 6]] {
        let (pixels, _, returned) = borrowed(6);
        assert!(matches!(Dataset::from_memory(SHAPE, Some(3), pixels, labels), Err(Error::Argument { name: "images", .. })));
        assert_eq!(returned.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn many_threads_may_read() {
    let (pixels, _, returned) = borrowed(50);
    let dataset = Dataset::from_memory(SHAPE, None, pixels, memory(50).1).unwrap();
    let seen = dataset.fingerprint();
    let readers: Vec<_> = (0..4).map(|_| dataset.clone()).map(|d| std::thread::spawn(move || d.fingerprint())).collect();
    drop(dataset);
    for reader in readers {
        assert_eq!(reader.join().unwrap(), seen);
    }
    assert_eq!(returned.load(Ordering::SeqCst), 1);
}
