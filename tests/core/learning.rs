//! How theta decides: gates are drawn with the latest theta of every operator, and the worst below the threshold leave.

use crate::support::assert_frequencies;
use crate::synthetic::{options, run, small_space, stored_by, timeless, window, Synthetic};
use nse::arch::Architecture;
use nse::cost::CostTable;
use nse::search::fitness::{probability, theta_gradient, Adam, CellFitness};
use nse::search::*;
use nse::space::Space;
use nse::Result;
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::sync::Arc;

const THRESHOLD: f64 = -0.8;

/// One round, in which operators leave all the time and every architecture is inside the window.
fn restless(space: &Arc<Space>, seed: u64) -> Search {
    let rest = json!({
        "active": 4, "rounds": 1, "train": { "epochs": 3 }, "candidates": { "count": 2, "extras": 0 },
        "fitness": { "interval": 1, "lr": 0.3, "threshold": THRESHOLD }
    });
    Search::new(space.clone(), options(seed, window(space, 0.0, 1.0), rest)).unwrap()
}

/// Holds the operators that left in one step against those that stayed.
struct Leaving {
    active: RefCell<Vec<Vec<u16>>>,
    left: Cell<u32>,
    /// Steps in which a reduce cell had to choose which of several to lose.
    chosen: Cell<u32>,
}

impl Control for Leaving {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Leaving {
    fn event(&self, event: &Event, search: &Search) {
        if event.kind != EventKind::Train {
            return;
        }
        let before = self.active.replace(search.active());
        for (i, (cell, active)) in search.space().cells().iter().zip(search.active()).enumerate() {
            let theta = |o: &u16| search.scores()[i][usize::from(*o)];
            let left: Vec<f64> = before[i].iter().filter(|o| !active.contains(o)).map(theta).collect();
            let unfit: Vec<f64> = active.iter().map(theta).filter(|t| *t < THRESHOLD).collect();
            assert!(left.iter().all(|theta| *theta < THRESHOLD), "only those below the threshold leave");
            assert!(
                unfit.is_empty() || (!cell.may_be_skipped() && active.len() == 2),
                "all of them, where the cell can do without"
            );
            assert!(left.iter().all(|gone| unfit.iter().all(|kept| gone <= kept)), "the worst first");
            self.left.set(self.left.get() + left.len() as u32);
            self.chosen.set(self.chosen.get() + u32::from(!left.is_empty() && !unfit.is_empty()));
        }
    }
}

#[test]
fn the_worst_below_the_threshold_leave() {
    let space = small_space();
    let (mut left, mut chosen) = (0, 0);
    for seed in 0..250 {
        let mut search = restless(&space, seed);
        let leaving = Leaving { active: RefCell::new(search.active()), left: Cell::new(0), chosen: Cell::new(0) };
        let mut trainer = Synthetic::new(&space, seed);
        // In the reduce cell all are bad, one more than the other, so that several fall together.
        trainer.utility[1].iter_mut().for_each(|u| *u -= 1.5);
        search.step(&mut trainer, &leaving).unwrap();
        (left, chosen) = (left + leaving.left.get(), chosen + leaving.chosen.get());
    }
    assert!(left > 1000 && chosen > 5, "{left} left, {chosen} times one of several was chosen");
}

/// Compares the probabilities behind the two paths with the scores that the observer saw last.
struct Believer<'a> {
    inner: Synthetic,
    scores: &'a RefCell<Vec<Vec<f64>>>,
    compared: u32,
}

impl Trainer for Believer<'_> {
    fn steps_per_epoch(&self) -> u64 {
        self.inner.steps_per_epoch()
    }

    fn steps_per_candidate(&self) -> f64 {
        self.inner.steps_per_candidate()
    }

    fn begin_round(&mut self, seed: u64, round: u64, active: &[Vec<u16>]) -> Result<()> {
        self.inner.begin_round(seed, round, active)
    }

    fn weight_step(&mut self, at: At, open: &[Vec<u16>], lr: f64) -> Result<StepOutcome> {
        self.inner.weight_step(at, open, lr)
    }

    fn architecture_step(&mut self, at: At, active: &[Vec<u16>], paths: &[Option<TwoPaths>]) -> Result<(f64, Vec<PathGradient>)> {
        let scores = self.scores.borrow();
        for (cell, two) in paths.iter().enumerate().filter_map(|(cell, two)| Some((cell, two.as_ref()?))) {
            let theta = active[cell].iter().map(|o| scores[cell][usize::from(*o)]);
            // Before the first step theta is 0, and no score is known.
            let p: Vec<f64> = theta.map(|t| probability(if t.is_nan() { 0.0 } else { t })).collect();
            let expected = TwoPaths::new(&p, two.selected.clone(), two.unselected.clone()).ps;
            assert!((two.ps - expected).abs() < 1e-12, "step {}, cell {cell}: {} and {expected}", at.step, two.ps);
            self.compared += 1;
        }
        drop(scores);
        self.inner.architecture_step(at, active, paths)
    }

    stored_by!(inner);

    fn score(&mut self, seed: u64, round: u64, candidates: &[Architecture], control: &dyn Control) -> Result<Vec<f64>> {
        self.inner.score(seed, round, candidates, control)
    }
}

struct Copier<'a>(&'a RefCell<Vec<Vec<f64>>>);

impl Control for Copier<'_> {
    fn cancelled(&self) -> bool {
        false
    }
}

impl Observer for Copier<'_> {
    fn event(&self, _: &Event, search: &Search) {
        self.0.replace(search.scores().to_vec());
    }
}

#[test]
fn paths_are_drawn_with_the_theta_of_their_operators() {
    let space = small_space();
    let mut compared = 0;
    for seed in 0..100 {
        let mut search = restless(&space, seed);
        let scores = RefCell::new(search.scores().to_vec());
        let mut trainer = Believer { inner: Synthetic::new(&space, seed), scores: &scores, compared: 0 };
        search.step(&mut trainer, &Copier(&scores)).unwrap();
        compared += trainer.compared;
    }
    assert!(compared > 5000, "{compared} compared");
}

/// The whole pool active, one round of 200 steps, an architecture step after every third.
fn steady(seed: u64, lr: f64) -> (Search, Synthetic) {
    let space = small_space();
    let rest = json!({
        "active": 7, "rounds": 2, "train": { "epochs": 20 }, "candidates": { "count": 6, "extras": 0 },
        "fitness": { "interval": 3, "lr": lr, "threshold": -1e6 }
    });
    let mut search = Search::new(space.clone(), options(seed, window(&space, 0.0, 1.0), rest)).unwrap();
    let mut trainer = Synthetic::new(&space, 1);
    assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    (search, trainer)
}

#[test]
fn an_architecture_step_follows_every_interval() {
    let (_, trainer) = steady(1, 0.0);
    let expected: Vec<_> = [0, 1].iter().flat_map(|round| (2..200).step_by(3).map(|step| (*round, step))).collect();
    assert_eq!(trainer.learnt.iter().map(|(at, _)| (at.round, at.step)).collect::<Vec<_>>(), expected);
    assert!(trainer.learnt.iter().all(|(at, _)| at.seed == 1));
}

/// Weights are trained evenly, whatever has been learnt: every gate at one half, without the empty set where it is not allowed.
#[test]
fn weight_steps_open_every_operator_half_of_the_time() {
    let mut counts = vec![vec![0; 128]; 3];
    for seed in 0..10 {
        // The second round has only what the front uses.
        for open in &steady(seed, 0.1).1.opened[..200] {
            for (cell, open) in open.iter().enumerate() {
                counts[cell][open.iter().map(|o| 1 << o).sum::<usize>()] += 1;
            }
        }
    }
    for (cell, counts) in counts.iter().enumerate() {
        let mut expected = vec![1.0 / 128.0; 128];
        if cell == 1 {
            expected = vec![1.0 / 127.0; 128];
            expected[0] = 0.0;
        }
        assert_frequencies(counts, &expected, &format!("gates of cell {cell}"));
    }
}

/// Nothing is learnt and everything is active, so only the streams can make a difference.
#[test]
fn every_seed_and_every_round_draws_anew() {
    let [(one, first), (two, second)] = [1, 2].map(|seed| steady(seed, 0.0));
    assert_ne!(first.scored[0], second.scored[0], "candidates of another seed");
    assert_ne!(first.opened, second.opened, "gates of another seed");
    let fresh = first.scored[1].iter().filter(|a| !first.scored[0].contains(a)).count();
    assert!(fresh >= 5, "{fresh} of 6 candidates of the second round were not in the first");
    assert_ne!(timeless(one.history()), timeless(two.history()));
}

/// Three of seven are active in every round, and as positions among these the gates can be compared.
#[test]
fn every_round_opens_other_operators() {
    let space = small_space();
    let rest = json!({ "active": 3, "rounds": 2, "train": { "epochs": 3 }, "candidates": { "count": 1, "extras": 0 },
                       "fitness": { "lr": 0.0 } });
    let mut search = Search::new(space.clone(), options(1, window(&space, 0.0, 1.0), rest)).unwrap();
    let mut trainer = Synthetic::new(&space, 1);
    assert!(run(&mut search, &mut trainer, &Silent).is_empty());
    let gates = |round: usize| -> Vec<Vec<Vec<bool>>> {
        let active = &trainer.begun[round];
        assert!(active.iter().all(|a| a.len() == 3));
        let of = |open: &Vec<Vec<u16>>| open.iter().zip(active).map(|(o, a)| a.iter().map(|x| o.contains(x)).collect()).collect();
        trainer.opened[30 * round..30 * (round + 1)].iter().map(of).collect()
    };
    assert_ne!(gates(0), gates(1));
}

/// Theta computed again from the recorded paths: d utility and d penalty at the expected cost of the two paths, then Adam.
#[test]
fn theta_follows_the_published_formulas() {
    let space = small_space();
    let costs = CostTable::new(&space);
    let rest = json!({
        "active": 7, "rounds": 1, "train": { "epochs": 10 }, "candidates": { "count": 2, "extras": 0 },
        "fitness": { "interval": 1, "lr": 0.02, "threshold": -1e6 }
    });
    let mut options = options(9, window(&space, 0.0, 1.0), rest);
    options.objective.target = Some(400.0);
    let mut search = Search::new(space.clone(), options.clone()).unwrap();
    let mut trainer = Synthetic::new(&space, 9);
    search.step(&mut trainer, &Silent).unwrap();

    let adam = Adam { lr: 0.02, beta1: 0.0, beta2: 0.999 };
    let mut cells = vec![CellFitness::new(7); 3];
    let open = |gates: &[bool]| (0..7).filter(|o| gates[usize::from(*o)]).collect::<Vec<u16>>();
    let macs = |cell: usize, gates: &[bool]| costs.branches(cell, &open(gates)).macs as f64;
    assert_eq!(trainer.learnt.len(), 100);
    for (_, paths) in &trainer.learnt {
        let paths: Vec<_> = paths.iter().map(|two| two.as_ref().unwrap()).collect();
        let expected =
            |cell: usize, two: &TwoPaths| two.ps * macs(cell, &two.selected) + (1.0 - two.ps) * macs(cell, &two.unselected);
        let total: f64 = paths.iter().enumerate().map(|(cell, two)| expected(cell, two)).sum();
        let pull = options.objective.slope(costs.fixed().macs as f64 + total);
        for (cell, two) in paths.iter().enumerate() {
            let slope = |gates: &[bool]| pull * macs(cell, gates) - trainer.value(cell, &open(gates));
            let gradient = theta_gradient(cells[cell].theta(), two, slope(&two.selected), slope(&two.unselected));
            cells[cell].update(&adam, &gradient);
        }
    }
    for (scores, cell) in search.scores().iter().zip(&cells) {
        assert!(scores.iter().zip(cell.theta()).all(|(a, b)| (a - b).abs() < 1e-9), "{scores:?} and {:?}", cell.theta());
    }
}
