//! Section "model".

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::callback::{nse_events, Events};
use super::dataset::nse_dataset;
use super::error::nse_error;
use super::op::{nse_op, OpHandle};
use super::status::{nse_status, NSE_OK};
use super::structs::Sized32;
use super::worker::{Reporter, Ticket, Worker};
use super::{boundary, handle, structs, text};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::search::{Control, Event};
use crate::supernet::{Lesson, Model, ModelOptions};
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;
use std::sync::{Arc, PoisonError};

/// A trained stand-alone network.
pub struct nse_model {
    _private: [u8; 0],
}

/// What a stand-alone training is made of. Start with NSE_MODEL_DESC_INIT. The library retains what it uses.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_model_desc {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// The architecture to train; may be NULL with `init`.
    pub arch: *const nse_arch,
    /// Training images.
    pub train: *const nse_dataset,
    /// Options as a JSON object; see nse_model_options_schema. NULL: all defaults.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used during the training only.
    pub events: *const nse_events,
    /// Images that are evaluated behind every epoch (see nse_model_history) and change nothing else; NULL: none.
    pub held_out: *const nse_dataset,
    /// A model of the same architecture whose weights, variant and normalisation the training begins with; it may have had other
    /// classes, then its classifier is not taken. NULL: fresh weights. With one, `arch` may be NULL: its own.
    pub init: *const nse_model,
}

// SAFETY: starts with its size; zero is NULL and no flags.
unsafe impl Sized32 for nse_model_desc {
    const LEAST: usize = size_of::<nse_model_desc>();
}

pub struct ModelHandle {
    /// Empty until the training is over, and then for as long as the handle lives full.
    worker: Worker<Option<Model>>,
}

impl ModelHandle {
    fn train(desc: &nse_model_desc, events: &Arc<Events>) -> Result<Self> {
        let (worker, mut ticket) = Self::begin(desc, events)?;
        ticket.wait(None, events).unwrap_or(Err(Error::Cancelled))?;
        Ok(ModelHandle { worker })
    }

    fn begin(desc: &nse_model_desc, events: &Arc<Events>) -> Result<(Worker<Option<Model>>, Ticket<()>)> {
        if desc.flags != 0 {
            return Err(Error::Argument { name: "desc", reason: format!("flags {:#x} are not known", desc.flags) });
        }
        let train = handle::get::<Dataset>("desc.train", desc.train)?;
        let held_out = match desc.held_out.is_null() {
            true => None,
            false => Some(handle::get::<Dataset>("desc.held_out", desc.held_out)?),
        };
        let init = match desc.init.is_null() {
            true => None,
            false => Some(handle::get::<ModelHandle>("desc.init", desc.init)?.with(|model, _| model.graph())?),
        };
        let (space, architecture) = match &init {
            Some(init) if desc.arch.is_null() => (init.card.space.clone(), init.card.architecture.clone()),
            _ => {
                let arch = handle::get::<ArchHandle>("desc.arch", desc.arch)?;
                (arch.space.clone(), arch.architecture.clone())
            }
        };
        let options = ModelOptions::from_json(text::optional("desc.options_json", desc.options_json)?.unwrap_or("{}"))?;
        let worker = Worker::start("model", || Model::possible().map(|()| None))?;
        let job = move |state: &mut Option<Model>, reporter: &Reporter<()>| {
            let watch = |event: &Event| reporter.event(event);
            let (architecture, held_out, init) = (&architecture, held_out.as_deref(), init.as_ref());
            let lesson = Lesson { space, architecture, train: &train, held_out, init };
            *state = Some(Model::learn(lesson, &options, reporter, &watch)?);
            Ok(())
        };
        let ticket = worker.submit(job, events)?;
        Ok((worker, ticket))
    }

    /// Begins a training; its operation holds the model when it is done.
    fn train_async(desc: &nse_model_desc, events: Arc<Events>) -> Result<OpHandle> {
        let (worker, ticket) = Self::begin(desc, &events)?;
        let mut unclaimed = Unclaimed(Some(worker));
        Ok(OpHandle::with_model(|model| {
            OpHandle::new(ticket, events, move |()| {
                *model.lock().unwrap_or_else(PoisonError::into_inner) = unclaimed.0.take().map(|worker| ModelHandle { worker });
                NSE_OK
            })
        }))
    }

    /// Makes a model on a thread of its own.
    pub fn made(make: impl FnOnce() -> Result<Model> + Send + 'static) -> Result<Self> {
        Ok(ModelHandle { worker: Worker::start("model", || make().map(Some))? })
    }

    /// Runs `job` where the model lives.
    pub fn with<R: Send + 'static>(&self, job: impl FnOnce(&Model, &dyn Control) -> Result<R> + Send + 'static) -> Result<R> {
        let job = |state: &mut Option<Model>, reporter: &Reporter<R>| match state {
            Some(model) => job(model, reporter),
            None => Err(Error::NotFound("the model was not trained".into())),
        };
        self.worker.run(job, &Arc::new(Events::none()))
    }
}

/// A training whose model nobody has taken: when nobody can any more, it stops.
struct Unclaimed(Option<Worker<Option<Model>>>);

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(worker) = &self.0 {
            worker.retire();
        }
    }
}

/// The options of a stand-alone training, as a JSON schema with keys, defaults, ranges and help.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_options_schema(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, ModelOptions::schema()))
}

/// Trains an architecture, from fresh weights or from those of another model. Blocks, and delivers events on this thread; the callback
/// may cancel. With the option checkpoint.path the training is saved while it runs, and when it is cancelled; with checkpoint.resume
/// it goes on from there, and ends with the same bits.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_model_free.
///
/// NSE_ERR_CONFIG: options, also those that differ from the checkpoint's. NSE_ERR_INVALID_ARGUMENT: images or `init` do not fit.
/// NSE_ERR_CANCELLED. NSE_ERR_DIVERGED. NSE_ERR_IO: the checkpoint. NSE_ERR_FORMAT: it is damaged, or of another training.
/// NSE_ERR_BUSY: `init`. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch, or
/// squeeze-excitation, and stacked cells. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_train(desc: *const nse_model_desc, out: *mut *mut nse_model, err: *mut *mut nse_error) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || ModelHandle::train(&desc?, &Arc::new(events?)))
}

/// Begins a training as nse_model_train does, and returns at once. Events come in nse_op_poll; when that returns NSE_OK,
/// nse_op_take_model has the model.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_op_free, which cancels the training.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_BUSY: `init`. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_train_async(
    desc: *const nse_model_desc,
    out: *mut *mut nse_op,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || ModelHandle::train_async(&desc?, Arc::new(events?)))
}

/// Evaluates a model on a dataset. Blocks.
///
/// `dataset`: [in] images of the size that the model was trained on. `loss`: [out] mean cross-entropy; `accuracy`: [out] top-1, 0 to 1. Both may be NULL.
///
/// NSE_ERR_INVALID_ARGUMENT: the images do not fit. NSE_ERR_BUSY. NSE_ERR_CANCELLED: by nse_shutdown. NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_evaluate(
    model: *const nse_model,
    dataset: *const nse_dataset,
    loss: *mut f64,
    accuracy: *mut f64,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let model = handle::get::<ModelHandle>("model", model)?;
        let dataset = handle::get::<Dataset>("dataset", dataset)?;
        let result = model.with(move |model, control| model.evaluate(&dataset, control))?;
        structs::put(loss, result.loss);
        structs::put(accuracy, result.accuracy);
        Ok(NSE_OK)
    })
}

/// What became of every epoch of the training, as JSON: a list of objects with epoch (from 1), step, loss and accuracy (means over
/// the batches as they were trained on: changed, mixed, with smoothed labels), held_out and ema (loss and accuracy on the images of
/// `held_out`, with the weights themselves and with their moving average; null where there is none, or it was not its turn), lr and
/// seconds (since the start, pauses between two processes not counted). Empty for a model that was loaded or taken from a search.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_BUSY. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_history(model: *const nse_model, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let model = handle::get::<ModelHandle>("model", model)?;
        let history = model.with(|model, _| Ok(json!(model.history()).to_string()))?;
        buffer::write("out", out, history)
    })
}

/// Architecture and space of a model.
///
/// `out`: [out] to free with nse_arch_free.
///
/// NSE_ERR_BUSY. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_arch(model: *const nse_model, out: *mut *mut nse_arch, err: *mut *mut nse_error) -> nse_status {
    boundary::make(out, err, || {
        let card = handle::get::<ModelHandle>("model", model)?.with(|model, _| Ok(model.card()))?;
        Ok(ArchHandle { space: card.space, architecture: card.architecture })
    })
}

/// What a model is, as JSON: the text nse.json that is in every exported file. It has space, architecture, variant, classes, input
/// (layout, type, channels, height, width) and normalisation: a pixel v, 0 to 255, becomes (v / scale - mean) / std per channel.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_BUSY. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_describe(model: *const nse_model, out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let card = handle::get::<ModelHandle>("model", model)?.with(|model, _| Ok(model.card()))?;
        buffer::write("out", out, card.to_json(false))
    })
}

/// Frees a model. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_free(model: *mut nse_model) {
    if !boundary::forked() {
        handle::free::<ModelHandle>(model);
    }
}
