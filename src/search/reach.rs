//! Whether any architecture has a price inside a window, for certain: all sums that there are, as a list while they are few, else as bits,
//! in units of the greatest common divisor of all prices. Knows nothing of probabilities; it is for windows so narrow that draws near them hardly ever meet them.

use super::sample::Item;

/// Sums in a list: 1 MiB of them.
const LISTED: usize = 1 << 17;

/// Sums that are kept apart as bits: 32 MiB.
const MOST: u64 = 1 << 28;

/// The greatest number of which all prices are multiples; 1 when all are 0.
pub(super) fn unit(items: &[Item]) -> u64 {
    let divisor = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    items.iter().fold(0, |unit, item| divisor(unit, item.price)).max(1)
}

/// The sums up to `most`, in order; None: they are too many for a list.
fn listed(items: &[Item], unit: u64, most: u64) -> Option<Vec<u64>> {
    // By the cell under way: none of its operators is open, or some are.
    let (mut none, mut some) = (vec![0u64], Vec::new());
    for item in items {
        let before = if item.single { &[][..] } else { &some[..] };
        let with = none.iter().chain(before).map(|sum| sum + item.price / unit).filter(|sum| *sum <= most);
        some = ordered(with.chain(some.iter().copied()).collect())?;
        if item.last {
            if item.closes {
                none.clear();
            }
            none = ordered(none.into_iter().chain(std::mem::take(&mut some)).collect())?;
        }
    }
    Some(none)
}

/// Each once, in order; None: too many.
fn ordered(mut sums: Vec<u64>) -> Option<Vec<u64>> {
    sums.sort_unstable();
    sums.dedup();
    (sums.len() <= LISTED).then_some(sums)
}

/// Whether the operators that are open can cost `low` to `high` together, and no cell is empty that must not be. None: there are too
/// many sums to say.
pub(super) fn reaches(items: &[Item], low: u64, high: u64) -> Option<bool> {
    let unit = unit(items);
    let (least, most) = (low.div_ceil(unit), high / unit);
    if let Some(sums) = listed(items, unit, most) {
        return Some(sums.last().is_some_and(|sum| *sum >= least));
    }
    if most >= MOST {
        return None;
    }
    let words = most as usize / 64 + 1;
    // Sums by the cell under way: none of its operators is open, or some are.
    let (mut none, mut some) = (vec![0u64; words], vec![0u64; words]);
    none[0] = 1;
    for item in items {
        let (skip, shift) = ((item.price / unit / 64) as usize, (item.price / unit % 64) as u32);
        // From above: what is below must not have this operator yet.
        for at in (skip..words).rev() {
            let before = |at: usize| none[at] | if item.single { 0 } else { some[at] };
            let carried = if shift > 0 && at > skip { before(at - skip - 1) >> (64 - shift) } else { 0 };
            some[at] |= before(at - skip) << shift | carried;
        }
        if item.last {
            let kept = |none: &u64| if item.closes { 0 } else { *none };
            none = none.iter().zip(&some).map(|(none, some)| kept(none) | some).collect();
            some.fill(0);
        }
    }
    let inside = |sum: &u64| none[(sum / 64) as usize] >> (sum % 64) & 1 == 1;
    Some((least..=most).any(|sum| inside(&sum)))
}
