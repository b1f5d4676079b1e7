//! Gate draws against the conditional probabilities found by enumerating every vector.

use crate::support::{assert_frequencies, between, gate_vectors};
use nse::search::gates::{draw, probability};
use nse::search::{Purpose, Stream};

fn stream(index: u64) -> Stream {
    Stream::new(5, Purpose::ArchitectureGates, 0, index)
}

/// Probability of every vector given that it is not forbidden.
fn conditional(p: &[f64], forbidden: &[Vec<bool>]) -> Vec<f64> {
    let mass = |gates: &Vec<bool>| if forbidden.contains(gates) { 0.0 } else { probability(p, gates) };
    let masses: Vec<f64> = gate_vectors(p.len()).iter().map(mass).collect();
    let total: f64 = masses.iter().sum();
    masses.iter().map(|m| m / total).collect()
}

fn assert_draws(p: &[f64], forbidden: &[Vec<bool>], stream: &mut Stream) {
    let vectors = gate_vectors(p.len());
    let mut observed = vec![0; vectors.len()];
    for _ in 0..20_000 {
        let gates = draw(p, forbidden, stream).unwrap();
        observed[vectors.iter().position(|v| *v == gates).unwrap()] += 1;
    }
    let what = format!("p {p:?}, without {forbidden:?}");
    assert_frequencies(&observed, &conditional(p, forbidden), &what);
}

#[test]
fn draws_follow_the_conditional_distribution() {
    let mut stream = stream(0);
    for n in 1..=6 {
        for exclusions in 0..=2usize {
            for _ in 0..3 {
                let p: Vec<f64> = (0..n).map(|_| between(&mut stream, 0.05, 0.95)).collect();
                let mut vectors = gate_vectors(n);
                if exclusions >= vectors.len() {
                    continue;
                }
                stream.shuffle(&mut vectors);
                assert_draws(&p, &vectors[..exclusions], &mut stream);
            }
        }
    }
}

/// The case of a reduce cell: first not empty, then not empty and not the one drawn.
#[test]
fn draws_without_the_empty_vector() {
    let mut stream = stream(1);
    for p in [vec![0.5; 5], vec![0.12, 0.13, 0.12], vec![0.02, 0.9], vec![5e-4, 0.9995, 5e-4]] {
        let empty = vec![false; p.len()];
        assert_draws(&p, std::slice::from_ref(&empty), &mut stream);
        let mut likeliest = gate_vectors(p.len());
        likeliest.sort_by(|a, b| probability(&p, b).total_cmp(&probability(&p, a)));
        let second = likeliest.into_iter().find(|v| *v != empty).unwrap();
        assert_draws(&p, &[empty, second], &mut stream);
    }
}

/// The conditional of an unlikely event: everything but one nearly certain vector.
#[test]
fn an_unlikely_condition_is_still_exact() {
    let mut stream = stream(2);
    let p = [0.9995, 0.9995, 0.999, 5e-4];
    assert_draws(&p, &[vec![true, true, true, false]], &mut stream);
}

#[test]
fn none_when_nothing_is_left() {
    let mut stream = stream(3);
    let mut none = |p: &[f64], forbidden: &[Vec<bool>]| draw(p, forbidden, &mut stream).is_none();
    assert!(none(&[], &[vec![]]));
    assert!(none(&[0.3], &[vec![true], vec![false]]));
    assert!(none(&[0.3], &[vec![false], vec![true]]));
    assert!(none(&[1.0], &[vec![true]]), "the other vector is impossible");
    assert!(none(&[0.0, 0.0], &[vec![false, false]]));
    assert!(none(&[0.0, 0.5], &[vec![false, false], vec![false, true]]));
}

#[test]
fn the_only_one_left_is_drawn() {
    let mut stream = stream(4);
    for _ in 0..100 {
        assert_eq!(draw(&[], &[], &mut stream), Some(vec![]));
        assert_eq!(draw(&[0.001], &[vec![false]], &mut stream), Some(vec![true]));
        assert_eq!(draw(&[0.999], &[vec![true]], &mut stream), Some(vec![false]));
        assert_eq!(draw(&[1.0, 0.5], &[vec![true, true]], &mut stream), Some(vec![true, false]));
    }
}

#[test]
fn probabilities_sum_to_one() {
    let mut stream = stream(5);
    for n in 0..=10 {
        let p: Vec<f64> = (0..n).map(|_| stream.uniform()).collect();
        let total: f64 = gate_vectors(n).iter().map(|gates| probability(&p, gates)).sum();
        assert!((total - 1.0).abs() < 1e-12, "{n}: {total}");
    }
    assert!((probability(&[0.2, 0.7, 0.4], &[true, false, true]) - 0.2 * 0.3 * 0.4).abs() < 1e-16);
    assert_eq!(probability(&[], &[]), 1.0);
}

/// 2^200 vectors: nothing may enumerate them, and nothing may wait for a rare event.
#[test]
fn two_hundred_operators_are_no_trouble() {
    let mut stream = stream(6);
    let p = vec![0.9995; 200];
    let all = vec![true; 200];
    let (mut closed, mut ones) = (vec![0; 200], 0);
    for _ in 0..4000 {
        let gates = draw(&p, std::slice::from_ref(&all), &mut stream).unwrap();
        assert_ne!(gates, all);
        let zeros: Vec<_> = (0..200).filter(|i| !gates[*i]).collect();
        if let [only] = zeros[..] {
            closed[only] += 1;
            ones += 1;
        }
    }
    assert!(ones > 3500, "nearly always exactly one of them closes");
    assert_frequencies(&closed, &vec![1.0 / 200.0; 200], "which one closes");

    let half = vec![0.5; 200];
    let open: usize =
        (0..4000).map(|_| draw(&half, &[vec![false; 200]], &mut stream).unwrap().iter().filter(|g| **g).count()).sum();
    assert!((open as f64 / 4000.0 - 100.0).abs() < 0.6, "{open}");
}
