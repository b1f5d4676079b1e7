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
pub struct Share<N> {
    /// Images of the part / images of the batch.
    pub weight: f64,
    /// Gradients as if the part were the whole batch, tensor after tensor.
    pub numbers: N,
}

/// What a rank brings to a bucket: its parts' shares, and numbers by their place that all are to know.
pub struct Own<N> {
    pub shares: Vec<Share<N>>,
    pub notes: Vec<(usize, f64)>,
}

impl<N> Default for Own<N> {
    fn default() -> Self {
        Own { shares: Vec::new(), notes: Vec::new() }
    }
}

/// By what the numbers of a tensor are multiplied before they become whole numbers.
#[derive(Clone, Copy)]
pub struct Scale {
    /// How many numbers the tensor has.
    pub length: usize,
    /// A power of two.
    pub factor: f64,
}

/// Where the numbers of a bucket are, and what adds them there.
pub trait Adder {
    /// Of a part, all tensors' one after the other.
    type Numbers;
    type Sum;
    /// For the sum: what can fail on one rank alone is made before the others count on it.
    type Room;

    fn room(&self, count: usize) -> Result<Self::Room>;

    /// Of every tensor the greatest absolute value; not finite when one of its numbers is not.
    fn greatest(&self, numbers: &Self::Numbers, lengths: &[usize]) -> Result<Vec<f64>>;

    /// Every number of a share times its weight and its tensor's factor, cut off to a whole number and not rounded, which is the same to every part;
    /// their sums over all shares of all ranks, divided by the factor.
    fn add(&self, crew: &Crew, shares: Vec<Share<Self::Numbers>>, scales: &[Scale], room: Self::Room) -> Result<Self::Sum>;
}

/// In the memory of the host, by the collectives of the crew.
pub struct Host;

impl Adder for Host {
    type Numbers = Vec<f32>;
    type Sum = Vec<f32>;
    type Room = (Vec<i64>, Vec<f32>);

    fn room(&self, count: usize) -> Result<Self::Room> {
        Ok((reserve("gradients", count)?, reserve("gradients", count)?))
    }

    fn greatest(&self, numbers: &Vec<f32>, lengths: &[usize]) -> Result<Vec<f64>> {
        let mut rest = numbers.as_slice();
        let most = lengths.iter().map(|length| {
            let (numbers, behind) = rest.split_at(*length);
            rest = behind;
            // The order of floats without sign is that of their bits, with what is no number at the end.
            f64::from(f32::from_bits(numbers.iter().map(|number| number.abs().to_bits()).max().unwrap_or(0)))
        });
        Ok(most.collect())
    }

    fn add(&self, crew: &Crew, shares: Vec<Share<Vec<f32>>>, scales: &[Scale], room: Self::Room) -> Result<Vec<f32>> {
        let (mut whole, mut sum) = room;
        whole.resize(scales.iter().map(|scale| scale.length).sum(), 0);
        for share in shares {
            let mut from = 0;
            for scale in scales {
                let (range, by) = (from..from + scale.length, share.weight * scale.factor);
                from = range.end;
                let pairs = whole[range.clone()].iter_mut().zip(&share.numbers[range]);
                pairs.for_each(|(sum, number)| *sum += (f64::from(*number) * by) as i64);
            }
        }
        let mut numbers = crew.sum(whole)?.into_iter();
        for scale in scales {
            let by = 1.0 / scale.factor;
            sum.extend(numbers.by_ref().take(scale.length).map(|number| (number as f64 * by) as f32));
        }
        Ok(sum)
    }
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
pub struct Added<S> {
    /// By bucket; none when a gradient anywhere is not finite.
    pub sums: Option<Vec<S>>,
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
    pub fn add<A: Adder>(
        &self,
        crew: &Crew,
        adder: &A,
        mut given: impl Iterator<Item = Result<Own<A::Numbers>>>,
    ) -> Result<Added<A::Sum>> {
        let (mut sums, mut notes) = (Some(Vec::with_capacity(self.buckets.len())), Vec::new());
        for bucket in 0..self.buckets.len() {
            let own = given.next().unwrap_or_else(|| Err(crew.error("a step", "its gradients are not there".into())));
            let places = if bucket == 0 { self.notes } else { 0 };
            let (sum, told) = add_one(crew, adder, own, self.lengths(bucket), places, sums.is_some())?;
            sums = sums.zip(sum).map(|(mut sums, sum)| {
                sums.push(sum);
                sums
            });
            notes.extend(told);
        }
        Ok(Added { sums, notes })
    }
}

/// One bucket; its sum is not made when one of its numbers is not finite, or when it is not `wanted`.
fn add_one<A: Adder>(
    crew: &Crew,
    adder: &A,
    own: Result<Own<A::Numbers>>,
    lengths: &[usize],
    notes: usize,
    wanted: bool,
) -> Result<(Option<A::Sum>, Vec<f64>)> {
    // All that can fail here comes before the others hear of it.
    let own = own.and_then(|own| {
        let mut said: Vec<_> = own.notes.iter().map(|(place, number)| (lengths.len() + place, *number)).collect();
        for share in &own.shares {
            let greatest = adder.greatest(&share.numbers, lengths)?;
            said.extend(greatest.into_iter().map(|most| most * share.weight).enumerate());
        }
        Ok((said, own.shares, adder.room(lengths.iter().sum())?))
    });
    let (said, own) = match own {
        Err(error) => (Err(error), None),
        Ok((said, shares, room)) => (Ok(said), Some((shares, room))),
    };
    let mut said = crew.share(said, lengths.len() + notes)?;
    let notes = said.split_off(lengths.len());
    let Some((shares, room)) = own.filter(|_| wanted && said.iter().all(|most| most.is_finite())) else {
        return Ok((None, notes));
    };
    let spare = crew.shards().next_power_of_two().trailing_zeros() as i32;
    let scales: Vec<_> =
        lengths.iter().zip(&said).map(|(length, most)| Scale { length: *length, factor: factor(*most, spare) }).collect();
    Ok((Some(adder.add(crew, shares, &scales, room)?), notes))
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
