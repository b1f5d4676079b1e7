//! Evolution over genomes: what a generation has, who may have children, and all that is known. It is asked and told; who fits the
//! networks does not matter, nor in which order.

use super::fit::Fit;
use super::genome::Genome;
use super::network::Network;
use super::options::{CostAxis, RestoreOptions, SearchPart, DOCUMENT};
use crate::error::{Error, Result};
use crate::json;
use crate::search::{Asked, Effect, Purpose, Stream};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Genomes that are drawn for one place of a generation before that is given up.
const DRAWS: u32 = 20_000;

pub struct Population {
    search: SearchPart,
    seed: u64,
    /// Channels of noise; channels, height and width of the restored image.
    input: u32,
    image: [u32; 3],
    pub(super) run: Run,
}

/// What changes: all that must be kept.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Run {
    /// Generations that are complete.
    pub generation: u64,
    /// Who may have children, the best first.
    pool: Vec<Genome>,
    /// Of the generation under way.
    pub candidates: Vec<Genome>,
    asked: BTreeSet<Genome>,
    pub known: BTreeMap<Genome, Known>,
    pub history: Vec<Record>,
    /// No further generation can be drawn.
    exhausted: bool,
}

/// What is known of a genome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Known {
    /// In decibels; none where it failed.
    pub fitness: Option<f64>,
    pub params: u64,
    pub macs: u64,
    /// In which it was found, from 1.
    pub generation: u64,
    /// Of every repeat, where it was fitted here.
    pub fits: Vec<Fit>,
}

/// A genome with what is known of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    pub code: Genome,
    #[serde(flatten)]
    pub known: Known,
}

/// What became of a generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// From 1.
    pub generation: u64,
    /// Networks of it, and those of them that failed.
    pub networks: u64,
    pub failed: u64,
    /// Highest and median fitness among those who may have children behind it, and how many they are.
    pub best: Option<f64>,
    pub median: Option<f64>,
    pub survivors: u64,
}

impl Population {
    /// The first generation is drawn.
    pub fn new(options: &RestoreOptions, image: [u32; 3]) -> Result<Self> {
        let run = Run {
            generation: 0,
            pool: Vec::new(),
            candidates: Vec::new(),
            asked: BTreeSet::new(),
            known: BTreeMap::new(),
            history: Vec::new(),
            exhausted: false,
        };
        let mut population = Population::with(options, image, run);
        population.draw();
        match population.run.candidates.is_empty() {
            true => Err(population.too_rare()),
            false => Ok(population),
        }
    }

    /// One that was kept. Errors: what in it does not fit.
    pub(super) fn resume(options: &RestoreOptions, image: [u32; 3], run: Run) -> std::result::Result<Self, String> {
        let mut population = Population::with(options, image, run);
        let (run, units) = (&population.run, population.search.units);
        let all = run.pool.iter().chain(&run.candidates).chain(&run.asked).chain(run.known.keys());
        if let Some(genome) = all.clone().find(|genome| genome.units() != units) {
            return Err(format!("the genome {genome} where all have {units} units"));
        }
        for genome in all {
            let costs = population.costs(genome).map_err(|why| format!("the genome {genome}: {why}"))?;
            if run.known.get(genome).is_some_and(|known| costs != (known.params, known.macs)) {
                return Err(format!("the costs of {genome}"));
            }
        }
        if let Some(genome) = run.pool.iter().find(|genome| run.known.get(*genome).is_none_or(|known| known.fitness.is_none())) {
            return Err(format!("{genome} has children and no fitness"));
        }
        if run.history.len() as u64 != run.generation {
            return Err(format!("{} records of {} generations", run.history.len(), run.generation));
        }
        // With more generations than it had, a complete search goes on.
        if run.candidates.is_empty() && !population.done() {
            population.draw();
        }
        Ok(population)
    }

    fn with(options: &RestoreOptions, image: [u32; 3], run: Run) -> Self {
        let (search, seed, input) = (options.search.clone(), options.seed, options.train.input_channels);
        Population { search, seed, input, image, run }
    }

    pub fn done(&self) -> bool {
        self.run.generation >= self.search.generations || self.run.exhausted
    }

    /// Generations that are complete, and all of them.
    pub fn generations(&self) -> (u64, u64) {
        (self.run.generation, self.search.generations)
    }

    /// Candidates of the generation under way that nothing is known of, and how many it has in all.
    pub fn open(&self) -> (Vec<Genome>, usize) {
        let open = self.run.candidates.iter().filter(|genome| !self.run.known.contains_key(genome));
        (open.cloned().collect(), self.run.candidates.len())
    }

    /// Parameters and multiply-accumulates; or why this genome cannot be.
    fn costs(&self, genome: &Genome) -> std::result::Result<(u64, u64), String> {
        let [channels, height, width] = self.image;
        let plan = Network::Genome(genome.clone()).plan(self.input, channels)?;
        let (params, macs) = (plan.params(), plan.macs([height, width]));
        let SearchPart { max_params, max_macs, .. } = self.search;
        if params > max_params {
            return Err(format!("{params} parameters are more than max_params {max_params}"));
        }
        if macs > max_macs {
            return Err(format!("{macs} multiply-accumulates are more than max_macs {max_macs}"));
        }
        Ok((params, macs))
    }

    fn too_rare(&self) -> Error {
        let SearchPart { units, max_params, max_macs, .. } = self.search;
        let reason = format!(
            "of {DRAWS} random genomes of {units} units none has a network with at most {max_params} parameters (max_params) and \
             {max_macs} multiply-accumulates (max_macs)"
        );
        json::out_of_range(DOCUMENT, "/search", reason)
    }

    /// Draws the generation under way: no genome that is known or was drawn for it, none that has no network or costs too much.
    fn draw(&mut self) {
        let mut candidates: Vec<Genome> = Vec::with_capacity(self.search.population);
        for place in 0..self.search.population {
            let mut stream = Stream::new(self.seed, Purpose::Genomes, self.run.generation, place as u64);
            let fresh = (0..DRAWS).map(|_| self.child(&mut stream)).find(|genome| {
                !self.run.known.contains_key(genome) && !candidates.contains(genome) && self.costs(genome).is_ok()
            });
            match fresh {
                Some(genome) => candidates.push(genome),
                // Further places would be as hard to fill.
                None => break,
            }
        }
        self.run.exhausted = candidates.is_empty();
        self.run.candidates = candidates;
    }

    /// A genome drawn anew, or while there are parents a child of two of them.
    fn child(&self, stream: &mut Stream) -> Genome {
        if self.run.pool.is_empty() {
            return Genome::draw(self.search.units, stream);
        }
        let [father, mother] = [self.parent(stream), self.parent(stream)];
        let cut = stream.below(self.search.units as u64) as usize;
        father.cross(mother, cut).flip(|| stream.uniform() < self.search.mutation)
    }

    /// Roulette: with a probability in proportion to its fitness.
    fn parent(&self, stream: &mut Stream) -> &Genome {
        let weight = |genome: &Genome| self.run.known.get(genome).and_then(|known| known.fitness).unwrap_or(0.0).max(1e-9);
        let mut left = stream.uniform() * self.run.pool.iter().map(weight).sum::<f64>();
        let chosen = self.run.pool.iter().find(|genome| {
            left -= weight(genome);
            left < 0.0
        });
        chosen.unwrap_or(&self.run.pool[self.run.pool.len() - 1])
    }

    /// Up to `count` candidates that nobody was asked for yet.
    pub fn ask(&mut self, count: usize) -> (Vec<Genome>, Asked) {
        if self.done() {
            return (Vec::new(), Asked::Done);
        }
        let free = self.open().0.into_iter().filter(|genome| !self.run.asked.contains(genome));
        let given: Vec<Genome> = free.take(count).collect();
        self.run.asked.extend(given.iter().cloned());
        let asked = if given.is_empty() { Asked::Pending } else { Asked::Given };
        (given, asked)
    }

    /// May be asked again.
    pub fn forget(&mut self, genome: &Genome) {
        self.run.asked.remove(genome);
    }

    /// What was asked and not told.
    pub fn pending(&self) -> impl Iterator<Item = &Genome> {
        self.run.asked.iter()
    }

    /// How fit a genome is, in decibels; none: it failed. With the last of a generation that is complete, and the next is drawn.
    pub fn tell(&mut self, genome: &Genome, fitness: Option<f64>, fits: Vec<Fit>) -> Result<Effect> {
        let wrong = |reason: String| Err(Error::Argument { name: "code", reason });
        if genome.units() != self.search.units {
            return wrong(format!("{genome} has {} units, and this search {}", genome.units(), self.search.units));
        }
        if let Some(fitness) = fitness.filter(|fitness| !(-1000.0..=1000.0).contains(fitness)) {
            return Err(Error::Argument { name: "fitness", reason: format!("{fitness} is not in -1000 to 1000 decibels") });
        }
        if let Some(known) = self.run.known.get(genome) {
            let said = |fitness: Option<f64>| fitness.map_or("failed".into(), |fitness| format!("fitness {fitness}"));
            return match known.fitness == fitness {
                true => Ok(Effect::Repeated),
                false => Err(Error::Conflict { code: genome.to_string(), known: said(known.fitness), told: said(fitness) }),
            };
        }
        let (params, macs) = match self.costs(genome) {
            Ok(costs) => costs,
            Err(why) => return wrong(format!("{genome}: {why}")),
        };
        let counted = self.run.candidates.contains(genome);
        let generation = (self.run.generation + 1).min(self.search.generations);
        self.run.known.insert(genome.clone(), Known { fitness, params, macs, generation, fits });
        self.run.asked.remove(genome);
        if !counted && fitness.is_some() {
            self.run.pool.push(genome.clone());
        }
        if counted && self.open().0.is_empty() {
            self.close();
        }
        Ok(if counted { Effect::Counted } else { Effect::Unasked })
    }

    /// The generation is complete: the better half of all that may have children, with the median, may have them in the next.
    fn close(&mut self) {
        let candidates = std::mem::take(&mut self.run.candidates);
        let all: BTreeSet<Genome> = self.run.pool.drain(..).chain(candidates.iter().cloned()).collect();
        let mut fit: Vec<Member> = all.into_iter().filter_map(|genome| self.member(genome)).collect();
        fit.sort_by(|a, b| self.better(a, b));
        let kept = if fit.is_empty() { 0 } else { fit.len() / 2 + 1 };
        let fitness = |place: usize| fit.get(place).and_then(|member| member.known.fitness);
        let failed = candidates.iter().filter(|genome| self.run.known.get(*genome).is_some_and(|known| known.fitness.is_none()));
        self.run.history.push(Record {
            generation: self.run.generation + 1,
            networks: candidates.len() as u64,
            failed: failed.count() as u64,
            best: fitness(0),
            median: fitness(fit.len() / 2),
            survivors: kept.min(fit.len()) as u64,
        });
        fit.truncate(kept);
        self.run.pool = fit.into_iter().map(|member| member.code).collect();
        self.run.generation += 1;
        if !self.done() {
            self.draw();
        }
    }

    /// One that did not fail.
    fn member(&self, code: Genome) -> Option<Member> {
        let known = self.run.known.get(&code).filter(|known| known.fitness.is_some())?.clone();
        Some(Member { code, known })
    }

    fn price(&self, known: &Known) -> u64 {
        match self.search.cost {
            CostAxis::Params => known.params,
            CostAxis::Macs => known.macs,
        }
    }

    /// The fitter first; of equals the cheaper, the one that was found earlier, the smaller code.
    fn better(&self, a: &Member, b: &Member) -> std::cmp::Ordering {
        let fitness = |member: &Member| member.known.fitness.unwrap_or(f64::NEG_INFINITY);
        (fitness(b).total_cmp(&fitness(a)))
            .then(self.price(&a.known).cmp(&self.price(&b.known)))
            .then(a.known.generation.cmp(&b.known.generation))
            .then_with(|| a.code.cmp(&b.code))
    }

    /// All that is known and did not fail, the fittest first.
    fn members(&self) -> Vec<Member> {
        let mut members: Vec<Member> = self.run.known.keys().cloned().filter_map(|genome| self.member(genome)).collect();
        members.sort_by(|a, b| self.better(a, b));
        members
    }

    pub fn best(&self) -> Option<Member> {
        self.members().into_iter().next()
    }

    /// Members that nothing cheaper or as cheap is as fit as, the cheapest first. Of equals the one stays that was found first.
    pub fn front(&self) -> Vec<Member> {
        let mut least = u64::MAX;
        let mut front = self.members();
        front.retain(|member| {
            let price = self.price(&member.known);
            let cheaper = price < least;
            least = least.min(price);
            cheaper
        });
        front.reverse();
        front
    }

    pub fn known(&self) -> &BTreeMap<Genome, Known> {
        &self.run.known
    }

    pub fn history(&self) -> &[Record] {
        &self.run.history
    }
}
