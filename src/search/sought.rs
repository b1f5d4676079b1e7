//! What the rounds of a search look for, as its strategy says. Whatever differs between kinds of rounds is asked here; what each does is in a
//! file of its own: scoring.rs, breeding.rs, growing.rs, eliminating.rs.

use super::breeding::Plan;
use super::options::DOCUMENT;
use super::sample::Window;
use super::scorer::ScorerOptions;
use super::start::Drive;
use super::strategy::{Eliminate, Evaluator, Grow};
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;

/// What the rounds of a search look for.
#[derive(Clone)]
pub enum Sought<'a> {
    /// Candidates that are drawn by the scores of their operators.
    Networks,
    /// Candidates that come from those before them.
    Ensembles(Plan),
    /// Cells that are a block larger than those of the round before.
    Cells(&'a Grow),
    /// The one network that is left when all other operators are gone.
    Survivor(&'a Eliminate),
}

/// A strategy in a search, by its name, with the scorer that it will have; whether the options name that.
pub struct Setting<'a> {
    pub strategy: &'a str,
    pub scorer: &'a ScorerOptions,
    pub named: bool,
    /// Whether results that a host tells are enough for the strategy.
    pub listens: bool,
    pub drive: Drive,
    pub space: &'a Space,
}

fn wrong<T>(pointer: &str, reason: String) -> Result<T> {
    Err(json::out_of_range(DOCUMENT, pointer, reason))
}

impl Sought<'_> {
    /// Of an architecture.
    pub fn paths(&self) -> usize {
        match self {
            Sought::Ensembles(plan) => plan.paths,
            _ => 1,
        }
    }

    /// Whether candidates are drawn by the scores of operators.
    pub fn drawn(&self) -> bool {
        matches!(self, Sought::Networks)
    }

    /// Whether candidates come from those before them.
    pub fn bred(&self) -> bool {
        matches!(self, Sought::Ensembles(_))
    }

    /// Whether what a round evaluates is known when it begins; then, too, a cell has one open branch, whatever the options say.
    pub fn listed(&self) -> bool {
        matches!(self, Sought::Cells(_) | Sought::Survivor(_))
    }

    /// Whether operators stay or leave.
    pub fn judges_operators(&self) -> bool {
        !matches!(self, Sought::Cells(_))
    }

    /// Whether every architecture of a round is trained by itself from fresh weights.
    pub fn trains_alone(&self) -> bool {
        matches!(self, Sought::Cells(grow) if grow.evaluator == Evaluator::Alone)
    }

    /// Whether all architectures of a round, and nothing else, share weights.
    pub fn shares(&self) -> bool {
        matches!(self, Sought::Cells(grow) if grow.evaluator == Evaluator::Supernet)
    }

    /// What single choices of every cell are held to, where the architectures that are sought have this window: members of an ensemble have no
    /// lower bound, and parts of what is listed have none at all.
    pub fn bounds(&self, window: Window) -> Window {
        match self {
            Sought::Networks => window,
            Sought::Ensembles(_) => Window { low: 0, ..window },
            Sought::Cells(_) | Sought::Survivor(_) => Window { low: 0, high: u64::MAX },
        }
    }

    /// Fails where it cannot go on from another search or from architectures.
    pub fn continues(&self) -> Result<()> {
        let what = match self {
            Sought::Networks | Sought::Ensembles(_) => return Ok(()),
            Sought::Cells(_) => "cells grow from nothing",
            Sought::Survivor(_) => "operators are eliminated from a whole space",
        };
        Err(Error::Argument { name: "start", reason: format!("{what}, not from another search or from architectures") })
    }

    /// Fails where a search of that kind cannot look for this.
    pub fn serves(&self, setting: &Setting) -> Result<()> {
        match self {
            Sought::Networks => setting.judges_paths()?,
            Sought::Ensembles(plan) => setting.breeds(plan)?,
            Sought::Cells(_) => return setting.grows(self.shares()),
            Sought::Survivor(_) => setting.judges_paths().and_then(|()| setting.eliminates())?,
        }
        match setting.drive {
            Drive::Told if !setting.listens => setting.no_supernet("/strategy", setting.strategy),
            Drive::Told if self.listed() => Ok(()),
            _ => setting.scores(),
        }
    }
}

impl Setting<'_> {
    fn no_images<T>(&self, pointer: &str, what: &str) -> Result<T> {
        wrong(pointer, format!("{what} needs images, and a search that is pushed its batches keeps none"))
    }

    fn no_supernet<T>(&self, pointer: &str, what: &str) -> Result<T> {
        wrong(pointer, format!("{what} needs a supernet, and a search that is told its results has none"))
    }

    /// One path at a time.
    fn judges_paths(&self) -> Result<()> {
        match self.scorer.get().differs() {
            Some(_) => {
                let (scorer, strategy) = (self.scorer.name(), self.strategy);
                wrong("/scorer", format!("{scorer} tells the paths of ensembles apart, and {strategy} has none"))
            }
            None => Ok(()),
        }
    }

    fn breeds(&self, plan: &Plan) -> Result<()> {
        let cells = self.space.cells().len();
        if let Some([low, high]) = plan.split.filter(|[low, high]| low > high || *high >= cells) {
            let pointer = format!("/strategy/{}/split", self.strategy);
            return wrong(&pointer, format!("{low} to {high} shared cells of {cells}: at most all but one can be"));
        }
        self.space.need_chain("an ensemble")?;
        if self.scorer.get().learns() {
            let (scorer, strategy) = (self.scorer.name(), self.strategy);
            return wrong("/scorer", format!("{scorer} is learnt along one path, and {strategy} has several"));
        }
        if self.scorer.get().mixes().is_some() {
            let (scorer, strategy) = (self.scorer.name(), self.strategy);
            return wrong("/scorer", format!("{scorer} mixes the operators of one path, and {strategy} has several"));
        }
        match self.drive {
            Drive::Pushed => self.no_images("/strategy", self.strategy),
            Drive::Steps | Drive::Told => Ok(()),
        }
    }

    fn grows(&self, shared: bool) -> Result<()> {
        if self.space.stack().is_none_or(|stack| !stack.plan().skeleton.blocks()) {
            let what = "a search that grows cells block by block";
            return Err(Error::UnsupportedSpace { what, space: self.space.name().into() });
        }
        let strategy = self.strategy;
        match self.drive {
            Drive::Pushed => wrong(
                "/strategy",
                format!("{strategy} trains one cell after the other, and a search that is pushed its batches trains all at once"),
            ),
            _ if self.named => wrong("/scorer", format!("{}: where cells grow no operators are scored", self.scorer.name())),
            Drive::Told if shared => {
                wrong(&format!("/strategy/{strategy}/evaluator"), "a search that is told its results has no supernet".into())
            }
            Drive::Told | Drive::Steps => Ok(()),
        }
    }

    fn eliminates(&self) -> Result<()> {
        match self.drive {
            Drive::Told if self.named => self.no_supernet("/scorer", self.scorer.name()),
            Drive::Pushed => self.no_images("/strategy", self.strategy),
            Drive::Told | Drive::Steps => Ok(()),
        }
    }

    /// Operators are scored.
    fn scores(&self) -> Result<()> {
        let scorer = self.scorer.get();
        if scorer.mixes().is_some_and(|alpha| alpha.edge_weights) && self.space.stack().is_none() {
            let reason = format!("weights of edges, which {:?} has not: it is a chain", self.space.name());
            return wrong(&format!("/scorer/{}/edge_weights", self.scorer.name()), reason);
        }
        match self.drive {
            Drive::Told if !scorer.learns() => self.no_supernet("/scorer", self.scorer.name()),
            Drive::Pushed if scorer.evaluates().is_some() => self.no_images("/scorer", self.scorer.name()),
            // Architecture steps go from cell to cell of a chain.
            Drive::Steps | Drive::Pushed if scorer.learns() => {
                self.space.need_chain("a search that learns fitness (option \"scorer\")").map(|_| ())
            }
            _ => Ok(()),
        }
    }
}
