//! `cachefront openapi`: prints the OpenAPI description.

use super::{failure::Failure, output::print};
use crate::api;

/// Prints the description as JSON.
pub fn run() -> Result<(), Failure> {
    print(api::openapi_document().to_pretty_json().map_err(Failure::general)? + "\n")
}
