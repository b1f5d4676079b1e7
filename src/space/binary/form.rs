//! The JSON form of binary modes: a name, or an object with the name as its only key and options below it.

use super::{Binary, Pcnn, Xnor};
use schemars::{json_schema, JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

const NAMES: [&str; 5] = ["layer", "released", "filter", "xnor", "pcnn"];
const EXPECTED: &str = "the name of a binary mode or {name: its options}";
const MOST: u32 = 64;

/// A number of projections.
pub fn projections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let count = u32::deserialize(deserializer)?;
    match (1..=MOST).contains(&count) {
        true => Ok(count),
        false => Err(D::Error::custom(format!("{count} is not in 1 to {MOST}"))),
    }
}

impl Binary {
    fn name(self) -> &'static str {
        let [layer, released, filter, xnor, pcnn] = NAMES;
        match self {
            Binary::Layer => layer,
            Binary::Released => released,
            Binary::Filter => filter,
            Binary::Xnor(_) => xnor,
            Binary::Pcnn(_) => pcnn,
        }
    }

    /// With the defaults of its options.
    fn named(name: &str) -> Option<Self> {
        let all = [Binary::Layer, Binary::Released, Binary::Filter, Binary::Xnor(Xnor::default()), Binary::Pcnn(Pcnn::default())];
        all.into_iter().find(|mode| mode.name() == name)
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Binary::Xnor(options) if *options != Xnor::default() => serializer.collect_map([(self.name(), options)]),
            Binary::Pcnn(options) if *options != Pcnn::default() => serializer.collect_map([(self.name(), options)]),
            _ => serializer.serialize_str(self.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Named;

        impl<'de> Visitor<'de> for Named {
            type Value = Binary;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Binary, E> {
                Binary::named(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Binary, A::Error> {
                let name: String = map.next_key()?.ok_or_else(|| A::Error::custom(format!("nothing; expected {EXPECTED}")))?;
                let mode = match Binary::named(&name) {
                    Some(Binary::Xnor(_)) => Binary::Xnor(map.next_value()?),
                    Some(Binary::Pcnn(_)) => Binary::Pcnn(map.next_value()?),
                    Some(_) => return Err(A::Error::custom(format!("{name} has no options: it is a name alone"))),
                    None => return Err(A::Error::unknown_variant(&name, &NAMES)),
                };
                match map.next_key::<String>()? {
                    Some(other) => Err(A::Error::custom(format!("{name} and {other}; expected one"))),
                    None => Ok(mode),
                }
            }
        }

        deserializer.deserialize_any(Named)
    }
}

impl JsonSchema for Binary {
    fn schema_name() -> Cow<'static, str> {
        "Binary".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let [xnor, pcnn] = [generator.subschema_for::<Xnor>(), generator.subschema_for::<Pcnn>()];
        let options = serde_json::json!({
            "type": "object", "properties": { "xnor": xnor, "pcnn": pcnn }, "additionalProperties": false, "minProperties": 1, "maxProperties": 1
        });
        json_schema!({ "anyOf": [{ "type": "string", "enum": NAMES }, options] })
    }
}
