//! Gradients that several ranks add: the same bits whoever has which part and wherever a bucket ends, and nobody is left waiting.

use crate::threads::on_ranks;
use nse::dist::exact::{Added, Buckets, Host, Own, Share};
use nse::dist::Crew;
use nse::search::{Collective, Purpose, Solo, Stream};
use nse::{Error, Result};
use std::sync::Arc;

const SHARDS: usize = 5;
const LENGTHS: [usize; 6] = [3, 1, 0, 40, 7, 100];

/// Of a part its weight and all its numbers: of every tensor another size, some of them zero everywhere.
fn part(index: usize) -> (f64, Vec<f32>) {
    let mut stream = Stream::new(3, Purpose::Weights, 0, index as u64);
    let scales = [1e-20, 1.0, 1.0, 3e5, 0.0, 1e-3];
    let numbers = LENGTHS.iter().zip(scales).flat_map(|(length, scale)| vec![scale; *length]);
    ((index + 1) as f64 / 15.0, numbers.map(|scale| ((stream.uniform() - 0.5) * scale) as f32).collect())
}

/// What a rank brings to its buckets.
fn own<'a>(crew: &'a Crew, buckets: &'a Buckets) -> impl Iterator<Item = Result<Own<Vec<f32>>>> + 'a {
    let mut from = 0;
    (0..buckets.tensors().len()).map(move |bucket| {
        let length = buckets.lengths(bucket).iter().sum::<usize>();
        let range = from..from + length;
        from += length;
        let shares = crew.part(SHARDS).map(|index| {
            let (weight, numbers) = part(index);
            Share { weight, numbers: numbers[range.clone()].to_vec() }
        });
        let notes = if bucket == 0 { crew.part(SHARDS).map(|index| (index, index as f64 / 2.0)).collect() } else { Vec::new() };
        Ok(Own { shares: shares.collect(), notes })
    })
}

fn added(comm: Arc<dyn Collective>, least: usize) -> Added<Vec<f32>> {
    let (crew, buckets) = (Crew::new(comm, SHARDS), Buckets::new(LENGTHS.to_vec(), least, SHARDS));
    buckets.add(&crew, &Host, own(&crew, &buckets)).unwrap()
}

fn flat(added: &Added<Vec<f32>>) -> Vec<u32> {
    added.sums.iter().flatten().flatten().map(|number| number.to_bits()).collect()
}

#[test]
fn any_ranks_and_any_buckets_give_the_same_bits() {
    let alone = added(Arc::new(Solo), usize::MAX);
    assert_eq!(alone.notes, [0.0, 0.5, 1.0, 1.5, 2.0]);
    let sums = alone.sums.as_ref().unwrap();
    assert!(sums.len() == 1 && sums[0].len() == 151);
    // Every one of them as near as a 32-bit float can be to what 64 bits add.
    for (place, sum) in sums[0].iter().enumerate() {
        let exact: f64 = (0..SHARDS).map(part).map(|(weight, numbers)| weight * f64::from(numbers[place])).sum();
        assert!((f64::from(*sum) - exact).abs() <= exact.abs() * 6e-8, "{place}: {sum} {exact}");
    }
    for (least, count) in [(1, 5), (4, 4), (45, 2)] {
        let cut = added(Arc::new(Solo), least);
        assert_eq!(cut.sums.as_ref().unwrap().len(), count, "{least}");
        assert!(flat(&cut) == flat(&alone) && cut.notes == alone.notes, "{least}");
        for size in [2, 3, 7] {
            assert!(on_ranks(size, |comm| added(comm, least)).iter().all(|one| *one == cut), "{size} ranks, {least}");
        }
    }
}

#[test]
fn nothing_to_add_is_one_bucket_all_the_same() {
    let buckets = Buckets::new(Vec::new(), 4, 1);
    let own = std::iter::once(Ok(Own { shares: Vec::new(), notes: vec![(0, 7.0)] }));
    assert_eq!(buckets.add(&Crew::alone(), &Host, own).unwrap(), Added { sums: Some(vec![Vec::new()]), notes: vec![7.0] });
}

#[test]
fn a_number_that_is_none_is_known_to_all_and_what_was_noted_too() {
    for (bad, at) in [(f32::NAN, 0), (f32::INFINITY, 3), (f32::NEG_INFINITY, 4)] {
        let ends = on_ranks(3, |comm| {
            let (crew, buckets) = (Crew::new(comm, SHARDS), Buckets::new(LENGTHS.to_vec(), 1, SHARDS));
            let third = crew.part(SHARDS).start == 3;
            let own = own(&crew, &buckets).enumerate().map(|(bucket, own)| {
                let mut own = own?;
                if third && bucket == at {
                    own.shares[1].numbers[0] = bad;
                }
                Ok(own)
            });
            buckets.add(&crew, &Host, own).unwrap()
        });
        assert!(ends.iter().all(|end| end.sums.is_none() && end.notes == [0.0, 0.5, 1.0, 1.5, 2.0]), "{bad} {ends:?}");
    }
}

/// What fails on one rank between two buckets, or is never given, ends it there and everywhere.
#[test]
fn a_rank_that_fails_on_the_way_is_named_to_the_others() {
    for (ends, own_error) in
        [(false, "disk is busy with another call"), (true, "rank 1 of 3: a step: its gradients are not there")]
    {
        for at in 0..5 {
            let said = on_ranks(3, |comm| {
                let victim = comm.rank() == 1;
                let (crew, buckets) = (Crew::new(comm, SHARDS), Buckets::new(LENGTHS.to_vec(), 1, SHARDS));
                let whole = own(&crew, &buckets).take(if victim { at } else { usize::MAX });
                let failure = (victim && !ends).then_some(Err(Error::Busy("disk")));
                buckets.add(&crew, &Host, whole.chain(failure)).unwrap_err().to_string()
            });
            let elsewhere = |rank| format!("rank {rank} of 3: a step: rank 1 could not do its part; it has the error");
            assert_eq!(said, [elsewhere(0), own_error.to_owned(), elsewhere(2)], "at {at}");
        }
    }
}
