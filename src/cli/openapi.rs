//! `cachefront openapi`: prints the OpenAPI description.

use super::failure::Failure;
use crate::api;

/// Prints the description as JSON.
pub fn run() -> Result<(), Failure> {
    println!("{}", api::openapi_document().to_pretty_json().map_err(Failure::general)?);
    Ok(())
}
