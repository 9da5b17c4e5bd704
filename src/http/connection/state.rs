//! The state of one connection, which its stream, its requests and its replies share.

use super::{
    eviction::EvictionSignal,
    places::{ConnectionPlace, PlaceHandle},
    retirement::Retirement,
};
use std::{
    future::poll_fn,
    net::IpAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

/// Maximum number of requests in progress on a connection that is not authenticated.
const UNAUTHENTICATED_REQUESTS_MAX: usize = 8;
/// Handles on the state of a connection without requests: its stream's, its service's and its task's.
const HANDLES_WITHOUT_REQUESTS: usize = 3;

/// The state of one connection.
///
/// A request holds a handle until its response is complete, so the number of handles tells whether one is in progress.
/// The hot path writes nothing else for this than the flag that a request began.
#[derive(Default)]
pub struct ClientConnection {
    /// A request on this connection had a valid token, or a login on it succeeded.
    authenticated: AtomicBool,
    /// A request began since the idle timeout looked last.
    request_began: AtomicBool,
    /// The replies that the client has not taken to their end.
    replies_pending: AtomicUsize,
    /// The client took a part of a reply since the idle timeout looked last.
    reply_advanced: AtomicBool,
    /// The address of the client: that of its proxy only where the proxy does not tell.
    peer: OnceLock<IpAddr>,
    /// The place of this connection.
    place: OnceLock<PlaceHandle>,
    /// Another connection got the place of this one.
    eviction: Arc<EvictionSignal>,
    /// The end of the connection by its age.
    pub retirement: Retirement,
}

impl ClientConnection {
    /// Records that the head of a request has arrived.
    pub fn begin_request(&self) {
        self.request_began.store(true, Relaxed);
    }

    /// Records that the client has shown a valid token or API key.
    pub fn authenticate(&self) {
        // Only the first such request writes.
        if !self.is_authenticated()
            && !self.authenticated.swap(true, Relaxed)
            && let Some(place) = self.place.get()
        {
            place.authenticate();
        }
    }

    /// Returns true once the client has shown a valid token or API key.
    pub fn is_authenticated(&self) -> bool {
        self.authenticated.load(Relaxed)
    }

    /// Records the address of the client.
    pub fn set_peer(&self, peer: IpAddr) {
        // A connection has one address; only a test could give it another.
        let _first = self.peer.set(peer);
    }

    /// Returns the address of the client, where it is known.
    pub fn peer(&self) -> Option<IpAddr> {
        self.peer.get().copied()
    }

    /// Connects the state with the place of the connection.
    pub fn set_place(&self, place: &ConnectionPlace) {
        // A connection has one place; only a test could give it another.
        let _first = self.place.set(place.handle());
    }

    /// Returns the signal that the connection has to be closed.
    pub fn eviction(&self) -> &Arc<EvictionSignal> {
        &self.eviction
    }

    /// Is ready if another connection got the place of this one; else the task is woken when that happens.
    pub fn poll_evicted(&self, context: &Context<'_>) -> Poll<()> {
        if !self.is_authenticated() {
            return self.eviction.poll(context);
        }
        // Evicted just before it authenticated, or never.
        if self.eviction.is_evicted() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits until another connection gets the place of this one.
    pub async fn evicted(&self) {
        poll_fn(|context| self.poll_evicted(context)).await;
    }

    /// Returns true if a further request without a valid token is one too many. To be called by the service, through a
    /// handle of its own.
    pub fn is_crowded(self: &Arc<Self>) -> bool {
        !self.is_authenticated() && self.requests_in_progress() > UNAUTHENTICATED_REQUESTS_MAX
    }

    /// Returns the number of requests whose response is not complete.
    fn requests_in_progress(self: &Arc<Self>) -> usize {
        Arc::strong_count(self).saturating_sub(HANDLES_WITHOUT_REQUESTS)
    }

    /// Returns true if a request or reply made progress since the last call. `sent` says that the client took a large
    /// part of what was sent meanwhile.
    ///
    /// While a reply is pending, only the client's taking of replies counts: it must not hold the memory of a reply by
    /// other requests. PING frames of HTTP/2 never count.
    pub fn take_progress(self: &Arc<Self>, sent: bool) -> bool {
        let began = self.request_began.swap(false, Relaxed);
        let advanced = self.reply_advanced.swap(false, Relaxed);
        if self.replies_pending.load(Relaxed) > 0 {
            return advanced;
        }
        began || advanced || sent || self.requests_in_progress() > 0
    }
}

/// A reply that the client has not taken to its end. While it exists and the client takes no part of any reply, the
/// connection counts as idle, whatever else moves on it.
pub struct PendingReply(Arc<ClientConnection>);

impl PendingReply {
    /// Records a reply that is about to be sent.
    pub fn new(connection: Arc<ClientConnection>) -> Self {
        connection.replies_pending.fetch_add(1, Relaxed);
        Self(connection)
    }

    /// Records that the client took a part of the reply.
    pub fn advance(&self) {
        self.0.reply_advanced.store(true, Relaxed);
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        self.advance();
        self.0.replies_pending.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a connection without requests, and the handles of its service and its task.
    fn connection() -> [Arc<ClientConnection>; 3] {
        let state = Arc::new(ClientConnection::default());
        [Arc::clone(&state), Arc::clone(&state), state]
    }

    #[test]
    fn a_request_in_progress_is_progress_and_a_connection_without_one_is_idle() {
        let [state, _service, _task] = connection();
        assert!(!state.take_progress(false), "nothing has happened");
        let request = Arc::clone(&state);
        state.begin_request();
        for _ in 0..3 {
            assert!(state.take_progress(false), "the request is in progress");
        }
        drop(request);
        assert!(!state.take_progress(false), "the request has ended");
    }

    #[test]
    fn a_connection_that_is_not_authenticated_has_few_requests_in_progress() {
        let [state, _service, _task] = connection();
        let requests: Vec<_> = (0..UNAUTHENTICATED_REQUESTS_MAX).map(|_| Arc::clone(&state)).collect();
        assert!(!state.is_crowded());
        let _next = Arc::clone(&state);
        assert!(state.is_crowded());
        state.authenticate();
        assert!(!state.is_crowded());
        drop(requests);
    }

    #[test]
    fn other_requests_do_not_hide_a_reply_that_the_client_does_not_take() {
        let [state, _service, _task] = connection();
        let reply = PendingReply::new(Arc::clone(&state));
        state.begin_request();
        let _request = Arc::clone(&state);
        assert!(!state.take_progress(true), "the client takes nothing of the reply");
        reply.advance();
        assert!(state.take_progress(false), "the client took a part");
        drop(reply);
        assert!(state.take_progress(false), "the client took the rest");
    }
}
