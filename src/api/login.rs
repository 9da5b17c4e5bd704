//! `POST /login`: issues a token for an API key. The body is JSON, as clients of the Python service send it, or the
//! OAuth2 client credentials grant (RFC 6749 §4.4) with the secret in the form or in HTTP Basic.

mod basic;
mod fields;
mod form;
mod json;
mod request;

use super::schemas;
use crate::{
    auth::{Auth, IssuedToken, LoginError},
    http::{
        self, AppState, ClientConnection, Problem, RequestId, RequestOrigin,
        authorization::credentials,
        body::{self, BodyHead, MediaType},
        request_metrics,
    },
    telemetry::metrics::Shed,
};
use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::HeaderMap,
    response::Response,
};
use fields::Credentials;
use request::ParsedLogin;
use serde::Serialize;
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
    /// The scopes of the token, where some were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// Issues a token for an API key.
///
/// The body is JSON, or the client credentials grant of OAuth2. That has client and secret in the form or in HTTP Basic.
#[utoipa::path(
    post, path = "/login", tag = "login", security(()),
    request_body(content(
        (schemas::LoginSchema = "application/json"),
        (schemas::ClientCredentialsSchema = "application/x-www-form-urlencoded"),
    )),
    responses((status = 200, description = "A token", body = schemas::TokenSchema))
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
    let granted = log_in(&state, head, body).await.map_err(Problem::with_oauth);
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
    let request = ParsedLogin::parse(basic.as_deref(), media_type, &body)?;
    let reloadable = state.reloadable();
    let token = issue_token(&reloadable.auth, &request).map_err(|error| {
        // A name that is not that of a client may be the API key in the wrong place.
        let named = request.candidates.iter().find_map(|given| given.client_id.clone());
        let named = named.filter(|named| reloadable.auth.has_client(named));
        let problem = Problem::from(error);
        if let Some(named) = named { problem.of_client(named) } else { problem }
    })?;
    let granted = Granted {
        access_token: &token.text,
        token_type: "Bearer",
        expires_in: token.life.as_secs(),
        scope: request.scopes.map(|_| token.scopes.to_string()),
    };
    Ok(http::json::response(serde_json::to_vec(&granted).unwrap_or_default()))
}

/// Issues a token for the first credentials that are valid. All of them are checked.
fn issue_token(auth: &Auth, request: &ParsedLogin) -> Result<IssuedToken, LoginError> {
    let mut granted = Err(LoginError::InvalidKey);
    for Credentials { client_id, api_key } in &request.candidates {
        let result = auth.log_in(client_id.as_deref(), api_key, request.scopes);
        // A key that is valid without a scope says more than a reading of the credentials that is not valid.
        if granted.is_err() && !matches!(result, Err(LoginError::InvalidKey)) {
            granted = result;
        }
    }
    granted
}
