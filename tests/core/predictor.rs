//! What foretells results: gradients against finite differences, what the nets see and do not see, and that they rank cells that they have
//! not seen.

use nse::arch::{Block, Blocks};
use nse::search::predictor::{correlation, words, Ensemble, Lstm, Mlp, Net, Predictor, PredictorOptions, Vocabulary, Words};
use nse::search::{Purpose, Silent, Stream};
use nse::space::Space;
use nse::Error;
use serde_json::json;

fn space(nodes: u32) -> Space {
    Space::preset("pnas-cifar", &json!({ "nodes": nodes }).to_string()).unwrap()
}

fn cell(blocks: &[Block]) -> Blocks {
    let space = space(5);
    blocks.iter().fold(Blocks::none(space.stack().unwrap()), |cell, block| cell.with(*block))
}

fn read(cell: &Blocks) -> Vec<Words> {
    cell.blocks().iter().map(|block| words(cell, *block)).collect()
}

fn nets() -> [Box<dyn Net>; 2] {
    let vocabulary = Vocabulary { inputs: 2, nodes: 7, operators: 8, width: 1 };
    let mlp = Mlp { embedding: 5, hidden: 7, ..Mlp::default() };
    let lstm = Lstm { embedding: 3, hidden: 5, ..Lstm::default() };
    [mlp.net(vocabulary), lstm.net(vocabulary)]
}

fn stream(index: u64) -> Stream {
    Stream::new(1, Purpose::Predictor, 0, index)
}

/// d |y - a| / d every number, with words that come several times and blocks as inputs.
#[test]
fn gradients_are_those_of_finite_differences() {
    for (index, net) in nets().iter().enumerate() {
        let cell = read(&cell(&[[0, 9], [16, 3], [16, 27]]));
        let mut numbers = net.init(0.6, &mut stream(index as u64));
        // Nothing at zero, where a rectifier has no derivative.
        numbers.iter_mut().zip(0..).for_each(|(number, i)| *number += 0.3 * f64::sin(i as f64 * 1.7));
        for accuracy in [0.1, 0.95] {
            let mut gradient = vec![0.0; numbers.len()];
            let loss = net.learn(&numbers, &cell, accuracy, &mut gradient);
            assert!((loss - (net.predict(&numbers, &cell, &[])[0] - accuracy).abs()).abs() < 1e-15);
            let mut moved = 0;
            for i in 0..numbers.len() {
                let step = 1e-6;
                let at = |by: f64| {
                    let mut near = numbers.clone();
                    near[i] += by;
                    (net.predict(&near, &cell, &[])[0] - accuracy).abs()
                };
                let expected = (at(step) - at(-step)) / (2.0 * step);
                assert!((gradient[i] - expected).abs() < 1e-7, "net {index}, number {i}: {} and {expected}", gradient[i]);
                moved += usize::from(gradient[i] != 0.0);
            }
            assert!(moved > numbers.len() / 4, "{moved} of {}", numbers.len());
        }
    }
}

/// Neither sees which side is which; only one sees the order of blocks. And a cell with a block is the same cell as a whole.
#[test]
fn what_the_nets_see() {
    let [mlp, lstm] = nets();
    let foretell = |net: &dyn Net, cell: &Blocks| {
        let numbers: Vec<f64> =
            net.init(0.6, &mut stream(0)).iter().enumerate().map(|(i, n)| n + 0.2 * f64::cos(i as f64)).collect();
        net.predict(&numbers, &read(cell), &[])[0]
    };
    let (one, swapped, turned) = (cell(&[[0, 9], [3, 13]]), cell(&[[9, 0], [13, 3]]), cell(&[[3, 13], [0, 9]]));
    for net in [&*mlp, &*lstm] {
        assert_eq!(foretell(net, &one), foretell(net, &swapped));
        assert_ne!(foretell(net, &one), foretell(net, &cell(&[[0, 9], [3, 14]])));
    }
    assert!((foretell(&*mlp, &one) - foretell(&*mlp, &turned)).abs() < 1e-14);
    assert!((foretell(&*lstm, &one) - foretell(&*lstm, &turned)).abs() > 1e-4);
    let next: Vec<Block> = one.extensions().step_by(7).collect();
    for (net, index) in [mlp, lstm].iter().zip(0..) {
        let numbers = net.init(0.6, &mut stream(index));
        let words: Vec<Words> = next.iter().map(|block| words(&one, *block)).collect();
        let together = net.predict(&numbers, &read(&one), &words);
        for (block, foretold) in next.iter().zip(together) {
            assert_eq!(net.predict(&numbers, &read(&one.with(*block)), &[])[0], foretold);
        }
        // Before it has learnt, it says about the mean.
        assert!((foretell_mean(&**net, &one) - 0.68).abs() < 0.03);
    }
}

fn foretell_mean(net: &dyn Net, cell: &Blocks) -> f64 {
    net.predict(&net.init(0.68, &mut stream(5)), &read(cell), &[])[0]
}

/// Operators of some quality, and a block that gets another one is better.
pub fn quality(cell: &Blocks) -> f64 {
    const QUALITIES: [f64; 8] = [0.1, 0.7, 0.9, 0.6, 0.4, 0.2, 0.3, 0.5];
    let side = |side: &u16| {
        let (node, operator) = cell.parts(*side);
        QUALITIES[usize::from(operator)]
            + match node {
                0 => 0.0,
                1 => 0.15,
                _ => 0.3,
            }
    };
    let sum: f64 = cell.blocks().iter().flatten().map(side).sum();
    // The same operator twice in a block is worth less.
    let twice = cell.blocks().iter().filter(|[a, b]| cell.parts(*a).1 == cell.parts(*b).1).count();
    let blocks = cell.blocks().len() as f64;
    0.3 + 0.2 * sum / (2.0 * blocks) - 0.06 * twice as f64 / blocks + 0.02 * blocks
}

#[test]
fn cells_that_were_not_seen_are_ranked() {
    let space = space(3);
    let stack = space.stack().unwrap();
    let ones: Vec<Blocks> = Blocks::none(stack).extensions().map(|block| Blocks::none(stack).with(block)).collect();
    for name in ["mlp", "lstm"] {
        let options: PredictorOptions = serde_json::from_value(json!(name)).unwrap();
        let results: Vec<(Blocks, f64)> = ones.iter().step_by(2).map(|cell| (cell.clone(), quality(cell))).collect();
        let fit = |seed| Ensemble::fit(&options, stack, &results, (seed, 0), &Silent).unwrap();
        let ensemble = fit(1);
        let among = |cells: &[Blocks]| {
            correlation(&cells.iter().map(|cell| (ensemble.predict(cell, &[])[0], quality(cell))).collect::<Vec<_>>()).unwrap()
        };
        let unseen: Vec<Blocks> = ones.iter().skip(1).step_by(2).cloned().collect();
        assert!(among(&unseen) > 0.6, "{name}: {}", among(&unseen));
        // Of two blocks, of which it has seen none.
        let twos: Vec<Blocks> = unseen
            .iter()
            .flat_map(|cell| cell.extensions().step_by(41).map(|block| cell.with(block)).collect::<Vec<_>>())
            .collect();
        assert!(among(&twos) > 0.5, "{name}: {}", among(&twos));
        assert_eq!(fit(1).predict(&twos[7], &[]), ensemble.predict(&twos[7], &[]));
        assert_ne!(fit(2).predict(&twos[7], &[]), ensemble.predict(&twos[7], &[]));
        let stopped = Ensemble::fit(&options, stack, &results, (1, 0), &Stopped);
        assert!(matches!(stopped, Err(Error::Cancelled)));
    }
}

struct Stopped;

impl nse::search::Control for Stopped {
    fn cancelled(&self) -> bool {
        true
    }
}

#[test]
fn ranks_are_correlated() {
    let near = |pairs: &[(f64, f64)], expected: f64| assert!((correlation(pairs).unwrap() - expected).abs() < 1e-12, "{pairs:?}");
    near(&[(1.0, 10.0), (2.0, 20.0), (3.0, 21.0)], 1.0);
    near(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)], -1.0);
    // 1 - 6 (0 + 1 + 1 + 0) / (4 * 15).
    near(&[(1.0, 1.0), (2.0, 3.0), (3.0, 2.0), (4.0, 4.0)], 0.8);
    // Ranks 0, 1.5, 1.5, 3 and 0, 1, 2, 3: 4.5 / sqrt(4.5 * 5).
    near(&[(1.0, 1.0), (2.0, 2.0), (2.0, 3.0), (4.0, 4.0)], 4.5 / (4.5f64 * 5.0).sqrt());
    assert_eq!([correlation(&[]), correlation(&[(1.0, 2.0)]), correlation(&[(1.0, 2.0), (1.0, 3.0)])], [None; 3]);
}
