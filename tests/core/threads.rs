//! Ranks that are threads of this process.

use nse::search::Collective;
use nse::Result;
use std::sync::{Arc, Barrier, Mutex};

/// One rank of a group of threads.
struct Thread {
    rank: usize,
    group: Arc<Group>,
}

struct Group {
    said: Mutex<Vec<Vec<u8>>>,
    barrier: Barrier,
}

impl Thread {
    fn group(size: usize) -> Vec<Arc<dyn Collective>> {
        let group = Arc::new(Group { said: Mutex::new(vec![Vec::new(); size]), barrier: Barrier::new(size) });
        (0..size).map(|rank| Arc::new(Thread { rank, group: group.clone() }) as Arc<dyn Collective>).collect()
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
    std::thread::scope(|scope| {
        let running: Vec<_> = Thread::group(size).into_iter().map(|comm| scope.spawn(|| (Loud, body(comm)).1)).collect();
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}
