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

    /// Returns both readings. The body may repeat id and secret, but must not contradict them.
    pub fn candidates(self, body: LoginFields) -> Result<Vec<Credentials>, Problem> {
        let Self(readings) = self;
        for (name, given, is_same) in [
            ("client_id", &body.client_id, readings.iter().any(|(id, _)| body.client_id.as_ref() == Some(id))),
            ("client_secret", &body.api_key, readings.iter().any(|(_, key)| body.api_key.as_ref() == Some(key))),
        ] {
            if given.is_some() && !is_same {
                return Err(Problem::field(format!(
                    "`{name}` in the body is not that of the header Authorization: send one of them"
                )));
            }
        }
        let candidates =
            readings.map(|(id, api_key)| Credentials { client_id: Some(id).filter(|id| !id.is_empty()), api_key });
        Ok(candidates.into())
    }
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
