//! Theta: its probability, the two-path gradient against finite differences, and Adam step by step.

use crate::support::cases;
use nse::search::fitness::{probability, theta_gradient, Adam, CellFitness};
use nse::search::TwoPaths;
use proptest::prelude::*;

fn probabilities(theta: &[f64]) -> Vec<f64> {
    theta.iter().map(|t| probability(*t)).collect()
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance
}

#[test]
fn the_probability_is_the_published_one() {
    assert_eq!(probability(0.0), 0.5);
    assert!(close(probability(-2.0), 0.1195837191, 5e-11), "{:.12}", probability(-2.0));
    assert!(close(probability(2.0), 1.0 - 0.1195837191, 5e-11));
    assert!(close(probability(-1000.0), 5e-4, 1e-15), "never 0");
    assert!(close(probability(1000.0), 0.9995, 1e-15), "never 1");
}

#[test]
fn the_two_paths_share_probability_one() {
    let p = [0.5, 0.2, 0.9];
    let paths = TwoPaths::new(&p, vec![true, false, true], vec![false, true, true]);
    let (selected, unselected) = (0.5 * 0.8 * 0.9, 0.5 * 0.2 * 0.9);
    assert!(close(paths.ps, selected / (selected + unselected), 1e-15));
    assert!(close(paths.ps, 0.8, 1e-15));
    let swapped = TwoPaths::new(&p, paths.unselected.clone(), paths.selected.clone());
    assert!(close(paths.ps + swapped.ps, 1.0, 1e-15));
    assert_eq!(TwoPaths::new(&[0.5; 4], vec![true; 4], vec![false; 4]).ps, 0.5);
}

/// The loss as a function of theta when its derivatives with respect to the two probabilities are given.
fn loss(theta: &[f64], paths: &TwoPaths, selected: f64, unselected: f64) -> f64 {
    let ps = TwoPaths::new(&probabilities(theta), paths.selected.clone(), paths.unselected.clone()).ps;
    selected * ps + unselected * (1.0 - ps)
}

fn cell() -> impl Strategy<Value = (Vec<f64>, Vec<bool>, Vec<bool>)> {
    (1usize..8).prop_flat_map(|n| {
        let bits = proptest::collection::vec(any::<bool>(), n);
        (proptest::collection::vec(-3.0..3.0f64, n), bits.clone(), bits)
    })
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn the_gradient_is_that_of_the_loss((theta, selected, unselected) in cell(), a in -2.0..2.0f64, b in -2.0..2.0f64) {
        let paths = TwoPaths::new(&probabilities(&theta), selected, unselected);
        let gradient = theta_gradient(&theta, &paths, a, b);
        prop_assert_eq!(gradient.len(), theta.len());
        for i in 0..theta.len() {
            let h = 1e-5;
            let moved = |by: f64| {
                let mut theta = theta.clone();
                theta[i] += by;
                loss(&theta, &paths, a, b)
            };
            let difference = (moved(h) - moved(-h)) / (2.0 * h);
            prop_assert!(close(gradient[i], difference, 1e-8), "{}: {} and {}", i, gradient[i], difference);
        }
    }

    #[test]
    fn only_operators_that_differ_get_a_gradient((theta, selected, unselected) in cell(), a in 0.1..2.0f64) {
        let paths = TwoPaths::new(&probabilities(&theta), selected.clone(), unselected.clone());
        for (i, g) in theta_gradient(&theta, &paths, a, 0.0).into_iter().enumerate() {
            prop_assert_eq!(g != 0.0, selected[i] != unselected[i]);
            // A costly selected path: what only it opens is pushed down, what only it closes is pushed up.
            prop_assert!(selected[i] == unselected[i] || (g > 0.0) == selected[i]);
        }
    }
}

#[test]
fn a_gradient_by_hand() {
    // ps = pu = 1/2; dlogPs/dp - dlogPu/dp = 2 + 2; dp/dtheta = 0.999 / 4.
    let paths = TwoPaths::new(&[0.5, 0.5], vec![true, true], vec![false, true]);
    let gradient = theta_gradient(&[0.0, 0.0], &paths, 3.0, 1.0);
    assert!(close(gradient[0], (3.0 - 1.0) * 0.25 * 4.0 * 0.999 / 4.0, 1e-15));
    assert_eq!(gradient[1], 0.0);
    assert_eq!(theta_gradient(&[0.0, 0.0], &paths, 1.0, 1.0), [0.0, 0.0], "equal paths teach nothing");
}

#[test]
fn adam_by_hand() {
    let adam = Adam { lr: 0.005, beta1: 0.0, beta2: 0.999 };
    let mut fitness = CellFitness::new(2);
    assert_eq!(fitness.theta(), [0.0, 0.0]);
    assert_eq!(fitness.probabilities(), [0.5, 0.5]);
    // The first step is the rate, whatever the size of the gradient.
    fitness.update(&adam, &[1.0, -300.0]);
    assert!(close(fitness.theta()[0], -0.005, 1e-9) && close(fitness.theta()[1], 0.005, 1e-9), "{:?}", fitness.theta());
    // v = 0.999 * 0.001 * 1 + 0.001 * 4 = 0.004999; corrected by 1 - 0.999^2 = 0.001999: 2.5007503752, root 1.5813761017.
    fitness.update(&adam, &[-2.0, 0.0]);
    assert!(close(fitness.theta()[0], -0.005 + 0.005 * 2.0 / 1.581_376_1, 1e-9), "{:.12}", fitness.theta()[0]);
    assert!(close(fitness.theta()[1], 0.005, 1e-9), "without momentum a gradient of 0 does not move");
    // v = 0.999 * 0.004999 + 0.001 * 0.25 = 0.005244001; corrected by 1 - 0.999^3 = 0.002997001: 1.7497495...
    let before = fitness.theta()[0];
    fitness.update(&adam, &[0.5, 0.0]);
    assert!(close(fitness.theta()[0], before - 0.005 * 0.5 / (0.005_244_001f64 / 0.002_997_001).sqrt(), 1e-9));
}

#[test]
fn adam_with_momentum() {
    let adam = Adam { lr: 0.1, beta1: 0.5, beta2: 0.5 };
    let mut fitness = CellFitness::new(1);
    fitness.update(&adam, &[2.0]);
    fitness.update(&adam, &[1.0]);
    // m = 0.5 * 1 + 0.5 * 1 = 1, corrected by 0.75; v = 0.5 * 2 + 0.5 * 1 = 1.5, corrected by 0.75.
    assert!(close(fitness.theta()[0], -0.1 - 0.1 * (1.0 / 0.75) / 2f64.sqrt(), 1e-8), "{}", fitness.theta()[0]);
}

#[test]
fn removing_an_operator_keeps_the_others() {
    let adam = Adam { lr: 0.1, beta1: 0.0, beta2: 0.999 };
    let mut three = CellFitness::new(3);
    three.update(&adam, &[1.0, -2.0, 0.5]);
    three.update(&adam, &[0.25, 1.0, -1.0]);
    let mut two = CellFitness::new(2);
    two.update(&adam, &[1.0, 0.5]);
    two.update(&adam, &[0.25, -1.0]);
    three.remove(1);
    assert_eq!(three, two, "theta and moments go together");
    three.update(&adam, &[0.1, 0.1]);
    two.update(&adam, &[0.1, 0.1]);
    assert_eq!(three.theta(), two.theta());
}
