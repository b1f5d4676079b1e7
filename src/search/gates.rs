//! Which branches of a cell are open. Exact draws of Bernoulli vectors that must differ from a few forbidden ones,
//! without rejection and without enumerating subsets, so that any number of operators works.

use super::random::Stream;

/// One bit per active operator of a cell, drawn independently with probability `p`, given that the result is none of
/// `forbidden` (distinct vectors). None when only forbidden vectors are possible.
///
/// Bit by bit: the mass of "this bit = b" is p(b) times the chance that the rest does not complete a forbidden vector.
pub fn draw(p: &[f64], forbidden: &[Vec<bool>], stream: &mut Stream) -> Option<Vec<bool>> {
    let mut alive: Vec<(&[bool], Vec<f64>)> = forbidden.iter().map(|f| (f.as_slice(), suffix_masses(p, f))).collect();
    let mut gates = Vec::with_capacity(p.len());
    for (i, open) in p.iter().enumerate() {
        let mass = |bit: bool| {
            let completes: f64 = alive.iter().filter(|(f, _)| f[i] == bit).map(|(_, suffix)| suffix[i + 1]).sum();
            (if bit { *open } else { 1.0 - *open }) * (1.0 - completes).max(0.0)
        };
        let (closed, opened) = (mass(false), mass(true));
        if closed + opened <= 0.0 {
            return None;
        }
        let bit = stream.uniform() * (closed + opened) >= closed;
        alive.retain(|(f, _)| f[i] == bit);
        gates.push(bit);
    }
    alive.is_empty().then_some(gates)
}

/// The same with at most one bit set: one operator, or none.
pub fn draw_single(p: &[f64], forbidden: &[Vec<bool>], stream: &mut Stream) -> Option<Vec<bool>> {
    let single = |open: Option<usize>| (0..p.len()).map(|i| Some(i) == open).collect::<Vec<bool>>();
    let choices = std::iter::once(None).chain((0..p.len()).map(Some)).map(single).filter(|gates| !forbidden.contains(gates));
    let choices: Vec<_> = choices.map(|gates| (probability(p, &gates), gates)).collect();
    let total: f64 = choices.iter().map(|(mass, _)| mass).sum();
    let mut left = stream.uniform() * total;
    let last = choices.iter().rposition(|(mass, _)| *mass > 0.0)?;
    let hit = choices.iter().position(|(mass, _)| {
        left -= mass;
        left < 0.0
    });
    choices.into_iter().nth(hit.unwrap_or(last)).map(|(_, gates)| gates)
}

/// `masses[i]`: probability that bits i.. come out as in `gates`.
fn suffix_masses(p: &[f64], gates: &[bool]) -> Vec<f64> {
    let mut masses = vec![1.0; p.len() + 1];
    for i in (0..p.len()).rev() {
        masses[i] = masses[i + 1] * if gates[i] { p[i] } else { 1.0 - p[i] };
    }
    masses
}

/// Probability of `gates` when every bit is drawn independently with `p`: prod p^g (1-p)^(1-g).
pub fn probability(p: &[f64], gates: &[bool]) -> f64 {
    suffix_masses(p, gates)[0]
}
