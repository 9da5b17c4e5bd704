//! Tokens: JWT, signed with HS256 and nothing else.

use crate::{
    settings::{API_KEY_PREFIX, AuthConfig},
    types::Scopes,
};
use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use std::{
    ops::RangeInclusive,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Issuer and audience of every token, so that a token of another service with the same secret is refused.
const ISSUER: &str = "cachefront";
/// Maximum size of a token in bytes. All tokens of this service are shorter.
pub const BYTES_MAX: usize = 4096;

/// A token that a login returns.
pub struct IssuedToken {
    /// The encoded token.
    pub text: String,
    /// The time for which the token is valid.
    pub life: Duration,
    /// The scopes of the token.
    pub scopes: Scopes,
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
    /// An API key was sent in place of a token.
    #[error("an API key is not a token")]
    ApiKey,
    /// The text has not even the form of a token. It may be an API key.
    #[error("the text is not a token")]
    NoToken,
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
    /// The time in which the token is valid, in seconds since 1970, widened by the leeways for clocks.
    pub valid_secs: RangeInclusive<u64>,
}

/// Issues tokens and verifies its own.
pub struct TokenIssuer {
    signing: EncodingKey,
    verifying: DecodingKey,
    header: Header,
    validation: Validation,
    life: Duration,
    /// Seconds by which the clock of the instance that issued a token may be ahead.
    start_leeway_secs: u64,
    /// Seconds for which an expired token is still accepted.
    end_leeway_secs: u64,
}

impl TokenIssuer {
    /// Creates an issuer.
    pub fn new(config: &AuthConfig) -> Self {
        let secret = config.jwt_secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        // Times are checked by `valid_secs`, with a leeway for each.
        validation.validate_exp = false;
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        Self {
            signing: EncodingKey::from_secret(secret),
            verifying: DecodingKey::from_secret(secret),
            header: Header::new(Algorithm::HS256),
            validation,
            life: config.token_life,
            start_leeway_secs: config.token_start_leeway.as_secs(),
            end_leeway_secs: config.token_end_leeway.as_secs(),
        }
    }

    /// Issues a token to the client with this id.
    pub fn issue(&self, client_id: &str, scopes: Scopes) -> IssuedToken {
        let mut id = [0; 16];
        rand::fill(&mut id).expect("the system has random bytes");
        let now = now_secs();
        let claims = Claims {
            sub: client_id.to_owned(),
            iat: now,
            nbf: now,
            exp: now + self.life.as_secs(),
            jti: URL_SAFE_NO_PAD.encode(id),
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            scope: scopes.to_string(),
        };
        let text =
            encode(&self.header, &claims, &self.signing).expect("claims of plain texts and numbers can be signed");
        IssuedToken { text, life: self.life, scopes }
    }

    /// Verifies a token of at most [`BYTES_MAX`] bytes.
    pub fn verify(&self, token: &str, now_secs: u64) -> Result<VerifiedClaims, TokenError> {
        let decoded = decode::<Claims>(token, &self.verifying, &self.validation).map_err(|_| without_form(token))?;
        if !is_understood(&decoded.header) {
            return Err(TokenError::Invalid);
        }
        let valid_secs = self.valid_secs(&decoded.claims);
        if now_secs > *valid_secs.end() {
            return Err(TokenError::Expired);
        }
        if !valid_secs.contains(&now_secs) {
            return Err(TokenError::Invalid);
        }
        let scopes = Scopes::parse(&decoded.claims.scope).map_err(|_| TokenError::Invalid)?;
        Ok(VerifiedClaims { subject: decoded.claims.sub, scopes, valid_secs })
    }

    /// Returns the time in which a token is valid. It begins neither before the token was issued nor earlier before the end
    /// than a token lives.
    fn valid_secs(&self, claims: &Claims) -> RangeInclusive<u64> {
        let start = claims.nbf.max(claims.iat).max(claims.exp.saturating_sub(self.life.as_secs()));
        start.saturating_sub(self.start_leeway_secs)..=claims.exp.saturating_add(self.end_leeway_secs)
    }
}

/// Returns true if a header has no extension that would have to be understood (RFC 7515 §4.1.11), and the type of a token,
/// which need not be there.
fn is_understood(header: &Header) -> bool {
    header.crit.is_none() && header.typ.as_ref().is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"))
}

/// Returns the error of a text that is not a valid token.
fn without_form(text: &str) -> TokenError {
    match text.matches('.').count() {
        2 => TokenError::Invalid,
        _ if text.starts_with(API_KEY_PREFIX) => TokenError::ApiKey,
        _ => TokenError::NoToken,
    }
}

/// Returns the seconds since 1970.
pub fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
