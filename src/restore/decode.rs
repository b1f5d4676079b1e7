//! From a genome to its network, and the classical network of Deep Image Prior.

use super::genome::{Genome, Stage, Unit};
use super::plan::{Op, Plan};

/// The network of a genome, or why it has none.
///
/// Encoder n: residual block, 2 x 2 max pool. Decoder n, from the last to the first: what came so far beside all skips that are open to
/// it, residual block, twice the size. Behind them a residual block like that of decoder 1, which was the last (the re-implementation
/// takes that of a unit drawn anew each time), a 1 x 1 convolution and a sigmoid. A skip begins behind the pool of its encoder; its map is
/// brought to the size of its decoder by moving channels to pixels or pixels to channels, and to its coded channels by a 1 x 1 convolution.
pub fn plan(genome: &Genome, input: u32, output: u32) -> Result<Plan, String> {
    let units = genome.decode();
    let mut plan = Plan::begin(input);
    let mut x = 0;
    let mut encoded = Vec::with_capacity(units.len());
    for unit in &units {
        x = block(&mut plan, x, unit.encoder);
        x = plan.then(Op::Pool, &[x]);
        encoded.push(x);
    }
    for (to, unit) in units.iter().enumerate().rev() {
        let mut maps = vec![x];
        for (from, map) in encoded.iter().enumerate().filter(|(from, _)| units[*from].skips[to].open) {
            maps.push(skip(&mut plan, *map, &units, from, to)?);
        }
        if maps.len() > 1 {
            x = plan.then(Op::Concat, &maps);
        }
        x = block(&mut plan, x, unit.decoder);
        x = plan.then(Op::Up, &[x]);
    }
    x = block(&mut plan, x, units[0].decoder);
    x = plan.conv(x, output, 1, 1, false);
    plan.then(Op::Sigmoid, &[x]);
    Ok(plan)
}

fn skip(plan: &mut Plan, map: usize, units: &[Unit], from: usize, to: usize) -> Result<usize, String> {
    let channels = plan.channels(map);
    let sized = match from.cmp(&to) {
        std::cmp::Ordering::Equal => map,
        std::cmp::Ordering::Less => plan.then(Op::ToDepth(1 << (to - from)), &[map]),
        std::cmp::Ordering::Greater => {
            let factor = 1 << (from - to);
            if channels < factor * factor {
                return Err(format!(
                    "the skip from encoder {} to decoder {} makes every map {factor} times as high and wide out of {} channels, \
                     and the encoder has {channels}",
                    from + 1,
                    to + 1,
                    factor * factor
                ));
            }
            plan.then(Op::ToSpace(factor), &[map])
        }
    };
    Ok(plan.conv(sized, units[from].skips[to].channels, 1, 1, false))
}

/// Convolution, batch-norm, leaky ReLU, convolution, batch-norm; plus a 1 x 1 convolution with batch-norm where there is a shortcut; leaky
/// ReLU.
fn block(plan: &mut Plan, x: usize, stage: Stage) -> usize {
    let Stage { residual, kernel, channels } = stage;
    let mut y = plan.normed(x, channels, kernel, 1, false);
    y = plan.then(Op::Leaky, &[y]);
    y = plan.normed(y, channels, kernel, 1, false);
    if residual {
        let shortcut = plan.normed(x, channels, 1, 1, false);
        y = plan.then(Op::Add, &[y, shortcut]);
    }
    plan.then(Op::Leaky, &[y])
}

const SCALES: usize = 5;
const WIDTH: u32 = 128;

/// The "skip" network of Deep Image Prior: five scales of 128 channels, each with a 1 x 1 convolution to `skip` channels past all deeper
/// ones. 2,217,831 parameters with 32 channels of noise, 3 of image and `skip` 4 (denoising, super-resolution), 3,002,627 with `skip` 128
/// (inpainting).
pub fn classic(skip: u32, input: u32, output: u32) -> Plan {
    let mut plan = Plan::begin(input);
    let mut x = 0;
    let mut skips = Vec::with_capacity(SCALES);
    for _ in 0..SCALES {
        skips.push(active(&mut plan, x, skip, 1, 1));
        x = active(&mut plan, x, WIDTH, 3, 2);
        x = active(&mut plan, x, WIDTH, 3, 1);
    }
    for past in skips.into_iter().rev() {
        x = plan.then(Op::Up, &[x]);
        x = plan.then(Op::Concat, &[past, x]);
        x = plan.then(Op::Norm, &[x]);
        x = active(&mut plan, x, WIDTH, 3, 1);
        x = active(&mut plan, x, WIDTH, 1, 1);
    }
    x = plan.conv(x, output, 1, 1, true);
    plan.then(Op::Sigmoid, &[x]);
    plan
}

fn active(plan: &mut Plan, x: usize, channels: u32, kernel: u32, stride: u32) -> usize {
    let y = plan.normed(x, channels, kernel, stride, true);
    plan.then(Op::Leaky, &[y])
}
