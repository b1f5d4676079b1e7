//! A network as ONNX: operator set 17, any number of images, the card in the metadata. Only operators that every runtime has.

use super::graph::{EPSILON, INPUT, OUTPUT};
use super::onnx_proto::{
    attribute_proto::AttributeType, tensor_proto::DataType, tensor_shape_proto::dimension::Value as Size,
    tensor_shape_proto::Dimension, type_proto, AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto, ValueInfoProto,
};
use super::{Archive, Format, Graph, Layer, Node};
use crate::data::reserve;
use crate::error::{Error, Result};
use crate::search::Array;
use crate::space::{Activation, Gate};
use prost::Message;

pub const FORMAT: Format = Format {
    name: "onnx",
    help: "ONNX, operator set 17, any number of images; the metadata nse.json says what it is",
    exact: false,
    write,
};

const OPERATOR_SET: i64 = 17;
/// The version of the file format that has this operator set.
const IR_VERSION: i64 = 8;
/// Key of the card in the metadata.
const CARD: &str = "nse.json";
/// Name of the constant [2, 3], the axes of height and width.
const AXES: &str = "height_and_width";

fn write(graph: &Graph, _: Archive) -> Result<Vec<u8>> {
    let mut writer = Writer { nodes: Vec::new(), constants: Vec::new() };
    for (name, array) in &graph.weights {
        writer.constants.push(floats(name, array)?);
    }
    graph.nodes.iter().for_each(|node| writer.node(node));
    let (space, shape) = (&graph.card.space, graph.card.space.input());
    let known = |n: u32| Size::DimValue(n.into());
    let images = || Size::DimParam("images".into());
    let sizes = [images(), known(shape.channels), known(shape.height), known(shape.width)];
    let model = ModelProto {
        ir_version: Some(IR_VERSION),
        producer_name: Some("nse".into()),
        producer_version: Some(env!("CARGO_PKG_VERSION").into()),
        opset_import: vec![OperatorSetIdProto { domain: Some(String::new()), version: Some(OPERATOR_SET) }],
        metadata_props: vec![StringStringEntryProto { key: Some(CARD.into()), value: Some(graph.card.to_json(graph.raw)) }],
        graph: Some(GraphProto {
            name: Some("nse".into()),
            node: writer.nodes,
            initializer: writer.constants,
            input: vec![value(INPUT, sizes.into())],
            output: vec![value(OUTPUT, vec![images(), known(space.classes())])],
            ..GraphProto::default()
        }),
        ..ModelProto::default()
    };
    let length = model.encoded_len();
    if length > i32::MAX as usize {
        let reason = format!("{length} bytes are more than the 2 GiB that a file of ONNX can have");
        return Err(Error::Argument { name: "format", reason });
    }
    let mut bytes = reserve("export", length)?;
    model.encode(&mut bytes).map_err(|error| Error::Panic(format!("writing ONNX: {error}")))?;
    Ok(bytes)
}

struct Writer {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Writer {
    fn node(&mut self, Node { to, layer }: &Node) {
        match layer {
            Layer::Normalise { from, path } => {
                let scaled = format!("{to}_scaled");
                self.push("Mul", [from, &format!("{path}.scale")], &scaled, vec![]);
                self.push("Add", [&scaled, &format!("{path}.shift")], to, vec![]);
            }
            Layer::Convolve { from, path, shape: c, bias } => {
                let attributes = vec![
                    ints("kernel_shape", c.kernel),
                    ints("strides", c.stride),
                    ints("pads", [c.padding(), c.padding()].concat()),
                    ints("dilations", [c.dilation; 2]),
                    int("group", c.groups.into()),
                ];
                let mut inputs = vec![from.clone(), format!("{path}.weight")];
                inputs.extend(bias.then(|| format!("{path}.bias")));
                self.push("Conv", inputs, to, attributes);
            }
            Layer::Norm { from, path } => {
                let parts = ["weight", "bias", "running_mean", "running_var"].map(|part| format!("{path}.{part}"));
                let inputs = std::iter::once(from.clone()).chain(parts);
                self.push("BatchNormalization", inputs, to, vec![float("epsilon", EPSILON as f32)]);
            }
            Layer::Activate { from, activation: Activation::Relu } => self.push("Relu", [from], to, vec![]),
            Layer::Activate { from, activation: Activation::Swish } => {
                let gate = format!("{to}_sigmoid");
                self.push("Sigmoid", [from], &gate, vec![]);
                self.push("Mul", [from, &gate], to, vec![]);
            }
            Layer::Pool { from } => {
                let map = format!("{to}_map");
                self.push("GlobalAveragePool", [from], &map, vec![]);
                self.push("Flatten", [&map], to, vec![int("axis", 1)]);
            }
            Layer::Linear { from, path } => {
                let inputs = [from.clone(), format!("{path}.weight"), format!("{path}.bias")];
                self.push("Gemm", inputs, to, vec![int("transB", 1)]);
            }
            Layer::Gate { from, gate: Gate::Sigmoid } => self.push("Sigmoid", [from], to, vec![]),
            Layer::Gate { from, gate: Gate::HardSigmoid } => {
                self.push("HardSigmoid", [from], to, vec![float("alpha", 1.0 / 6.0), float("beta", 0.5)]);
            }
            Layer::Scale { from, gate } => {
                self.axes();
                let map = format!("{to}_gate");
                self.push("Unsqueeze", [gate, AXES], &map, vec![]);
                self.push("Mul", [from, &map], to, vec![]);
            }
            Layer::Sum { terms } => self.sum(terms, to),
            Layer::Mean { terms } => {
                let sum = format!("{to}_sum");
                self.sum(terms, &sum);
                let count = format!("{to}_count");
                self.constants.push(tensor(&count, DataType::Float, vec![], (terms.len() as f32).to_le_bytes().into()));
                self.push("Div", [&sum, &count], to, vec![]);
            }
            Layer::Concatenate { terms } => self.push("Concat", terms, to, vec![int("axis", 1)]),
            Layer::Window { from, pooling: p } => {
                let mut attributes = vec![
                    ints("kernel_shape", [p.kernel; 2]),
                    ints("strides", [p.stride; 2]),
                    ints("pads", [p.padding(); 4]),
                    int("ceil_mode", i64::from(p.kernel % 2 == 0)),
                ];
                attributes.extend(p.average.then(|| int("count_include_pad", 0)));
                self.push(if p.average { "AveragePool" } else { "MaxPool" }, [from], to, attributes);
            }
            Layer::Shift { from, grow } => {
                let mut map = from.clone();
                if grow.contains(&true) {
                    let [rows, columns] = grow.map(i64::from);
                    let pads = self.numbers(format!("{to}_pads"), &[0, 0, 0, 0, 0, 0, rows, columns]);
                    map = format!("{to}_grown");
                    self.push("Pad", [from, &pads], &map, vec![]);
                }
                self.slice(&map, to, &[1, 1], &[1, 1]);
            }
            Layer::Nothing { from, stride } => {
                let sized = format!("{to}_sized");
                self.slice(from, &sized, &[0, 0], &[i64::from(*stride); 2]);
                let zero = format!("{to}_zero");
                self.constants.push(tensor(&zero, DataType::Float, vec![], 0f32.to_le_bytes().into()));
                self.push("Mul", [&sized, &zero], to, vec![]);
            }
        }
    }

    fn sum(&mut self, terms: &[String], to: &str) {
        let mut sum = terms.first().cloned().unwrap_or_default();
        for (i, term) in terms.iter().enumerate().skip(1) {
            let next = if i + 1 == terms.len() { to.to_owned() } else { format!("{to}_sum{i}") };
            self.push("Add", [&sum, term], &next, vec![]);
            sum = next;
        }
    }

    /// Rows and columns from `starts` to the end.
    fn slice(&mut self, from: &str, to: &str, starts: &[i64], steps: &[i64]) {
        self.axes();
        let starts = self.numbers(format!("{to}_starts"), starts);
        let ends = self.numbers(format!("{to}_ends"), &[i64::MAX; 2]);
        let steps = self.numbers(format!("{to}_steps"), steps);
        self.push("Slice", [from, &starts, &ends, AXES, &steps], to, vec![]);
    }

    fn axes(&mut self) {
        if !self.constants.iter().any(|constant| constant.name() == AXES) {
            self.numbers(AXES.into(), &[2, 3]);
        }
    }

    /// A constant list; its name.
    fn numbers(&mut self, name: String, values: &[i64]) -> String {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constants.push(tensor(&name, DataType::Int64, vec![values.len() as i64], bytes));
        name
    }

    fn push(
        &mut self,
        operator: &str,
        inputs: impl IntoIterator<Item = impl AsRef<str>>,
        to: &str,
        attributes: Vec<AttributeProto>,
    ) {
        self.nodes.push(NodeProto {
            op_type: Some(operator.into()),
            name: Some(to.into()),
            input: inputs.into_iter().map(|name| name.as_ref().to_owned()).collect(),
            output: vec![to.into()],
            attribute: attributes,
            ..NodeProto::default()
        });
    }
}

fn value(name: &str, sizes: Vec<Size>) -> ValueInfoProto {
    let dim = sizes.into_iter().map(|size| Dimension { value: Some(size), ..Dimension::default() }).collect();
    let tensor = type_proto::Tensor { elem_type: Some(DataType::Float as i32), shape: Some(TensorShapeProto { dim }) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: Some(name.into()), r#type: Some(r#type), ..ValueInfoProto::default() }
}

fn floats(name: &str, Array { shape, values }: &Array) -> Result<TensorProto> {
    let mut bytes = reserve("export", size_of_val(values.as_slice()))?;
    values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    Ok(tensor(name, DataType::Float, shape.iter().map(|n| *n as i64).collect(), bytes))
}

fn tensor(name: &str, data_type: DataType, dims: Vec<i64>, bytes: Vec<u8>) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims,
        data_type: Some(data_type as i32),
        raw_data: Some(bytes),
        ..TensorProto::default()
    }
}

fn ints(name: &str, values: impl IntoIterator<Item = u32>) -> AttributeProto {
    let values = values.into_iter().map(i64::from).collect();
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Ints as i32),
        ints: values,
        ..AttributeProto::default()
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: Some(name.into()),
        r#type: Some(AttributeType::Int as i32),
        i: Some(value),
        ..AttributeProto::default()
    }
}

fn float(name: &str, value: f32) -> AttributeProto {
    let r#type = Some(AttributeType::Float as i32);
    AttributeProto { name: Some(name.into()), r#type, f: Some(value), ..AttributeProto::default() }
}
