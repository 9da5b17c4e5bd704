//! `cachefront check-config --connect`: connects to every node, sentinel and seed of the settings.

use super::{
    failure::Failure,
    output::print,
    table::{Column, Side, table},
};
use crate::{
    server::store_config,
    settings::Settings,
    store::{EndpointCheck, ServerMode, Store},
    types::{Key, Namespace},
};
use std::borrow::Cow;

/// The key that permissions are asked for with. Nobody writes it.
const KEY: &str = "cachefront:check-config:nothing-is-stored-here";

/// Connects to everything that the settings name, prints a row for each address, and fails with all problems.
pub fn run(settings: &Settings) -> Result<(), Failure> {
    // A user of Redis may be limited to the keys of the namespaces.
    let namespaces: Option<Vec<&Namespace>> =
        settings.auth.clients.iter().map(|client| client.namespace.as_ref()).collect();
    let namespace = namespaces.as_ref().and_then(|namespaces| namespaces.first().copied());
    let key = Key::new(Cow::Borrowed(KEY)).map_err(Failure::general)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    let checked = runtime.block_on(Store::check_connections(&store_config(settings), &key.within(namespace)));
    let report = checked.map_err(Failure::invalid_settings)?;
    let columns = ["ADDRESS", "PURPOSE", "ROLE", "MODE", "SERVER", "RESULT"].map(|title| Column(title, Side::Left));
    let rows: Vec<Vec<String>> = report.endpoints.iter().map(row).collect();
    print(format!("\n{}", table(&columns, &rows)))?;
    let problems: Vec<String> = report.all_problems().collect();
    if problems.is_empty() {
        return Ok(());
    }
    let count = if problems.len() == 1 { "1 problem".to_owned() } else { format!("{} problems", problems.len()) };
    Err(Failure::settings(format!("the connections have {count}:\n  - {}", problems.join("\n  - "))))
}

fn row(endpoint: &EndpointCheck) -> Vec<String> {
    let facts = endpoint.facts.as_ref();
    let known = |text: Option<&str>| text.unwrap_or("-").to_owned();
    vec![
        endpoint.address.to_string(),
        endpoint.purpose.clone(),
        known(facts.and_then(|facts| facts.role.as_deref())),
        known(facts.and_then(|facts| facts.mode).map(ServerMode::name)),
        known(facts.map(|facts| facts.version.as_str())),
        if endpoint.problems.is_empty() { "ok" } else { "problem" }.to_owned(),
    ]
}
