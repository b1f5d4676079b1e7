//! Steps of SGD on parameters of all sizes, of which several share a thread's part and some are in several.

use crate::at_every_level;
use crate::support::{distance, normal, values};
use nse::supernet::sgd::Sgd;
use tch::{Kind, Tensor};

const SIZES: [i64; 9] = [1, 50_000, 15, 16, 17, 0, 16_384, 3, 100_001];
const DECAYED: usize = 3;

fn some(seed: u64) -> Vec<Tensor> {
    (0..).zip(SIZES).map(|(i, size)| normal(&[size], seed + i)).collect()
}

fn in_double(tensors: &[Tensor]) -> Vec<Tensor> {
    tensors.iter().map(|tensor| tensor.to_kind(Kind::Double)).collect()
}

#[test]
fn a_step_of_sgd_on_parameters_of_every_size() {
    for momentum in [0.9, 0.0] {
        let recipe = Sgd { lr: 0.3, momentum, weight_decay: 0.05 };
        at_every_level(|level| {
            let (parameters, momenta) = (some(1), some(20));
            let (before, moved) = (in_double(&parameters), in_double(&momenta));
            let gradients = some(40);
            let [p, m] = [&parameters, &momenta].map(|tensors| tensors.iter().collect::<Vec<_>>());
            assert!(recipe.step(&p, &gradients, &m, DECAYED).unwrap());
            for (i, gradient) in in_double(&gradients).iter().enumerate() {
                let decay = if i < DECAYED { recipe.weight_decay } else { 0.0 };
                let slope = gradient + &before[i] * decay;
                let expected = if momentum > 0.0 { &moved[i] * momentum + &slope } else { moved[i].copy() };
                let step = if momentum > 0.0 { slope + &expected * momentum } else { slope };
                for (got, expected) in [(&momenta[i], expected), (&parameters[i], &before[i] - step * recipe.lr)] {
                    assert!(SIZES[i] == 0 || distance(got, &expected) < 1e-6, "{level}, {} numbers", SIZES[i]);
                }
            }
        });
    }
}

/// At whichever end of whichever parameter it is.
#[test]
fn a_gradient_that_is_not_finite_is_found_anywhere() {
    at_every_level(|level| {
        let (parameters, momenta) = (some(1), some(20));
        let [p, m] = [&parameters, &momenta].map(|tensors| tensors.iter().collect::<Vec<_>>());
        for (i, size) in SIZES.into_iter().enumerate().filter(|(_, size)| *size > 0) {
            for (at, bad) in [(0, f64::NAN), (size - 1, f64::INFINITY), (size / 2, f64::NEG_INFINITY)] {
                let gradients = some(40);
                let _ = gradients[i].get(at).fill_(bad);
                let recipe = Sgd { lr: 0.3, momentum: 0.9, weight_decay: 0.05 };
                assert!(!recipe.step(&p, &gradients, &m, DECAYED).unwrap(), "{level}, {bad} at {at} of {size}");
            }
        }
        for (now, before) in parameters.iter().zip(some(1)).chain(momenta.iter().zip(some(20))) {
            assert_eq!(values(now), values(&before), "{level}");
        }
    });
}
