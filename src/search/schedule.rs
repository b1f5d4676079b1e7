//! Learning rate over a run: linear warm-up, then half a cosine to zero.

/// In optimizer steps. Published NSE: 0.1 to 0.4 over 2 of 100 epochs, batch 1024.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    pub start: f64,
    pub peak: f64,
    pub warmup: u64,
    pub total: u64,
}

impl Schedule {
    /// Learning rate of step 0, 1, ..., total - 1; 0 beyond.
    pub fn at(&self, step: u64) -> f64 {
        if step < self.warmup {
            return self.start + (self.peak - self.start) * step as f64 / self.warmup as f64;
        }
        let all = self.total.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64).min(all);
        self.peak * 0.5 * (1.0 + (std::f64::consts::PI * done / all).cos())
    }
}
