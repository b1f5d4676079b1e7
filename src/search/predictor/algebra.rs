//! The little algebra of small nets: matrices are stored input by input, so that products run along memory.

/// y += W x, with as many numbers of `w` for every x as y has.
pub fn add_product(w: &[f64], x: &[f64], y: &mut [f64]) {
    for (x, column) in x.iter().zip(w.chunks_exact(y.len())) {
        add_scaled(*x, column, y);
    }
}

/// From dL/dy: dL/dW is added to `dw`, and dL/dx to `dx`.
pub fn add_gradients(w: &[f64], x: &[f64], dy: &[f64], dw: &mut [f64], dx: &mut [f64]) {
    let columns = w.chunks_exact(dy.len()).zip(dw.chunks_exact_mut(dy.len()));
    for ((x, dx), (column, dw)) in x.iter().zip(dx).zip(columns) {
        add_scaled(*x, dy, dw);
        *dx += dot(column, dy);
    }
}

/// y += a x.
pub fn add_scaled(a: f64, x: &[f64], y: &mut [f64]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut sums = [0.0; LANES];
    let (parts, others) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f64 = parts.remainder().iter().zip(others.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in parts.zip(others) {
        sums.iter_mut().zip(a.iter().zip(b)).for_each(|(sum, (a, b))| *sum += a * b);
    }
    sums.iter().sum::<f64>() + rest
}

/// Parts of these sizes, one behind the other.
pub fn split<const N: usize>(sizes: [usize; N], mut numbers: &[f64]) -> [&[f64]; N] {
    sizes.map(|size| {
        let (part, rest) = numbers.split_at(size);
        numbers = rest;
        part
    })
}

pub fn split_mut<const N: usize>(sizes: [usize; N], mut numbers: &mut [f64]) -> [&mut [f64]; N] {
    sizes.map(|size| {
        let (part, rest) = std::mem::take(&mut numbers).split_at_mut(size);
        numbers = rest;
        part
    })
}

pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Adam (Kingma and Ba 2015), betas 0.9 and 0.999.
pub struct Adam {
    step: i32,
    mean: Vec<f64>,
    square: Vec<f64>,
}

impl Adam {
    pub fn new(numbers: usize) -> Self {
        Adam { step: 0, mean: vec![0.0; numbers], square: vec![0.0; numbers] }
    }

    pub fn update(&mut self, lr: f64, gradient: &[f64], values: &mut [f64]) {
        const BETAS: [f64; 2] = [0.9, 0.999];
        self.step += 1;
        let [of_mean, of_square] = BETAS.map(|beta| 1.0 - beta.powi(self.step));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradient).zip(moments) {
            *mean += (1.0 - BETAS[0]) * (gradient - *mean);
            *square += (1.0 - BETAS[1]) * (gradient * gradient - *square);
            *value -= lr * (*mean / of_mean) / ((*square / of_square).sqrt() + 1e-8);
        }
    }
}
