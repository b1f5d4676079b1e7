//! Ranks: who does what, and a self-test that sees every way in which a transport can be wrong.

use crate::threads::{on_ranks, on_ranks_with};
use nse::dist::{selftest, Crew};
use nse::search::{Collective, Ended, Solo};
use nse::{Error, Result};
use std::ops::Range;
use std::sync::Arc;

/// Claims to be one of so many, and is alone.
struct Claims(usize, usize);

impl Collective for Claims {
    fn rank(&self) -> usize {
        self.0
    }

    fn size(&self) -> usize {
        self.1
    }

    fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
        Ok(numbers)
    }

    fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        Ok(numbers)
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(vec![bytes; self.1])
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn every_piece_is_somebody_s_once_and_nobody_has_many_more() {
    for size in 1..9 {
        for count in 0..20 {
            let parts: Vec<_> = (0..size).map(|rank| Crew::new(Arc::new(Claims(rank, size)), 1).part(count)).collect();
            assert_eq!(parts.iter().cloned().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
            let sizes = || parts.iter().map(std::ops::Range::len);
            assert!(sizes().max().unwrap() - sizes().min().unwrap() <= 1, "{parts:?}");
        }
    }
}

#[test]
fn of_a_count_every_piece_is_drawn_once_and_the_last_ones_are_small() {
    for size in 1..5 {
        for count in [0, 1, 7, 32] {
            let taken = on_ranks(size, |comm| {
                let crew = Crew::new(comm, 1);
                let mut taken = Vec::new();
                // Twice: a count is not that of the time before.
                for time in 0..2 {
                    let take = |piece: Range<usize>| {
                        taken.push((time, piece));
                        Ok(())
                    };
                    crew.divide(count, take).unwrap();
                    crew.agree(Ok(())).unwrap();
                }
                taken
            });
            let mut taken = taken.concat();
            taken.sort_by_key(|(time, piece)| (*time, piece.start));
            for half in taken.chunks(taken.len().div_ceil(2).max(1)) {
                assert_eq!(half.iter().flat_map(|(_, piece)| piece.clone()).collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
                let last = half.last().unwrap().1.len();
                assert_eq!(last, if size == 1 { count } else { count.min(1) });
            }
        }
    }
    // Without a count each has its part.
    let parts = on_ranks_with(false, 3, |comm| {
        let mut own = Vec::new();
        let take = |part| {
            own.push(part);
            Ok(())
        };
        Crew::new(comm, 1).divide(7, take).unwrap();
        own
    });
    assert_eq!(parts.concat(), [0..2, 2..4, 4..7]);
}

#[test]
fn alone_nothing_is_shared_and_errors_stay_what_they_are() {
    let crew = Crew::alone();
    assert!(crew.whole() && crew.first());
    assert_eq!(crew.share(Ok(vec![(1, 2.0), (0, f64::NAN)]), 2).unwrap(), [f64::INFINITY, 2.0]);
    assert_eq!(crew.share(Ok(vec![(0, 3.0), (0, -1.0)]), 1).unwrap(), [3.0], "the greatest of a place");
    assert!(matches!(crew.share(Err(Error::Cancelled), 2), Err(Error::Cancelled)));
    crew.same("the images", "all mine").unwrap();
    assert_eq!(crew.agree(Ok(7)).unwrap(), 7);
    assert_eq!(crew.from_first(|| Ok(vec![1, 2])).unwrap(), [1, 2]);
    let mut crew = crew;
    assert!(crew.ended(3, Ended::Done { stop: true }).unwrap() && !crew.ended(4, Ended::Done { stop: false }).unwrap());
    assert!(matches!(crew.ended(5, Ended::Failed(Error::Cancelled)), Err(Error::Cancelled)));
    assert!(matches!(crew.ended(5, Ended::Unsaved(Error::Busy("search"))), Err(Error::Busy(_))));
}

/// Rank 0 of three, of which the others say what they are told to.
struct Others(&'static [f64]);

impl Collective for Others {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        3
    }

    fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
        Ok(numbers)
    }

    fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        match self.0 {
            [] => Err(Error::Busy("network")),
            others => Ok(numbers.iter().zip(others).map(|(own, other)| own.max(*other)).collect()),
        }
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(bytes)
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(vec![bytes; 3])
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }
}

/// What rank 0 hears at place 9, twice, when it says `own` and the others `said`: none of them is above 4, the worst.
fn hears(own: fn() -> Ended, said: &'static [f64]) -> [String; 2] {
    let mut crew = Crew::new(Arc::new(Others(said)), 1);
    [(); 2].map(|()| crew.ended(9, own()).map_or_else(|error| error.to_string(), |stops| format!("stops: {stops}")))
}

#[test]
fn a_piece_of_work_ends_alike_on_all_ranks() {
    const NONE: f64 = f64::NEG_INFINITY;
    let done = || Ended::Done { stop: false };
    let failed = || Ended::Failed(Error::Busy("disk"));
    let twice = |text: &str| [text.to_owned(), text.to_owned()];
    assert_eq!(hears(done, &[NONE, 0.0, 0.0, 9.0, -9.0]), twice("stops: false"));
    assert_eq!(hears(done, &[NONE, 0.0, 1.0, 9.0, -9.0]), twice("stops: true"));
    let unsaved = "rank 0 of 3: a step: rank 1 could not write down what was done; it has the error";
    assert_eq!(hears(done, &[NONE, 2.0, 0.0, 9.0, -9.0]), twice(unsaved));
    // What failed everywhere has left all where they were, and can be tried again.
    assert_eq!(hears(failed, &[NONE, 4.0, 4.0, 9.0, -9.0]), twice("disk is busy with another call"));
    assert_eq!(
        hears(|| Ended::Failed(Error::Cancelled), &[NONE, 3.0, 3.0, 9.0, -9.0]),
        twice("cancelled; the work done so far is kept")
    );
    // What failed somewhere has not.
    let apart = "rank 0 of 3: a step: the ranks hold different things since an earlier failure: load the last checkpoint on all";
    let said = hears(done, &[NONE, 0.0, 4.0, 9.0, -9.0]);
    assert_eq!(said, ["rank 0 of 3: a step: rank 2 could not do its part; it has the error", apart]);
    assert_eq!(
        hears(done, &[NONE, 0.0, 0.0, 10.0, -9.0]),
        ["rank 0 of 3: a step: the ranks are not at the same place of the search", apart]
    );
    assert_eq!(hears(done, &[]), ["network is busy with another call", apart]);
    // Whoever has an error of its own returns that.
    assert_eq!(hears(failed, &[NONE, 0.0, 0.0, 9.0, -9.0]), twice("disk is busy with another call"));
}

#[test]
fn the_selftest_holds_alone_and_finds_ranks_that_do_not_hear_each_other() {
    selftest(&Solo).unwrap();
    let said = |rank, size| selftest(&Claims(rank, size)).unwrap_err().to_string();
    assert!(said(0, 2).starts_with("rank 0 of 2: the self-test: the sum is wrong: value 0 is "), "{}", said(0, 2));
    assert!(said(1, 2).starts_with("rank 1 of 2: the self-test: the sum is wrong: value 0 is "), "{}", said(1, 2));
}

/// A transport of one rank with one fault.
struct Faulty(&'static str);

impl Collective for Faulty {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn sum(&self, mut numbers: Vec<i64>) -> Result<Vec<i64>> {
        match self.0 {
            // As 32-bit numbers, and as floats.
            "narrow" => numbers.iter_mut().for_each(|n| *n = i64::from(*n as i32)),
            "short" => drop(numbers.pop()),
            _ => {}
        }
        Ok(numbers)
    }

    fn max(&self, mut numbers: Vec<f64>) -> Result<Vec<f64>> {
        match self.0 {
            "single" => numbers.iter_mut().for_each(|n| *n = f64::from(*n as f32)),
            "part" => numbers[65_536..].fill(0.0),
            _ => {}
        }
        Ok(numbers)
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        if self.0 == "last byte" {
            *bytes.last_mut().unwrap() ^= 1;
        }
        Ok(bytes)
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        Ok(if self.0 == "twice" { vec![bytes.clone(), bytes] } else { vec![bytes] })
    }

    fn barrier(&self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn the_selftest_finds_every_fault() {
    selftest(&Faulty("none")).unwrap();
    let faults = [
        ("narrow", "the sum"),
        ("short", "the sum"),
        ("single", "the maximum"),
        ("part", "the maximum"),
        ("last byte", "the broadcast of rank 0"),
        ("twice", "the gathered parts"),
    ];
    for (fault, what) in faults {
        let said = selftest(&Faulty(fault)).unwrap_err();
        assert!(matches!(&said, Error::Collective { rank: 0, size: 1, .. }), "{said}");
        let wanted = format!("rank 0 of 1: the self-test: {what} is wrong: ");
        assert!(said.to_string().starts_with(&wanted), "{fault}: {said}");
    }
}
