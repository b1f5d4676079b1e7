//! Gradients of the parts of a rank on their way out: bucket after bucket, each as soon as the last part has all of it.

use crate::data::reserve;
use crate::dist::exact::{Buckets, Own, Share};
use crate::error::{Error, Result};
use std::sync::mpsc::Sender;
use tch::{no_grad_guard, Device, Tensor};

pub struct Outgoing<'a> {
    buckets: &'a Buckets,
    to: Sender<Result<Own>>,
    /// Of every leaf, its bucket and where in it it begins.
    places: Vec<(usize, usize)>,
    /// The buckets, as far as they are filled, and how many leaves each still lacks of the part that is being computed.
    own: Vec<Own>,
    missing: Vec<usize>,
    /// Whether this part is the last, and how many buckets are gone.
    last: bool,
    gone: usize,
}

impl<'a> Outgoing<'a> {
    pub fn new(buckets: &'a Buckets, to: Sender<Result<Own>>) -> Self {
        let mut places = Vec::new();
        for (bucket, tensors) in buckets.tensors().iter().enumerate() {
            let mut from = 0;
            for length in buckets.lengths(bucket) {
                places.push((bucket, from));
                from += length;
            }
            debug_assert_eq!(places.len(), tensors.end);
        }
        let own = buckets.tensors().iter().map(|_| Own::default()).collect();
        Outgoing { buckets, to, places, own, missing: Vec::new(), last: false, gone: 0 }
    }

    /// What all ranks are to know with the first bucket; before the gradients of the last part.
    pub fn note(&mut self, place: usize, number: f64) {
        self.own[0].notes.push((place, number));
    }

    /// A part of so many of the batch's images begins, all of whose gradients are zero until they are taken.
    pub fn begin(&mut self, weight: f64, last: bool) -> Result<()> {
        self.last = last;
        self.missing.clear();
        for (bucket, own) in self.own.iter_mut().enumerate() {
            let lengths = self.buckets.lengths(bucket);
            let count = lengths.iter().sum();
            let mut numbers = reserve("gradients", count)?;
            numbers.resize(count, 0.0);
            own.shares.push(Share { weight, numbers });
            self.missing.push(lengths.len());
        }
        Ok(())
    }

    /// The gradient of a leaf. An error when nobody wants any more.
    pub fn take(&mut self, leaf: usize, gradient: &Tensor) -> Result<()> {
        let _no_grad = no_grad_guard();
        let (bucket, from) = self.places[leaf];
        let flat = gradient.f_to_device(Device::Cpu)?.f_reshape([-1i64].as_slice())?.f_contiguous()?;
        let count = flat.numel();
        let share = self.own[bucket].shares.last_mut().ok_or(Error::Cancelled)?;
        flat.f_copy_data(&mut share.numbers[from..from + count], count)?;
        self.missing[bucket] -= 1;
        while self.last && self.missing.get(self.gone) == Some(&0) {
            self.send()?;
        }
        Ok(())
    }

    /// All parts are computed, or one failed. What no loss depends on is still here.
    pub fn end(mut self, computed: Result<()>) {
        let ended = computed.and_then(|()| (self.gone..self.own.len()).try_for_each(|_| self.send()));
        if let Err(error) = ended {
            // When nobody listens they have an error of their own.
            let _ = self.to.send(Err(error));
        }
    }

    fn send(&mut self) -> Result<()> {
        let own = std::mem::take(&mut self.own[self.gone]);
        self.gone += 1;
        self.to.send(Ok(own)).map_err(|_| Error::Cancelled)
    }
}
