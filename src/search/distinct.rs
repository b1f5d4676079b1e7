//! Draws without replacement: first by drawing again what was drawn already, and when that happens often, by a tree that takes the
//! mass of everything drawn out of the distribution. Both give the same distribution; the tree also knows when nothing is left.

use super::random::Stream;
use super::sample::{Place, Sampler, PATIENCE};
use crate::arch::Architecture;
use crate::error::Result;
use crate::space::Space;
use std::collections::HashSet;

/// Draws in a row that give nothing new before the tree takes over.
const REPEATS: usize = 64;

impl Sampler {
    /// Up to `count` different architectures inside the window, in the order drawn, none of them in `known`: drawn one after
    /// the other, each with its probability among those that are left. Fewer when there are no more.
    pub fn distinct(
        &self,
        space: &Space,
        count: usize,
        known: &HashSet<Architecture>,
        stream: &mut Stream,
    ) -> Result<Vec<Architecture>> {
        let mut seen = known.clone();
        let mut drawn = Vec::with_capacity(count.min(1 << 16));
        let mut nothing_new = 0;
        while drawn.len() < count && nothing_new < REPEATS {
            let (cells, price) = self.draw_binned(stream);
            nothing_new += 1;
            if self.inside(price) {
                let architecture = Architecture::new(space, cells)?;
                if seen.insert(architecture.clone()) {
                    drawn.push(architecture);
                    nothing_new = 0;
                }
            }
        }
        if drawn.len() == count || self.items.is_empty() {
            return Ok(drawn);
        }
        let mut tree = Tree::new(self);
        // In one order, so that the same rest is rounded the same way in every run.
        let mut seen: Vec<_> = seen.into_iter().collect();
        seen.sort_unstable();
        seen.iter().for_each(|architecture| tree.remove(architecture));
        let mut outside = 0;
        while drawn.len() < count && outside < PATIENCE {
            let Some(open) = tree.draw(stream) else { break };
            let (cells, price) = self.cells_of(&open);
            if self.inside(price) {
                drawn.push(Architecture::new(space, cells)?);
                outside = 0;
            } else {
                outside += 1;
            }
        }
        Ok(drawn)
    }
}

/// Every architecture is a path of bits, one per item of the sampler. A node knows how much of the mass below it is gone.
struct Tree<'a> {
    sampler: &'a Sampler,
    nodes: Vec<Node>,
}

struct Node {
    /// For bit 0 and bit 1: its probability here, the part of it that is gone, whether all is gone, and the next node (0: none yet).
    share: [f64; 2],
    gone: [f64; 2],
    empty: [bool; 2],
    next: [u32; 2],
}

impl<'a> Tree<'a> {
    fn new(sampler: &'a Sampler) -> Self {
        let mut tree = Tree { sampler, nodes: Vec::new() };
        tree.grow(0, Place::default());
        tree
    }

    /// A node for item `i`, unless that is the end.
    fn grow(&mut self, i: usize, place: Place) -> u32 {
        if i == self.sampler.items.len() {
            return 0;
        }
        let masses = self.sampler.masses(i, place);
        let share = masses.map(|mass| mass / (masses[0] + masses[1]));
        let empty = share.map(|share| share.is_nan() || share <= 0.0);
        self.nodes.push(Node { share, gone: [0.0; 2], empty, next: [0; 2] });
        (self.nodes.len() - 1) as u32
    }

    /// A path that was not drawn before; it is gone afterwards. None when nothing is left.
    fn draw(&mut self, stream: &mut Stream) -> Option<Vec<bool>> {
        let choose = |node: &Node| {
            // Rounding may make a rest vanish that is there: what is not empty keeps a little.
            let left = [0, 1].map(|bit| match node.empty[bit] {
                true => 0.0,
                false => (node.share[bit] - node.gone[bit]).max(node.share[bit] * f64::EPSILON),
            });
            (left[0] + left[1] > 0.0).then(|| stream.uniform() * (left[0] + left[1]) >= left[0])
        };
        self.walk(choose)
    }

    fn remove(&mut self, architecture: &Architecture) {
        let open: Vec<bool> = (self.sampler.items.iter())
            .map(|item| architecture.cells().get(item.cell).is_some_and(|cell| cell.contains(&item.operator)))
            .collect();
        let whole: usize = architecture.cells().iter().map(Vec::len).sum();
        // With an operator that is not active it cannot be drawn anyway.
        if whole == open.iter().filter(|open| **open).count() {
            let mut bits = open.into_iter();
            self.walk(|node| bits.next().filter(|bit| !node.empty[usize::from(*bit)]));
        }
    }

    /// Follows the bits that `choose` gives to the end and takes their path out; takes nothing out where it gives none.
    fn walk(&mut self, mut choose: impl FnMut(&Node) -> Option<bool>) -> Option<Vec<bool>> {
        let items = self.sampler.items.len();
        let (mut place, mut at) = (Place::default(), 0);
        let (mut path, mut nodes) = (Vec::with_capacity(items), Vec::with_capacity(items));
        for i in 0..items {
            let bit = choose(&self.nodes[at])?;
            place = self.sampler.after(i, place, bit);
            if self.nodes[at].next[usize::from(bit)] == 0 {
                let next = self.grow(i + 1, place);
                self.nodes[at].next[usize::from(bit)] = next;
            }
            nodes.push(at);
            path.push(bit);
            at = self.nodes[at].next[usize::from(bit)] as usize;
        }
        let (mut mass, mut empty) = (1.0, true);
        for (at, bit) in nodes.into_iter().zip(&path).rev() {
            let (node, bit) = (&mut self.nodes[at], usize::from(*bit));
            mass *= node.share[bit];
            node.gone[bit] += mass;
            node.empty[bit] = empty;
            empty = node.empty == [true, true];
        }
        Some(path)
    }
}
