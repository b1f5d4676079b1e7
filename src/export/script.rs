//! A network as TorchScript: source text over named parameters, so that the file can be read (`module.code`), trained on, and run with
//! any batch size, without nse.

use super::graph::{EPSILON, INPUT, OUTPUT};
use super::{Archive, Format, Graph, Layer};
use crate::error::Result;
use crate::space::step::Pooling;
use crate::space::{Activation, Gate};

pub const FORMAT: Format = Format {
    name: "torchscript",
    help: "an archive that libtorch and PyTorch load; nse.json inside says what it is",
    exact: false,
    write,
};

fn write(graph: &Graph, archive: Archive) -> Result<Vec<u8>> {
    archive(&script(graph), &graph.weights.iter().collect::<Vec<_>>(), &graph.card.to_json(graph.raw))
}

/// The method `forward`.
pub fn script(graph: &Graph) -> String {
    let lines = graph.nodes.iter().map(|node| format!("    {} = {}\n", node.to, expression(&node.layer)));
    let body: String = lines.collect();
    format!("def forward(self, {INPUT}: Tensor) -> Tensor:\n{body}    return {OUTPUT}\n")
}

fn expression(layer: &Layer) -> String {
    match layer {
        Layer::Normalise { from, path } => format!("{from} * self.{path}.scale + self.{path}.shift"),
        Layer::Convolve { from, path, shape: c, bias } => {
            let ([sy, sx], [py, px], d, groups) = (c.stride, c.padding(), c.dilation, c.groups);
            let bias = if *bias { format!("self.{path}.bias") } else { "None".into() };
            format!("torch.conv2d({from}, self.{path}.weight, {bias}, [{sy}, {sx}], [{py}, {px}], [{d}, {d}], {groups})")
        }
        Layer::Norm { from, path } => {
            let parts = ["weight", "bias", "running_mean", "running_var"].map(|part| format!("self.{path}.{part}")).join(", ");
            format!("torch.batch_norm({from}, {parts}, False, 0.0, {EPSILON:e}, True)")
        }
        Layer::Activate { from, activation: Activation::Relu } => format!("torch.relu({from})"),
        Layer::Activate { from, activation: Activation::Swish } => format!("torch.silu({from})"),
        Layer::Pool { from } => format!("torch.mean({from}, [2, 3])"),
        Layer::Linear { from, path } => format!("torch.linear({from}, self.{path}.weight, self.{path}.bias)"),
        Layer::Gate { from, gate: Gate::Sigmoid } => format!("torch.sigmoid({from})"),
        Layer::Gate { from, gate: Gate::HardSigmoid } => format!("torch.hardsigmoid({from})"),
        Layer::Scale { from, gate } => format!("{from} * {gate}.unsqueeze(-1).unsqueeze(-1)"),
        Layer::Mean { terms } => format!("({}) / {}", terms.join(" + "), terms.len()),
        Layer::Sum { terms } => terms.join(" + "),
        Layer::Concatenate { terms } => format!("torch.cat([{}], 1)", terms.join(", ")),
        Layer::Window { from, pooling } => {
            let Pooling { average, kernel: k, stride: s } = pooling;
            let (p, up) = (pooling.padding(), if k % 2 == 0 { "True" } else { "False" });
            match average {
                true => format!("torch.avg_pool2d({from}, [{k}, {k}], [{s}, {s}], [{p}, {p}], {up}, False)"),
                false => format!("torch.max_pool2d({from}, [{k}, {k}], [{s}, {s}], [{p}, {p}], [1, 1], {up})"),
            }
        }
        Layer::Shift { from, grow } => match grow.map(u32::from) {
            [0, 0] => format!("{from}[:, :, 1:, 1:]"),
            [rows, columns] => format!("torch.constant_pad_nd({from}, [0, {columns}, 0, {rows}], 0.0)[:, :, 1:, 1:]"),
        },
        Layer::Nothing { from, stride } => format!("{from}[:, :, ::{stride}, ::{stride}] * 0.0"),
    }
}
