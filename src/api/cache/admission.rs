//! The decision about a request by its head: its caller, and the time that its commands may take.

use crate::{
    auth::Caller,
    http::{
        AppState, ClientConnection, HeadFields, Problem, ReloadableState, SyncTokenHeader, authorization,
        body::{self, MediaType},
        request_timeout,
    },
    types::WorkerArc,
};
use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

/// A request whose head was read. The head itself is dropped.
pub struct Admission {
    /// The settings that apply to the request.
    pub(super) reloadable: WorkerArc<ReloadableState>,
    /// The address that the request came from.
    pub(super) peer: Option<IpAddr>,
    /// The time at which the head was read.
    pub(super) started: Instant,
    /// The sync token of the request.
    pub(super) sync_token: SyncTokenHeader,
    /// The caller and the time that its commands may take, or the reason why the body is not read.
    pub(super) admitted: Result<(Caller, Duration), Problem>,
}

impl Admission {
    /// Reads the head of a request. A caller with a valid token authenticates the connection.
    pub(super) fn of(state: &AppState, connection: &ClientConnection, fields: &impl HeadFields) -> Self {
        let reloadable = state.reloadable();
        let mut sync_token = SyncTokenHeader::default();
        let admitted = admit(&reloadable, connection, fields, &mut sync_token);
        Self { reloadable, peer: connection.peer(), started: Instant::now(), sync_token, admitted }
    }
}

/// Decides by its head whether a request is read. Returns its caller, and the time that its commands may take.
fn admit(
    reloadable: &ReloadableState,
    connection: &ClientConnection,
    fields: &impl HeadFields,
    sync_token: &mut SyncTokenHeader,
) -> Result<(Caller, Duration), Problem> {
    let caller = authorization::caller(&reloadable.auth, fields)?;
    connection.authenticate();
    match time_to_serve(reloadable, fields, sync_token) {
        Ok(timeout) => Ok((caller, timeout)),
        Err(problem) => Err(problem.of_client(caller.client_id())),
    }
}

/// Reads the other headers of a request. Returns the time that its commands may take.
fn time_to_serve(
    reloadable: &ReloadableState,
    fields: &impl HeadFields,
    sync_token: &mut SyncTokenHeader,
) -> Result<Duration, Problem> {
    let media_type = MediaType::of(fields);
    if media_type != MediaType::Json {
        return Err(body::unsupported(media_type));
    }
    sync_token.parse(fields)?;
    request_timeout(fields, reloadable.config.deadline)
}
