//! Gradients that stay on their device while those of all ranks are added: the same bits as by way of the host's memory.

use super::nccl::Nccl;
use super::outgoing::Carrier;
use super::streams::{Mark, Side};
use crate::dist::exact::{Adder, Scale, Share};
use crate::dist::Crew;
use crate::error::Result;
use tch::{no_grad_guard, Device, Kind, Tensor};

pub struct OnDevice<'a> {
    nccl: &'a Nccl,
    device: Device,
    /// What the device was told before: it may still need what is free again.
    before: Option<Mark>,
}

/// One after the other in one tensor.
pub struct Flat {
    numbers: Tensor,
    /// When they are there.
    ready: Option<Mark>,
}

impl<'a> OnDevice<'a> {
    /// For one step, on the thread that makes it.
    pub fn new(nccl: &'a Nccl, device: Device) -> Result<Self> {
        Ok(OnDevice { nccl, device, before: Mark::new(device)? })
    }
}

impl Adder for OnDevice<'_> {
    type Numbers = Flat;
    type Sum = Flat;
    type Room = Tensor;

    fn room(&self, count: usize) -> Result<Tensor> {
        self.before.as_ref().map_or(Ok(()), Mark::wait)?;
        Ok(Tensor::f_zeros([count as i64].as_slice(), (Kind::Int64, self.device))?)
    }

    fn greatest(&self, Flat { numbers, ready }: &Flat, lengths: &[usize]) -> Result<Vec<f64>> {
        let _no_grad = no_grad_guard();
        ready.as_ref().map_or(Ok(()), Mark::wait)?;
        let (mut most, mut from) = (Vec::with_capacity(lengths.len()), 0);
        for length in lengths {
            most.push(match length {
                0 => Tensor::f_zeros([].as_slice(), (Kind::Float, self.device))?,
                _ => numbers.f_narrow(0, from, *length as i64)?.f_abs()?.f_max()?,
            });
            from += *length as i64;
        }
        if most.is_empty() {
            return Ok(Vec::new());
        }
        Ok(Vec::<f64>::try_from(Tensor::f_stack(&most, 0)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?)?)
    }

    fn add(&self, _: &Crew, shares: Vec<Share<Flat>>, scales: &[Scale], whole: Tensor) -> Result<Flat> {
        let _no_grad = no_grad_guard();
        for share in &shares {
            let mut from = 0;
            for Scale { length, factor } in scales {
                let length = *length as i64;
                // The conversion cuts off.
                let numbers = share.numbers.numbers.f_narrow(0, from, length)?.f_to_kind(Kind::Double)?;
                let numbers = numbers.f_mul_scalar(share.weight * factor)?.f_to_kind(Kind::Int64)?;
                let _ = whole.f_narrow(0, from, length)?.f_add_(&numbers)?;
                from += length;
            }
        }
        self.nccl.sum(&whole)?;
        let (mut sums, mut from) = (Vec::with_capacity(scales.len()), 0);
        for Scale { length, factor } in scales {
            let numbers = whole.f_narrow(0, from, *length as i64)?.f_to_kind(Kind::Double)?;
            sums.push(numbers.f_mul_scalar(1.0 / factor)?.f_to_kind(Kind::Float)?);
            from += *length as i64;
        }
        let numbers = match sums.is_empty() {
            true => Tensor::f_zeros([0].as_slice(), (Kind::Float, self.device))?,
            false => Tensor::f_cat(&sums, 0)?,
        };
        Ok(Flat { numbers, ready: Mark::new(self.device)? })
    }
}

impl Carrier for OnDevice<'_> {
    fn zeros(&self, count: usize) -> Result<Flat> {
        Ok(Flat { numbers: Tensor::f_zeros([count as i64].as_slice(), (Kind::Float, self.device))?, ready: None })
    }

    fn put(&self, flat: &mut Flat, from: usize, gradient: &Tensor) -> Result<()> {
        let place = flat.numbers.f_narrow(0, from as i64, gradient.numel() as i64)?;
        place.f_view(gradient.size().as_slice())?.f_copy_(gradient)?;
        Ok(())
    }

    fn close(&self, flat: &mut Flat) -> Result<()> {
        flat.ready = Mark::new(self.device)?;
        Ok(())
    }

    fn beside(&self) -> Option<Side> {
        // In turn with it, where there is none.
        Side::new(self.device).ok().flatten()
    }

    fn tensor(&self, Flat { numbers, ready }: Flat) -> Result<Tensor> {
        ready.map_or(Ok(()), |ready| ready.wait())?;
        Ok(numbers)
    }
}
