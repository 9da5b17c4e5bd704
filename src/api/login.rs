//! `POST /login`: an API key for a token. JSON, as the Python service's clients send it, or the OAuth2 client
//! credentials grant (RFC 6749 §4.4) with the secret in the form or in HTTP Basic.

use super::schemas;
use crate::{
    auth::LoginError,
    http::{
        AppState, ErrorCode, OAuthCode, Problem, RequestId,
        authorization::credentials,
        body::{self, MediaType},
        json, request_metrics,
    },
    telemetry::metrics::Shed,
};
use axum::{
    Extension,
    extract::{Request, State},
    http::{HeaderValue, header::CACHE_CONTROL},
    response::Response,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The path of this endpoint.
pub const PATH: &str = "/login";

#[derive(Serialize)]
struct Granted<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
}

/// Gives a token for an API key.
#[utoipa::path(
    post, path = "/login", tag = "login",
    request_body(content = schemas::Login, description = "Also the OAuth2 client-credentials form, with `client_id` and `client_secret` in the body or in HTTP Basic"),
    responses(
        (status = 200, description = "A token", body = schemas::Granted),
        (status = 400, description = "Malformed", body = schemas::Error),
        (status = 401, description = "The key is not valid", body = schemas::Error),
    )
)]
pub async fn login(
    State(state): State<Arc<AppState>>,
    Extension(id): Extension<RequestId>,
    request: Request,
) -> Result<Response, Problem> {
    run(&state, request).await.inspect_err(|problem| problem.log(&state.failures, &id, "POST /login"))
}

async fn run(state: &AppState, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let media = MediaType::of(&parts.headers);
    let body = body::read(&parts.headers, body, &state.login_limits()).await;
    let body = body.inspect_err(|problem| request_metrics::count_shed(state, problem, Shed::Memory))?;
    let form: &[u8] = if media == MediaType::Form { &body.bytes } else { &[] };
    let logins = match (credentials(&parts.headers, "Basic"), media) {
        (Some(basic), _) => from_basic(basic, form)?,
        (None, MediaType::Form) => vec![from_form(form)?],
        (None, MediaType::Json) => vec![from_json(&body.bytes)?],
        (None, MediaType::Other) => return Err(body::unsupported_media_type()),
    };
    let live = state.reloadable();
    let outcome = logins
        .iter()
        .map(|login| live.auth.log_in(login.client_id.as_deref(), login.api_key.as_deref().unwrap_or_default()));
    let token = outcome.reduce(Result::or).unwrap_or(Err(LoginError)).map_err(|error| {
        let problem = Problem::from(error);
        if media == MediaType::Form { problem.oauth(OAuthCode::InvalidClient) } else { problem }
    })?;
    let granted = Granted { access_token: &token.text, token_type: "Bearer", expires_in: token.life.as_secs() };
    let mut response = json::response(serde_json::to_vec(&granted).unwrap_or_default());
    // RFC 6749 §5.1: tokens are stored by nobody in between.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What a caller shows of itself.
#[derive(Default)]
struct Login {
    client_id: Option<String>,
    api_key: Option<String>,
}

/// Unknown fields are ignored; `grant_type` comes along without effect.
fn from_json(bytes: &Bytes) -> Result<Login, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        Problem::new(ErrorCode::InvalidUtf8, format!("The body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })?;
    if text.trim_ascii().is_empty() {
        return Ok(Login::default());
    }
    let fields: serde_json::Value = serde_json::from_str(text)
        .map_err(|error| Problem::new(ErrorCode::InvalidJson, format!("The body is not valid: {error}")))?;
    let serde_json::Value::Object(fields) = fields else {
        return Err(Problem::new(ErrorCode::InvalidLogin, "A login is a JSON object such as {\"api_key\":\"...\"}"));
    };
    let text = |name: &str| match fields.get(name) {
        None | Some(serde_json::Value::Null) => Ok(None),
        Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Problem::field(format!("`{name}` must be a string"))),
    };
    Ok(Login { client_id: text("client_id")?, api_key: text("api_key")? })
}

/// Fields of the OAuth2 form; `api_key` is taken for `client_secret`, too.
#[derive(Default, Deserialize)]
struct Form {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    api_key: Option<String>,
}

fn form(bytes: &[u8]) -> Result<Form, Problem> {
    // What `curl -d '{…}'` sends when nobody names the type.
    if bytes.trim_ascii_start().starts_with(b"{") {
        return Err(body::unsupported_media_type());
    }
    let form: Form = serde_urlencoded::from_bytes(bytes).map_err(|error| {
        Problem::new(ErrorCode::InvalidForm, format!("The form is not valid: {error}")).oauth(OAuthCode::InvalidRequest)
    })?;
    match form.grant_type.as_deref() {
        None | Some("client_credentials") => Ok(form),
        Some(_) => Err(Problem::new(ErrorCode::UnsupportedGrantType, "`grant_type` must be client_credentials")
            .oauth(OAuthCode::UnsupportedGrantType)),
    }
}

fn from_form(bytes: &[u8]) -> Result<Login, Problem> {
    let form = form(bytes)?;
    Ok(Login { client_id: form.client_id, api_key: form.client_secret.or(form.api_key) })
}

/// RFC 6749 §2.3.1 wants id and secret form-encoded inside Basic; not every client does that, so the plain reading
/// is tried as well.
fn from_basic(basic: &str, body: &[u8]) -> Result<Vec<Login>, Problem> {
    form(body)?;
    let malformed = || {
        Problem::new(ErrorCode::InvalidBasic, "The Basic credentials are not base64 of id:secret")
            .oauth(OAuthCode::InvalidRequest)
    };
    let text = String::from_utf8(STANDARD.decode(basic).map_err(|_| malformed())?).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    let login =
        |id: String, secret: String| Login { client_id: Some(id).filter(|id| !id.is_empty()), api_key: Some(secret) };
    Ok(vec![login(id.to_owned(), secret.to_owned()), login(form_decoded(id), form_decoded(secret))])
}

fn form_decoded(text: &str) -> String {
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("x={text}")).unwrap_or_default();
    pairs.into_iter().next().map(|(_, value)| value).unwrap_or_default()
}
