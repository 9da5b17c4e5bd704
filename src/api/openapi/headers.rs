//! The headers of the responses in the description.

use crate::api::cache;
use utoipa::{
    Modify,
    openapi::{Header, Object, OpenApi, RefOr, Type, header::HeaderBuilder, path::Operation},
};

/// Adds the headers of responses.
pub struct Headers;

impl Modify for Headers {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                add_headers(path, operation);
            }
        }
    }
}

fn add_headers(path: &str, operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else { continue };
        let mut add = |name: &str, header: Header| {
            response.headers.insert(name.to_owned(), header.into());
        };
        add("x-request-id", text("The id of the request, which is also in the logs"));
        // A head with too many fields is refused before the token is read.
        if path == cache::PATH && status != "431" {
            add("cache-sync-token", text("The token for `cache-sync-token` of later requests"));
        }
        match status.as_str() {
            "401" => {
                add("www-authenticate", text("The scheme that is asked for, and what is wrong with the credentials"));
            }
            "429" | "503" => add("retry-after", seconds("The seconds after which to try again")),
            _ => {}
        }
    }
}

fn text(description: &str) -> Header {
    header(Type::String, description)
}

fn seconds(description: &str) -> Header {
    header(Type::Integer, description)
}

fn header(schema_type: Type, description: &str) -> Header {
    let schema = Object::with_type(schema_type);
    HeaderBuilder::new().schema(Some(schema)).description(Some(description)).build()
}
