//! What a stand-alone network costs with the additions of a variant. The published numbers of NSENet are with squeeze-excitation.

use super::{Cost, CostTable};
use crate::arch::{Architecture, Variant};
use crate::space::{Convolution, Space};

/// Cost of one architecture as a stand-alone network. Of a squeeze-excitation module its two linear layers count, once per image;
/// averaging, sigmoid and scaling count 0, as does any activation. Stacked cells have none ([`Variant::fits`]).
pub fn variant_cost(space: &Space, architecture: &Architecture, variant: Variant) -> Cost {
    if space.stack().is_some() {
        return CostTable::new(space).architecture(architecture);
    }
    let modules = architecture.by_cell().flat_map(|(cell, operators)| {
        let cell = &space.cells()[cell];
        operators.iter().map(move |operator| {
            let chain = cell.operators[usize::from(*operator)].convolutions(cell.input.channels, cell.channels, cell.stride());
            variant.excited(&chain).map_or(Cost::default(), |at| excitation(&chain[at]))
        })
    });
    CostTable::new(space).architecture(architecture) + modules.sum()
}

/// Two weights of width x squeezed width, each with its bias.
fn excitation(convolution: &Convolution) -> Cost {
    let [width, squeezed] = [convolution.cout, Variant::squeezed(convolution.cout)].map(u64::from);
    let macs = 2 * width * squeezed;
    Cost::real(macs, macs + squeezed + width)
}
