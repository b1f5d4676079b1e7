//! The shape of one convolution followed by batch normalisation and, unless `linear`, an activation. None has a bias; all but those that stay
//! `inside` have "same" padding.

use super::Binary;

/// `name` is its place inside an operator and the name of its weights in exported models.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Convolution {
    pub name: &'static str,
    pub cin: u32,
    pub cout: u32,
    /// Height, width.
    pub kernel: [u32; 2],
    pub stride: [u32; 2],
    pub dilation: u32,
    pub groups: u32,
    /// Whether an activation follows: ReLU, unless a stand-alone model has another.
    pub relu: bool,
    pub norm: bool,
    /// Whether it stays inside the map: no padding.
    pub inside: bool,
    /// What its weights are made into; None: they are real.
    pub binary: Option<Binary>,
}

impl Convolution {
    pub fn kernel(name: &'static str, cin: u32, cout: u32, kernel: [u32; 2]) -> Self {
        Convolution {
            name,
            cin,
            cout,
            kernel,
            stride: [1, 1],
            dilation: 1,
            groups: 1,
            relu: true,
            norm: true,
            inside: false,
            binary: None,
        }
    }

    pub fn pointwise(name: &'static str, cin: u32, cout: u32) -> Self {
        Self::kernel(name, cin, cout, [1, 1])
    }

    pub fn square(name: &'static str, channels: u32, kernel: u32, stride: u32) -> Self {
        Self::kernel(name, channels, channels, [kernel, kernel]).stride([stride, stride])
    }

    pub fn stride(self, stride: [u32; 2]) -> Self {
        Convolution { stride, ..self }
    }

    pub fn dilation(self, dilation: u32) -> Self {
        Convolution { dilation, ..self }
    }

    pub fn groups(self, groups: u32) -> Self {
        Convolution { groups, ..self }
    }

    pub fn linear(self) -> Self {
        Convolution { relu: false, ..self }
    }

    pub fn without_norm(self) -> Self {
        Convolution { norm: false, ..self }
    }

    pub fn inside(self) -> Self {
        Convolution { inside: true, ..self }
    }

    /// Height, width: what keeps the size at stride 1 and gives `ceil(size / stride)` otherwise; none of one that stays inside.
    pub fn padding(&self) -> [u32; 2] {
        self.kernel.map(|k| if self.inside { 0 } else { self.dilation * (k - 1) / 2 })
    }

    /// Height and width after this convolution.
    pub fn output(&self, size: [u32; 2]) -> [u32; 2] {
        let lost = self.kernel.map(|k| if self.inside { self.dilation * (k - 1) } else { 0 });
        [0, 1].map(|side| size[side].saturating_sub(lost[side]).div_ceil(self.stride[side]))
    }

    /// Shape of the weight: out, in per group, height, width.
    pub fn weight(&self) -> [u32; 4] {
        [self.cout, self.cin / self.groups, self.kernel[0], self.kernel[1]]
    }
}
