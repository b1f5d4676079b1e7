//! Weight gradients against finite differences, in 64-bit floats, for every operator kind; 32-bit gradients against those.

use crate::support::{all_operators, distance, normal, values, with_details};
use nse::arch::{Paths, Variant};
use nse::space::{Activation, Space};
use nse::supernet::learner::cross_entropy;
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::tape::{gradients, Tape};
use tch::{Device, Kind, Tensor};

const OPEN: [&[u16]; 3] = [&[0, 3], &[1, 4, 5], &[2, 5]];

fn open() -> Vec<Vec<u16>> {
    OPEN.iter().map(|o| o.to_vec()).collect()
}

fn network(space: &std::sync::Arc<Space>, variant: Variant, kind: Kind) -> Network {
    let network = Network::varied(space.clone(), &open(), variant, 4, 0, Device::Cpu).unwrap();
    for parameter in network.parameters(&open()).0 {
        let converted = parameter.value.detach().to_kind(kind);
        parameter.value.shallow_clone().set_data(&converted);
    }
    network
}

fn loss(network: &Network, images: &Tensor, labels: &Tensor) -> Tensor {
    let logits = network.forward(images, &open(), &Norm::Batch).unwrap();
    cross_entropy(&logits, labels, 0.1).unwrap()
}

#[test]
fn weight_gradients_match_finite_differences() {
    match_finite_differences(&all_operators(), Variant::default(), true);
}

#[test]
fn those_of_all_that_a_space_can_have_do_too() {
    match_finite_differences(&with_details(&all_operators()), Variant::default(), false);
}

#[test]
fn those_of_squeeze_excitation_and_swish_do_too() {
    for activation in [Activation::Relu, Activation::Swish] {
        match_finite_differences(&all_operators(), Variant { squeeze_excitation: true, activation }, false);
    }
}

/// `row`: whether our kernels have all cells of it, with 32 bits.
fn match_finite_differences(space: &std::sync::Arc<Space>, variant: Variant, row: bool) {
    let input = space.input();
    let images = normal(&[9, input.channels.into(), input.height.into(), input.width.into()], 11);
    let labels = Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2, 0, 1, 2]);
    let (exact, single) = (network(space, variant, Kind::Double), network(space, variant, Kind::Float));
    let doubles = images.to_kind(Kind::Double);
    let of = |network: &Network, images: &Tensor| {
        let (parameters, _) = network.parameters(&open());
        let values: Vec<_> = parameters.iter().map(|p| &p.value).collect();
        let found = gradients(&loss(network, images, &labels), &values).unwrap();
        let row = row && images.kind() == Kind::Float;
        assert_eq!(network.is_row(images, Paths::single(3), &Norm::Batch), row);
        for row in [false, row] {
            let tape = Tape::begin(row).unwrap();
            let gathered = tape.gradients(&loss(network, images, &labels), &values).unwrap();
            assert!(gathered.iter().zip(&found).all(|(gathered, found)| gathered == found), "not those of the graph");
        }
        found
    };
    let (expected, rounded) = (of(&exact, &doubles), of(&single, &images));
    for ((parameter, gradient), rounded) in exact.parameters(&open()).0.iter().zip(&expected).zip(&rounded) {
        let flat = values(gradient);
        // The largest entry of every parameter, moved up and down by so little that no ReLU changes its side.
        let at = (0..flat.len()).max_by(|a, b| flat[*a].abs().total_cmp(&flat[*b].abs())).unwrap() as i64;
        let moved = |by: f64| {
            let entry = parameter.value.detach().view([-1]).get(at);
            let _ = entry.shallow_clone().g_add_scalar_(by);
            let value = loss(&exact, &doubles, &labels).double_value(&[]);
            let _ = entry.shallow_clone().g_add_scalar_(-by);
            value
        };
        let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
        let analytic = flat[at as usize];
        assert!((difference - analytic).abs() < 1e-5 + 1e-4 * analytic.abs(), "{analytic} against {difference}");
        if analytic.abs() > 1e-4 {
            assert!(distance(gradient, rounded) < 1e-2, "32-bit gradient of {:?} is off", parameter.value.size());
        }
    }
}

#[test]
fn only_open_operators_have_parameters_in_a_step() {
    let space = all_operators();
    let all: Vec<Vec<u16>> = vec![(0..6).collect(); 3];
    let network = Network::new(space, &all, 4, 0, Device::Cpu).unwrap();
    let (few, decayed) = network.parameters(&[vec![], vec![0], vec![4]]);
    // Stem 1 + 2, mbconv 3 x 3, conv 3 x 3, tail 1, classifier 2; decayed: all convolution weights and the classifier's.
    assert_eq!(few.len(), 3 + 9 + 9 + 1 + 2);
    assert_eq!(decayed, 1 + 3 + 3 + 1 + 1);
    assert!(few[..decayed].iter().all(|p| p.decay) && few[decayed..].iter().all(|p| !p.decay));
}
