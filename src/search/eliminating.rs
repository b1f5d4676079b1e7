//! A search whose operators leave by how sampled networks perform (BNAS, CP-NAS): which networks a round has, what their results make of the
//! operators, and the network that is left.

use super::engine::{Phase, Search};
use super::ledger::Outcome;
use super::notes;
use super::observe::{Control, EventKind, Observer, Silent};
use super::pareto::Scored;
use super::random::{Purpose, Stream};
use super::recursion::{child_parent, networks, performance};
use super::schedule::Schedule;
use super::scorer::Scores;
use super::sought::Sought;
use super::strategy::{Choice, Eliminate, Rule};
use super::train_options::TrainOptions;
use super::trainer::{At, Trainer};
use crate::arch::Architecture;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Trainings of a search that are told apart by a number: that of a sampled network is above those of rounds.
const TRIALS: u64 = 1 << 32;

/// More sums of prices than these are not told apart where the last network is chosen.
const MOST: usize = 1 << 17;

/// What goes on from round to round, and the networks of the round under way.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Elimination {
    /// s of every choice; nothing at first, which is 0.
    s: Scores,
    /// One operator, or none, in every cell. Empty before they are drawn.
    pub networks: Vec<Architecture>,
}

/// How good a sampled network is, and the same one with real weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trial {
    pub accuracy: f64,
    pub parent: f64,
}

/// What a cell of a network does.
fn choice(network: &Architecture, cell: usize) -> Choice {
    network.cells()[cell].first().copied()
}

impl Search {
    fn eliminates(&self) -> Option<&Eliminate> {
        match self.seeks() {
            Sought::Survivor(eliminate) => Some(eliminate),
            _ => None,
        }
    }

    /// Cells, as edges, of every node that chooses two of them.
    pub(super) fn joined(&self) -> Vec<Vec<usize>> {
        let stack = self.space.stack().filter(|stack| {
            let skeleton = stack.plan().skeleton;
            self.eliminates().is_some() && skeleton.concatenates() && !skeleton.blocks()
        });
        let nodes = stack.into_iter().flat_map(|stack| (0..stack.graphs().len()).flat_map(|graph| stack.nodes(graph)));
        nodes.map(Iterator::collect).collect()
    }

    fn choices_of(&self, cell: usize) -> Vec<Choice> {
        let children = self.all_children();
        let nothing = children.skippable[cell].then_some(None);
        children.active[cell].iter().map(|o| Some(*o)).chain(nothing).collect()
    }

    /// Samples the networks of the round. By the scores of the round those of every cell are in question that are worse, rounded up; where nothing has
    /// scores, as where the host evaluates, by s, and among equals by lot.
    fn sampled(&self) -> Result<Vec<Architecture>> {
        let Some(eliminate) = self.eliminates() else { return Ok(Vec::new()) };
        let stream = |part| Stream::new(self.options.seed, Purpose::Trials, self.run.round, part);
        let mut lot = stream(u64::MAX);
        let none = Scores::default();
        let scores = self.run.scores.as_ref().or(self.run.elimination.as_ref().map(|e| &e.s)).unwrap_or(&none);
        let mut in_question = |cell: usize| {
            let mut all = self.choices_of(cell);
            lot.shuffle(&mut all);
            let score =
                |choice: &Choice| Some(scores.of(cell, *choice)).filter(|score| !score.is_nan()).unwrap_or(f64::NEG_INFINITY);
            all.sort_by(|a, b| score(a).total_cmp(&score(b)));
            if eliminate.rule == Rule::Performance {
                all.truncate(all.len().div_ceil(2));
            }
            all.sort_unstable();
            all
        };
        let cells: Vec<Vec<Choice>> = (0..self.space.cells().len()).map(&mut in_question).collect();
        let times = match eliminate.rule {
            Rule::Performance => eliminate.times,
            Rule::ChildParent => cells.iter().map(Vec::len).max().unwrap_or(0),
        };
        let of =
            |network: Vec<Choice>| Architecture::new(&self.space, network.into_iter().map(|c| c.into_iter().collect()).collect());
        networks(&cells, times, stream).into_iter().map(of).collect()
    }

    /// The round has networks to sample from now on; the last one has that which is left.
    pub(super) fn begin_trials(&mut self) -> Result<()> {
        let networks = match self.searches() {
            true => vec![self.survivor()?],
            false => self.sampled()?,
        };
        if let Some(ledger) = &mut self.run.told {
            ledger.first.clone_from(&networks);
            ledger.first.sort_unstable();
            ledger.first.dedup();
        }
        self.run.elimination.get_or_insert_default().networks = networks;
        Ok(())
    }

    /// Networks that a round samples: about, of one to come.
    pub(super) fn trials_of(&self, round: u64) -> u64 {
        let Some(eliminate) = self.eliminates().filter(|_| round + 1 < self.run.rounds && self.run.told.is_none()) else {
            return 0;
        };
        let most = (0..self.space.cells().len()).map(|cell| self.choices_of(cell).len()).max().unwrap_or(1) as u64;
        let left = most.saturating_sub(round - self.run.round.min(round)).max(1);
        match eliminate.rule {
            Rule::Performance => left.div_ceil(2) * eliminate.times as u64,
            Rule::ChildParent => left * left * 2,
        }
    }

    /// How a sampled network is trained.
    fn rehearsal(&self, eliminate: &Eliminate, steps_per_epoch: u64) -> Schedule {
        let train = self.options.train.clone();
        let train = TrainOptions { epochs: eliminate.epochs, lr: eliminate.lr.unwrap_or(train.lr), ..train };
        train.schedule(train.steps(steps_per_epoch))
    }

    /// Trains and scores the next network, or ends the round.
    pub(super) fn try_next(&mut self, trainer: &mut dyn Trainer, observer: &dyn Observer) -> Result<bool> {
        let Phase::Try { trials } = &self.run.phase else { return Ok(false) };
        let (Some(eliminate), Some(elimination)) = (self.eliminates(), &self.run.elimination) else { return Ok(false) };
        let (done, all) = (trials.len(), elimination.networks.len());
        let Some(network) = elimination.networks.get(done) else {
            let trials = trials.clone();
            self.eliminate(&trials)?;
            notes::round_finished(self);
            observer.event(&self.event(EventKind::Finish, 1, 1, trainer), self);
            return Ok(true);
        };
        // What every rank does by itself does not end on one of them alone.
        let control: &dyn Control = if trainer.alone() { observer } else { &Silent };
        let number = TRIALS + (self.run.round << 20) + done as u64;
        let at = At { seed: self.options.seed, round: number, step: 0 };
        let schedule = self.rehearsal(eliminate, trainer.steps_per_epoch());
        let parents = eliminate.rule == Rule::ChildParent && self.space.binary().is_some();
        let mut tried = |real| match trainer.rehearse(at, network, schedule, real, control) {
            // A network that cannot be trained is a bad one, and no reason to stop.
            Err(Error::Diverged { .. }) => Ok(0.0),
            Ok(accuracy) if !(0.0..=1.0).contains(&accuracy) => {
                Err(Error::Argument { name: "trainer", reason: format!("an accuracy of {accuracy} is not in 0 to 1") })
            }
            tried => tried,
        };
        let accuracy = tried(false)?;
        let trial = Trial { accuracy, parent: if parents { tried(true)? } else { accuracy } };
        self.run.meter.scored(1);
        if let Phase::Try { trials } = &mut self.run.phase {
            trials.push(trial);
        }
        observer.event(&self.event(EventKind::Score, done as u64 + 1, all as u64, trainer), self);
        Ok(true)
    }

    /// The end of a round that is no last one, with what is known of its networks: every cell loses one choice.
    fn eliminate(&mut self, trials: &[Trial]) -> Result<()> {
        let s = self.judged(trials);
        if let Some(elimination) = &mut self.run.elimination {
            *elimination = Elimination { s: s.clone(), networks: Vec::new() };
        }
        self.run.scores = Some(s);
        let mut record = self.record(&[], &[]);
        if self.run.told.is_some() {
            let mean = trials.iter().map(|trial| trial.accuracy).sum::<f64>() / trials.len().max(1) as f64;
            (record.loss, record.accuracy) = (1.0 - mean, mean);
        }
        let change = self.standing(|now| self.strategy().change(now));
        self.close(record, &change, None);
        Ok(())
    }

    /// s of every choice, by the results of the round's networks.
    fn judged(&self, trials: &[Trial]) -> Scores {
        let (Some(eliminate), Some(elimination)) = (self.eliminates(), &self.run.elimination) else { return Scores::default() };
        let value = |trial: &Trial| match eliminate.rule {
            Rule::Performance => trial.accuracy,
            Rule::ChildParent => child_parent(trial.accuracy, trial.parent, eliminate.parent),
        };
        let of_cell = |cell: usize| {
            let mut sums: BTreeMap<Choice, (f64, f64)> = BTreeMap::new();
            for (network, trial) in elimination.networks.iter().zip(trials) {
                let sum = sums.entry(choice(network, cell)).or_default();
                *sum = (sum.0 + value(trial), sum.1 + 1.0);
            }
            let means: BTreeMap<Choice, f64> = sums.into_iter().map(|(choice, (sum, count))| (choice, sum / count)).collect();
            let before = |choice: Choice| Some(elimination.s.of(cell, choice)).filter(|s| !s.is_nan()).unwrap_or(0.0);
            let before: Vec<_> = self.choices_of(cell).into_iter().map(|choice| (choice, before(choice))).collect();
            match eliminate.rule {
                Rule::Performance => performance(&before, &means),
                Rule::ChildParent => {
                    before.into_iter().map(|(choice, s)| (choice, means.get(&choice).copied().unwrap_or(s))).collect()
                }
            }
        };
        let all: Vec<BTreeMap<Choice, f64>> =
            (0..self.space.cells().len()).map(|cell| of_cell(cell).into_iter().collect()).collect();
        Scores::new(&self.all_children(), |(cell, choice)| all[cell].get(&choice).copied().unwrap_or(f64::NAN))
    }

    /// Of cells with these operators, what a network may do where it chooses for itself, each time with its price and s: two edges of every node,
    /// as many as have operators, or something in every other cell.
    fn parts(&self, operators: &[Vec<u16>], skippable: &[bool]) -> Vec<Vec<Part>> {
        let s = self.run.elimination.as_ref().map(|elimination| &elimination.s);
        let s = |cell, choice| s.map(|s| s.of(cell, choice)).filter(|s| !s.is_nan()).unwrap_or(0.0);
        let some = |cell: usize| {
            operators[cell].iter().map(move |o| Part::of(cell, *o, self.prices.operator(cell, *o), s(cell, Some(*o))))
        };
        let joined = self.joined();
        let alone = (0..operators.len()).filter(|cell| !joined.iter().flatten().any(|edge| edge == cell));
        let of_cell = |cell: usize| {
            let nothing = skippable[cell].then(|| Part { open: Vec::new(), price: 0, s: s(cell, None) });
            some(cell).chain(nothing).collect::<Vec<_>>()
        };
        let of_node = |node: &Vec<usize>| {
            let mut parts = Vec::new();
            for (i, first) in node.iter().enumerate() {
                for second in &node[i + 1..] {
                    parts.extend(some(*first).flat_map(|a| some(*second).map(move |b| a.and(&b))));
                }
            }
            match parts.is_empty() {
                true => node.iter().flat_map(|edge| some(*edge)).collect(),
                false => parts,
            }
        };
        alone.map(of_cell).chain(joined.iter().map(of_node)).collect()
    }

    /// Whether what is left of a space can meet the cost window, as far as the cheapest and the dearest network tell.
    pub(super) fn leaves(&self, operators: &[Vec<u16>], skippable: &[bool]) -> Result<()> {
        let (mut least, mut greatest) = (self.prices.fixed(), self.prices.fixed());
        for parts in self.parts(operators, skippable) {
            let prices = || parts.iter().map(|part| part.price);
            least = least.saturating_add(prices().min().unwrap_or(0));
            greatest = greatest.saturating_add(prices().max().unwrap_or(0));
        }
        let (window, metric) = (self.options.objective.window(), self.metric());
        if least <= window.high && greatest >= window.low {
            return Ok(());
        }
        Err(self.out_of_reach([least, greatest].map(|price| metric.amount(price.saturating_sub(self.prices.discount())))))
    }

    fn out_of_reach(&self, [least, greatest]: [f64; 2]) -> Error {
        let (window, metric) = (self.options.objective.window(), self.metric());
        let [low, high] = [window.low, window.high].map(|price| metric.amount(price));
        Error::Unreachable { unit: metric.unit(), low, high, least, greatest, below: None, above: None }
    }

    /// The network that is left: that whose operators have the greatest sum of s, among those in the cost window. Without one it is an error.
    fn survivor(&self) -> Result<Architecture> {
        let children = self.all_children();
        let mut all = vec![Part { open: Vec::new(), price: self.prices.fixed(), s: 0.0 }];
        for parts in self.parts(&children.active, &children.skippable) {
            let mut more: Vec<Part> = all.iter().flat_map(|whole| parts.iter().map(move |part| whole.and(part))).collect();
            more.sort_by(|a, b| b.s.total_cmp(&a.s));
            if more.len() > MOST {
                // The strongest, and those that cost least and most, by which a window is met.
                let by_price = |more: &[Part], pick: fn(&Part, &Part) -> bool| {
                    more.iter().fold(more[0].clone(), |best, part| if pick(part, &best) { part.clone() } else { best })
                };
                let ends = [by_price(&more, |a, b| a.price < b.price), by_price(&more, |a, b| a.price > b.price)];
                more.truncate(MOST);
                more.extend(ends);
            }
            all = more;
        }
        let window = self.options.objective.window();
        let discount = self.prices.discount();
        let inside = all.iter().find(|part| window.contains(part.price.saturating_sub(discount)));
        let Some(part) = inside else {
            let price = |part: &Part| self.metric().amount(part.price.saturating_sub(discount));
            let ends = all.iter().map(price).fold([f64::INFINITY, 0.0], |[a, b]: [f64; 2], p| [a.min(p), b.max(p)]);
            return Err(self.out_of_reach(ends));
        };
        let mut cells = vec![Vec::new(); self.space.cells().len()];
        part.open.iter().for_each(|(cell, operator)| cells[*cell].push(*operator));
        Architecture::new(&self.space, cells)
    }

    /// The candidate of the last round.
    pub(super) fn last_candidate(&self) -> Result<Vec<Architecture>> {
        Ok(vec![self.survivor()?])
    }

    /// Of a search that is told: whether all that the round asks is known.
    pub(super) fn tried(&self) -> bool {
        let outcome =
            |network: &Architecture| self.ledger().and_then(|ledger| ledger.get(network)).and_then(|entry| entry.outcome);
        self.run
            .elimination
            .as_ref()
            .is_some_and(|elimination| elimination.networks.iter().all(|network| outcome(network).is_some()))
    }

    /// The end of a round of a search that is told. One that failed is as bad as can be.
    pub(super) fn told_trials(&mut self) -> Result<()> {
        let outcome = |network: &Architecture| self.ledger()?.get(network)?.outcome;
        let accuracy = |outcome: Option<Outcome>| outcome.filter(|o| !o.failed).map_or(0.0, |outcome| outcome.accuracy);
        let networks = self.run.elimination.as_ref().map_or(&[][..], |elimination| &elimination.networks);
        let trials: Vec<Trial> = networks
            .iter()
            .map(|network| {
                let accuracy = accuracy(outcome(network));
                Trial { accuracy, parent: accuracy }
            })
            .collect();
        if !self.searches() {
            self.eliminate(&trials)?;
            return if self.done() { Ok(()) } else { self.begin_trials() };
        }
        // What is left is what was searched, and not the networks by which it was found.
        let last = networks.to_vec();
        let scored: Vec<Scored> = self.told_scored().into_iter().filter(|s| last.contains(&s.architecture)).collect();
        self.run.front = scored.clone();
        let record = self.told_record(&scored);
        let change = self.standing(|now| self.strategy().change(now));
        self.close(record, &change, None);
        Ok(())
    }
}

/// Operators of a network, what they cost and their sum of s.
#[derive(Clone)]
struct Part {
    open: Vec<(usize, u16)>,
    price: u64,
    s: f64,
}

impl Part {
    fn of(cell: usize, operator: u16, price: u64, s: f64) -> Self {
        Part { open: vec![(cell, operator)], price, s }
    }

    fn and(&self, other: &Part) -> Self {
        let open = self.open.iter().chain(&other.open).copied().collect();
        Part { open, price: self.price.saturating_add(other.price), s: self.s + other.s }
    }
}

impl Elimination {
    /// Whether all scores and networks are of a space whose architectures are `valid`, and the results are no more than the networks.
    pub fn fits(&self, cells: usize, trials: usize, valid: impl Fn(&Architecture) -> bool) -> std::result::Result<(), String> {
        let scored = self.s.cells().len();
        if scored != 0 && scored != cells {
            return Err(format!("{scored} cells with s"));
        }
        if trials > self.networks.len() {
            return Err(format!("{trials} results of {} networks", self.networks.len()));
        }
        let single = |network: &&Architecture| !valid(network) || network.cells().iter().any(|open| open.len() > 1);
        match self.networks.iter().find(single) {
            Some(network) => Err(format!("the network {:?}", network.cells())),
            None => Ok(()),
        }
    }
}
