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
use crate::supernet::{Model, ModelOptions};
use std::ffi::c_char;
use std::mem::size_of;
use std::path::PathBuf;
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
    /// The architecture to train.
    pub arch: *const nse_arch,
    /// Training images.
    pub train: *const nse_dataset,
    /// Options as a JSON object; see nse_model_options_schema. NULL: all defaults.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used during the training only.
    pub events: *const nse_events,
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
        let arch = handle::get::<ArchHandle>("desc.arch", desc.arch)?;
        let train = handle::get::<Dataset>("desc.train", desc.train)?;
        let options = ModelOptions::from_json(text::optional("desc.options_json", desc.options_json)?.unwrap_or("{}"))?;
        let worker = Worker::start("model", || Model::possible().map(|()| None))?;
        let job = move |state: &mut Option<Model>, reporter: &Reporter<()>| {
            let watch = |event: &Event| reporter.event(event);
            *state = Some(Model::train(arch.space.clone(), &arch.architecture, &train, &options, reporter, &watch)?);
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

    fn with<R: Send + 'static>(&self, job: impl FnOnce(&Model, &dyn Control) -> Result<R> + Send + 'static) -> Result<R> {
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

/// Trains an architecture from fresh weights. Blocks, and delivers events on this thread; the callback may cancel.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_model_free.
///
/// NSE_ERR_CONFIG: options. NSE_ERR_INVALID_ARGUMENT: the images do not fit the space. NSE_ERR_CANCELLED. NSE_ERR_DIVERGED.
/// NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
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
/// NSE_ERR_CONFIG: options. NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
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

/// Writes a model to a file, whole or not at all. Blocks.
///
/// `format`: "torchscript": an archive that libtorch and PyTorch load, with any batch size. It takes normalised images,
/// 32-bit floats [n, channels, height, width], and gives logits [n, classes]; the extra file nse.json inside has the
/// normalisation, the space and the architecture. `path`: [in] an existing file is replaced.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_IO. NSE_ERR_BUSY. NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_export(
    model: *const nse_model,
    format: *const c_char,
    path: *const c_char,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let model = handle::get::<ModelHandle>("model", model)?;
        let path = PathBuf::from(text::required("path", path)?);
        match text::required("format", format)? {
            "torchscript" => model.with(move |model, _| model.export_torchscript(&path))?,
            other => {
                let reason = format!("{other:?} is not known; there is \"torchscript\"");
                return Err(Error::Argument { name: "format", reason });
            }
        }
        Ok(NSE_OK)
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
