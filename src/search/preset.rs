//! Named sets of search options: the published ones, and some for smaller machines.

use crate::error::Result;
use crate::json;
use serde_json::{json, Map, Value};

/// A set of options that others are laid over.
pub struct OptionsPreset {
    pub name: &'static str,
    pub description: &'static str,
    options: fn() -> Value,
}

impl OptionsPreset {
    /// The options in their JSON form; what is not there has its default.
    pub fn options(&self) -> Value {
        (self.options)()
    }
}

/// The published schedules (configuration files of the published code) are for 1,281,167 training images of which 50,000 are held
/// out, on 32 GPUs or so. Its crops and colours are not ours: `train.augment` has what there is.
pub static PRESETS: [OptionsPreset; 5] = [
    OptionsPreset {
        name: "published-19",
        description: "for the space nse-19, in latency: the published setting of NSENet-GPU",
        options: || {
            published(json!({
                "active": 6,
                "objective": { "cost": "latency", "low": 66, "high": 78, "target": 66, "alpha": 0.8712, "beta": 2 },
                "candidates": { "extra_width": 2 },
            }))
        },
    },
    OptionsPreset {
        name: "published-27",
        description: "for the space nse-27, in multiply-accumulates: the published setting of NSENet-27",
        options: || published(mac_setting()),
    },
    OptionsPreset {
        name: "published-72",
        description: "for the space nse-72, continued from nse-27: the published setting of NSENet",
        options: || published(merged(mac_setting(), json!({ "rounds": 3 }))),
    },
    OptionsPreset {
        name: "one-gpu",
        description: "for one GPU and some 10,000 to 100,000 images; give an objective",
        options: || {
            json!({
                "train": { "epochs": 30, "batch": 256, "lr": 0.1, "augment": { "pad": 4, "flip": true } },
                "fitness": { "lr": 0.01 },
                "candidates": { "count": 1000, "extras": 100 },
                "score": { "calibration": 8192, "batch": 1024 },
            })
        },
    },
    OptionsPreset {
        name: "laptop",
        description: "for a few CPU cores and small images, minutes per round; give an objective",
        options: || {
            json!({
                "active": 4,
                "train": { "epochs": 3, "batch": 64, "lr": 0.1 },
                "fitness": { "lr": 0.02 },
                "candidates": { "count": 50, "extras": 10, "too_few": "accept" },
                "score": { "calibration": 512, "images": 1000, "batch": 500 },
            })
        },
    },
];

fn mac_setting() -> Value {
    json!({
        "active": 5,
        "objective": { "cost": "macs", "low": 300e6, "high": 350e6, "target": 300e6, "alpha": 0.9, "beta": 2 },
        "candidates": { "extra_width": 10e6 },
    })
}

/// 100 epochs of batch 1024; rate 0.1 to 0.4 over 2 of them, then a cosine; 2,000 and 100 candidates; 50 batches re-calibrate.
fn published(setting: Value) -> Value {
    let schedule = json!({
        "train": {
            "epochs": 100, "batch": 1024, "lr": 0.4, "warmup": 0.02, "momentum": 0.9, "weight_decay": 4e-5, "label_smoothing": 0.0,
            "augment": { "pad": 28, "flip": true }
        },
        "fitness": { "interval": 2, "lr": 5e-3, "threshold": -2.0, "preserve": true, "strict_prev": false },
        "candidates": { "count": 2000, "extras": 100 },
        "score": { "calibration": 51200, "batch": 1024 },
        "held_out": 0.03903,
    });
    merged(schedule, setting)
}

/// `text` with the options of the preset it names below it, key by key. Without one, and when it is no JSON object, as it is.
pub(super) fn lay_over(document: &'static str, text: &str) -> Result<String> {
    let Ok(Value::Object(options)) = serde_json::from_str(text) else { return Ok(text.into()) };
    let Some(Value::String(name)) = options.get("preset") else { return Ok(text.into()) };
    let preset = PRESETS.iter().find(|preset| preset.name == name).ok_or_else(|| {
        let known: Vec<_> = PRESETS.iter().map(|preset| preset.name).collect();
        let reason = format!("{name:?} is not a preset; there are {}", known.join(", "));
        json::out_of_range(document, "/preset", reason)
    })?;
    Ok(merged(preset.options(), Value::Object(options)).to_string())
}

/// `over` laid over `under`: objects key by key, everything else as a whole.
fn merged(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (key, value) in over {
                let below = under.remove(&key).unwrap_or_else(|| Map::new().into());
                let value = if below.is_object() && value.is_object() { merged(below, value) } else { value };
                under.insert(key, value);
            }
            Value::Object(under)
        }
        (_, over) => over,
    }
}
