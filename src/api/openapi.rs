//! `/openapi.json`, the description of the HTTPS port, and `/docs`, its page.

mod errors;
mod examples;
mod headers;
mod security;

use super::{cache, login, schemas};
use crate::http::{AppState, probes};
use axum::Router;
use errors::Errors;
use examples::Examples;
use headers::Headers;
use security::SecuritySchemes;
use std::sync::Arc;
use utoipa::{
    Modify, OpenApi, ToSchema,
    openapi::{RefOr, Schema, Type},
};
use utoipa_swagger_ui::{Config, SwaggerUi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cachefront",
        description = "One HTTPS endpoint in front of Redis. Log in with an API key, then READ, WRITE and DELETE with the token, and count or limit.\n\nEvery error of the service has the same shape. `code` is for programs, `message` is for people. What cannot be parsed as HTTP gets 400 or 431 without a body.",
        contact(name = "Cachefront developers"),
    ),
    servers(
        (url = "/", description = "The instance that served this document"),
        (url = "https://{host}:{port}", description = "Another instance", variables(
            ("host" = (default = "localhost", description = "Its host")),
            ("port" = (default = "9090", description = "Its port for callers")),
        )),
    ),
    tags(
        (name = "login", description = "API key → token"),
        (name = "cache", description = "Commands"),
        (name = "probes", description = "For orchestrators and people, without a token"),
    ),
    paths(login::login, cache::cache, probes::public_readyz, probes::healthz, probes::version),
    modifiers(&SecuritySchemes, &Errors, &Headers, &Examples, &CommandType)
)]
struct Document;

/// Adds to the schema of a command that it is an object. Validators that look only at the discriminator would take an
/// array for a command, too.
struct CommandType;

impl Modify for CommandType {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let schema = document.components.as_mut().and_then(|all| all.schemas.get_mut(&*schemas::CommandSchema::name()));
        if let Some(RefOr::T(Schema::OneOf(command))) = schema {
            command.schema_type = Type::Object.into();
        }
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
