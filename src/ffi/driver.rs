//! What works behind the handle of a search: the thread that has it, and who gives it what it learns from.

use super::begin::{start, Begin};
use super::callback::Events;
use super::comm::{CommHandle, Taken};
use super::dataset::nse_dataset;
use super::handle;
use super::latency::LatencyHandle;
use super::search::{nse_search_desc, NSE_SEARCH_LOOK, NSE_SEARCH_PUSHED, NSE_SEARCH_TOLD};
use super::text;
use super::view::{Shared, Watch};
use super::worker::{Reporter, Worker};
use crate::checkpoint::{self, Checkpoint, Expected, Keeper};
use crate::cost::Metric;
use crate::data::Dataset;
use crate::dist::Crew;
use crate::error::{Error, Result};
use crate::log;
use crate::report::{EventLog, Report};
use crate::search::{Drive, Elsewhere, Search, SearchOptions, Start, Status, Trainer};
use crate::space::Space;
use crate::supernet::{self, Estimate, PushTrainer, SupernetTrainer};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

pub struct SearchHandle {
    pub space: Arc<Space>,
    pub metric: Metric,
    pub shared: Arc<Shared>,
    pub options: SearchOptions,
    pub events: Arc<Events>,
    drive: Drive,
    /// Of the latency table, if there is one.
    unit: Option<String>,
    driver: Driver,
    /// Kept from others for as long as this is.
    _ranks: Option<Taken>,
}

/// Who gives the search what it learns from.
enum Driver {
    /// The library, from datasets.
    Datasets(Worker<State<SupernetTrainer>>),
    /// The host, batch by batch.
    Pushed(Worker<State<PushTrainer>>),
    /// The host, by results. Nothing takes long, so there is no thread: whoever calls waits for the other.
    Told(Box<Mutex<State<Elsewhere>>>),
    /// Nobody: it was loaded to be looked at.
    Nobody(Box<Search>),
}

/// What lives on the thread of a search.
pub struct State<T> {
    pub search: Search,
    pub trainer: T,
    pub(super) keeper: Option<Keeper>,
    pub(super) log: Option<EventLog>,
}

impl<T: Trainer> State<T> {
    /// Does some work, told and published as `shared` and `reporter` want it, and shows what came of it.
    pub fn work<R, Q>(
        &mut self,
        shared: &Shared,
        reporter: &Reporter<Q>,
        work: impl FnOnce(&mut Search, &mut T, &Watch<Q>) -> Result<R>,
    ) -> Result<R> {
        let watch = Watch::new(shared, reporter, self.keeper.as_ref(), self.log.as_ref());
        let result = work(&mut self.search, &mut self.trainer, &watch);
        shared.publish(&self.search, None);
        result
    }
}

/// Where the images of a search come from.
enum Images {
    Datasets {
        train: Arc<Dataset>,
        held_out: Option<Arc<Dataset>>,
    },
    Pushed,
    /// None: candidates are evaluated elsewhere.
    Told,
    /// None: nothing is computed.
    Nobody,
}

impl Images {
    fn read(desc: &nse_search_desc) -> Result<Self> {
        let wrong = |reason: &str| Err(Error::Argument { name: "desc", reason: reason.into() });
        let optional = |name, dataset: *const nse_dataset| match dataset.is_null() {
            true => Ok(None),
            false => handle::get::<Dataset>(name, dataset).map(Some),
        };
        let empty = desc.train.is_null() && desc.held_out.is_null();
        if !desc.comm.is_null() && desc.flags != 0 {
            return wrong("comm must be NULL with a flag: only a search with datasets can be shared");
        }
        match drive(desc.flags)? {
            Some(Drive::Steps) => Ok(Images::Datasets {
                train: handle::get::<Dataset>("desc.train", desc.train)?,
                held_out: optional("desc.held_out", desc.held_out)?,
            }),
            Some(Drive::Pushed) if empty => Ok(Images::Pushed),
            Some(Drive::Told) if empty => Ok(Images::Told),
            None if empty => Ok(Images::Nobody),
            Some(Drive::Pushed) => wrong("train and held_out must be NULL where batches are pushed"),
            Some(Drive::Told) => wrong("train and held_out must be NULL where results are told"),
            None => wrong("train and held_out must be NULL where a search is only looked at"),
        }
    }
}

/// None: it is only looked at, whatever it is.
fn drive(flags: u32) -> Result<Option<Drive>> {
    match flags {
        0 => Ok(Some(Drive::Steps)),
        NSE_SEARCH_PUSHED => Ok(Some(Drive::Pushed)),
        NSE_SEARCH_TOLD => Ok(Some(Drive::Told)),
        NSE_SEARCH_LOOK => Ok(None),
        _ => Err(Error::Argument { name: "desc", reason: format!("flags {flags:#x} are not known") }),
    }
}

impl SearchHandle {
    pub fn create(desc: &nse_search_desc, events: Events) -> Result<Self> {
        let ranks = CommHandle::optional("desc.comm", desc.comm)?;
        let begun = crew(&ranks).agree(Self::begin(desc));
        let (images, search) = begun?;
        Self::on_a_thread(events, images, Begin::New(search), ranks)
    }

    fn begin(desc: &nse_search_desc) -> Result<(Images, Search)> {
        let images = Images::read(desc)?;
        let space = handle::get::<Space>("desc.space", desc.space)?;
        let options = SearchOptions::from_json(text::optional("desc.options_json", desc.options_json)?.unwrap_or("{}"))?;
        let latency = LatencyHandle::optional("desc.latency", desc.latency)?;
        let Some(drive) = drive(desc.flags)? else {
            return Err(Error::Argument { name: "desc", reason: "NSE_SEARCH_LOOK is for a checkpoint".into() });
        };
        let front = start(desc)?;
        let begin = move |continued: Option<&Search>| Search::start(space, options, Start { latency, front, continued, drive });
        let search = match desc.continued.is_null() {
            true => begin(None)?,
            // The old search lives on its own thread.
            false => handle::get::<SearchHandle>("desc.continued", desc.continued)?.look(move |old, _| begin(Some(old)))?,
        };
        Ok((images, search))
    }

    pub fn load(path: &Path, desc: &nse_search_desc, events: Events) -> Result<Self> {
        let ranks = CommHandle::optional("desc.comm", desc.comm)?;
        let crew = crew(&ranks);
        // Without ranks the file is read where it is needed, and its errors have their place among the others.
        let shared = ranks.is_some().then(|| crew.from_first(|| checkpoint::file::contents(path))).transpose()?;
        let (images, checkpoint) = crew.agree(Self::read(path, shared.as_deref(), desc))?;
        Self::on_a_thread(events, images, Begin::Saved(checkpoint), ranks)
    }

    /// `shared`: what is in the file, read elsewhere.
    fn read(path: &Path, shared: Option<&[u8]>, desc: &nse_search_desc) -> Result<(Images, Checkpoint)> {
        let wrong = |reason: &str| Err(Error::Argument { name: "desc", reason: reason.into() });
        let given = drive(desc.flags)?;
        if !desc.continued.is_null() || desc.start_count > 0 {
            return wrong("continued and start must be empty to load a checkpoint");
        }
        let space = if desc.space.is_null() { None } else { Some(handle::get::<Space>("desc.space", desc.space)?) };
        let latency = LatencyHandle::optional("desc.latency", desc.latency)?;
        let options = text::optional("desc.options_json", desc.options_json)?;
        let expected = Expected { space: space.as_deref(), options, latency: latency.as_deref() };
        let checkpoint = match shared {
            None => checkpoint::load(path, &expected),
            Some(bytes) => checkpoint::load_from(path, bytes, &expected),
        };
        // What the checkpoint is of matters more than images that are not there, or should not be; these more than a bad file.
        let saved = checkpoint.as_ref().ok().map(|checkpoint| checkpoint.search().drive());
        if let (Some(saved), Some(_)) = (saved, given.filter(|given| Some(*given) != saved)) {
            return wrong(match saved {
                Drive::Steps => "this search has datasets: flags must be 0",
                Drive::Pushed => "batches were pushed into this search: flags must be NSE_SEARCH_PUSHED",
                Drive::Told => "this search was told its results: flags must be NSE_SEARCH_TOLD",
            });
        }
        Ok((Images::read(desc)?, checkpoint?))
    }

    /// Starts the thread and makes the trainer there.
    fn on_a_thread(events: Events, images: Images, begin: Begin, ranks: Option<Taken>) -> Result<Self> {
        let (space, options) = (begin.search().space().clone(), begin.search().options().clone());
        let shared = Arc::<Shared>::default();
        let (publish, of, with) = (shared.clone(), space.clone(), options.clone());
        let (drive, unit) = (begin.search().drive(), begin.search().latency().map(|table| table.unit().to_owned()));
        let driver = match images {
            Images::Datasets { train, held_out } => {
                let (crew, group) = (crew(&ranks), ranks.as_ref().map(|ranks| ranks.group.clone()));
                Driver::Datasets(Worker::start("search", move || {
                    let trainer = SupernetTrainer::new(of, &train, held_out.as_deref(), &with);
                    let mut state = crew.agree(trainer.and_then(|trainer| begin.with(trainer, &publish, crew.first())))?;
                    if let Some(group) = group {
                        state.trainer.join(group)?;
                        crew.same("the search", &checkpoint::identity(&state.search))?;
                    }
                    Ok(state)
                })?)
            }
            Images::Pushed => {
                Driver::Pushed(Worker::start("search", move || begin.with(PushTrainer::new(of, &with)?, &publish, true))?)
            }
            Images::Told => Driver::Told(Box::new(Mutex::new(begin.with(Elsewhere, &publish, true)?))),
            Images::Nobody => Driver::Nobody(Box::new(begin.alone(&publish))),
        };
        let (metric, events) = (options.objective.cost, Arc::new(events));
        Ok(SearchHandle { space, metric, shared, options, events, drive, unit, driver, _ranks: ranks })
    }

    /// The thread of a search that has datasets.
    pub fn datasets(&self) -> Result<&Worker<State<SupernetTrainer>>> {
        match &self.driver {
            Driver::Datasets(worker) => Ok(worker),
            Driver::Pushed(_) => wrong_kind("batches are pushed into this search; it makes no step by itself"),
            Driver::Told(_) => wrong_kind(TOLD),
            Driver::Nobody(_) => wrong_kind(LOOK),
        }
    }

    /// The thread of a search into which batches are pushed.
    pub fn pushed(&self) -> Result<&Worker<State<PushTrainer>>> {
        match &self.driver {
            Driver::Pushed(worker) => Ok(worker),
            Driver::Datasets(_) => wrong_kind("this search has datasets: nothing can be pushed into it"),
            Driver::Told(_) => wrong_kind(TOLD),
            Driver::Nobody(_) => wrong_kind(LOOK),
        }
    }

    /// Works on a search that is told its results, and shows what came of it; waits while another does. After a result it is saved
    /// when that is due.
    pub fn told<R>(&self, saves: bool, work: impl FnOnce(&mut Search) -> Result<R>) -> Result<R> {
        let state = match &self.driver {
            Driver::Told(state) => state,
            Driver::Datasets(_) => return wrong_kind("this search has datasets: it is stepped, not asked and told"),
            Driver::Pushed(_) => return wrong_kind("batches are pushed into this search: it is not asked and told"),
            Driver::Nobody(_) => return wrong_kind(LOOK),
        };
        // Whoever hears the log may ask and tell too.
        let _behind_the_lock = log::hold();
        let mut state = state.lock().map_err(|_| Error::Poisoned("search"))?;
        let result = work(&mut state.search)?;
        self.shared.publish(&state.search, None);
        if let Some(log) = state.log.as_ref().filter(|_| saves) {
            log.write(&state.search, None)?;
        }
        match state.keeper.as_ref().filter(|_| saves) {
            Some(keeper) => keeper.keep(&state.search, &state.trainer).map(|()| result),
            None => Ok(result),
        }
    }

    /// What a step does on the thread of the search.
    pub fn round(&self) -> impl FnOnce(&mut State<SupernetTrainer>, &Reporter<Status>) -> Result<Status> + Send + 'static {
        let shared = self.shared.clone();
        move |state, reporter| state.work(&shared, reporter, |search, trainer, watch| search.step(trainer, watch))
    }

    /// Runs `look` where the search lives.
    pub fn look<R: Send + 'static>(&self, look: impl FnOnce(&Search, &dyn Trainer) -> Result<R> + Send + 'static) -> Result<R> {
        let nobody = Arc::new(Events::none());
        match &self.driver {
            Driver::Datasets(worker) => worker.run(move |state, _| look(&state.search, &state.trainer), &nobody),
            Driver::Pushed(worker) => worker.run(move |state, _| look(&state.search, &state.trainer), &nobody),
            Driver::Told(state) => {
                let _behind_the_lock = log::hold();
                let state = state.lock().map_err(|_| Error::Poisoned("search"))?;
                look(&state.search, &state.trainer)
            }
            Driver::Nobody(search) => look(search, &Elsewhere),
        }
    }

    /// Writes a checkpoint.
    pub fn save(&self, path: PathBuf) -> Result<()> {
        match &self.driver {
            // Its weights were not read.
            Driver::Nobody(_) => wrong_kind(LOOK),
            _ => self.look(move |search, trainer| checkpoint::save(&path, search, trainer)),
        }
    }

    /// What there is to report at the moment. Waits for nothing.
    pub fn report(&self) -> Report {
        let view = self.shared.view();
        let torch = matches!(self.driver, Driver::Datasets(_) | Driver::Pushed(_));
        Report {
            space: self.space.clone(),
            options: self.options.clone(),
            unit: self.unit.clone(),
            drive: self.drive,
            rounds: view.rounds,
            done: view.done,
            event: view.event,
            front: view.front.clone(),
            scored: view.scored.clone(),
            history: view.history.clone(),
            libtorch: if torch { supernet::libtorch() } else { Value::Null },
        }
    }

    /// What the search will take.
    pub fn estimate(&self) -> Result<Estimate> {
        let nobody = Arc::new(Events::none());
        match &self.driver {
            Driver::Datasets(worker) => worker.run(|state, control| state.trainer.estimate(&state.search, control), &nobody),
            Driver::Pushed(worker) => worker.run(|state, control| state.trainer.estimate(&state.search, control), &nobody),
            Driver::Told(_) => wrong_kind(TOLD),
            Driver::Nobody(_) => wrong_kind(LOOK),
        }
    }

    pub fn cancel(&self) {
        match &self.driver {
            Driver::Datasets(worker) => worker.cancel(),
            Driver::Pushed(worker) => worker.cancel(),
            Driver::Told(_) | Driver::Nobody(_) => {}
        }
    }

    /// Cancels what runs, and lets nothing begin.
    pub fn retire(&self) {
        match &self.driver {
            Driver::Datasets(worker) => worker.retire(),
            Driver::Pushed(worker) => worker.retire(),
            Driver::Told(_) | Driver::Nobody(_) => {}
        }
    }
}

const LOOK: &str = "this search was loaded to be looked at (NSE_SEARCH_LOOK): it has neither images nor weights";
const TOLD: &str = "this search is told its results: it is asked and told, and nothing else";

fn wrong_kind<T>(reason: &str) -> Result<T> {
    Err(Error::Argument { name: "search", reason: reason.into() })
}

/// For what ranks agree on before there is a search.
fn crew(ranks: &Option<Taken>) -> Crew {
    ranks.as_ref().map_or_else(Crew::alone, |ranks| Crew::new(ranks.group.clone(), 1))
}
