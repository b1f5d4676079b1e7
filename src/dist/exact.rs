//! Gradients of all ranks added exactly, in buckets: so that the weights do not depend on who computed which part, on how many ranks
//! there are, or on where one bucket ends and the next begins.
//!
//! Floating-point sums depend on their order, and a network of ranks has its own. So the numbers of a tensor are added as whole numbers:
//! a common factor, a power of two, makes the greatest one near 2^62, and what is lost below 1 is 2^-60 of it, where a 32-bit
//! float loses 2^-24 of itself.

use super::Crew;
use crate::data::reserve;
use crate::error::Result;
use std::ops::Range;

/// What one part of a batch adds to a bucket.
pub struct Share {
    /// Images of the part / images of the batch.
    pub weight: f64,
    /// Gradients as if the part were the whole batch, tensor after tensor.
    pub numbers: Vec<f32>,
}

/// What a rank brings to a bucket: its parts' shares, and numbers by their place that all are to know.
#[derive(Default)]
pub struct Own {
    pub shares: Vec<Share>,
    pub notes: Vec<(usize, f64)>,
}

/// In which buckets tensors are added; the same on all ranks.
pub struct Buckets {
    lengths: Vec<usize>,
    buckets: Vec<Range<usize>>,
    /// Places for notes, with the first bucket.
    notes: usize,
}

/// What all ranks know afterwards.
#[derive(Debug, PartialEq)]
pub struct Added {
    /// By bucket; none when a gradient anywhere is not finite.
    pub sums: Option<Vec<Vec<f32>>>,
    pub notes: Vec<f64>,
}

impl Buckets {
    /// Tensors of these lengths one after the other, in buckets of at least `least` numbers, but for the last one. There is always one.
    pub fn new(lengths: Vec<usize>, least: usize, notes: usize) -> Self {
        let (mut buckets, mut first, mut numbers) = (Vec::new(), 0, 0);
        for (tensor, length) in lengths.iter().enumerate() {
            numbers += length;
            if numbers >= least {
                buckets.push(first..tensor + 1);
                (first, numbers) = (tensor + 1, 0);
            }
        }
        if first < lengths.len() || buckets.is_empty() {
            buckets.push(first..lengths.len());
        }
        Buckets { lengths, buckets, notes }
    }

    /// The tensors of every bucket.
    pub fn tensors(&self) -> &[Range<usize>] {
        &self.buckets
    }

    /// Of the tensors of a bucket, how many numbers each has.
    pub fn lengths(&self, bucket: usize) -> &[usize] {
        &self.lengths[self.buckets[bucket].clone()]
    }

    /// Adds up what every rank brings, bucket after bucket, as `given` has them. An error in `given`, or its end before the last bucket,
    /// is the end of it on all ranks: there what failed, elsewhere which rank it was.
    pub fn add(&self, crew: &Crew, mut given: impl Iterator<Item = Result<Own>>) -> Result<Added> {
        let (mut sums, mut notes) = (Some(Vec::with_capacity(self.buckets.len())), Vec::new());
        for bucket in 0..self.buckets.len() {
            let own = given.next().unwrap_or_else(|| Err(crew.error("a step", "its gradients are not there".into())));
            let places = if bucket == 0 { self.notes } else { 0 };
            let (sum, told) = self.add_one(crew, own, self.lengths(bucket), places, sums.is_some())?;
            sums = sums.zip(sum).map(|(mut sums, sum)| {
                sums.push(sum);
                sums
            });
            notes.extend(told);
        }
        Ok(Added { sums, notes })
    }

    /// One bucket; its sum is not made when one of its numbers is not finite, or when it is not `wanted`.
    fn add_one(
        &self,
        crew: &Crew,
        own: Result<Own>,
        lengths: &[usize],
        notes: usize,
        wanted: bool,
    ) -> Result<(Option<Vec<f32>>, Vec<f64>)> {
        let count = lengths.iter().sum();
        // All that can fail here comes before the others hear of it.
        let own = own.and_then(|own| {
            let whole = reserve::<i64>("gradients", count)?;
            Ok((own, whole, reserve::<f32>("gradients", count)?))
        });
        let (said, own) = match own {
            Err(error) => (Err(error), None),
            Ok(own) => {
                let known = own.0.notes.iter().map(|(place, number)| (lengths.len() + place, *number));
                (Ok(greatest(&own.0.shares, lengths).chain(known).collect()), Some(own))
            }
        };
        let mut said = crew.share(said, lengths.len() + notes)?;
        let notes = said.split_off(lengths.len());
        let Some((own, mut whole, mut sum)) = own.filter(|_| wanted && said.iter().all(|most| most.is_finite())) else {
            return Ok((None, notes));
        };
        whole.resize(count, 0);
        let spare = crew.shards().next_power_of_two().trailing_zeros() as i32;
        let mut from = 0;
        for (length, most) in lengths.iter().zip(&said) {
            let factor = factor(*most, spare);
            for share in &own.shares {
                let by = share.weight * factor;
                let numbers = share.numbers[from..from + length].iter();
                // Cut off and not rounded, which is the same to every part.
                whole[from..from + length]
                    .iter_mut()
                    .zip(numbers)
                    .for_each(|(sum, number)| *sum += (f64::from(*number) * by) as i64);
            }
            from += length;
        }
        drop(own);
        let mut numbers = crew.sum(whole)?.into_iter();
        for (length, most) in lengths.iter().zip(&said) {
            let by = 1.0 / factor(*most, spare);
            sum.extend(numbers.by_ref().take(*length).map(|number| (number as f64 * by) as f32));
        }
        Ok((Some(sum), notes))
    }
}

/// Of every tensor, and every share of it, the place and the greatest absolute value that it adds; not finite when one of its numbers
/// is not.
fn greatest<'a>(shares: &'a [Share], lengths: &'a [usize]) -> impl Iterator<Item = (usize, f64)> + 'a {
    shares.iter().flat_map(move |share| {
        let mut from = 0;
        lengths.iter().enumerate().map(move |(tensor, length)| {
            let numbers = &share.numbers[from..from + length];
            from += length;
            // The order of floats without sign is that of their bits, with what is no number at the end.
            let most = numbers.iter().map(|number| number.abs().to_bits()).max().unwrap_or(0);
            (tensor, f64::from(f32::from_bits(most)) * share.weight)
        })
    })
}

/// The power of two by which numbers of at most `most` can be multiplied so that the sum of 2^spare of them stays below 2^62.
fn factor(most: f64, spare: i32) -> f64 {
    // All of them are zero.
    if most == 0.0 {
        return 1.0;
    }
    // `most` is below 2^exponent.
    let exponent = (most.to_bits() >> 52 & 0x7ff) as i32 - 1022;
    2f64.powi(61 - exponent - spare)
}
