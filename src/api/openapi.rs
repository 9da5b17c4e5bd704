//! `/openapi.json`, the description of the HTTPS port, and `/docs`, its page.

use super::{cache, login};
use crate::http::{AppState, probes};
use axum::Router;
use std::sync::Arc;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{Http, HttpAuthScheme, SecurityScheme},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

#[derive(OpenApi)]
#[openapi(
    info(title = "Cachefront", description = "One HTTPS endpoint in front of Redis: log in with an API key, then READ, WRITE and DELETE."),
    paths(login::login, cache::cache, probes::version, probes::healthz, probes::public_readyz),
    modifiers(&TokenScheme)
)]
struct Document;

/// Adds the scheme of the bearer token.
struct TokenScheme;

impl Modify for TokenScheme {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    }
}

/// Returns the OpenAPI description of the HTTPS port.
pub fn document() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

/// Returns true if this is the path of the description or of its page.
pub fn is_path(path: &str) -> bool {
    path == "/openapi.json" || path.starts_with("/docs")
}

/// Returns the routes of the description and its page.
pub fn routes() -> Router<Arc<AppState>> {
    let page = SwaggerUi::new("/docs").url("/openapi.json", document()).config(Config::new(["/openapi.json"]));
    Router::from(page)
}
