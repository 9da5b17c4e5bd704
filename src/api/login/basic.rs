//! The credentials of HTTP Basic.

use super::fields::{Credentials, LoginFields};
use crate::http::{ErrorCode, Problem};
use base64::{Engine, engine::general_purpose::STANDARD};

/// The credentials in a header `Authorization`, as they were sent and decoded.
///
/// RFC 6749 §2.3.1 wants id and secret form-encoded inside Basic. Not every client does that, so both readings are kept.
pub struct BasicCredentials([(String, String); 2]);

impl BasicCredentials {
    /// Decodes the base64 of `id:secret`.
    pub fn parse(basic: &str) -> Result<Self, Problem> {
        let (id, secret) = decode(basic).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidBasic, "The Basic credentials are not base64 of id:secret")
        })?;
        let decoded = (form_decoded(&id), form_decoded(&secret));
        Ok(Self([(id, secret), decoded]))
    }

    /// Returns both readings. The body may repeat id and secret, and has them where the header does not, but must not
    /// contradict them.
    pub fn candidates(self, body: LoginFields) -> Result<Vec<Credentials>, Problem> {
        let Self(readings) = self;
        let (id, secret) = (stated(body.client_id), stated(body.api_key));
        refuse_other("client_id", id.as_deref(), readings.each_ref().map(|(id, _)| id.as_str()))?;
        refuse_other("client_secret", secret.as_deref(), readings.each_ref().map(|(_, secret)| secret.as_str()))?;
        let candidates = readings.map(|(own_id, own_secret)| Credentials {
            client_id: stated(Some(own_id)).or_else(|| id.clone()),
            api_key: stated(Some(own_secret)).or_else(|| secret.clone()).unwrap_or_default(),
        });
        Ok(candidates.into())
    }
}

/// Returns a text that is not empty. Libraries send empty ones for what they do not have.
fn stated(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// Refuses a field of the body that is none of the readings of the header.
fn refuse_other(name: &str, given: Option<&str>, readings: [&str; 2]) -> Result<(), Problem> {
    if readings[0].is_empty() || given.is_none_or(|given| readings.contains(&given)) {
        return Ok(());
    }
    let message = format!("`{name}` in the body is not that of the header Authorization: send one of them");
    Err(Problem::field(message))
}

fn decode(basic: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn form_decoded(text: &str) -> String {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("x={text}")).unwrap_or_default();
    pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}
