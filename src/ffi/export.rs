//! Section "export": models to files and memory, and back.

use super::arch::{nse_arch, ArchHandle};
use super::buffer::{self, nse_buffer};
use super::callback::Events;
use super::driver::{SearchHandle, State};
use super::error::nse_error;
use super::model::{nse_model, ModelHandle};
use super::search::nse_search;
use super::status::{nse_status, NSE_OK};
use super::worker::Reporter;
use super::{boundary, handle, text};
use crate::error::Error;
use crate::export::{safetensors, ExportOptions};
use crate::supernet::{Model, SupernetTrainer};
use std::ffi::c_char;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The JSON form of what nse_model_export takes as `format`, as a JSON schema with keys, defaults and help.
///
/// `out`: [out] to free with nse_buffer_free.
///
/// Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_export_schema(out: *mut nse_buffer, err: *mut *mut nse_error) -> nse_status {
    boundary::guard(err, || buffer::write("out", out, ExportOptions::schema()))
}

/// Writes a model to a file, whole or not at all. Blocks.
///
/// `format`: [in] "torchscript": an archive that libtorch and PyTorch load. "onnx": ONNX, operator set 17. Both take normalised images,
/// 32-bit floats [n, channels, height, width], n as one likes, and give logits [n, classes]. "safetensors": weights and batch-norm
/// statistics by name, which nse_model_load reads. Binary weights are as they are computed with, in safetensors as they are learnt. Or a JSON object, {"format": "onnx", "fold": true, "normalise": true}: batch-norm
/// folded into the convolutions, pixels 0 to 255 as input; see nse_model_export_schema. In each is the text of nse_model_describe:
/// the extra file nse.json of an archive, the metadata nse.json of the others. `path`: [in] an existing file is replaced.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG: the JSON object. NSE_ERR_IO. NSE_ERR_BUSY. NSE_ERR_TORCH.
/// NSE_ERR_UNSUPPORTED: binary activations, and another format than safetensors. Since 0.1.
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
        let options = ExportOptions::parse(text::required("format", format)?)?;
        model.with(move |model, _| model.export_to(&options, &path))?;
        Ok(NSE_OK)
    })
}

/// The same to memory: what nse_model_export would write. Blocks.
///
/// `format`: [in] as there. `out`: [out] the bytes, which are no text; to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT: no such format. NSE_ERR_CONFIG: the JSON object. NSE_ERR_BUSY. NSE_ERR_TORCH.
/// NSE_ERR_UNSUPPORTED: as there. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_export_memory(
    model: *const nse_model,
    format: *const c_char,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let model = handle::get::<ModelHandle>("model", model)?;
        let options = ExportOptions::parse(text::required("format", format)?)?;
        let content = model.with(move |model, _| model.export(&options))?;
        buffer::give("out", out, content)
    })
}

/// Reads a model that nse_model_export wrote as "safetensors". It evaluates to the same bits on the same machine, is exported, and can be
/// trained on (`init` of nse_model_desc). Blocks.
///
/// `path`: [in] the file. `device`: [in] where it computes: "cpu", "cuda" or "cuda:N"; NULL: "cpu". `out`: [out] to free with nse_model_free.
///
/// NSE_ERR_IO. NSE_ERR_FORMAT: not such a file, or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
/// NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_load(
    path: *const c_char,
    device: *const c_char,
    out: *mut *mut nse_model,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let (path, device) = (text::required("path", path)?, text::optional("device", device)?.unwrap_or("cpu").to_owned());
        let graph = safetensors::open(Path::new(path))?;
        ModelHandle::made(move || Model::from_graph(&graph, &device))
    })
}

/// The same from memory. Blocks.
///
/// `data`: [in] `len` bytes, read during the call only. `len`: how many. `device`: [in] as there. `out`: [out] to free with
/// nse_model_free.
///
/// NSE_ERR_INVALID_ARGUMENT: not what nse_model_export_memory gave as "safetensors", or damaged. NSE_ERR_DEVICE. NSE_ERR_TORCH.
/// NSE_ERR_TORCH_MISMATCH. NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_load_memory(
    data: *const u8,
    len: usize,
    device: *const c_char,
    out: *mut *mut nse_model,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let wrong = |reason: String| Error::Argument { name: "data", reason };
        if data.is_null() || isize::try_from(len).is_err() {
            return Err(wrong(if data.is_null() {
                "NULL is no data".into()
            } else {
                format!("{len} bytes are more than memory can have")
            }));
        }
        let device = text::optional("device", device)?.unwrap_or("cpu").to_owned();
        // SAFETY: not NULL; the caller says that so many bytes are there.
        let graph = safetensors::from_memory(unsafe { std::slice::from_raw_parts(data, len) })?;
        ModelHandle::made(move || Model::from_graph(&graph, &device))
    })
}

/// The network of an architecture with the weights that it has in the supernet of a search: the last trained, and batch-norm statistics
/// as for scoring. It is evaluated, exported and trained on (`init` of nse_model_desc) like any model; a training that begins with it
/// begins better than with fresh weights. Blocks.
///
/// `search`: [in] one with datasets, of which a round was begun in this process or the checkpoint was made within one. `arch`: [in] of
/// the same space; all its operators must be active, as those of the front are. `out`: [out] to free with nse_model_free.
///
/// NSE_ERR_INVALID_ARGUMENT: the search is pushed or told, samples channels, or the architecture is of another space. NSE_ERR_NOT_FOUND: there are no
/// weights, or not of every operator, or cells grow: those of one are forgotten when the next one is trained. NSE_ERR_BUSY: a step runs. NSE_ERR_CANCELLED: by nse_search_cancel. NSE_ERR_TORCH.
/// NSE_ERR_UNSUPPORTED: a build without libtorch. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_model_from_search(
    search: *const nse_search,
    arch: *const nse_arch,
    out: *mut *mut nse_model,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::make(out, err, || {
        let search = handle::get::<SearchHandle>("search", search)?;
        let arch = handle::get::<ArchHandle>("arch", arch)?;
        if !search.options.strategy.get().seeks().judges_operators() {
            return Err(Error::NotFound("where cells grow the search keeps no weights of them".into()));
        }
        if *arch.space != *search.space {
            let reason = format!("of the space {:?}, which is not that of the search", arch.space.name());
            return Err(Error::Argument { name: "arch", reason });
        }
        let job = {
            let arch = arch.clone();
            move |state: &mut State<SupernetTrainer>, control: &Reporter<Model>| state.trainer.model(&arch.architecture, control)
        };
        let model = search.datasets()?.run(job, &Arc::new(Events::none()))?;
        ModelHandle::made(|| Ok(model))
    })
}
