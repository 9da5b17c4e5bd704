//! The fields of a command, found in one pass over its JSON.

use super::near_miss::{KNOWN, NearMiss};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{borrow::Cow, fmt};

/// Number of unknown fields of a command that are compared with known ones. The rest costs as little as any JSON.
const COMPARED_MAX: usize = 16;

/// The fields of a command, as they were sent. Unknown ones are ignored, as the Python service did, unless they are
/// near misses.
#[derive(Default)]
pub struct Fields<'a> {
    /// The name of the command.
    pub command: Option<&'a RawValue>,
    /// The key.
    pub key: Option<&'a RawValue>,
    /// The value of a WRITE.
    pub value: Option<&'a RawValue>,
    /// The time to live.
    pub expire: Option<&'a RawValue>,
    /// The wish for encryption.
    pub encrypt: Option<&'a RawValue>,
    /// The number of replicas to wait for.
    pub replicas: Option<&'a RawValue>,
    /// The node that a READ goes to.
    pub consistency: Option<&'a RawValue>,
    /// The encoding of the value.
    pub encoding: Option<&'a RawValue>,
    /// The wish to store only what is not there yet.
    pub if_absent: Option<&'a RawValue>,
    /// The wish to keep the lifetime of the value that is replaced.
    pub keep_expire: Option<&'a RawValue>,
    /// The time to live that a READ gives its key.
    pub touch: Option<&'a RawValue>,
    /// The number that an INCREMENT adds.
    pub by: Option<&'a RawValue>,
    /// The smallest result of an INCREMENT.
    pub min: Option<&'a RawValue>,
    /// The largest result of an INCREMENT.
    pub max: Option<&'a RawValue>,
    /// The uses that a RATE_LIMIT allows.
    pub limit: Option<&'a RawValue>,
    /// The seconds in which a RATE_LIMIT allows them.
    pub per: Option<&'a RawValue>,
    /// The uses that a RATE_LIMIT asks for.
    pub cost: Option<&'a RawValue>,
    /// The first field that no command has.
    pub unknown: Option<Cow<'a, str>>,
    /// The first near miss among the unknown fields.
    pub near_miss: Option<NearMiss<'a>>,
}

impl<'a> Fields<'a> {
    /// Returns the place of the field with this name, and the name; `None` if the name is unknown.
    fn slot(&mut self, name: &str) -> Option<(&'static str, &mut Option<&'a RawValue>)> {
        Some(match name {
            "command" => ("command", &mut self.command),
            "key" => ("key", &mut self.key),
            "value" => ("value", &mut self.value),
            "expire" => ("expire", &mut self.expire),
            "encrypt" => ("encrypt", &mut self.encrypt),
            "replicas" => ("replicas", &mut self.replicas),
            "consistency" => ("consistency", &mut self.consistency),
            "encoding" => ("encoding", &mut self.encoding),
            "if_absent" => ("if_absent", &mut self.if_absent),
            "keep_expire" => ("keep_expire", &mut self.keep_expire),
            "touch" => ("touch", &mut self.touch),
            "by" => ("by", &mut self.by),
            "min" => ("min", &mut self.min),
            "max" => ("max", &mut self.max),
            "limit" => ("limit", &mut self.limit),
            "per" => ("per", &mut self.per),
            "cost" => ("cost", &mut self.cost),
            _ => return None,
        })
    }

    /// Returns the first field that was sent, and is none of `names`.
    pub fn beyond(&mut self, names: &[&str]) -> Option<Cow<'a, str>> {
        let foreign = KNOWN.iter().filter(|name| !names.contains(name));
        let sent = foreign.into_iter().find(|name| self.slot(name).is_some_and(|(_, field)| field.is_some()));
        sent.map(|name| Cow::Borrowed(*name)).or_else(|| self.unknown.take())
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// Collects the fields of an object.
struct FieldsVisitor;

/// The name of a field, borrowed if it has no escapes.
#[derive(Deserialize)]
struct FieldName<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Fields::default();
        let mut compared = 0;
        while let Some(FieldName(name)) = map.next_key()? {
            if let Some((name, slot)) = fields.slot(&name) {
                if slot.is_some() {
                    return Err(A::Error::duplicate_field(name));
                }
                *slot = Some(map.next_value()?);
                continue;
            }
            map.next_value::<IgnoredAny>()?;
            if compared < COMPARED_MAX && fields.near_miss.is_none() {
                compared += 1;
                fields.near_miss = NearMiss::of(name.clone());
            }
            fields.unknown.get_or_insert(name);
        }
        Ok(fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_that_of_a_field() {
        for known in KNOWN {
            assert_eq!(Fields::default().slot(known).map(|(name, _)| name), Some(known));
        }
    }

    #[test]
    fn a_name_with_escapes_is_the_same_name() {
        let fields: Fields<'_> = serde_json::from_str(r#"{"k\u0065y":"k","\u0074tl":1}"#).expect("an object");
        assert_eq!(fields.key.map(RawValue::get), Some("\"k\""));
        assert!(fields.near_miss.is_some());
    }

    #[test]
    fn only_the_first_unknown_fields_are_compared_with_known_ones() {
        for (count, is_seen) in [(COMPARED_MAX - 1, true), (COMPARED_MAX, false)] {
            let unknown: Vec<String> = (0..count).map(|number| format!(r#""u{number}":[],"#)).collect();
            let text = format!(r#"{{{}"ttl":1,"key":"k"}}"#, unknown.concat());
            let fields: Fields<'_> = serde_json::from_str(&text).expect("an object");
            assert_eq!((fields.near_miss.is_some(), fields.key.is_some()), (is_seen, true), "{count}");
        }
    }
}
