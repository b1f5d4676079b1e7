//! A trainer without weights. Every operator of every cell has a known utility; accuracy and loss are linear in the sum over the
//! open ones. It also holds the search to the contract of [`Trainer`].

use crate::support::{between, chain};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::*;
use nse::space::Space;
use nse::{Error, Result};
use serde_json::Value;
use std::sync::Arc;

pub const STEPS_PER_EPOCH: u64 = 10;

/// Three cells with seven operators each, on one pixel: costs are a few hundred, so that a search takes about a millisecond.
pub fn small_space() -> Arc<Space> {
    let operators = ["mbconv_k1_t1", "mbconv_k3_t1", "mbconv_k3_t2", "mbconv_k5_t1", "conv_k3_t1", "rec_k3_t1", "dualconv_k3_t1"];
    Arc::new(chain(1, 2, &[("normal", 0, &operators), ("reduce", 3, &operators), ("normal", 0, &operators)]))
}

/// The part of the range of costs between the two fractions.
pub fn window(space: &Space, low: f64, high: f64) -> Window {
    let (least, greatest) = CostTable::new(space).range();
    let at = |part: f64| least.macs + ((greatest.macs - least.macs) as f64 * part) as u64;
    Window { low: at(low), high: at(high) }
}

/// Options from their JSON form without the objective.
pub fn options(seed: u64, window: Window, mut rest: Value) -> SearchOptions {
    rest["seed"] = seed.into();
    // Some of these spaces are tiny.
    rest["candidates"].as_object_mut().map(|candidates| candidates.entry("too_few").or_insert("accept".into()));
    if rest["candidates"].is_null() {
        rest["candidates"] = serde_json::json!({ "too_few": "accept" });
    }
    rest["objective"] = serde_json::json!({ "low": window.low, "high": window.high });
    SearchOptions::from_json(&rest.to_string()).unwrap()
}

/// All rounds, and the errors on the way.
pub fn run(search: &mut Search, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Vec<Error> {
    let mut errors = Vec::new();
    for _ in 0..100_000 {
        match search.step(trainer, observer) {
            Ok(Status::Round) => {}
            Ok(Status::Done) => return errors,
            Err(error) => errors.push(error),
        }
    }
    panic!("no end after {} errors, the last: {:?}", errors.len(), errors.last());
}

/// Records as JSON lines without the wall clock.
pub fn timeless(history: &[RoundRecord]) -> Vec<Value> {
    let mut lines: Vec<Value> = json_lines(history).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.iter_mut().for_each(|line| assert!(line.as_object_mut().unwrap().remove("seconds").is_some()));
    lines
}

pub struct Synthetic {
    space: Arc<Space>,
    pub utility: Vec<Vec<f64>>,
    /// Taken off every accuracy with every round, so that a second score of the same architecture differs.
    pub drift: f64,
    active: Vec<Vec<u16>>,
    next: Option<(u64, u64)>,
    /// Active operators with which each round began.
    pub begun: Vec<Vec<Vec<u16>>>,
    /// Operators opened by every weight step, and the paths of every architecture step.
    pub opened: Vec<Vec<Vec<u16>>>,
    pub learnt: Vec<(At, Vec<Option<TwoPaths>>)>,
    /// Shares of every step of all operators at once, and of every step of these.
    pub mixed: Vec<(At, Vec<Blend>)>,
    pub mixtures: Vec<(At, Vec<Blend>)>,
    /// Those along whose paths a weight step went.
    pub ensembles: Vec<Architecture>,
    /// What was scored in each round, in order.
    pub scored: Vec<Vec<Architecture>>,
    /// Active operators with which a round went on.
    pub kept: Vec<Vec<Vec<u16>>>,
    /// Learning rate of every step, with its round.
    pub rates: Vec<(u64, f64)>,
    /// The step at which weights were remembered last: part of its state.
    pub remembered: Option<(u64, u64)>,
    /// Networks that were trained by themselves, and whether with real weights.
    pub tried: Vec<(At, Architecture, bool)>,
}

impl Synthetic {
    /// Utilities from -0.6 to 1, different for every seed.
    pub fn new(space: &Arc<Space>, seed: u64) -> Self {
        let mut stream = Stream::new(seed, Purpose::Weights, 0, 0);
        let draw = |n: usize, stream: &mut Stream| (0..n).map(|_| between(stream, -0.6, 1.0)).collect();
        let utility = space.cells().iter().map(|cell| draw(cell.operators.len(), &mut stream)).collect();
        Synthetic {
            space: space.clone(),
            utility,
            drift: 0.0,
            active: Vec::new(),
            next: None,
            begun: Vec::new(),
            opened: Vec::new(),
            learnt: Vec::new(),
            mixed: Vec::new(),
            mixtures: Vec::new(),
            ensembles: Vec::new(),
            scored: Vec::new(),
            kept: Vec::new(),
            rates: Vec::new(),
            remembered: None,
            tried: Vec::new(),
        }
    }

    pub fn value(&self, cell: usize, open: &[u16]) -> f64 {
        open.iter().map(|o| self.utility[cell][usize::from(*o)]).sum()
    }

    /// Every active operator has a share, and nothing has one at most where a cell may be skipped.
    fn assert_blends(&self, blends: &[Blend]) {
        assert_eq!(blends.len(), self.active.len());
        for ((blend, active), cell) in blends.iter().zip(&self.active).zip(self.space.cells()) {
            let operators: Vec<u16> = blend.shares.iter().filter_map(|(choice, _)| *choice).collect();
            assert_eq!(operators, *active);
            let nothing = blend.shares.len() - operators.len();
            assert!(nothing == 0 || nothing == 1 && cell.may_be_skipped());
            assert!((blend.shares.iter().map(|(_, share)| share).sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    fn mixed_loss(&self, blends: &[Blend]) -> f64 {
        let value = |(cell, blend): (usize, &Blend)| {
            let of = |(choice, share): &(Option<u16>, f64)| choice.map_or(0.0, |o| share * self.utility[cell][usize::from(o)]);
            blend.edge.unwrap_or(1.0) * blend.shares.iter().map(of).sum::<f64>()
        };
        1.0 - blends.iter().enumerate().map(value).sum::<f64>()
    }

    /// 0.5 and half the utility, relative to what all operators together could have.
    pub fn accuracy(&self, cells: &[Vec<u16>]) -> f64 {
        let all: f64 = self.utility.iter().flatten().map(|u| u.abs()).sum();
        0.5 + cells.iter().enumerate().map(|(cell, open)| self.value(cell, open)).sum::<f64>() / (2.0 * all)
    }

    /// In how many of its cells two paths of an ensemble differ, as a part of all, on the mean.
    pub fn diversity(architecture: &Architecture) -> f64 {
        let members = architecture.members();
        let pairs: Vec<_> = (0..members.len()).flat_map(|i| (0..i).map(move |j| (i, j))).collect();
        let differ = |(i, j): &(usize, usize)| {
            let cells = members[*i].cells().iter().zip(members[*j].cells());
            cells.filter(|(a, b)| a != b).count() as f64 / members[*i].cells().len() as f64
        };
        pairs.iter().map(differ).sum::<f64>() / pairs.len().max(1) as f64
    }

    /// Of an ensemble: the mean of its members, and more when they differ.
    pub fn accuracy_of(&self, architecture: &Architecture) -> f64 {
        let members = architecture.members();
        let mean = members.iter().map(|member| self.accuracy(member.cells())).sum::<f64>() / members.len() as f64;
        (mean + 0.1 * Self::diversity(architecture)).min(1.0)
    }
}

impl Trainer for Synthetic {
    fn steps_per_epoch(&self) -> u64 {
        STEPS_PER_EPOCH
    }

    fn steps_per_candidate(&self) -> f64 {
        2.0
    }

    fn begin_round(&mut self, _: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.active = active.to_vec();
        self.next = Some((round, 0));
        self.remembered = None;
        self.begun.push(active.to_vec());
        self.scored.resize(round as usize + 1, Vec::new());
        Ok(())
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        assert_eq!(self.next, Some((at.round, at.step)), "every step once, in order");
        self.next = Some((at.round, at.step + 1));
        assert!(lr > 0.0);
        self.rates.push((at.round, lr));
        for ((open, active), cell) in open.iter().zip(&self.active).zip(self.space.cells()) {
            assert!(open.iter().all(|o| active.contains(o)), "only active operators are opened");
            assert!(!open.is_empty() || cell.may_be_skipped());
        }
        self.opened.push(open.to_vec());
        let accuracy = self.accuracy(open);
        Ok(StepOutcome { loss: 1.0 - accuracy, correct: (accuracy * 1000.0) as u64, images: 1000 })
    }

    fn ensemble_step(&mut self, at: At, ensemble: &Architecture, lr: f64) -> Result<StepOutcome> {
        assert!(ensemble.paths().is_ensemble());
        let members = ensemble.members();
        self.ensembles.push(ensemble.clone());
        let outcome = self.weight_step(at, members[0].cells(), lr)?;
        for member in &members[1..] {
            self.next = Some((at.round, at.step));
            self.weight_step(at, member.cells(), lr)?;
        }
        Ok(outcome)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        assert_eq!(self.next, Some((at.round, at.step + 1)), "after the weight half of the same step");
        self.active = active.to_vec();
        self.learnt.push((at, paths.to_vec()));
        let gradient = |cell: usize| {
            let Some(two) = &paths[cell] else {
                assert!(active[cell].len() < 2, "None only without two different paths");
                return PathGradient::default();
            };
            assert_eq!((two.selected.len(), two.unselected.len()), (active[cell].len(), active[cell].len()));
            assert_ne!(two.selected, two.unselected);
            assert!(two.ps > 0.0 && two.ps < 1.0);
            let value = |gates: &[bool]| {
                let open: Vec<u16> = active[cell].iter().zip(gates).filter(|(_, open)| **open).map(|(o, _)| *o).collect();
                assert!(!open.is_empty() || self.space.cells()[cell].may_be_skipped());
                self.value(cell, &open)
            };
            PathGradient { selected: -value(&two.selected), unselected: -value(&two.unselected) }
        };
        Ok((0.5, (0..active.len()).map(gradient).collect()))
    }

    fn mixed_step(&mut self, at: At, blends: &[Blend], lr: f64) -> Result<StepOutcome> {
        assert_eq!(self.next, Some((at.round, at.step)), "every step once, in order");
        self.next = Some((at.round, at.step + 1));
        assert!(lr > 0.0);
        self.assert_blends(blends);
        self.mixed.push((at, blends.to_vec()));
        Ok(StepOutcome { loss: self.mixed_loss(blends), correct: 500, images: 1000 })
    }

    fn mixture_step(&mut self, at: At, blends: &[Blend]) -> Result<(f64, Vec<BlendGradient>)> {
        assert_eq!(self.next, Some((at.round, at.step + 1)), "after the weight half of the same step");
        self.assert_blends(blends);
        self.mixtures.push((at, blends.to_vec()));
        let gradient = |(cell, blend): (usize, &Blend)| {
            let value = |choice: &Option<u16>| choice.map_or(0.0, |o| self.utility[cell][usize::from(o)]);
            let sum: f64 = blend.shares.iter().map(|(choice, share)| share * value(choice)).sum();
            let edge = blend.edge.unwrap_or(1.0);
            BlendGradient { shares: blend.shares.iter().map(|(choice, _)| -edge * value(choice)).collect(), edge: -sum }
        };
        Ok((self.mixed_loss(blends), blends.iter().enumerate().map(gradient).collect()))
    }

    fn keep(&mut self, active: &[Vec<u16>]) -> Result<()> {
        assert!(active.iter().zip(&self.active).all(|(now, before)| now.iter().all(|o| before.contains(o))));
        self.active = active.to_vec();
        let round = self.next.unwrap().0 + 1;
        self.next = Some((round, 0));
        self.kept.push(active.to_vec());
        self.scored.resize(round as usize + 1, Vec::new());
        Ok(())
    }

    fn rehearse(&mut self, at: At, network: &Architecture, schedule: Schedule, real: bool, control: &dyn Control) -> Result<f64> {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        assert!(schedule.total > 0 && schedule.peak > 0.0 && network.within(&self.active));
        self.tried.push((at, network.clone(), real));
        // Real weights make up for half of what is missing.
        let accuracy = self.accuracy(network.cells());
        Ok(if real { 0.5 + 0.5 * accuracy } else { accuracy })
    }

    fn remember(&mut self) -> Result<()> {
        self.remembered = self.next;
        Ok(())
    }

    /// Every operator has a weight of two numbers, which training turns by 1 and its utility.
    fn compare(&self, active: &[Vec<u16>]) -> Result<Comparison> {
        assert!(self.remembered.is_some());
        let parts = |cell: usize, o: u16| {
            let kernels = Products { both: (1.0 + self.utility[cell][usize::from(o)]).cos(), then: 1.0, now: 1.0 };
            Parts { kernels, norms: Products::default() }
        };
        let cells = active.iter().enumerate().map(|(cell, active)| active.iter().map(|o| (*o, parts(cell, *o))).collect());
        Ok(Comparison { ends: Products::constant(1.0), cells: cells.collect() })
    }

    /// Its only state that matters: round and step of what comes next, and of what it remembers.
    fn save(&self, active: &[Vec<u16>]) -> Result<Arrays> {
        assert!(active.iter().zip(&self.active).all(|(now, begun)| now.iter().all(|o| begun.contains(o))));
        let (round, step) = self.next.unwrap();
        let then = self.remembered.map_or((-1.0, -1.0), |(round, step)| (round as f32, step as f32));
        Ok(Arrays::from([("next".into(), Array { shape: vec![4], values: vec![round as f32, step as f32, then.0, then.1] })]))
    }

    fn restore(&mut self, _: u64, round: u64, active: &[Vec<u16>], arrays: &Arrays) -> Result<()> {
        let wrong = || Error::Argument { name: "weights", reason: "not those of a synthetic trainer".into() };
        let next = arrays.get("next").filter(|next| next.values.len() == 4).ok_or_else(wrong)?;
        assert!(
            [round, round.wrapping_sub(1)].contains(&(next.values[0] as u64)),
            "of this round, or of the one it goes on from"
        );
        self.next = Some((next.values[0] as u64, next.values[1] as u64));
        self.remembered = (next.values[2] >= 0.0).then_some((next.values[2] as u64, next.values[3] as u64));
        self.active = active.to_vec();
        self.scored.resize(round as usize + 1, Vec::new());
        Ok(())
    }

    fn data(&self) -> String {
        format!("{:?}", self.utility)
    }

    fn score(&mut self, _: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        if control.cancelled() {
            return Err(Error::Cancelled);
        }
        assert!(!candidates.is_empty());
        self.scored[round as usize].extend(candidates.iter().cloned());
        Ok(candidates.iter().map(|a| self.accuracy_of(a) - self.drift * round as f64).collect())
    }

    fn judge(
        &mut self,
        seed: u64,
        round: u64,
        candidates: &[Architecture],
        difference: Option<Difference>,
        control: &dyn Control,
    ) -> Result<Vec<Judged>> {
        let accuracies = self.score(seed, round, candidates, control)?.into_iter();
        let diversity = |a: &Architecture| difference.map_or(0.0, |_| Self::diversity(a));
        Ok(accuracies.zip(candidates).map(|(accuracy, a)| Judged { accuracy, diversity: diversity(a) }).collect())
    }
}

/// The part of a trainer around another one that is the other's.
macro_rules! stored_by {
    ($inner:tt) => {
        fn save(&self, active: &[Vec<u16>]) -> nse::Result<nse::search::Arrays> {
            self.$inner.save(active)
        }

        fn restore(&mut self, seed: u64, round: u64, active: &[Vec<u16>], arrays: &nse::search::Arrays) -> nse::Result<()> {
            self.$inner.restore(seed, round, active, arrays)
        }

        fn keep(&mut self, active: &[Vec<u16>]) -> nse::Result<()> {
            self.$inner.keep(active)
        }

        fn remember(&mut self) -> nse::Result<()> {
            self.$inner.remember()
        }

        fn compare(&self, active: &[Vec<u16>]) -> nse::Result<nse::search::Comparison> {
            self.$inner.compare(active)
        }

        fn data(&self) -> String {
            self.$inner.data()
        }
    };
}
pub(crate) use stored_by;
