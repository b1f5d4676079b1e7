//! Our kernels, at every instruction level that this processor has, against libtorch in 64-bit floats. A program of its own: the level is one for
//! the whole process, and other tests want results that do not change by a bit.

mod alone;
mod cells;
mod dense;
mod descent;
mod low;
mod pool;
mod signs;
#[path = "../supernet/support.rs"]
#[allow(dead_code)]
mod support;
mod workers;

use nse::supernet::fused;
use std::sync::{Mutex, PoisonError};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs `check` once for every level, by its name.
pub fn at_every_level(check: impl Fn(&str)) {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let best = fused::level_name();
    let mut tried = 0;
    for level in [c"level_bf16", c"level_v4", c"level_v3", c"level_v2"] {
        if fused::use_level(level) {
            assert_eq!(fused::level_name(), level.to_str().unwrap());
            check(fused::level_name());
            tried += 1;
        }
    }
    assert!(tried > 0 && !fused::use_level(c"level_v5"), "the plain kernels run everywhere, and others are not there");
    assert!(fused::use_level(&std::ffi::CString::new(best).unwrap()));
}
