//! The errors of the description: each operation has a response for every status that can occur there, with an example
//! for every code.

mod codes;

use crate::{
    api::{login, schemas::ErrorSchema},
    http::{ErrorCode as Code, Problem},
    types::CommandName,
};
use codes::CODES;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{
    Modify, ToSchema,
    openapi::{Content, OneOfBuilder, OpenApi, Ref, RefOr, Response, Schema, example::ExampleBuilder, path::Operation},
};

/// Adds the responses of errors.
pub struct Errors;

impl Modify for Errors {
    fn modify(&self, document: &mut OpenApi) {
        for (path, item) in &mut document.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                add_errors(path, operation);
            }
        }
    }
}

fn add_errors(path: &str, operation: &mut Operation) {
    let mut statuses: BTreeMap<u16, Vec<ErrorExample>> = BTreeMap::new();
    for (code, place, command, message) in CODES {
        if place.contains(path) {
            let example = ErrorExample { code: *code, body: body(path, *code, *command, message) };
            statuses.entry(code.status().as_u16()).or_default().push(example);
        }
    }
    for (status, examples) in statuses {
        let response = operation.responses.responses.entry(status.to_string());
        match response.or_insert_with(|| Response::new("").into()) {
            RefOr::T(response) => add_examples(response, &examples),
            RefOr::Ref(_) => {}
        }
    }
}

/// A code of an operation, and a response with it.
struct ErrorExample {
    code: Code,
    body: Value,
}

/// Returns the body of a response with a code.
fn body(path: &str, code: Code, command: Option<CommandName>, message: &'static str) -> Value {
    let mut problem = Problem::new(code, message);
    if let Some(command) = command {
        problem = problem.with_command(command);
    }
    if path == login::PATH {
        problem = match code {
            Code::InvalidField => Problem::field("`client_id` must be a string"),
            Code::UnknownField => Problem::new(code, "`clientid` is not a field of a login; did you mean `client_id`?"),
            _ => problem,
        };
        problem = problem.with_oauth();
    }
    let mut out = Vec::new();
    problem.write_item(&mut out);
    serde_json::from_slice(&out).expect("an error is JSON")
}

/// Adds the codes of one status to its response, which may have a body of its own besides.
fn add_examples(response: &mut Response, examples: &[ErrorExample]) {
    let lines = examples.iter().map(|example| format!("`{}`: {}", example.code.as_str(), meaning(example.code)));
    let lines: Vec<String> =
        Some(response.description.clone()).filter(|text| !text.is_empty()).into_iter().chain(lines).collect();
    response.description = lines.join("\n\n");
    let schema = Ref::from_schema_name(ErrorSchema::name());
    let RefOr::T(content) =
        response.content.entry("application/json".to_owned()).or_insert_with(|| Content::default().into())
    else {
        return;
    };
    content.schema = Some(match content.schema.take() {
        None => schema.into(),
        Some(own) => Schema::from(OneOfBuilder::new().item(own).item(schema)).into(),
    });
    for ErrorExample { code, body } in examples {
        let example = ExampleBuilder::new().summary(meaning(*code)).value(Some(body.clone())).build();
        content.examples.insert(code.as_str().to_owned(), example.into());
    }
}

/// Returns the explanation of a code without its link into docs/status-codes.md.
fn meaning(code: Code) -> String {
    code.meaning().replace(" ([late changes](#late-changes))", "")
}
