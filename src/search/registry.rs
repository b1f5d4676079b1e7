//! How strategies and scorers are listed: one line each, which declares the module, its name in JSON and its options.
//!
//! In JSON an entry is its name, with the defaults of its options, or an object with the name as its only key and the options below
//! it: `"shrink"` or `{"shrink": {"until": 1000}}`.

/// An enum with a variant per entry, each with its options, and everything that the options of a search need of it.
macro_rules! registry {
    ($(#[$doc:meta])* $list:ident of $trait:ident, such as $expected:literal: $($module:ident => $entry:ident,)+) => {
        $(mod $module;)+
        $(pub use $module::$entry;)+

        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $list {
            $($entry($entry),)+
        }

        impl $list {
            /// All names, as they are in JSON.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($module)),+];

            pub fn name(&self) -> &'static str {
                match self {
                    $($list::$entry(_) => stringify!($module),)+
                }
            }

            pub fn get(&self) -> &dyn $trait {
                match self {
                    $($list::$entry(entry) => entry,)+
                }
            }
        }

        impl serde::Serialize for $list {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                match self {
                    $($list::$entry(entry) => serializer.collect_map([(stringify!($module), entry)]),)+
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $list {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                struct Named;

                impl<'de> serde::de::Visitor<'de> for Named {
                    type Value = $list;

                    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                        f.write_str($expected)
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> std::result::Result<$list, E> {
                        match name {
                            $(stringify!($module) => Ok($list::$entry($entry::default())),)+
                            _ => Err(E::unknown_variant(name, $list::NAMES)),
                        }
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> std::result::Result<$list, A::Error> {
                        use serde::de::Error;
                        let name: String = map.next_key()?.ok_or_else(|| A::Error::custom(concat!("nothing; expected ", $expected)))?;
                        let entry = match name.as_str() {
                            $(stringify!($module) => $list::$entry(map.next_value()?),)+
                            _ => return Err(A::Error::unknown_variant(&name, $list::NAMES)),
                        };
                        match map.next_key::<String>()? {
                            Some(other) => Err(A::Error::custom(format!("{name} and {other}; expected one"))),
                            None => Ok(entry),
                        }
                    }
                }

                deserializer.deserialize_any(Named)
            }
        }

        impl schemars::JsonSchema for $list {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($list).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let mut properties = serde_json::Map::new();
                $(properties.insert(stringify!($module).into(), generator.subschema_for::<$entry>().to_value());)+
                let options = serde_json::json!({
                    "type": "object", "properties": properties, "additionalProperties": false, "minProperties": 1, "maxProperties": 1
                });
                schemars::json_schema!({ "anyOf": [{ "type": "string", "enum": $list::NAMES }, options] })
            }
        }
    };
}

pub(super) use registry;
