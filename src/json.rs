//! Strict JSON documents: every failure says which document, and where in it, by a JSON pointer (RFC 6901).

use crate::error::{Error, Result};
use schemars::generate::SchemaSettings;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};
use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Parses `text` as the document named `document`. Types that derive `deny_unknown_fields` make unknown keys an error.
pub fn parse<T: DeserializeOwned + JsonSchema + 'static>(document: &'static str, text: &str) -> Result<T> {
    let shape = serde_json::from_str(text).ok();
    // serde would also take an object's values from an array, by position.
    shape.map_or(Ok(()), |shape: Value| check_shape(document, &schema_value::<T>(), &shape, ""))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|e| Error::Config {
        document,
        pointer: pointer(e.path()),
        reason: without_types(&e.inner().to_string()),
    })?;
    reader.end().map_err(|e| out_of_range(document, "", e.to_string()))?;
    Ok(value)
}

/// What is expected in words of JSON: serde names the Rust type of an object.
fn without_types(reason: &str) -> String {
    match reason.split_once("expected struct ") {
        Some((before, named)) => {
            let rest = named.find(' ').map_or("", |end| &named[end..]);
            format!("{before}expected an object{rest}")
        }
        None => reason.into(),
    }
}

/// A number that may not be known: NaN in memory, which serde writes as null (and an infinity too).
pub fn unknown<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Rows of such numbers.
pub fn unknown_rows<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<Vec<f64>>, D::Error> {
    let rows = Vec::<Vec<Option<f64>>>::deserialize(deserializer)?;
    Ok(rows.into_iter().map(|row| row.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()).collect())
}

/// `value` outside its documented range.
pub fn out_of_range(document: &'static str, pointer: impl Into<String>, reason: impl Into<String>) -> Error {
    Error::Config { document, pointer: pointer.into(), reason: reason.into() }
}

/// The JSON schema of `T`, with its doc comments as help and its ranges.
pub fn schema<T: JsonSchema + 'static>() -> String {
    serde_json::to_string_pretty(&*schema_value::<T>()).unwrap_or_default()
}

/// Holds every number of `value` against the ranges its schema declares, so that a range is written in one place.
pub fn check_ranges<T: JsonSchema + Serialize + 'static>(document: &'static str, value: &T) -> Result<()> {
    let value = serde_json::to_value(value).map_err(|e| out_of_range(document, "", e.to_string()))?;
    check(document, &schema_value::<T>(), &value, "")
}

/// Made once for each type: every document is held against one.
fn schema_value<T: JsonSchema + 'static>() -> Arc<Value> {
    static MADE: Mutex<BTreeMap<TypeId, Arc<Value>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
        Arc::new(settings.into_generator().into_root_schema_for::<T>().to_value())
    };
    made.entry(TypeId::of::<T>()).or_insert_with(make).clone()
}

/// No array where the schema has an object.
fn check_shape(document: &'static str, schema: &Value, value: &Value, at: &str) -> Result<()> {
    for option in alternatives(schema) {
        check_shape(document, option, value, at)?;
    }
    match value {
        Value::Array(_) if schema.get("properties").is_some() => {
            Err(out_of_range(document, at, "expected an object, not a list"))
        }
        Value::Array(items) => (items.iter().enumerate())
            .try_for_each(|(i, item)| check_shape(document, &schema["items"], item, &format!("{at}/{i}"))),
        Value::Object(fields) => (fields.iter())
            .try_for_each(|(key, field)| check_shape(document, &schema["properties"][key], field, &format!("{at}/{key}"))),
        _ => Ok(()),
    }
}

/// Of which a value is one.
fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    ["anyOf", "oneOf"].into_iter().filter_map(|key| schema.get(key)?.as_array()).flatten()
}

fn check(document: &'static str, schema: &Value, value: &Value, at: &str) -> Result<()> {
    for option in alternatives(schema) {
        check(document, option, value, at)?;
    }
    if let (Value::Object(fields), Some(Value::Object(properties))) = (value, schema.get("properties")) {
        // What another alternative has is that one's matter.
        for (field, (key, schema)) in properties.iter().filter_map(|(key, schema)| Some((fields.get(key)?, (key, schema)))) {
            check(document, schema, field, &format!("{at}/{key}"))?;
        }
    }
    let bound = |key: &str, default: f64| schema.get(key).and_then(Value::as_f64).unwrap_or(default);
    let (least, most) = (bound("minimum", f64::NEG_INFINITY), bound("maximum", f64::INFINITY));
    match value.as_f64() {
        Some(number) if number < least || number > most => {
            Err(out_of_range(document, at, format!("{value} is not in {least} to {most}")))
        }
        _ => Ok(()),
    }
}

fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}
