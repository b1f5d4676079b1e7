//! Section "push": a search inside the host's own training loop.

use super::dlpack::{DLManagedTensorVersioned, Elements, Managed, Pair};
use super::driver::SearchHandle;
use super::error::nse_error;
use super::search::nse_search;
use super::status::{nse_status, NSE_DONE, NSE_OK};
use super::structs::{self, Sized32};
use super::{boundary, handle};
use crate::data::PushedBatch;
use crate::error::{Error, Result};
use crate::search::{Given, LastStep, Search, Wanted};
use std::mem::size_of;

/// Phase: the search is complete; nothing can be pushed.
pub const NSE_PHASE_DONE: u32 = 0;
/// Phase: training images, for an optimizer step of the supernet. Instead of them NSE_PHASE_END ends an epoch, after at least one
/// such step in it.
pub const NSE_PHASE_WEIGHT: u32 = 1;
/// Phase: held-out images, for a step in which operators learn. Comes after every fitness.interval weight steps, or those of scorer alpha.
pub const NSE_PHASE_ARCHITECTURE: u32 = 2;
/// Phase: training images, as they are without augmentation, for the batch-norm statistics of the candidates; until there were
/// score.calibration of them, or NSE_PHASE_END. Works on all candidates at once.
pub const NSE_PHASE_CALIBRATE: u32 = 3;
/// Phase: held-out images, for the accuracy of the candidates; until there were score.images of them, or NSE_PHASE_END. Works on
/// all candidates at once, and completes the round.
pub const NSE_PHASE_EVALUATE: u32 = 4;
/// Only in nse_batch: there are no more images of the phase; the end of an epoch, of the calibration, or of the evaluation.
pub const NSE_PHASE_END: u32 = 5;

/// One batch of the host's. Start with NSE_BATCH_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_batch {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// What it is for: the phase that the last push returned as `next`, or NSE_PHASE_END, and then everything below is empty.
    pub phase: u32,
    /// How many images, 2 or more; 0 with tensors, which say so themselves.
    pub count: u32,
    /// [count, channels, height, width] of the space's input, augmented and normalised as the host likes; NULL with tensors.
    pub images: *const f32,
    /// One for each image, below the classes of the space; NULL with tensors.
    pub labels: *const u32,
    /// Instead of the two: DLPack tensors, float32 [count, channels, height, width] and int64, int32, uint32 or uint8 labels, on
    /// the CPU or a CUDA device, with any strides. They are the library's from here on, also when the call fails: it calls each
    /// deleter once before it returns. On a CUDA device they must be ready for its default stream.
    pub images_dlpack: *mut DLManagedTensorVersioned,
    pub labels_dlpack: *mut DLManagedTensorVersioned,
    /// Learning rate of this weight step; 0: by the options, which must have pushed.steps_per_epoch then.
    pub lr: f64,
}

// SAFETY: starts with its size; zero is no images and no learning rate.
unsafe impl Sized32 for nse_batch {
    const LEAST: usize = size_of::<nse_batch>();
}

/// What became of a push, and what comes next. Start with NSE_PUSHED_INIT.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_pushed {
    pub struct_size: u32,
    /// The phase that the next batch must be for.
    pub next: u32,
    /// Rounds completed, of so many.
    pub completed: u64,
    pub rounds: u64,
    /// Epoch under way in this round, from 1, of so many; the last one while candidates are scored.
    pub epoch: u64,
    pub epochs: u64,
    /// Weight steps made in this round.
    pub step: u64,
    /// Of the batch: mean loss of a weight or architecture step; else NaN.
    pub loss: f64,
    /// Of the batch, 0 to 1: of a weight step with the paths it drew, of an evaluation the mean over the candidates; else NaN.
    pub accuracy: f64,
    /// Learning rate of a weight step; else NaN.
    pub lr: f64,
}

// SAFETY: starts with its size; all zeros are numbers.
unsafe impl Sized32 for nse_pushed {
    const LEAST: usize = size_of::<nse_pushed>();
}

/// Does one piece of work of a search that was made with NSE_SEARCH_PUSHED, with a batch of the host's: an optimizer step of the
/// supernet, a step of the fitness, or one batch of the scoring. Blocks for that long, and delivers events on this thread as
/// nse_search_step does. After an error, a cancel included, nothing has happened: the same can be pushed again.
///
/// `batch`: [in] read during the call only; NULL: nothing is done, the call only says what comes next.
/// `pushed`: [out] NULL: not wanted.
///
/// Returns NSE_OK; NSE_DONE: the search is complete.
/// NSE_ERR_INVALID_ARGUMENT: a phase that is not next, images or labels that do not fit the space, no learning rate, or a search
/// that has datasets. NSE_ERR_DEVICE: a tensor on a device that cannot be used. NSE_ERR_BUSY. NSE_ERR_CANCELLED.
/// NSE_ERR_DIVERGED. NSE_ERR_OUT_OF_MEMORY. NSE_ERR_UNREACHABLE, NSE_ERR_TOO_FEW: as nse_search_step, at the end of the last epoch
/// or the first batch after it. NSE_ERR_IO: the checkpoint could not be written; the batch has been used all the same, and what
/// comes next is as `pushed` would have said (ask with NULL). NSE_ERR_TORCH. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_search_push(
    search: *const nse_search,
    batch: *const nse_batch,
    pushed: *mut nse_pushed,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that the deleters run whatever fails.
    let batch = (!batch.is_null()).then(|| {
        structs::read("batch", batch).map(|batch: nse_batch| {
            let tensors = Pair::take(batch.images_dlpack, batch.labels_dlpack);
            (batch, tensors)
        })
    });
    boundary::guard(err, || {
        structs::ready("pushed", pushed)?;
        let search = handle::get::<SearchHandle>("search", search)?;
        let worker = search.pushed()?;
        let host = match batch.transpose()? {
            Some((batch, tensors)) => Some(Host::read(&batch, tensors, &search)?),
            None => None,
        };
        let shared = search.shared.clone();
        let outcome = worker.run(
            move |state, reporter| {
                state.work(&shared, reporter, |search, trainer, watch| {
                    let mut last = LastStep::NONE;
                    // Not moved out of: what it owns is given back when the batch was used.
                    if let Some(host) = &host {
                        match host {
                            Host::End => search.push(Given::End, trainer, watch)?,
                            Host::Batch { wanted, lr, batch, .. } => {
                                search.allows(*wanted, *lr)?;
                                let images = batch.shape.first().copied().unwrap_or_default() as u64;
                                let given = Given::Batch { wanted: *wanted, images, lr: *lr, batch: trainer.batch(batch)? };
                                search.push(given, trainer, watch)?;
                                last = trainer.last();
                            }
                        }
                    }
                    Ok(outcome(search, last))
                })
            },
            &search.events,
        )?;
        structs::give(pushed, outcome);
        Ok(if outcome.next == NSE_PHASE_DONE { NSE_DONE } else { NSE_OK })
    })
}

/// What the host pushes, checked as far as that goes without the search.
enum Host {
    End,
    Batch { wanted: Wanted, lr: Option<f64>, batch: PushedBatch, _owner: Option<Managed> },
}

impl Host {
    fn read(batch: &nse_batch, tensors: Pair, search: &SearchHandle) -> Result<Self> {
        let wrong = |reason: String| Err(Error::Argument { name: "batch", reason });
        if batch.flags != 0 {
            return wrong(format!("flags {:#x} are not known", batch.flags));
        }
        let plain = !batch.images.is_null() || !batch.labels.is_null() || batch.count != 0;
        let wanted = match batch.phase {
            NSE_PHASE_WEIGHT => Wanted::Weight,
            NSE_PHASE_ARCHITECTURE => Wanted::Architecture,
            NSE_PHASE_CALIBRATE => Wanted::Calibrate,
            NSE_PHASE_EVALUATE => Wanted::Evaluate,
            NSE_PHASE_END if !plain && tensors.is_empty() => return Ok(Host::End),
            NSE_PHASE_END => return wrong("NSE_PHASE_END comes without images and labels".into()),
            other => return wrong(format!("phase {other} is not one of NSE_PHASE_*")),
        };
        if !(batch.lr.is_finite() && batch.lr >= 0.0) {
            return wrong(format!("lr {} is not a learning rate", batch.lr));
        }
        let lr = (batch.lr > 0.0).then_some(batch.lr);
        if tensors.is_empty() {
            let input = search.space.input();
            let shape = [input.channels, input.height, input.width];
            // SAFETY: the caller says that so many images and labels are there.
            let batch = unsafe { PushedBatch::copy(batch.count, shape, batch.images, batch.labels)? };
            return Ok(Host::Batch { wanted, lr, batch, _owner: None });
        }
        if plain {
            return wrong("images, labels and count must be empty beside DLPack tensors".into());
        }
        let (images, labels) = tensors.both("batch.images_dlpack", "batch.labels_dlpack")?;
        let images = Elements::floats("batch.images_dlpack", images)?;
        let labels = Elements::labels("batch.labels_dlpack", labels)?.into_labels()?;
        let Ok(shape) = <[usize; 4]>::try_from(images.shape()) else { return wrong("images of another rank than 4".into()) };
        let (values, owner) = images.into_values()?;
        Ok(Host::Batch { wanted, lr, batch: PushedBatch { shape, values, labels }, _owner: owner })
    }
}

fn outcome(search: &Search, LastStep { loss, accuracy, lr }: LastStep) -> nse_pushed {
    let next = match search.wanted() {
        Wanted::Nothing => NSE_PHASE_DONE,
        Wanted::Weight => NSE_PHASE_WEIGHT,
        Wanted::Architecture => NSE_PHASE_ARCHITECTURE,
        Wanted::Calibrate => NSE_PHASE_CALIBRATE,
        Wanted::Evaluate => NSE_PHASE_EVALUATE,
    };
    let ((completed, rounds), place) = (search.rounds(), search.place());
    let (epoch, epochs, step) = (place.epoch, place.epochs, place.step);
    nse_pushed { struct_size: size_of::<nse_pushed>() as u32, next, completed, rounds, epoch, epochs, step, loss, accuracy, lr }
}
