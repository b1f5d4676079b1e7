//! A search for TensorBoard: one file of events for a run, in a folder of its own.
//!
//! A search that is loaded again goes on in the file of the one that was killed: what that one wrote beyond the checkpoint is cut
//! off first, so nothing is there twice; and what the file lacks of completed rounds is added.

use super::events::{self, Content, Image, Summary, Value, What};
use super::{Format, Report};
use crate::error::{Error, Result};
use crate::search::{Event, EventKind, RoundRecord, Search, TensorboardOptions};
use std::fs::{self, File};
use std::io::BufReader;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

const FILE: &str = "events.out.tfevents.nse";
/// Values with this prefix are numbered by weight steps over all rounds; all others by rounds, from 1.
const STEPS: &str = "supernet/";
/// Steps of a round that are written: more points no curve shows.
const POINTS: u64 = 500;

pub struct EventLog {
    path: PathBuf,
    file: File,
    written: Mutex<Written>,
}

struct Written {
    /// Bytes of whole records.
    end: u64,
    /// To be written still; kept when that fails.
    pending: Vec<u8>,
    step: u64,
    rounds: u64,
}

impl EventLog {
    /// In the folder of the options, which is made when it is not there. What its file has beyond `search` is cut off.
    pub fn open(options: &TensorboardOptions, search: &Search) -> Result<Self> {
        let failed = |path: PathBuf| move |source| Error::Io { path, source };
        fs::create_dir_all(&options.path).map_err(failed(options.path.clone()))?;
        let path = options.path.join(FILE);
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed(path.clone()))?;
        let written = Written::read(&file, search).map_err(failed(path.clone()))?;
        file.set_len(written.end).map_err(failed(path.clone()))?;
        let log = EventLog { path, file, written: Mutex::new(written) };
        log.write(search, None)?;
        Ok(log)
    }

    /// To be called after every piece of work, with the event of it.
    pub fn write(&self, search: &Search, event: Option<&Event>) -> Result<()> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.end == 0 && written.pending.is_empty() {
            written.add(0, What::FileVersion("brain.Event:2".into()));
        }
        if let Some(event) = event.filter(|event| event.kind == EventKind::Train) {
            written.train(search, event);
        }
        let completed = search.history().len() as u64;
        for record in search.history().iter().skip(written.rounds as usize) {
            let mut values = round(record);
            if record.round == completed {
                // Only of now: earlier fronts of a told search are not known any more.
                values.extend(picture(search)?);
            }
            written.add(record.round, What::Summary(Summary { value: values }));
        }
        written.rounds = completed;
        let put = self.file.write_all_at(&written.pending, written.end);
        put.map_err(|source| Error::Io { path: self.path.clone(), source })?;
        written.end += written.pending.len() as u64;
        written.pending.clear();
        Ok(())
    }
}

impl Written {
    /// The events that `search` has behind it.
    fn read(file: &File, search: &Search) -> std::io::Result<Self> {
        let (step, rounds) = (before(search, search.history().len() as u64 + 1) + search.place().step, search.rounds().0);
        let mut written = Written { end: 0, pending: Vec::new(), step: 0, rounds: 0 };
        if step == 0 && rounds == 0 {
            return Ok(written);
        }
        let mut file = BufReader::new(file);
        while let Some((event, length)) = events::next(&mut file)? {
            let at = event.step.max(0) as u64;
            match &event.what {
                Some(What::Summary(summary)) if summary.value.iter().any(|value| value.tag.starts_with(STEPS)) => {
                    if at > step {
                        break;
                    }
                    written.step = at;
                }
                Some(What::Summary(_)) => {
                    if at > rounds {
                        break;
                    }
                    written.rounds = at;
                }
                _ => {}
            }
            written.end += length;
        }
        Ok(written)
    }

    fn train(&mut self, search: &Search, event: &Event) {
        let step = before(search, event.round) + event.step;
        let every = event.steps.div_ceil(POINTS).max(1);
        if step <= self.step || (event.step % every != 0 && event.step != event.steps) {
            return;
        }
        self.step = step;
        let value = vec![
            Value::scalar("supernet/loss", event.loss),
            Value::scalar("supernet/accuracy", event.accuracy),
            Value::scalar("supernet/images_per_second", event.images_per_second),
        ];
        self.add(step, What::Summary(Summary { value }));
    }

    fn add(&mut self, step: u64, what: What) {
        let wall_time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        self.pending.extend(events::record(&events::Event { wall_time, step: step as i64, what: Some(what) }));
    }
}

/// Weight steps of the rounds before `round`, from 1.
fn before(search: &Search, round: u64) -> u64 {
    search.history().iter().filter(|record| record.round < round).map(|record| record.steps).sum()
}

fn round(record: &RoundRecord) -> Vec<Value> {
    let active: usize = record.fitness.iter().map(Vec::len).sum();
    let best = record.front.iter().map(|member| member.accuracy).fold(0.0, f64::max);
    let mut values = vec![
        Value::scalar("round/best_accuracy", best),
        Value::scalar("round/front_size", record.front.len() as f64),
        Value::scalar("round/active_operators", active as f64),
        Value::scalar("round/train_seconds", record.seconds.train),
        Value::scalar("round/score_seconds", record.seconds.score),
    ];
    let front = |value: fn(&crate::search::FrontMember) -> f64| record.front.iter().map(value);
    let candidates = |value: fn(&crate::search::Point) -> f64| record.candidates.iter().map(value);
    values.extend(Value::histogram("front/accuracy".into(), front(|member| member.accuracy)));
    values.extend(Value::histogram("front/cost".into(), front(|member| member.cost)));
    values.extend(Value::histogram("candidates/accuracy".into(), candidates(|point| point.accuracy)));
    values.extend(Value::histogram("candidates/cost".into(), candidates(|point| point.cost)));
    let fitness = record.fitness.iter().enumerate();
    values.extend(
        fitness.filter_map(|(cell, fit)| Value::histogram(format!("fitness/cell_{cell:02}"), fit.iter().map(|f| f.theta))),
    );
    values
}

/// The front as a picture.
fn picture(search: &Search) -> Result<Option<Value>> {
    let report = Report::of(search);
    let (width, height) = super::picture::PIXELS;
    let image = Image { height: height as i32, width: width as i32, colorspace: 3, png: report.write(Format::Png)? };
    Ok(Some(Value { tag: "front/picture".into(), content: Some(Content::Image(image)) }))
}
