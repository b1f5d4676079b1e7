//! Section "genome".

use super::boundary;
use super::buffer::{self, nse_buffer};
use super::error::nse_error;
use super::status::nse_status;
use super::text;
use crate::error::Error;
use crate::restore::{Network, Picture};
use std::ffi::c_char;

/// What a genome says, as JSON: code (its text), bits, units (encoder and decoder with residual, kernel and channels; skips, from this encoder
/// to every decoder, with open and channels), and of its network for an image: params, macs (multiply-accumulates of one forward
/// pass), padded (height and width of its noise) and infeasible (null, or why there is no network; then there are no costs). The same document with
/// only units is a genome too, and so is turned into its code.
///
/// `code`: [in] a genome, as a text such as "1-2cbe2" or as {"units": [...]}; or "classic" or "classic-inpaint", which have no units. `channels`: of the
/// image, 1 or 3. `height`, `width`: of the image. `input_channels`: of the noise, 1 to 256 (option train.input_channels). `out`: [out] to free with nse_buffer_free.
///
/// NSE_ERR_INVALID_ARGUMENT, NSE_ERR_CONFIG: no genome; the message names what is wrong. Since 0.1.
#[no_mangle]
pub extern "C" fn nse_genome_describe(
    code: *const c_char,
    channels: u32,
    height: u32,
    width: u32,
    input_channels: u32,
    out: *mut nse_buffer,
    err: *mut *mut nse_error,
) -> nse_status {
    boundary::guard(err, || {
        let network = Network::parse(text::required("code", code)?)?;
        Picture::count("channels", channels, height, width)?;
        if !(1..=256).contains(&input_channels) {
            return Err(Error::Argument { name: "input_channels", reason: format!("{input_channels} is not in 1 to 256") });
        }
        buffer::write("out", out, network.describe(input_channels, [channels, height, width]).to_string())
    })
}
