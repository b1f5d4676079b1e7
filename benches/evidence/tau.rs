//! Agreement of two rankings.

/// Kendall's tau-b, which allows for ties; 0 when one side says nothing.
pub fn tau(a: &[f64], b: &[f64]) -> f64 {
    let (mut agreed, mut in_a, mut in_b) = (0.0, 0.0, 0.0);
    for i in 0..a.len() {
        for j in 0..i {
            let sign = |of: &[f64]| f64::from(i8::from(of[i] > of[j]) - i8::from(of[i] < of[j]));
            let (a, b) = (sign(a), sign(b));
            (agreed, in_a, in_b) = (agreed + a * b, in_a + a * a, in_b + b * b);
        }
    }
    if in_a * in_b > 0.0 {
        agreed / f64::sqrt(in_a * in_b)
    } else {
        0.0
    }
}
