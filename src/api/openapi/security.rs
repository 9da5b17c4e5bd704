//! The security schemes of the description. `/docs` offers them behind "Authorize".

use crate::{api::login, types::Scope};
use utoipa::{
    Modify,
    openapi::{
        OpenApi,
        security::{ClientCredentials, Flow, Http, HttpAuthScheme, OAuth2, Scopes, SecurityScheme},
    },
};

/// Adds the security schemes.
pub struct SecuritySchemes;

impl Modify for SecuritySchemes {
    fn modify(&self, document: &mut OpenApi) {
        let scopes = Scope::ALL.map(|scope| (scope.name(), meaning(scope)));
        let flow = Flow::ClientCredentials(ClientCredentials::new(login::PATH, Scopes::from_iter(scopes)));
        let oauth2 = OAuth2::with_description(
            [flow],
            "The API key is the secret of the client. With the shared secret, `client_id` may be any name.",
        );
        let mut token = Http::new(HttpAuthScheme::Bearer);
        token.description = Some("The `access_token` of a login.".to_owned());
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("oauth2", SecurityScheme::OAuth2(oauth2));
        components.add_security_scheme("token", SecurityScheme::Http(token));
    }
}

fn meaning(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "READ is allowed.",
        Scope::Write => "WRITE is allowed.",
        Scope::Delete => "DELETE is allowed.",
    }
}
