//! The JSON of a command.

use crate::cli::failure::Failure;
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use std::io::{self, Read};

/// The fields of a command. Absent ones are not sent.
#[derive(Default, Serialize)]
pub struct CommandRequest<'a> {
    /// The name of the command.
    pub command: &'static str,
    /// The key.
    pub key: &'a str,
    /// The value of a WRITE, in its JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// The encoding of the value, if it is not JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static str>,
    /// Seconds to live.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expire: Option<i64>,
    /// True to encrypt the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encrypt: Option<bool>,
    /// True to store nothing over an existing value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub if_absent: Option<bool>,
    /// The number of replicas to wait for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// The number that INCREMENT adds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<i64>,
    /// The largest result of an INCREMENT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<i64>,
    /// The smallest result of an INCREMENT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<i64>,
}

impl CommandRequest<'_> {
    /// Returns the body of the request.
    pub fn to_body(&self) -> Result<Bytes, Failure> {
        Ok(Bytes::from(serde_json::to_vec(self).map_err(Failure::general)?))
    }
}

/// Returns the value that a person typed, or standard input for `-`, as JSON with its encoding. Bytes that are not text
/// become base64.
pub fn value(typed: &str, is_json: bool) -> Result<(Box<RawValue>, Option<&'static str>), Failure> {
    let bytes = if typed == "-" { read_input()? } else { typed.as_bytes().to_vec() };
    match String::from_utf8(bytes) {
        Ok(text) if is_json => {
            let json = serde_json::from_str::<Box<RawValue>>(text.trim());
            Ok((json.map_err(|error| Failure::usage(format!("the value is no JSON: {error}")))?, None))
        }
        Ok(text) => Ok((to_raw_value(&text).map_err(Failure::general)?, None)),
        Err(_) if is_json => Err(Failure::usage("the value is no JSON: it is not UTF-8")),
        Err(error) => {
            let text = STANDARD.encode(error.as_bytes());
            Ok((to_raw_value(&text).map_err(Failure::general)?, Some("base64")))
        }
    }
}

/// Reads standard input to its end.
pub fn read_input() -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    Ok(bytes)
}
