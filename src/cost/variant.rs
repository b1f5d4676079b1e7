//! What a stand-alone network costs with the additions of a variant. The published numbers of NSENet are with squeeze-excitation.

use super::{Cost, CostTable};
use crate::arch::{Architecture, Variant};
use crate::space::Space;

/// Cost of one architecture as a stand-alone network. Stacked cells have no squeeze-excitation ([`Variant::fits`]).
pub fn variant_cost(space: &Space, architecture: &Architecture, variant: Variant) -> Cost {
    CostTable::of(space, variant.details(space)).architecture(architecture)
}
