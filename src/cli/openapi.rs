//! `cachefront openapi`

use super::Failure;
use crate::api;

pub fn run() -> Result<(), Failure> {
    println!("{}", api::openapi_document().to_pretty_json().map_err(Failure::general)?);
    Ok(())
}
