//! The architecture step against the published formula, written out and left to autograd:
//! y = y_s (ps + 1 - sg(ps)) + sg(y_u) (pu - sg(pu)), loss = CE + alpha (R / target - 1)^beta with R = sum of R_s ps + R_u pu.

use crate::support::{small, stripes};
use nse::cost::CostTable;
use nse::data::{Normalisation, Order};
use nse::search::fitness::{theta_gradient, TwoPaths};
use nse::search::{At, Purpose, SearchOptions, Trainer};
use nse::supernet::learner::{cross_entropy, Loader};
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::SupernetTrainer;
use tch::{Device, Kind, Tensor};

const AT: At = At { seed: 6, round: 1, step: 3 };

fn options() -> SearchOptions {
    let text = r#"{"seed": 6, "objective": {"low": 20000, "high": 60000, "alpha": 0.7}, "train": {"batch": 24}}"#;
    SearchOptions::from_json(text).unwrap()
}

/// sigmoid(theta) 0.999 + 5e-4 and the probability of a gate vector, as tensors.
fn probability(theta: &Tensor, gates: &[bool]) -> Tensor {
    let p = theta.sigmoid() * 0.999 + 5e-4;
    let gates = Tensor::from_slice(&gates.iter().map(|g| f64::from(u8::from(*g))).collect::<Vec<_>>());
    let factors: Tensor = &gates * &p + (1.0 - &gates) * (1.0 - &p);
    factors.prod(None)
}

#[test]
fn theta_gradient_equals_autograd_of_the_published_formula() {
    // Overlapping, disjoint, and a skipped cell on the selected side.
    equals_autograd([("110", "011"), ("100", "010"), ("0000", "0110")]);
    // One at the other end, and one on the unselected side.
    equals_autograd([("000", "011"), ("010", "110"), ("1001", "0000")]);
}

fn equals_autograd(pairs: [(&str, &str); 3]) {
    let (space, data, options) = (small(), stripes(240, 1), options());
    let active: Vec<Vec<u16>> = vec![vec![0, 2, 3], vec![1, 2, 4], vec![0, 1, 3, 4]];
    let theta = [vec![0.3, -0.4, 0.1], vec![-0.2, 0.5, 0.0], vec![0.1, 0.2, -0.7, 0.4]];
    let gates = |text: &str| text.bytes().map(|b| b == b'1').collect::<Vec<bool>>();

    // What the library computes.
    let mut trainer = SupernetTrainer::new(space.clone(), &data, None, &options).unwrap();
    trainer.begin_round(AT.seed, AT.round, &active).unwrap();
    let p = |cell: usize| theta[cell].iter().map(|t| nse::search::fitness::probability(*t)).collect::<Vec<_>>();
    let paths: Vec<_> = pairs.iter().enumerate().map(|(i, (s, u))| Some(TwoPaths::new(&p(i), gates(s), gates(u)))).collect();
    let (value, gradients) = trainer.architecture_step(AT, &active, &paths).unwrap();
    let costs = CostTable::new(&space);
    let macs = |cell: usize, gates: &[bool]| {
        let open = active[cell].iter().zip(gates).filter(|(_, open)| **open);
        open.map(|(o, _)| costs.operator(cell, *o).macs).sum::<u64>() as f64
    };
    let two = |cell: usize| paths[cell].as_ref().unwrap();
    let expected_cost: f64 =
        (0..3).map(|i| macs(i, &two(i).selected) * two(i).ps + macs(i, &two(i).unselected) * (1.0 - two(i).ps)).sum();
    let slope = options.objective.slope(costs.fixed().macs as f64 + expected_cost);
    let ours: Vec<Vec<f64>> = (0..3)
        .map(|i| {
            let selected = gradients[i].selected + slope * macs(i, &two(i).selected);
            let unselected = gradients[i].unselected + slope * macs(i, &two(i).unselected);
            theta_gradient(&theta[i], two(i), selected, unselected)
        })
        .collect();

    // The same weights and the same images, the formula as it stands.
    let network = Network::new(space.clone(), &active, AT.seed, AT.round, Device::Cpu).unwrap();
    let (train, held_out) = data.split(options.held_out, options.seed).unwrap();
    let mut order = Order::new(options.seed, Purpose::HeldOutOrder, held_out.len(), 24);
    let positions = order.batch(AT.round, AT.step / options.fitness.interval).to_vec();
    let mut loader = Loader::new(held_out, Normalisation::of(&train), Device::Cpu);
    let (images, labels) = loader.load(&positions, None).unwrap();
    let variables: Vec<_> = theta.iter().map(|t| Tensor::from_slice(t).set_requires_grad(true)).collect();
    let mut x = network.stem(&images, &Norm::Batch).unwrap();
    let mut resource = Tensor::from_slice(&[costs.fixed().macs as f64]);
    for cell in 0..3 {
        let output = |gates: &[bool]| {
            let open = active[cell].iter().zip(gates).filter(|(_, open)| **open);
            let branches: Vec<_> = open.map(|(o, _)| network.branch(cell, *o, &x, &Norm::Batch).unwrap()).collect();
            network.merge(cell, &x, &branches.iter().collect::<Vec<_>>()).unwrap()
        };
        let (s, u) = (probability(&variables[cell], &two(cell).selected), probability(&variables[cell], &two(cell).unselected));
        let (ps, pu) = (&s / (&s + &u), &u / (&s + &u));
        resource = resource + &ps * macs(cell, &two(cell).selected) + &pu * macs(cell, &two(cell).unselected);
        let (ps, pu) = (ps.to_kind(Kind::Float), pu.to_kind(Kind::Float));
        x = output(&two(cell).selected) * (&ps + 1.0 - ps.detach())
            + output(&two(cell).unselected).detach() * (&pu - pu.detach());
    }
    let loss = cross_entropy(&network.head(&x, &Norm::Batch).unwrap(), &labels, 0.0).unwrap();
    assert!((loss.double_value(&[]) - value).abs() < 1e-6);
    let target = options.objective.low;
    let total = loss.to_kind(Kind::Double) + (resource / target - 1.0).square() * options.objective.alpha;
    let autograd = Tensor::run_backward(&[total.sum(None)], &variables, false, false);
    for (cell, (ours, autograd)) in ours.iter().zip(&autograd).enumerate() {
        for (ours, autograd) in ours.iter().zip(crate::support::values(autograd)) {
            assert!((ours - autograd).abs() < 1e-5 + 1e-4 * autograd.abs(), "cell {cell}: {ours} against {autograd}");
        }
    }
}

#[test]
fn a_cell_without_two_paths_keeps_all_its_operators_open() {
    let (space, data, options) = (small(), stripes(240, 1), options());
    let active: Vec<Vec<u16>> = vec![vec![1], vec![2], vec![0, 3]];
    let mut trainer = SupernetTrainer::new(space.clone(), &data, None, &options).unwrap();
    trainer.begin_round(AT.seed, AT.round, &active).unwrap();
    let (with_all, _) = trainer.architecture_step(AT, &active, &[None, None, None]).unwrap();
    let half = vec![0.5; 2];
    let explicit = Some(TwoPaths::new(&half, vec![true, true], vec![true, false]));
    let (explicitly, _) = trainer.architecture_step(AT, &active, &[None, None, explicit]).unwrap();
    assert_eq!(with_all, explicitly);
}
