//! Whether a supernet can do what the options of a search want. No tensors: a build without libtorch has it too.

use crate::error::Result;
use crate::search::SearchOptions;
use crate::space::Space;

/// Architecture steps go from cell to cell of a chain.
pub fn learnable(space: &Space, options: &SearchOptions) -> Result<()> {
    match options.scorer().get().learns() {
        true => space.need_chain("a search that learns fitness (option \"scorer\")").map(|_| ()),
        false => Ok(()),
    }
}
