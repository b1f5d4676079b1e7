//! Candidates of a search in parts: whoever is done takes what others have not begun.

use crate::ranks::trainer;
use crate::support::small;
use crate::threads::on_ranks;
use nse::arch::Architecture;
use nse::dist::{Environment, Place, Transport};
use nse::search::{Collective, Control, Silent, Solo, Trainer};
use nse::supernet::C10d;
use nse::Result;
use std::cell::Cell;
use std::net::TcpListener;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Rank 0 does not go on with its first candidates before rank 1 comes to the end of all that it can get.
#[test]
fn who_is_done_takes_what_others_have_not_begun() {
    struct Watched(Arc<dyn Collective>, Arc<(Mutex<[bool; 2]>, Condvar)>, Cell<u32>);
    /// Says when rank 1 has no candidates any more: in its first sum after rank 0 has begun.
    struct Last(Arc<dyn Collective>, Arc<(Mutex<[bool; 2]>, Condvar)>);
    impl Collective for Last {
        fn rank(&self) -> usize {
            self.0.rank()
        }
        fn size(&self) -> usize {
            self.0.size()
        }
        fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
            self.0.sum(numbers)
        }
        fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
            if self.rank() == 1 {
                let mut known = self.1 .0.lock().unwrap();
                known[1] = known[0];
                self.1 .1.notify_all();
            }
            self.0.max(numbers)
        }
        fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
            self.0.broadcast(bytes)
        }
        fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
            self.0.gather(bytes)
        }
        fn barrier(&self) -> Result<()> {
            self.0.barrier()
        }
        fn draw(&self, anew: bool) -> Result<Option<u64>> {
            self.0.draw(anew)
        }
    }
    impl Watched {
        fn tell(&self, what: usize) {
            self.1 .0.lock().unwrap()[what] = true;
            self.1 .1.notify_all();
        }

        fn until(&self, what: usize) {
            drop(self.1 .1.wait_while(self.1 .0.lock().unwrap(), |known| !known[what]).unwrap());
        }
    }
    impl Control for Watched {
        fn cancelled(&self) -> bool {
            self.2.set(self.2.get() + 1);
            if self.0.rank() == 0 {
                self.tell(0);
                self.until(1);
            } else {
                self.until(0);
            }
            false
        }
    }
    let (space, state) = (small(), Arc::new((Mutex::new([false; 2]), Condvar::new())));
    let candidates: Vec<_> = (0..20).map(|i| vec![vec![0], vec![i % 2], vec![i / 2 % 3]]).collect();
    let candidates: Vec<_> = candidates.into_iter().map(|cells| Architecture::new(&space, cells).unwrap()).collect();
    let active = vec![vec![0], vec![0, 1], vec![0, 1, 2]];
    let ends = on_ranks(2, |comm| {
        let mut trainer = trainer(2, Arc::new(Last(comm.clone(), state.clone()))).unwrap();
        trainer.begin_round(2, 0, &active).unwrap();
        let watched = Watched(comm, state.clone(), Cell::new(0));
        let scores = trainer.score(2, 0, &candidates, &watched).unwrap();
        (scores, watched.2.get())
    });
    let mut alone = trainer(2, Arc::new(Solo)).unwrap();
    alone.begin_round(2, 0, &active).unwrap();
    let scores = alone.score(2, 0, &candidates, &Silent).unwrap();
    assert!(ends.iter().all(|(found, _)| *found == scores));
    assert!(ends[1].1 > 2 * ends[0].1, "{} questions on rank 0, {} on rank 1", ends[0].1, ends[1].1);
}

/// Two ranks of c10d that draw at once: every number once, and another count begins anew.
#[test]
fn a_count_in_the_store_gives_every_number_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let drawn: Vec<Vec<Vec<u64>>> = std::thread::scope(|scope| {
        let draw = |rank| {
            let place = Place { rank, size: 2, local_rank: rank };
            let at = Environment { place, address: "127.0.0.1".into(), port, served: false, attempt: 0 };
            let mut group = C10d::join(&at, "drawn", Some(Duration::from_secs(60))).unwrap();
            let turns = (0..3).map(|_| {
                let numbers = (0..50).map(|i| group.draw(i == 0).unwrap().unwrap()).collect();
                group.barrier().unwrap();
                numbers
            });
            turns.collect()
        };
        let running: Vec<_> = (0..2).map(|rank| scope.spawn(move || draw(rank))).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (one, other) in drawn[0].iter().zip(&drawn[1]) {
        let mut numbers = [&one[..], other].concat();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<u64>>());
    }
}
