//! The door of a port: takes a place for each connection, learns the client's address, and does the handshake.
//!
//! hyper's own timeouts do not cover a client that sends nothing, one byte, or only the HTTP/2 preface.

use super::{
    connection_counters::ConnectionCounters,
    idle_timeout::{ConnectionTimes, IdleTimeoutStream},
    movable::{Movable, MovableTcp},
    proxy_protocol::TrustedProxies,
    shared_listener::{AcceptedConnection, LoadGuard},
};
use crate::http::{ClientConnection, ConnectionPlace, ConnectionPlaces, HttpService, PlaceLimits};
use axum_server::accept::Accept;
use std::{io, pin::Pin, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};

/// Accepts connections with `inner`, within the limits on places, and closes those that are idle for too long.
#[derive(Clone)]
pub struct LimitedAcceptor<A> {
    inner: A,
    places: Arc<ConnectionPlaces>,
    proxies: Arc<TrustedProxies>,
    times: ConnectionTimes,
    counters: ConnectionCounters,
}

impl<A> LimitedAcceptor<A> {
    /// Limits the open connections.
    pub fn new(
        inner: A,
        limits: PlaceLimits,
        proxies: TrustedProxies,
        times: ConnectionTimes,
        counters: ConnectionCounters,
    ) -> Self {
        counters.set_limit(limits.connections);
        Self { inner, places: ConnectionPlaces::new(limits), proxies: Arc::new(proxies), times, counters }
    }

    /// Takes a place for a connection, or fails at once: a waiting connection would occupy a file descriptor, too.
    async fn take_place(&self, accepted: &mut AcceptedConnection, state: &ClientConnection) -> io::Result<Place> {
        let is_proxy = self.proxies.contains(accepted.peer);
        let entered = self.places.enter(accepted.peer.into(), is_proxy, state.eviction());
        let place = entered.map_err(|reason| self.counters.refuse(reason, accepted.peer))?;
        state.set_place(&place);
        let place = Place::new(place, self.counters.clone());
        let client = if is_proxy {
            self.proxies.read_client(accepted.stream.tcp()?).await.inspect_err(|_| self.counters.fail_handshake())?
        } else {
            None
        };
        state.set_peer(client.unwrap_or(accepted.peer).to_canonical());
        if let Some(client) = client {
            place.place.move_to(client.into()).map_err(|reason| self.counters.refuse(reason, client))?;
        }
        Ok(place)
    }

    /// Takes a place for a connection and does the handshake. The place and the worker's load are counted until the guards
    /// are dropped.
    async fn enter(
        &self,
        mut accepted: AcceptedConnection,
        service: HttpService,
        state: &ClientConnection,
    ) -> io::Result<(A::Stream, A::Service, (Place, LoadGuard))>
    where
        A: Accept<MovableTcp, HttpService>,
    {
        let place = self.take_place(&mut accepted, state).await?;
        let AcceptedConnection { mut stream, load, .. } = accepted;
        // Replies are whole messages; waiting for more data to send would only delay them.
        stream.tcp()?.set_nodelay(true)?;
        let accepted = self.inner.accept(stream, service).await;
        let (stream, service) = accepted.inspect_err(|_| self.counters.fail_handshake())?;
        Ok((stream, service, (place, load)))
    }
}

/// The place of an open connection, which is counted as long as it exists.
pub struct Place {
    place: ConnectionPlace,
    counters: ConnectionCounters,
}

impl Place {
    fn new(place: ConnectionPlace, counters: ConnectionCounters) -> Self {
        counters.accept(place.evicted_another);
        Self { place, counters }
    }
}

/// A stream with the guards of its connection.
pub type LimitedStream<S> = IdleTimeoutStream<S, (Place, LoadGuard)>;

/// The guards of a connection.
impl Movable for (Place, LoadGuard) {
    fn leave(&mut self) -> io::Result<()> {
        self.1.leave()
    }

    fn join(&mut self) -> io::Result<()> {
        self.1.join()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.counters.close();
    }
}

impl<A> Accept<AcceptedConnection, HttpService> for LimitedAcceptor<A>
where
    A: Accept<MovableTcp, HttpService, Service = HttpService> + Clone + Send + Sync + 'static,
    A::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A::Future: Send,
{
    type Stream = LimitedStream<A::Stream>;
    type Service = HttpService;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, accepted: AcceptedConnection, service: HttpService) -> Self::Future {
        let this = self.clone();
        let state = Arc::clone(service.connection());
        Box::pin(async move {
            tokio::select! {
                entered = this.enter(accepted, service, &state) => {
                    let (stream, service, guards) = entered?;
                    Ok((IdleTimeoutStream::new(stream, state, guards, this.times), service))
                }
                () = state.evicted() => Err(io::ErrorKind::ConnectionAborted.into()),
            }
        })
    }
}
