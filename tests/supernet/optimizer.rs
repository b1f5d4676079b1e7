//! SGD with and without Nesterov momentum against the formula, and its refusal of gradients that are not finite.

use crate::support::{values, zeros};
use nse::supernet::sgd::Sgd;
use tch::Tensor;

const RECIPE: Sgd = Sgd { lr: 0.1, momentum: 0.9, weight_decay: 0.01 };

#[test]
fn three_steps_by_hand() {
    for momentum in [0.9, 0.0] {
        three_steps(Sgd { momentum, ..RECIPE });
    }
}

fn three_steps(recipe: Sgd) {
    let start = [1.0f64, -2.0, 0.5];
    let gradients = [[0.5f64, 0.25, -1.0], [-0.5, 1.0, 0.0], [0.1, 0.1, 0.1]];
    let (decayed, plain) = (Tensor::from_slice(&[1.0f32, -2.0, 0.5]), Tensor::from_slice(&[1.0f32, -2.0, 0.5]));
    let momenta = [zeros(&[3]), zeros(&[3])];
    let mut expected = [start, start];
    let mut buffers = [[0.0f64; 3]; 2];
    for gradient in gradients {
        let tensor = Tensor::from_slice(&gradient.map(|g| g as f32));
        let ok = recipe.step(&[&decayed, &plain], &[tensor.copy(), tensor], &[&momenta[0], &momenta[1]], 1).unwrap();
        assert!(ok);
        for (which, decay) in [recipe.weight_decay, 0.0].into_iter().enumerate() {
            for i in 0..3 {
                let d = gradient[i] + decay * expected[which][i];
                buffers[which][i] = recipe.momentum * buffers[which][i] + d;
                expected[which][i] -= recipe.lr * (d + recipe.momentum * buffers[which][i]);
            }
        }
    }
    for (tensor, expected) in [&decayed, &plain].into_iter().zip(&expected) {
        for (got, expected) in values(tensor).iter().zip(expected) {
            assert!((got - expected).abs() < 1e-6, "{got} instead of {expected}");
        }
    }
}

#[test]
fn a_gradient_that_is_not_finite_changes_nothing() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let parameters = [Tensor::from_slice(&[1.0f32, 2.0]), Tensor::from_slice(&[3.0f32])];
        let momenta = [Tensor::from_slice(&[0.5f32, 0.5]), Tensor::from_slice(&[0.5f32])];
        let gradients = [Tensor::from_slice(&[1.0f32, 1.0]), Tensor::from_slice(&[bad])];
        let ok = RECIPE.step(&[&parameters[0], &parameters[1]], &gradients, &[&momenta[0], &momenta[1]], 2).unwrap();
        assert!(!ok);
        assert_eq!((values(&parameters[0]), values(&parameters[1])), (vec![1.0, 2.0], vec![3.0]));
        assert_eq!((values(&momenta[0]), values(&momenta[1])), (vec![0.5, 0.5], vec![0.5]));
    }
}
