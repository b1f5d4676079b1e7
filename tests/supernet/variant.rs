//! Stand-alone models with squeeze-excitation and swish: against plain tensor operations and the plain-loop reference, trained,
//! exported; and nothing changes without them.

use crate::export::{export, file, metadata};
use crate::forward::{all, check, weights};
use crate::model::{architecture, options};
use crate::support::{all_operators, distance, normal, small, stripes, values};
use nse::arch::Variant;
use nse::data::Normalisation;
use nse::search::Silent;
use nse::space::Activation;
use nse::supernet::network::Network;
use nse::supernet::norm::Norm;
use nse::supernet::unit::Unit;
use nse::supernet::{Model, ModelOptions};
use std::sync::Arc;
use tch::{CModule, Device, Kind, Reduction, Tensor};

const EXCITED: Variant = Variant { squeeze_excitation: true, activation: Activation::Swish };

fn variants() -> [Variant; 4] {
    [(false, Activation::Relu), (false, Activation::Swish), (true, Activation::Relu), (true, Activation::Swish)]
        .map(|(squeeze_excitation, activation)| Variant { squeeze_excitation, activation })
}

fn network(variant: Variant) -> Network {
    let space = all_operators();
    Network::varied(space.clone(), &all(&space), variant, 1, 0, Device::Cpu).unwrap()
}

fn trained(variant: Variant) -> Model {
    let options = ModelOptions { variant, ..options() };
    Model::train(small(), &architecture(), &stripes(300, 1), &options, &Silent, &|_| ()).unwrap()
}

#[test]
fn networks_equal_the_reference() {
    for variant in variants() {
        let network = network(variant);
        let space: &Arc<_> = network.space();
        let weights = weights(space, &network);
        let images = normal(&[9, 2, 9, 9], 7);
        for o in 0..6 {
            check(space, &network, &weights, &[vec![o], vec![o], vec![o]], &images);
        }
        check(space, &network, &weights, &[vec![], vec![1, 3], vec![0, 4, 5]], &images);
    }
}

/// Batch-norm by the batch, without scale and shift, which are 1 and 0 at the start.
fn normalised(x: &Tensor) -> Tensor {
    let axes: &[i64] = &[0, 2, 3];
    let (var, mean) = x.var_mean_dim(axes, false, true);
    (x - mean) / (var + 1e-5).sqrt()
}

#[test]
fn a_branch_in_plain_tensor_operations() {
    let network = network(EXCITED);
    // mbconv_k3_t3 of the reduce cell: 4 to 12 to 6 channels; 3 inside of squeeze-excitation.
    let [expand, depthwise, project] = network.units(1, 0) else { panic!("three convolutions") };
    let excitation = depthwise.excitation.as_ref().unwrap();
    assert!(expand.excitation.is_none() && project.excitation.is_none());
    tch::no_grad(|| excitation.squeeze.bias.value.shallow_clone().copy_(&normal(&[3], 1)));
    tch::no_grad(|| excitation.excite.bias.value.shallow_clone().copy_(&normal(&[12], 2)));
    let x = normal(&[5, 4, 9, 9], 3);
    let convolved = |x: &Tensor, unit: &Unit, stride: i64, padding: i64, groups: i64| {
        normalised(&x.conv2d(&unit.weight.value, None::<Tensor>, [stride; 2], [padding; 2], [1, 1], groups))
    };
    let swish = |x: &Tensor| x * x.sigmoid();
    let y = swish(&convolved(&x, expand, 1, 0, 1));
    let y = swish(&convolved(&y, depthwise, 2, 1, 12));
    // The published 1x1 convolutions with bias, on maps of 1 x 1.
    let pointwise = |x: &Tensor, layer: &nse::supernet::unit::Linear| {
        let weight = layer.weight.value.unsqueeze(-1).unsqueeze(-1);
        x.conv2d(&weight, Some(&layer.bias.value), [1, 1], [0, 0], [1, 1], 1)
    };
    let averages = y.adaptive_avg_pool2d([1, 1]);
    let gate = pointwise(&swish(&pointwise(&averages, &excitation.squeeze)), &excitation.excite).sigmoid();
    assert_eq!((averages.size(), gate.size()), (vec![5, 12, 1, 1], vec![5, 12, 1, 1]));
    let expected = convolved(&(y * gate), project, 1, 0, 1);
    let got = network.branch(1, 0, &x, &Norm::Batch).unwrap();
    assert_eq!(got.size(), [5, 6, 5, 5]);
    assert!(distance(&expected, &got) < 1e-5, "{}", distance(&expected, &got));
}

#[test]
fn plain_weights_do_not_depend_on_the_variant() {
    let (space, open) = (all_operators(), vec![vec![0, 1, 2, 3, 4, 5]; 3]);
    let plain = Network::new(space.clone(), &open, 1, 0, Device::Cpu).unwrap();
    assert_eq!(plain.variant(), Variant::default());
    let excited = network(EXCITED);
    let shared =
        |unit: &Unit| [&unit.weight].into_iter().chain(unit.norm.iter().flatten()).map(|p| values(&p.value)).collect::<Vec<_>>();
    let mut modules = 0;
    for (cell, operator) in (0..3).flat_map(|cell| (0..6).map(move |o| (cell, o))) {
        for (a, b) in plain.units(cell, operator).iter().zip(excited.units(cell, operator)) {
            assert_eq!(shared(a), shared(b));
            assert!(a.excitation.is_none());
            for layer in b.excitation.iter().flat_map(|e| [&e.squeeze, &e.excite]) {
                modules += 1;
                assert!(layer.weight.decay && !layer.bias.decay);
                assert!(
                    values(&layer.bias.value).iter().all(|v| *v == 0.0) && values(&layer.weight.value).iter().all(|v| *v != 0.0)
                );
            }
        }
    }
    assert_eq!(modules, 2 * 18, "one module, two layers, in every branch");
    let (one, two) = (plain.chain().unwrap(), excited.chain().unwrap());
    let (stem, tail, classifier) = (&one.stem, &one.tail, plain.classifier());
    let (stem2, tail2, classifier2) = (&two.stem, &two.tail, excited.classifier());
    assert_eq!((shared(stem), shared(tail)), (shared(stem2), shared(tail2)));
    assert_eq!(values(&classifier.weight.value), values(&classifier2.weight.value));
    let ((few, few_decayed), (many, many_decayed)) = (plain.parameters(&open), excited.parameters(&open));
    assert_eq!((many.len() - few.len(), many_decayed - few_decayed), (4 * 18, 2 * 18), "all are trained, the weights decay");
}

#[test]
fn initial_weights_have_the_published_spread() {
    let space = nse::space::Space::preset("nse-27-small", "{}").unwrap();
    let open: Vec<_> = space.cells().iter().map(|_| vec![6]).collect();
    let network = Network::varied(Arc::new(space), &open, EXCITED, 2, 0, Device::Cpu).unwrap();
    // mbconv_k3_t6 at 64 channels: 384 channels and 96 inside.
    let excitation = network.units(6, 6)[1].excitation.as_ref().unwrap();
    for (layer, shape) in [(&excitation.squeeze, [96i64, 384]), (&excitation.excite, [384, 96])] {
        assert_eq!(layer.weight.value.size(), shape);
        let weights = values(&layer.weight.value);
        let std = (weights.iter().map(|w| w * w).sum::<f64>() / weights.len() as f64).sqrt();
        assert!((std / (2.0 / shape[0] as f64).sqrt() - 1.0).abs() < 0.05, "{std}");
    }
}

#[test]
fn a_trained_variant_equals_its_export() {
    let data = stripes(150, 2);
    for (i, variant) in variants().into_iter().enumerate() {
        let model = trained(variant);
        let evaluation = model.evaluate(&data, &Silent).unwrap();
        assert!(evaluation.accuracy > 0.95, "{variant:?}: {evaluation:?}");
        assert_eq!(metadata(&model, &format!("variant-metadata-{i}.pt"))["variant"], serde_json::to_value(variant).unwrap());
        let path = file(&format!("variant-{i}.pt"));
        export(&model, &path).unwrap();
        let module = CModule::load(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let normalisation = Normalisation::of(&stripes(300, 1));
        data.fill(&(0..150).collect::<Vec<_>>(), &normalisation, None, &mut images, &mut labels).unwrap();
        let logits = module.forward_ts(&[Tensor::from_slice(&images).view([150, 1, 12, 12])]).unwrap();
        let loss = logits.cross_entropy_loss::<Tensor>(&Tensor::from_slice(&labels), None, Reduction::Mean, -100, 0.0);
        let difference = loss.double_value(&[]) - evaluation.loss;
        assert!(difference.abs() < 1e-5, "{variant:?}: {difference}");
        let added: Vec<_> = module.named_parameters().unwrap().into_iter().filter(|(n, _)| n.contains(".squeeze.")).collect();
        assert_eq!(added.len(), if variant.squeeze_excitation { 2 * 4 } else { 0 }, "weight and bias in each of four branches");
        for (name, tensor) in added.iter().filter(|(name, _)| name.ends_with(".bias") && variant == EXCITED) {
            assert!(tensor.abs().max().double_value(&[]) > 0.0, "{name} was not trained");
        }
    }
}

#[test]
fn the_export_names_its_parts() {
    let path = file("variant-names.pt");
    export(&trained(EXCITED), &path).unwrap();
    let names: Vec<_> = CModule::load(&path).unwrap().named_parameters().unwrap().into_iter().map(|(name, _)| name).collect();
    std::fs::remove_file(&path).unwrap();
    for layer in ["squeeze", "excite"] {
        for cell in
            ["cell0.mbconv_k3_t1.depthwise", "cell0.rec_k5_t1.column", "cell1.mbconv_k3_t3.depthwise", "cell2.conv_k3_t1.spatial"]
        {
            for part in ["weight", "bias"] {
                let name = format!("{cell}.{layer}.{part}");
                assert!(names.contains(&name), "{name} is not in {names:?}");
            }
        }
    }
}

#[test]
fn an_excited_model_loses_less_with_every_step_against_the_gradient() {
    let network = network(EXCITED);
    let open = [vec![0, 3], vec![1], vec![4, 5]];
    let (images, labels) = (normal(&[9, 2, 9, 9], 5), Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2, 0, 1, 2]));
    let loss = || network.forward(&images, &open, &Norm::Batch).unwrap().cross_entropy_for_logits(&labels);
    // Only the parameters of the squeeze-excitation modules move.
    let excitations = open.iter().enumerate().flat_map(|(cell, open)| open.iter().map(move |o| (cell, *o)));
    let parameters: Vec<&Tensor> = excitations
        .flat_map(|(cell, operator)| network.units(cell, operator))
        .flat_map(|unit| unit.excitation.iter().flat_map(|e| e.parameters()))
        .map(|p| &p.value)
        .collect();
    assert_eq!(parameters.len(), 5 * 4);
    let mut last = loss().double_value(&[]);
    for _ in 0..10 {
        let gradients = Tensor::run_backward(&[&loss()], &parameters, false, false);
        for (parameter, gradient) in parameters.iter().zip(&gradients) {
            assert!(gradient.square().sum(Kind::Double).double_value(&[]) > 0.0, "a gradient of {:?} is zero", parameter.size());
            let _ = tch::no_grad(|| parameter.shallow_clone().g_sub_(&(gradient * 0.05)));
        }
        let now = loss().double_value(&[]);
        assert!(now < last, "{now} after {last}");
        last = now;
    }
}
