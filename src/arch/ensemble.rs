//! Ensembles: several paths that share their first cells (Chen et al., NEAS, CVPR 2021). Their order says nothing: it is that of their
//! operators. Paths may be equal, since each has weights of its own.

use super::{canonical, find, Architecture, Paths, DOCUMENT, ENSEMBLE};
use crate::error::{Error, Result};
use crate::json;
use crate::space::{Operator, Space};
use serde::{Deserialize, Serialize};

/// Operators of the places that all paths have, and of those that each has for itself.
pub type Parts<T> = (Vec<Vec<T>>, Vec<Vec<Vec<T>>>);

impl Architecture {
    /// `shared`: operators of the first cells; `paths`: for each path those of all other cells. 2 to 16 paths, in a chain of cells.
    pub fn ensemble(space: &Space, shared: Vec<Vec<u16>>, paths: Vec<Vec<Vec<u16>>>) -> Result<Self> {
        let wrong = |pointer: String, reason: String| Err(json::out_of_range(DOCUMENT, pointer, reason));
        space.need_chain("an ensemble")?;
        let (cells, split) = (space.cells().len(), shared.len());
        if !ENSEMBLE.contains(&paths.len()) {
            let reason = format!("{} paths, an ensemble has {} to {}", paths.len(), ENSEMBLE.start(), ENSEMBLE.end());
            return wrong("/paths".into(), reason);
        }
        if split > cells {
            return wrong("/cells".into(), format!("{split} cells, the space {:?} has {cells}", space.name()));
        }
        if let Some((k, path)) = paths.iter().enumerate().find(|(_, path)| split + path.len() != cells) {
            let reason = format!("{} cells behind {split} shared ones, the space {:?} has {cells}", path.len(), space.name());
            return wrong(format!("/paths/{k}"), reason);
        }
        let count = paths.len();
        let mut places = canonical(space, "/cells", 0, shared)?;
        let path = |(k, path): (usize, Vec<Vec<u16>>)| canonical(space, &format!("/paths/{k}"), split, path);
        let mut paths = paths.into_iter().enumerate().map(path).collect::<Result<Vec<_>>>()?;
        paths.sort_unstable();
        places.extend(paths.into_iter().flatten());
        Ok(Architecture { places, paths: Paths::parted(cells, split, count) })
    }

    /// The same of operators, each of which must be a candidate of its cell.
    pub fn ensemble_of(space: &Space, shared: &[Vec<Operator>], paths: &[Vec<Vec<Operator>>]) -> Result<Self> {
        let path = |(k, path): (usize, &Vec<Vec<Operator>>)| find(space, &format!("/paths/{k}"), shared.len(), path);
        let paths = paths.iter().enumerate().map(path).collect::<Result<_>>()?;
        Self::ensemble(space, find(space, "/cells", 0, shared)?, paths)
    }

    /// Of networks that are equal up to `split`.
    pub fn joined(space: &Space, split: usize, members: &[Architecture]) -> Result<Self> {
        let cut = |member: &Architecture| member.places.iter().take(split).cloned().collect::<Vec<_>>();
        let paths = members.iter().map(|member| member.places.iter().skip(split).cloned().collect()).collect();
        Self::ensemble(space, members.first().map(cut).unwrap_or_default(), paths)
    }

    /// Operators of every place, of which there are as many as `paths` has.
    pub fn of_places(space: &Space, paths: Paths, places: Vec<Vec<u16>>) -> Result<Self> {
        let spelt = Architecture { places, paths };
        match paths.is_ensemble() {
            true => {
                let (shared, paths) = spelt.parts(&spelt.places);
                Self::ensemble(space, shared, paths)
            }
            false => Self::new(space, spelt.places),
        }
    }

    /// This architecture, checked, in a space with the same cells as its own.
    pub fn again(&self, space: &Space) -> Result<Self> {
        Self::of_places(space, self.paths, self.places.clone())
    }

    /// That a search of networks with so many paths can have it.
    pub fn need_paths(&self, name: &'static str, paths: usize) -> Result<()> {
        let named = |paths: usize| match paths {
            1 => "single networks".to_owned(),
            paths => format!("ensembles of {paths} paths"),
        };
        match self.paths.count() {
            own if own == paths => Ok(()),
            own => {
                let reason = format!("{own} paths, the search is of {}", named(paths));
                Err(Error::Argument { name, reason })
            }
        }
    }

    /// The network of one path, with what it shares.
    pub fn member(&self, path: usize) -> Architecture {
        let (shared, own) = (&self.places[..self.paths.split()], &self.places[self.paths.own(path)]);
        Architecture { places: [shared, own].concat(), paths: Paths::single(self.paths.cells()) }
    }

    pub fn members(&self) -> Vec<Architecture> {
        (0..self.paths.count()).map(|path| self.member(path)).collect()
    }

    /// What there is of every place, by what is shared and by path. Of a single network all is shared, and its one path has nothing.
    pub fn parts<T: Clone>(&self, places: &[Vec<T>]) -> Parts<T> {
        let own = (0..self.paths.count()).map(|path| places[self.paths.own(path)].to_vec());
        (places[..self.paths.split()].to_vec(), own.collect())
    }
}

/// How an architecture is in a file: the list of its cells; of an ensemble an object.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Form {
    Single(Vec<Vec<u16>>),
    Ensemble { cells: Vec<Vec<u16>>, paths: Vec<Vec<Vec<u16>>> },
}

impl From<Architecture> for Form {
    fn from(architecture: Architecture) -> Form {
        match architecture.paths.is_ensemble() {
            false => Form::Single(architecture.places),
            true => {
                let (cells, paths) = architecture.parts(&architecture.places);
                Form::Ensemble { cells, paths }
            }
        }
    }
}

impl TryFrom<Form> for Architecture {
    type Error = String;

    fn try_from(form: Form) -> std::result::Result<Architecture, String> {
        Ok(match form {
            Form::Single(places) => Architecture { paths: Paths::single(places.len()), places },
            Form::Ensemble { cells, paths } => {
                let (split, own) = (cells.len(), paths.first().map_or(0, Vec::len));
                if !ENSEMBLE.contains(&paths.len()) {
                    return Err(format!("an ensemble of {} paths", paths.len()));
                }
                if let Some((k, path)) = paths.iter().enumerate().find(|(_, path)| path.len() != own) {
                    return Err(format!("path {k} of {} cells, the first has {own}", path.len()));
                }
                let parted = Paths::parted(split + own, split, paths.len());
                Architecture { places: cells.into_iter().chain(paths.into_iter().flatten()).collect(), paths: parted }
            }
        })
    }
}
