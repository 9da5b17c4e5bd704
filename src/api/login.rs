//! `POST /login`: issues a token for an API key. The body is JSON, as clients of the Python service send it, or the
//! OAuth2 client credentials grant (RFC 6749 §4.4) with the secret in the form or in HTTP Basic.

use super::{body_text::body_text, schemas};
use crate::{
    auth::{Auth, IssuedToken, LoginError},
    http::{
        AppState, ClientConnection, ErrorCode, OAuthCode, Problem, RequestId, RequestOrigin,
        authorization::credentials,
        body::{self, BodyHead, MediaType},
        json, request_metrics,
    },
    telemetry::metrics::Shed,
};
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header::CACHE_CONTROL},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::{Arc, Weak};

/// The path of this endpoint.
pub const PATH: &str = "/login";
/// Maximum size of the body of a login in bytes. No login needs as many.
const BODY_BYTES_MAX: usize = 4 * 1024;

#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
}

/// Gives a token for an API key.
#[utoipa::path(
    post, path = "/login", tag = "login",
    request_body(content = schemas::LoginSchema, description = "Also the OAuth2 client-credentials form, with `client_id` and `client_secret` in the body or in HTTP Basic"),
    responses(
        (status = 200, description = "A token", body = schemas::GrantedSchema),
        (status = 400, description = "The request is malformed", body = schemas::ErrorSchema),
        (status = 401, description = "The key is not valid", body = schemas::ErrorSchema),
    )
)]
pub async fn login(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    Extension(connection): Extension<Weak<ClientConnection>>,
    request: Request,
) -> Result<Response, Problem> {
    // The head is dropped before the body is awaited.
    let (head, body) = (LoginHead::of(request.headers()), request.into_body());
    let peer = connection.upgrade().and_then(|connection| connection.peer());
    let granted = log_in(&state, head, body).await;
    granted.inspect(|_| connection.upgrade().into_iter().for_each(|connection| connection.authenticate())).inspect_err(
        |problem| {
            state.failures.record(problem, RequestOrigin { endpoint: "POST /login", id: &id, peer });
        },
    )
}

/// The facts about a login in the head of its request.
struct LoginHead {
    body: BodyHead,
    media_type: MediaType,
    /// The credentials of HTTP Basic.
    basic: Option<String>,
}

impl LoginHead {
    fn of(headers: &HeaderMap) -> Self {
        Self {
            body: BodyHead::of(headers),
            media_type: MediaType::of(headers),
            basic: credentials(headers, "Basic").map(str::to_owned),
        }
    }
}

async fn log_in(state: &AppState, head: LoginHead, body: Body) -> Result<Response, Problem> {
    let LoginHead { body: body_head, media_type, basic } = head;
    let body = body::read_login(body_head, body, BODY_BYTES_MAX, &state.unfinished_logins).await;
    let body = body.inspect_err(|problem| request_metrics::count_shed(state, problem, Shed::Memory))?;
    let candidates = candidates(basic.as_deref(), media_type, &body)?;
    let token = issue_token(&state.reloadable().auth, &candidates);
    let token = token.map_err(|error| {
        let named = candidates.iter().find_map(|given| given.client_id.clone());
        let problem = Problem::from(error);
        let problem = if let Some(named) = named { problem.of_client(named) } else { problem };
        if media_type == MediaType::Form { problem.oauth(OAuthCode::InvalidClient) } else { problem }
    })?;
    let granted = Granted { access_token: &token.text, token_type: "Bearer", expires_in: token.life.as_secs() };
    let mut response = json::response(serde_json::to_vec(&granted).unwrap_or_default());
    // RFC 6749 §5.1: no cache may store a token.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// The credentials of a login.
#[derive(Default)]
struct Credentials {
    client_id: Option<String>,
    api_key: Option<String>,
}

/// Issues a token for the first credentials that are valid. All of them are checked.
fn issue_token(auth: &Auth, candidates: &[Credentials]) -> Result<IssuedToken, LoginError> {
    candidates
        .iter()
        .map(|given| auth.log_in(given.client_id.as_deref(), given.api_key.as_deref().unwrap_or_default()))
        .reduce(Result::or)
        .unwrap_or(Err(LoginError))
}

/// Returns the credentials that a request may mean.
fn candidates(basic: Option<&str>, media_type: MediaType, body: &Bytes) -> Result<Vec<Credentials>, Problem> {
    match (basic, media_type) {
        (Some(basic), MediaType::Form) => from_basic(basic, body),
        (Some(basic), _) => from_basic(basic, &[]),
        (None, MediaType::Form) => Ok(vec![from_form(body)?]),
        (None, MediaType::Json) => Ok(vec![from_json(body)?]),
        (None, MediaType::Other) => Err(body::unsupported_media_type()),
    }
}

/// Parses a JSON login. Unknown fields are ignored, `grant_type` among them.
fn from_json(bytes: &Bytes) -> Result<Credentials, Problem> {
    let text = body_text(bytes)?;
    if text.trim_ascii().is_empty() {
        return Ok(Credentials::default());
    }
    if !text.trim_ascii_start().starts_with('{') && serde_json::from_str::<&RawValue>(text).is_ok() {
        return Err(Problem::new(ErrorCode::InvalidLogin, "A login is a JSON object such as {\"api_key\":\"...\"}"));
    }
    let fields: LoginFields<'_> = serde_json::from_str(text)
        .map_err(|error| Problem::new(ErrorCode::InvalidJson, format!("The body is not valid JSON: {error}")))?;
    Ok(Credentials {
        client_id: text_field("client_id", fields.client_id)?,
        api_key: text_field("api_key", fields.api_key)?,
    })
}

/// The fields of a JSON login. A field that occurs twice is an error, as in a command.
#[derive(Deserialize)]
struct LoginFields<'a> {
    #[serde(borrow)]
    client_id: Option<&'a RawValue>,
    #[serde(borrow)]
    api_key: Option<&'a RawValue>,
}

fn text_field(name: &str, raw: Option<&RawValue>) -> Result<Option<String>, Problem> {
    let Some(raw) = raw else { return Ok(None) };
    serde_json::from_str(raw.get()).map_err(|_| Problem::field(format!("`{name}` must be a string")))
}

/// The fields of the OAuth2 form. `api_key` is accepted in place of `client_secret`.
#[derive(Default, Deserialize)]
struct LoginForm {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    api_key: Option<String>,
}

fn parse_form(bytes: &[u8]) -> Result<LoginForm, Problem> {
    // `curl -d '{…}'` sends JSON as a form unless it is told the media type.
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(body::unsupported_media_type());
    }
    let form: LoginForm = serde_urlencoded::from_bytes(bytes).map_err(|error| {
        Problem::new(ErrorCode::InvalidForm, format!("The form is not valid: {error}")).oauth(OAuthCode::InvalidRequest)
    })?;
    match form.grant_type.as_deref() {
        None | Some("client_credentials") => Ok(form),
        Some(_) => Err(Problem::new(ErrorCode::UnsupportedGrantType, "`grant_type` must be client_credentials")
            .oauth(OAuthCode::UnsupportedGrantType)),
    }
}

fn from_form(bytes: &[u8]) -> Result<Credentials, Problem> {
    let form = parse_form(bytes)?;
    Ok(Credentials { client_id: form.client_id, api_key: form.client_secret.or(form.api_key) })
}

/// Parses HTTP Basic credentials. `form` is the body, where that is a form.
///
/// RFC 6749 §2.3.1 wants id and secret form-encoded inside Basic. Not every client does that, so both readings are
/// returned.
fn from_basic(basic: &str, form: &[u8]) -> Result<Vec<Credentials>, Problem> {
    parse_form(form)?;
    let (id, secret) = decode_basic(basic).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidBasic, "The Basic credentials are not base64 of id:secret")
            .oauth(OAuthCode::InvalidRequest)
    })?;
    let (decoded_id, decoded_secret) = (form_decoded(&id), form_decoded(&secret));
    let candidates = [(id, secret), (decoded_id, decoded_secret)]
        .map(|(id, secret)| Credentials { client_id: Some(id).filter(|id| !id.is_empty()), api_key: Some(secret) });
    Ok(candidates.into())
}

fn decode_basic(basic: &str) -> Option<(String, String)> {
    let text = String::from_utf8(STANDARD.decode(basic).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

fn form_decoded(text: &str) -> String {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("x={text}")).unwrap_or_default();
    pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}
