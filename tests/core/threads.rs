//! Ranks that are threads of this process.

use nse::search::Collective;
use nse::Result;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Barrier, Mutex};

/// One rank of a group of threads.
struct Thread {
    rank: usize,
    group: Arc<Group>,
    /// How many counts it has begun.
    counts: AtomicUsize,
}

struct Group {
    said: Mutex<Vec<Vec<u8>>>,
    barrier: Barrier,
    /// What was drawn of every count; none where ranks share none.
    drawn: Option<Mutex<Vec<u64>>>,
}

impl Thread {
    fn group(size: usize, counts: bool) -> Vec<Arc<dyn Collective>> {
        let (said, drawn) = (Mutex::new(vec![Vec::new(); size]), counts.then(Mutex::default));
        let group = Arc::new(Group { said, barrier: Barrier::new(size), drawn });
        let thread = |rank| Thread { rank, group: group.clone(), counts: AtomicUsize::new(0) };
        (0..size).map(|rank| Arc::new(thread(rank)) as Arc<dyn Collective>).collect()
    }

    fn fold<const N: usize, T>(&self, own: Vec<T>, to: fn(T) -> [u8; N], from: fn([u8; N]) -> T, fold: fn(T, T) -> T) -> Vec<T> {
        let all = self.gather(own.into_iter().flat_map(to).collect()).unwrap();
        let numbers = |bytes: &Vec<u8>| bytes.chunks_exact(N).map(|n| from(n.try_into().unwrap())).collect::<Vec<T>>();
        let both = |a: Vec<T>, b: Vec<T>| a.into_iter().zip(b).map(|(a, b)| fold(a, b)).collect();
        // Last rank first: no result may depend on the order.
        all.iter().rev().map(numbers).reduce(both).unwrap()
    }
}

impl Collective for Thread {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.group.said.lock().unwrap().len()
    }

    fn sum(&self, numbers: Vec<i64>) -> Result<Vec<i64>> {
        Ok(self.fold(numbers, i64::to_ne_bytes, i64::from_ne_bytes, |a, b| a.checked_add(b).expect("no sum overflows")))
    }

    fn max(&self, numbers: Vec<f64>) -> Result<Vec<f64>> {
        assert!(numbers.iter().all(|n| !n.is_nan()), "a maximum has no NaN");
        Ok(self.fold(numbers, f64::to_ne_bytes, f64::from_ne_bytes, f64::max))
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        Ok(self.gather(bytes)?.swap_remove(0))
    }

    fn gather(&self, bytes: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        self.group.said.lock().unwrap()[self.rank] = bytes;
        self.group.barrier.wait();
        let all = self.group.said.lock().unwrap().clone();
        self.group.barrier.wait();
        Ok(all)
    }

    fn barrier(&self) -> Result<()> {
        self.group.barrier.wait();
        Ok(())
    }

    fn draw(&self, anew: bool) -> Result<Option<u64>> {
        let Some(drawn) = &self.group.drawn else { return Ok(None) };
        let (count, mut drawn) = (self.counts.fetch_add(anew.into(), Relaxed) + usize::from(anew), drawn.lock().unwrap());
        if drawn.len() < count {
            drawn.push(0);
        }
        drawn[count - 1] += 1;
        Ok(Some(drawn[count - 1] - 1))
    }
}

/// The others would wait for a rank that panics, and for ever.
struct Loud;

impl Drop for Loud {
    fn drop(&mut self) {
        if std::thread::panicking() {
            std::process::abort();
        }
    }
}

/// Runs `body` on every rank, and returns what they make of it.
pub fn on_ranks<R: Send>(size: usize, body: impl Fn(Arc<dyn Collective>) -> R + Sync) -> Vec<R> {
    on_ranks_with(true, size, body)
}

/// The same with a count that they share, or without.
pub fn on_ranks_with<R: Send>(counts: bool, size: usize, body: impl Fn(Arc<dyn Collective>) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let running: Vec<_> = Thread::group(size, counts).into_iter().map(|comm| scope.spawn(|| (Loud, body(comm)).1)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
