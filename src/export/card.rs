//! What travels with the weights of a model in every format: which network it is, and what becomes of an image in front of it.

use crate::arch::{Architecture, Variant};
use crate::data::Normalisation;
use crate::error::{Error, Result};
use crate::json;
use crate::space::Space;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use std::sync::Arc;

const DOCUMENT: &str = "model card";
const FORMAT: &str = "nse-model";
/// Grows when an older library would read the card wrongly.
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    pub space: Arc<Space>,
    pub architecture: Architecture,
    pub variant: Variant,
    pub normalisation: Normalisation,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CardDocument {
    format: String,
    version: u32,
    /// Version of the library that wrote it; for people.
    #[serde(rename = "nse")]
    _nse: String,
    space: Value,
    architecture: Value,
    variant: Variant,
    normalisation: NormalisationDocument,
    /// What follows from the space; for people and other programs.
    #[serde(rename = "input")]
    _input: Value,
    #[serde(rename = "classes")]
    _classes: u32,
}

/// A pixel v becomes (v / scale - mean) / std, per channel.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NormalisationDocument {
    mean: Vec<f32>,
    std: Vec<f32>,
    scale: f64,
}

impl Card {
    /// `raw`: whether the network of this file takes pixels as they are, and normalises them itself.
    pub fn to_json(&self, raw: bool) -> String {
        let (space, shape) = (&self.space, self.space.input());
        let document = |text: String| serde_json::from_str::<Value>(&text).unwrap_or_default();
        json!({
            "format": FORMAT,
            "version": VERSION,
            "nse": env!("CARGO_PKG_VERSION"),
            "space": document(space.to_json()),
            "architecture": document(self.architecture.to_json(space)),
            "variant": self.variant,
            "normalisation": NormalisationDocument {
                mean: self.normalisation.mean.clone(),
                std: self.normalisation.std.clone(),
                scale: 255.0,
            },
            "input": {
                "layout": "NCHW",
                "type": "float32",
                "values": if raw { "0 to 255" } else { "normalised" },
                "channels": shape.channels,
                "height": shape.height,
                "width": shape.width,
            },
            "classes": space.classes(),
        })
        .to_string()
    }

    /// Reads what [`Card::to_json`] wrote.
    pub fn from_json(text: &str) -> Result<Self> {
        let document: CardDocument = json::parse(DOCUMENT, text)?;
        let wrong = |pointer: &str, reason: String| json::out_of_range(DOCUMENT, pointer, reason);
        if document.format != FORMAT || document.version != VERSION {
            let (format, version) = (document.format, document.version);
            return Err(wrong("/version", format!("{format:?} version {version}, this library reads {FORMAT:?} version {VERSION}")));
        }
        let space = Space::from_json(&document.space.to_string()).map_err(|e| inside("/space", e))?;
        let architecture =
            Architecture::from_json(&space, &document.architecture.to_string()).map_err(|e| inside("/architecture", e))?;
        let NormalisationDocument { mean, std, scale } = document.normalisation;
        let channels = space.input().channels as usize;
        if mean.len() != channels || std.len() != channels || scale != 255.0 {
            let reason = format!("{} means, {} deviations and the scale {scale} for {channels} channels", mean.len(), std.len());
            return Err(wrong("/normalisation", reason));
        }
        if !(mean.iter().all(|m| m.is_finite()) && std.iter().all(|s| s.is_finite() && *s > 0.0)) {
            return Err(wrong("/normalisation", "a mean or a deviation is not a number that can be used".into()));
        }
        let normalisation = Normalisation { mean, std };
        Ok(Card { space: Arc::new(space), architecture, variant: document.variant, normalisation })
    }
}

/// An error of a document inside this one, with its place in the whole.
fn inside(at: &str, error: Error) -> Error {
    match error {
        Error::Config { pointer, reason, .. } => json::out_of_range(DOCUMENT, format!("{at}{pointer}"), reason),
        other => other,
    }
}
