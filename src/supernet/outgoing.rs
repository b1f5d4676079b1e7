//! Gradients of the parts of a rank on their way out: bucket after bucket, each as soon as the last part has all of it.

use super::streams::Side;
use crate::data::reserve;
use crate::dist::exact::{Adder, Buckets, Host, Own, Share};
use crate::error::{Error, Result};
use std::sync::mpsc::Sender;
use tch::{no_grad_guard, Device, Tensor};

/// What adds gradients, and how they come to it and back.
pub trait Carrier: Adder {
    /// So many zeros.
    fn zeros(&self, count: usize) -> Result<Self::Numbers>;

    /// Puts a gradient where its numbers begin.
    fn put(&self, numbers: &mut Self::Numbers, from: usize, gradient: &Tensor) -> Result<()>;

    /// The last of a part has been put there.
    fn close(&self, _numbers: &mut Self::Numbers) -> Result<()> {
        Ok(())
    }

    /// While it lives, what this thread has the device do is beside what the network does.
    fn beside(&self) -> Option<Side> {
        None
    }

    /// A sum, for the thread that asks.
    fn tensor(&self, sum: Self::Sum) -> Result<Tensor>;
}

impl Carrier for Host {
    fn zeros(&self, count: usize) -> Result<Vec<f32>> {
        let mut numbers = reserve("gradients", count)?;
        numbers.resize(count, 0.0);
        Ok(numbers)
    }

    fn put(&self, numbers: &mut Vec<f32>, from: usize, gradient: &Tensor) -> Result<()> {
        let flat = gradient.f_to_device(Device::Cpu)?.f_reshape([-1i64].as_slice())?.f_contiguous()?;
        let count = flat.numel();
        Ok(flat.f_copy_data(&mut numbers[from..from + count], count)?)
    }

    fn tensor(&self, sum: Vec<f32>) -> Result<Tensor> {
        Ok(Tensor::f_from_slice(&sum)?)
    }
}

pub struct Outgoing<'a, C: Carrier> {
    carrier: &'a C,
    buckets: &'a Buckets,
    to: Sender<Result<Own<C::Numbers>>>,
    /// Of every leaf, its bucket and where in it it begins.
    places: Vec<(usize, usize)>,
    /// The buckets, as far as they are filled, and how many leaves each still lacks of the part that is being computed.
    own: Vec<Own<C::Numbers>>,
    missing: Vec<usize>,
    /// Whether this part is the last, and how many buckets are gone.
    last: bool,
    gone: usize,
}

impl<'a, C: Carrier> Outgoing<'a, C> {
    pub fn new(carrier: &'a C, buckets: &'a Buckets, to: Sender<Result<Own<C::Numbers>>>) -> Self {
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
        Outgoing { carrier, buckets, to, places, own, missing: Vec::new(), last: false, gone: 0 }
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
            own.shares.push(Share { weight, numbers: self.carrier.zeros(lengths.iter().sum())? });
            self.missing.push(lengths.len());
        }
        Ok(())
    }

    /// The gradient of a leaf. An error when nobody wants any more.
    pub fn take(&mut self, leaf: usize, gradient: &Tensor) -> Result<()> {
        let _no_grad = no_grad_guard();
        let (bucket, from) = self.places[leaf];
        let share = self.own[bucket].shares.last_mut().ok_or(Error::Cancelled)?;
        self.carrier.put(&mut share.numbers, from, gradient)?;
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
        let mut own = std::mem::take(&mut self.own[self.gone]);
        if let Some(share) = own.shares.last_mut() {
            self.carrier.close(&mut share.numbers)?;
        }
        self.gone += 1;
        self.to.send(Ok(own)).map_err(|_| Error::Cancelled)
    }
}
