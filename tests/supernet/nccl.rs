//! Gradients that ranks add where they are: an NCCL of our own, in the memory of this process, shows that everything around it is right. It
//! takes its time as the real one does: a call returns before it is done.

use crate::ranks::{options, run_alone, run_patiently, End};
use crate::support::{small, stripes};
use crate::threads::on_ranks;
use nse::search::{At, Collective, Trainer};
use nse::supernet::nccl::{Comm, Config, Id, Library, Nccl, INT64, IN_PROGRESS, SUCCESS, SUM};
use nse::supernet::SupernetTrainer;
use nse::{Error, Result};
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::slice;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tch::{Device, Kind, Tensor};

const SYSTEM_ERROR: c_int = 2;

/// The ranks that share an id.
#[derive(Default)]
struct World {
    ranks: usize,
    joined: usize,
    /// Of every turn how many have added to it, and the sums.
    turns: Vec<(usize, Vec<i64>)>,
    /// How many calls rank 1 makes before one is refused.
    good: Option<usize>,
    /// Nobody waits any more.
    lost: bool,
    sums: usize,
    destroyed: usize,
    aborted: usize,
}

struct Rank {
    world: Arc<Mutex<World>>,
    rank: usize,
    turn: usize,
    /// Where the sum is wanted.
    wanted: Option<(usize, usize)>,
}

static WORLDS: OnceLock<Mutex<BTreeMap<u8, Arc<Mutex<World>>>>> = OnceLock::new();
static NEXT: AtomicU8 = AtomicU8::new(1);
/// Refusals to join.
static SHY: AtomicUsize = AtomicUsize::new(0);

fn world(id: u8) -> Arc<Mutex<World>> {
    WORLDS.get_or_init(Mutex::default).lock().unwrap().entry(id).or_default().clone()
}

unsafe extern "C" fn get_unique_id(id: *mut Id) -> c_int {
    (*id).0 = [NEXT.fetch_add(1, SeqCst); 128];
    SUCCESS
}

unsafe extern "C" fn comm_init_rank_config(comm: *mut Comm, size: c_int, id: Id, rank: c_int, _: *mut Config) -> c_int {
    if SHY.load(SeqCst) == 1 && rank == 1 {
        return SYSTEM_ERROR;
    }
    let world = world(id.0[127]);
    {
        let mut world = world.lock().unwrap();
        world.ranks = size as usize;
        world.joined += 1;
        if SHY.load(SeqCst) == 2 {
            world.good = Some(2);
        }
    }
    *comm = Box::into_raw(Box::new(Rank { world, rank: rank as usize, turn: 0, wanted: None })).cast();
    IN_PROGRESS
}

unsafe extern "C" fn comm_get_async_error(comm: Comm, state: *mut c_int) -> c_int {
    let rank = &mut *comm.cast::<Rank>();
    let world = rank.world.lock().unwrap();
    *state = match rank.wanted {
        _ if world.joined < world.ranks => IN_PROGRESS,
        None => SUCCESS,
        Some((at, count)) => match &world.turns[rank.turn] {
            (ranks, sums) if *ranks == world.ranks => {
                slice::from_raw_parts_mut(at as *mut i64, count).copy_from_slice(sums);
                rank.wanted = None;
                rank.turn += 1;
                SUCCESS
            }
            _ => IN_PROGRESS,
        },
    };
    SUCCESS
}

unsafe extern "C" fn all_reduce(
    from: *const c_void,
    to: *mut c_void,
    count: usize,
    kind: c_int,
    op: c_int,
    comm: Comm,
    queue: *mut c_void,
) -> c_int {
    assert!(from == to && (kind, op) == (INT64, SUM) && queue.is_null());
    let rank = &mut *comm.cast::<Rank>();
    let mut world = rank.world.lock().unwrap();
    world.sums += 1;
    if rank.rank == 1 && world.good == Some(rank.turn) {
        world.lost = true;
        return SYSTEM_ERROR;
    }
    let turn = rank.turn;
    if world.turns.len() == turn {
        world.turns.push((0, vec![0; count]));
    }
    let (ranks, sums) = &mut world.turns[turn];
    *ranks += 1;
    let own = slice::from_raw_parts(from.cast::<i64>(), count);
    sums.iter_mut().zip(own).for_each(|(sum, number)| *sum = sum.checked_add(*number).expect("no sum overflows"));
    rank.wanted = Some((to as usize, count));
    IN_PROGRESS
}

unsafe extern "C" fn comm_finalize(_: Comm) -> c_int {
    SUCCESS
}

unsafe extern "C" fn comm_destroy(comm: Comm) -> c_int {
    Box::from_raw(comm.cast::<Rank>()).world.lock().unwrap().destroyed += 1;
    SUCCESS
}

unsafe extern "C" fn comm_abort(comm: Comm) -> c_int {
    Box::from_raw(comm.cast::<Rank>()).world.lock().unwrap().aborted += 1;
    SUCCESS
}

unsafe extern "C" fn get_error_string(_: c_int) -> *const c_char {
    c"out of sorts".as_ptr()
}

static LIBRARY: Library = Library {
    get_unique_id,
    comm_init_rank_config,
    comm_get_async_error,
    all_reduce,
    comm_finalize,
    comm_destroy,
    comm_abort,
    get_error_string,
};

/// Whose time is over when a rank of the newest world is lost.
struct Watched(Arc<dyn Collective>, u8);

impl Collective for Watched {
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
    fn late(&self, _: Instant) -> Option<String> {
        world(self.1).lock().unwrap().lost.then(|| "not all ranks came".into())
    }
}

fn trainer(comm: Arc<dyn Collective>, library: Option<&'static Library>) -> SupernetTrainer {
    let mut trainer = SupernetTrainer::new(small(), &stripes(150, 1), None, &options(4)).unwrap();
    trainer.join_with(comm, library).unwrap();
    trainer
}

/// For one test at a time: the worlds and the refusals are those of the process.
static ALONE: Mutex<()> = Mutex::new(());

#[test]
fn ranks_add_where_their_gradients_are() {
    let _alone = ALONE.lock();
    let alone = run_alone(4);
    let search = |library: fn(usize) -> Option<&'static Library>| {
        move |comm: Arc<dyn Collective>| -> End {
            let library = library(comm.rank());
            run_patiently(&options(4), trainer(comm, library))
        }
    };
    for size in [2, 3] {
        let id = NEXT.load(SeqCst);
        assert!(on_ranks(size, search(|_| Some(&LIBRARY))).iter().all(|end| *end == alone), "{size} ranks: the same bits");
        let world = world(id);
        let world = world.lock().unwrap();
        assert!(world.sums > 10 && world.turns.len() * size == world.sums, "{} sums", world.sums);
        assert_eq!((world.destroyed, world.aborted), (size, 0), "all took leave");
    }

    // One has none: nobody uses it.
    let id = NEXT.load(SeqCst);
    assert!(on_ranks(2, search(|rank| (rank == 0).then_some(&LIBRARY))).iter().all(|end| *end == alone));
    assert_eq!(NEXT.load(SeqCst), id);

    // One cannot join: the other waits for it until its patience ends, and both go by way of the host.
    SHY.store(1, SeqCst);
    let ends = on_ranks(2, |comm| {
        if comm.rank() == 1 {
            world(id).lock().unwrap().lost = true;
        }
        comm.barrier().unwrap();
        search(|_| Some(&LIBRARY))(Arc::new(Watched(comm, id)))
    });
    assert!(ends.iter().all(|end| *end == alone));
    let shy = world(id);
    assert!(matches!(&*shy.lock().unwrap(), World { sums: 0, aborted: 1, destroyed: 0, .. }));

    // One fails in the middle of a step: an error there, and an error for who waits for it.
    SHY.store(2, SeqCst);
    let id = NEXT.load(SeqCst);
    let errors = on_ranks(2, |comm| {
        let mut trainer = trainer(Arc::new(Watched(comm, id)), Some(&LIBRARY));
        trainer.begin_round(2, 0, &[vec![0], vec![0, 1], vec![0, 1, 2]]).unwrap();
        let step = |step| trainer.weight_step(At { seed: 2, round: 0, step }, &[vec![0], vec![1], vec![2]], 0.1);
        let failed: Vec<Error> = (0..9).map(step).filter_map(Result::err).take(2).collect();
        failed.iter().map(|error| error.to_string()).collect::<Vec<_>>()
    });
    SHY.store(0, SeqCst);
    assert!(errors[1][0].contains("NCCL: out of sorts (2)"), "{errors:?}");
    assert!(errors[0][0].contains("not all ranks came"), "{errors:?}");
    assert!(errors.iter().all(|errors| errors[1].contains("it failed before")), "{errors:?}");
    let world = world(id);
    let world = world.lock().unwrap();
    assert_eq!((world.destroyed, world.aborted), (0, 2), "the device waits for nobody");
}

#[test]
fn only_whole_numbers_of_its_device_are_added() {
    let _alone = ALONE.lock();
    let nccl = Nccl::join(Some(&LIBRARY), Arc::new(nse::search::Solo), Device::Cpu).unwrap().unwrap();
    let whole = Tensor::from_slice(&[1_i64, -7]);
    nccl.sum(&whole).unwrap();
    assert_eq!(Vec::<i64>::try_from(whole).unwrap(), [1, -7]);
    let error = nccl.sum(&Tensor::zeros([2], (Kind::Float, Device::Cpu))).unwrap_err().to_string();
    assert!(error.contains("is not whole numbers on Cpu"), "{error}");
}
