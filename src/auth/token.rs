//! Tokens: JWT, signed with HS256 and nothing else.

use super::client::Client;
use crate::types::Scopes;
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode, errors::ErrorKind};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Issuer and audience of every token, so that a token of another service with the same secret is refused.
const ISSUER: &str = "cachefront";
/// Seconds by which the clocks of two instances may differ.
const LEEWAY_SECS: u64 = 5;
/// Maximum size of a token in bytes. All tokens of this service are shorter.
pub const BYTES_MAX: usize = 4096;

/// A token that a login returns.
pub struct IssuedToken {
    /// The encoded token.
    pub text: String,
    /// The time for which the token is valid.
    pub life: Duration,
}

/// The reason why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token was valid.
    #[error("the token has expired")]
    Expired,
    /// The token was never valid, or its client no longer exists.
    #[error("the token is not valid")]
    Invalid,
}

/// The claims of a token (RFC 7519 §4.1 and, for `scope`, RFC 8693 §4.2).
#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: u64,
    nbf: u64,
    exp: u64,
    jti: String,
    iss: String,
    aud: String,
    scope: String,
}

/// The content of a valid token.
pub struct VerifiedClaims {
    /// The id of the client.
    pub subject: String,
    /// The scopes that the client had when the token was issued.
    pub scopes: Scopes,
    /// The time in which the token is valid, in seconds since 1970, widened by the leeway for clocks.
    pub valid_secs: RangeInclusive<u64>,
}

/// Issues tokens and verifies its own.
pub struct TokenIssuer {
    signing: EncodingKey,
    verifying: DecodingKey,
    header: Header,
    validation: Validation,
    life: Duration,
}

impl TokenIssuer {
    /// Creates an issuer that signs with `secret`.
    pub fn new(secret: &SecretString, life: Duration) -> Self {
        let secret = secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.leeway = LEEWAY_SECS;
        validation.validate_nbf = true;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            header: Header::new(Algorithm::HS256),
            validation,
            life,
        }
    }

    /// Issues a token to a client.
    pub fn issue(&self, client: &Client) -> IssuedToken {
        let mut id = [0; 16];
        rand::fill(&mut id).expect("the system has random bytes");
        let now = now_secs();
        let claims = Claims {
            sub: client.id().to_owned(),
            iat: now,
            nbf: now,
            exp: now + self.life.as_secs(),
            jti: URL_SAFE_NO_PAD.encode(id),
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            scope: client.scopes().to_string(),
        };
        let text =
            encode(&self.header, &claims, &self.signing).expect("claims of plain texts and numbers can be signed");
        IssuedToken { text, life: self.life }
    }

    /// Verifies a token of at most [`BYTES_MAX`] bytes.
    pub fn verify(&self, token: &str) -> Result<VerifiedClaims, TokenError> {
        let decoded =
            decode::<Claims>(token, &self.verifying, &self.validation).map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => TokenError::Expired,
                _ => TokenError::Invalid,
            })?;
        let scopes = Scopes::parse(&decoded.claims.scope).map_err(|_| TokenError::Invalid)?;
        let Claims { sub: subject, nbf, exp, .. } = decoded.claims;
        Ok(VerifiedClaims {
            subject,
            scopes,
            valid_secs: nbf.saturating_sub(LEEWAY_SECS)..=exp.saturating_add(LEEWAY_SECS),
        })
    }
}

/// Returns the seconds since 1970.
pub fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
