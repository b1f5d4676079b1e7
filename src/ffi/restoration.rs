//! Section "restoration".

use super::buffer::{self, nse_buffer};
use super::callback::{nse_events, Events};
use super::error::nse_error;
use super::op::{nse_op, OpHandle};
use super::picture::nse_picture;
use super::restoring::RestorationHandle;
use super::status::{nse_status, NSE_DONE, NSE_OK, NSE_PENDING};
use super::structs::{self, Sized32};
use super::told::{NSE_TOLD_COUNTED, NSE_TOLD_LATE, NSE_TOLD_REPEATED, NSE_TOLD_UNASKED};
use super::{boundary, handle, text};
use crate::error::Error;
use crate::restore::{Genome, Network, Picture, RestoreOptions};
use crate::search::{Asked, Effect, Status};
use serde_json::json;
use std::ffi::c_char;
use std::mem::size_of;
use std::path::Path;

/// One image to restore without training data, and the search for the network that does it best.
pub struct nse_restoration {
    _private: [u8; 0],
}

/// What a restoration is made of. Start with NSE_RESTORATION_DESC_INIT. The library copies the images.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct nse_restoration_desc {
    pub struct_size: u32,
    /// 0.
    pub flags: u32,
    /// The damaged image; of a super-resolution the small one.
    pub picture: *const nse_picture,
    /// To inpaint: one channel as high and wide, 1 for a known pixel and 0 for a missing one. Otherwise NULL.
    pub mask: *const nse_picture,
    /// How the restored image should be, if that is known: for fitness "reference", and for the PSNR and SSIM in reports. May be NULL.
    pub reference: *const nse_picture,
    /// Options as a JSON object; see nse_restoration_options_schema. Only "task" must be there. nse_restoration_load: NULL, or those of the
    /// checkpoint, of which "device", "threads", "checkpoint", "search.parallel" and "search.generations" may differ.
    pub options_json: *const c_char,
    /// Where progress goes; NULL: nowhere. Used until the restoration is freed.
    pub events: *const nse_events,
}

// SAFETY: starts with its size; zero is NULL and no flags.
unsafe impl Sized32 for nse_restoration_desc {
    const LEAST: usize = size_of::<nse_restoration_desc>();
}

/// The options of a restoration, as a JSON schema with keys, defaults, ranges and help.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_options_schema(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, RestoreOptions::schema()))
}

/// Makes a restoration and draws the first networks to search among; nothing is fitted yet. Needs no libtorch.
///
/// `desc`: [in] read during the call only. `out`: [out] to free with nse_restoration_free.
///
/// NSE_ERR_CONFIG: options; also when of very many random genomes none has a network inside search.max_params and search.max_macs.
/// NSE_ERR_INVALID_ARGUMENT: images of a wrong shape, or with other values; a mask with another task than "inpaint", or none with it.
/// NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_create(
    desc: *const nse_restoration_desc,
    out: *mut *mut nse_restoration,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || RestorationHandle::create(&desc?, events?))
}

/// Makes a restoration from a checkpoint; it goes on as if it had never stopped, on a CPU with the same number of threads to the last bit.
/// Blocks while it reads.
///
/// `path`: [in] the file. `desc`: [in] read during the call only; the images must be those of the saved one. `out`: [out] to free with
/// nse_restoration_free.
///
/// NSE_ERR_IO. NSE_ERR_FORMAT: no checkpoint of a restoration, damaged, of another version or other images. NSE_ERR_CONFIG: options that
/// differ. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_load(
    path: *const c_char,
    desc: *const nse_restoration_desc,
    out: *mut *mut nse_restoration,
    err: *mut *mut nse_error,
) -> nse_status {
    // Outside, so that user_free runs whatever fails.
    let desc = structs::read("desc", desc);
    let events = Events::of(&desc, |desc| desc.events);
    boundary::make(out, err, || RestorationHandle::load(Path::new(text::required("path", path)?), &desc?, events?))
}

/// Saves the search of a restoration: what is known of every network, and the generation under way. A step may be running: what it
/// has fitted so far is in the file. Blocks.
///
/// `path`: [in] an existing file is replaced, whole or not at all; its folder must exist.
///
/// NSE_ERR_IO: the file is as it was. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_save(
    restoration: *const nse_restoration,
    path: *const c_char,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let path = Path::new(text::required("path", path)?);
        handle::get::<RestorationHandle>("restoration", restoration)?.restoration.save(path)?;
        Ok(NSE_OK)
    })
}

/// Runs one generation: fits every network of it that nothing is known of, several at once with option search.parallel, and draws the
/// next. Blocks, and delivers events on this thread. After an error, a cancel included, the next call goes on: what was fitted is
/// kept, the fits under way begin again, and the result is the same. A fit whose loss becomes no number is a result and no error.
///
/// Returns NSE_OK: there are more generations. NSE_DONE: that was the last, or there was none left.
/// NSE_ERR_CANCELLED. NSE_ERR_BUSY: another step or run of this restoration is at work. NSE_ERR_OUT_OF_MEMORY: lower search.max_macs may
/// help. NSE_ERR_IO: the checkpoint could not be written; nothing is lost. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
/// NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_step(restoration: *const nse_restoration, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        restoration.worker.run(restoration.generation(), &restoration.events).map(status_of)
    })
}

fn status_of(status: Status) -> nse_status {
    match status {
        Status::Round => NSE_OK,
        Status::Done => NSE_DONE,
    }
}

/// Begins a generation as nse_restoration_step does, and returns at once. Events come in nse_op_poll.
///
/// `out`: [out] to free with nse_op_free; freeing it, or never polling it, lets the generation go on.
///
/// NSE_ERR_BUSY: another step or run of this restoration is at work. NSE_ERR_CANCELLED: nse_shutdown. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_step_async(
    restoration: *const nse_restoration,
    out: *mut *mut nse_op,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        let ticket = restoration.worker.submit(restoration.generation(), &restoration.events)?;
        Ok(OpHandle::new(ticket, restoration.events.clone(), status_of))
    })
}

/// Hands out networks to be fitted elsewhere, in place of steps or between them, as a JSON list of codes. None was asked or told before; a
/// generation ends when all of it are told. A step that runs meanwhile fits what is open, asked or not. Needs no libtorch; never gives
/// NSE_ERR_BUSY.
///
/// `count`: 1 to 1048576. `out`: [out] to free with nse_buffer_free.
///
/// Returns NSE_OK: at least one. NSE_PENDING: none until a result is told, or what was asked is forgotten. NSE_DONE: none, the last
/// generation is complete. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_ask(
    restoration: *const nse_restoration,
    count: usize,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        if out.is_null() {
            return Err(Error::Argument { name: "out", reason: "NULL is not a place for a buffer".into() });
        }
        if !(1..=1 << 20).contains(&count) {
            return Err(Error::Argument { name: "count", reason: format!("{count} is not in 1 to {}", 1 << 20) });
        }
        let (codes, asked) = restoration.restoration.population().ask(count);
        buffer::write("out", out, json!(codes).to_string())?;
        Ok(match asked {
            Asked::Given => NSE_OK,
            Asked::Pending => NSE_PENDING,
            Asked::Done => NSE_DONE,
        })
    })
}

/// Tells how fit a network is: at any time and in any order, also one that was never asked for. With the last one of a generation the next
/// is drawn, for a second or so where hardly any genome is cheap enough. Never gives NSE_ERR_BUSY. The option "checkpoint" does not
/// save what is told; nse_restoration_save does.
///
/// `code`: [in] the genome. `fitness`: decibels, -1000 to 1000; NaN: it failed. `effect`: [out] NSE_TOLD_COUNTED, NSE_TOLD_REPEATED or
/// NSE_TOLD_UNASKED; may be NULL.
///
/// Returns NSE_OK; NSE_DONE: the last generation is complete.
/// NSE_ERR_CONFLICT: another result of it is known; nothing changes. NSE_ERR_INVALID_ARGUMENT: no genome of this search, none with a
/// network, or one that costs too much. NSE_ERR_CONFIG: a genome in JSON that is none. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_tell(
    restoration: *const nse_restoration,
    code: *const c_char,
    fitness: f64,
    effect: *mut u32,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        let genome = Genome::parse(text::required("code", code)?)?;
        let mut population = restoration.restoration.population();
        let became = match population.tell(&genome, (!fitness.is_nan()).then_some(fitness), Vec::new())? {
            Effect::Counted => NSE_TOLD_COUNTED,
            Effect::Repeated => NSE_TOLD_REPEATED,
            Effect::Late => NSE_TOLD_LATE,
            Effect::Unasked => NSE_TOLD_UNASKED,
        };
        structs::put(effect, became);
        Ok(if population.done() { NSE_DONE } else { NSE_OK })
    })
}

/// Forgets that a network was asked for, because whoever fitted it died: it may be asked for again.
///
/// `code`: [in] the genome.
///
/// NSE_ERR_INVALID_ARGUMENT, NSE_ERR_CONFIG: no genome. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_forget(
    restoration: *const nse_restoration,
    code: *const c_char,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        restoration.restoration.population().forget(&Genome::parse(text::required("code", code)?)?);
        Ok(NSE_OK)
    })
}

/// How a restoration stands, as JSON: image (channels, height and width of the restored one), options, generation (complete ones),
/// generations, done, networks and failed (numbers of those known), open and pending (codes: not known yet, and asked of them), best,
/// front (by search.cost and fitness, the cheapest first) and history (of every generation: networks, failed, best, median, survivors).
/// best and members of the front have code, fitness, params, macs, generation and, where they were fitted here, fits: of every repeat fitness,
/// best_step, steps, diverged, psnr and ssim (to the reference, or null). Works while a step runs.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_report(
    restoration: *const nse_restoration,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        buffer::write("out", out, restoration.restoration.report().to_string())
    })
}

/// Shape of the restored image: that of the picture, with super-resolution as many times as high and wide.
///
/// `channels`, `height`, `width`: [out] may be NULL.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_shape(
    restoration: *const nse_restoration,
    channels: *mut u32,
    height: *mut u32,
    width: *mut u32,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let shape = handle::get::<RestorationHandle>("restoration", restoration)?.restoration.problem.shape();
        shape.into_iter().zip([channels, height, width]).for_each(|(side, out)| structs::put(out, side));
        Ok(NSE_OK)
    })
}

/// Restores the image with one network: fits it from fresh weights, and hands out what it makes of the image. Where an image is inpainted, its
/// known pixels are as they were. Blocks, and delivers events on this thread.
///
/// `code`: [in] a genome, "classic" or "classic-inpaint" (the networks of Deep Image Prior), or NULL: the fittest that is known. `out`:
/// [out] the restored image as in nse_picture, of the shape that nse_restoration_shape gives. `capacity`: how many numbers fit there.
/// `report`: [out] JSON to free with nse_buffer_free: what nse_genome_describe says of the network, and fitness, best_step, steps,
/// diverged, psnr and ssim (to the reference, or null); may be NULL.
///
/// NSE_ERR_NOT_FOUND: `code` is NULL, and nothing is known. NSE_ERR_INVALID_ARGUMENT: no genome, or none with a network; the message says
/// why. NSE_ERR_CONFIG: a genome in JSON that is none. NSE_ERR_BUFFER_TOO_SMALL: nothing was fitted. NSE_ERR_DIVERGED: the loss was no
/// number before there was any image. NSE_ERR_CANCELLED. NSE_ERR_BUSY. NSE_ERR_DEVICE. NSE_ERR_TORCH. NSE_ERR_TORCH_MISMATCH.
/// NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_run(
    restoration: *const nse_restoration,
    code: *const c_char,
    out: *mut f32,
    capacity: usize,
    report: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let restoration = handle::get::<RestorationHandle>("restoration", restoration)?;
        let network = text::optional("code", code)?.map(Network::parse).transpose()?;
        let problem = &restoration.restoration.problem;
        let [channels, height, width] = problem.shape();
        let needed = Picture::count("out", channels, height, width)?;
        if out.is_null() {
            return Err(Error::Argument { name: "out", reason: "NULL is not a place for an image".into() });
        }
        if capacity < needed {
            return Err(Error::BufferTooSmall { name: "out", capacity, needed });
        }
        if let Some(network) = &network {
            network.feasible(problem.input_channels(), channels)?;
        }
        let (image, network, fit) = restoration.run(network)?;
        if !report.is_null() {
            let mut all = network.describe(problem.input_channels(), problem.shape());
            if let (Some(all), Ok(serde_json::Value::Object(fit))) = (all.as_object_mut(), serde_json::to_value(&fit)) {
                all.extend(fit);
            }
            buffer::write("report", report, all.to_string())?;
        }
        structs::fill("out", out, capacity, &image.values)?;
        Ok(NSE_OK)
    })
}

/// Asks the step or run that is at work to stop; it returns NSE_ERR_CANCELLED. Without one it does nothing. Never waits. Concurrent.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_cancel(restoration: *const nse_restoration, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || {
        handle::get::<RestorationHandle>("restoration", restoration)?.worker.cancel();
        Ok(NSE_OK)
    })
}

/// Frees a restoration. A running step is cancelled; the call returns at once. NULL is allowed.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_restoration_free(restoration: *mut nse_restoration) {
    if boundary::forked() {
        return;
    }
    if let Ok(object) = handle::get::<RestorationHandle>("restoration", restoration) {
        object.worker.retire();
    }
    handle::free::<RestorationHandle>(restoration);
}
