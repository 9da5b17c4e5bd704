//! Opening connections to nodes and sentinels.

use crate::{
    store::{
        error::{ConnectionFailure, NodeError},
        node::{
            context::NodeContext,
            login::{Login, SharedLogin},
            resolver::{ConnectionResolver, NameLookups},
            tracking::Tracking,
            wire::{Multiplexer, NodeStream, dial, log_in},
        },
        protocol::server_mode::ServerMode,
        simulation::Simulation,
    },
    types::Address,
};
use redis::{AsyncConnectionConfig, Client, PushInfo, PushKind, RedisError, aio::MultiplexedConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{sync::Notify, time::timeout};

/// The reason why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The connection was not open in time.
    #[error("no connection within {} ms", .0.as_millis())]
    TimedOut(Duration),
    /// The connection was refused, or the login or the TLS handshake failed.
    #[error(transparent)]
    Failed(#[from] ConnectionFailure),
    /// The process at the address is none that a node of a shard can be.
    #[error("{}", NodeError::WrongMode(*.0))]
    WrongMode(ServerMode),
    /// The node did not answer a first command as expected.
    #[error("{command} failed")]
    Handshake {
        /// The command.
        command: &'static str,
        /// The error of the node.
        #[source]
        cause: NodeError,
    },
}

impl ConnectError {
    /// Returns true if the node refused the user or the password.
    fn is_login_refusal(&self) -> bool {
        let Self::Failed(ConnectionFailure::Refused { refusal, .. }) = self else { return false };
        matches!(refusal.code(), "WRONGPASS" | "NOAUTH")
    }

    /// Returns true if the error shows that nothing can be expected of the node.
    pub fn shows_absence(&self) -> bool {
        match self {
            Self::TimedOut(_) | Self::WrongMode(_) => true,
            Self::Failed(failure) => failure.shows_absence(),
            Self::Handshake { cause, .. } => !matches!(cause, NodeError::Lost | NodeError::NotConnected),
        }
    }
}

/// The handler of the messages that answer no command.
type OnPush = dyn Fn(PushInfo) + Send + Sync;

/// A node or a sentinel, with everything that is needed to connect to it.
pub struct RedisEndpoint {
    address: Address,
    login: SharedLogin,
    connect_timeout: Duration,
    /// The lookups of the host's name, which all connections share.
    pub lookups: Arc<NameLookups>,
    /// The simulation that takes the place of the network; `None` in production.
    simulation: Option<Arc<dyn Simulation>>,
}

impl RedisEndpoint {
    /// Prepares connections to `address`; none is opened yet.
    pub fn new(address: &Address, login: &SharedLogin, connect_timeout: Duration, context: &NodeContext) -> Self {
        let (lookups, simulation) = (Arc::new(NameLookups::new(address)), context.simulation.clone());
        Self { address: address.clone(), login: login.clone(), connect_timeout, lookups, simulation }
    }

    /// Returns the login that new connections use.
    pub fn login(&self) -> &SharedLogin {
        &self.login
    }

    /// Opens a connection for calls that do not share it. `lost` is notified when it ends, which RESP3 reports at once.
    pub async fn connect(&self, lost: &Arc<Notify>) -> Result<MultiplexedConnection, ConnectError> {
        let lost = Arc::clone(lost);
        let opened = self.connect_with_push_handler(move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                lost.notify_one();
            }
        });
        opened.await.map(|(connection, _)| connection)
    }

    /// Returns the resolver of a new connection.
    pub fn resolver(&self) -> ConnectionResolver {
        ConnectionResolver::new(&self.lookups)
    }

    /// Opens a connection that many calls share. `resolver` remembers the addresses that it is opened to, `lost` is
    /// notified when the connection ends, and `tracking` receives the keys that change. Returns the login of the
    /// connection, too.
    pub async fn connect_tracked(
        &self,
        resolver: &ConnectionResolver,
        lost: &Arc<Notify>,
        tracking: Arc<Tracking>,
    ) -> Result<(Multiplexer, Arc<Login>), ConnectError> {
        let lost = Arc::clone(lost);
        let (stream, login) = self.open_stream(resolver).await?;
        let multiplexer = Multiplexer::start(stream, move |push: PushInfo| match push.kind {
            PushKind::Invalidate => tracking.on_invalidation(&push.data),
            PushKind::Disconnection => {
                tracking.invalidate_all();
                lost.notify_one();
            }
            _ => {}
        });
        Ok((multiplexer, login))
    }

    /// Opens a stream and logs in over it as [`Self::open`] does.
    async fn open_stream(&self, resolver: &ConnectionResolver) -> Result<(NodeStream, Arc<Login>), ConnectError> {
        let login = self.login.current();
        let refusal = match self.open_stream_as(&login, resolver).await {
            Err(error) if error.is_login_refusal() => error,
            opened => return Ok((opened?, login)),
        };
        let Some(earlier) = login.earlier() else { return Err(refusal) };
        match Box::pin(self.open_stream_as(earlier, resolver)).await {
            Ok(stream) => Ok((stream, Arc::clone(earlier))),
            Err(_) => Err(refusal),
        }
    }

    async fn open_stream_as(&self, login: &Login, resolver: &ConnectionResolver) -> Result<NodeStream, ConnectError> {
        let connecting = async {
            let client = login.client(&self.address)?;
            let stream = match &self.simulation {
                None => dial(&self.address, login.tls(&self.address)?, resolver).await?,
                Some(simulation) => NodeStream::Simulated(simulation.dial(&self.address).await?),
            };
            log_in(stream, client.get_connection_info().redis_settings()).await
        };
        self.within_timeout(connecting).await
    }

    /// Opens a connection. `on_push` receives the messages that answer no command; it must not block.
    pub async fn connect_with_push_handler(
        &self,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Arc<Login>), ConnectError> {
        self.open(&self.resolver(), on_push).await
    }

    /// Opens a connection with the current login or, where the node refuses it, with the one before: a rotation may reach
    /// the settings before Redis. Returns the login, too.
    async fn open(
        &self,
        resolver: &ConnectionResolver,
        on_push: impl Fn(PushInfo) + Send + Sync + 'static,
    ) -> Result<(MultiplexedConnection, Arc<Login>), ConnectError> {
        let (on_push, abandoned): (Arc<OnPush>, _) = (Arc::new(on_push), Arc::default());
        let login = self.login.current();
        let refusal = match self.open_as(&login, resolver, &on_push, &abandoned).await {
            Err(error) if error.is_login_refusal() => error,
            opened => return Ok((opened?, login)),
        };
        let Some(earlier) = login.earlier() else { return Err(refusal) };
        // The end of the refused connection is not the end of the next one.
        abandoned.store(true, Relaxed);
        match Box::pin(self.open_as(earlier, resolver, &on_push, &Arc::default())).await {
            Ok(connection) => Ok((connection, Arc::clone(earlier))),
            Err(_) => Err(refusal),
        }
    }

    /// Opens a connection with a login. Its messages are dropped once it is `abandoned`.
    async fn open_as(
        &self,
        login: &Login,
        resolver: &ConnectionResolver,
        on_push: &Arc<OnPush>,
        abandoned: &Arc<AtomicBool>,
    ) -> Result<MultiplexedConnection, ConnectError> {
        let (on_push, abandoned) = (Arc::clone(on_push), Arc::clone(abandoned));
        let config = AsyncConnectionConfig::new()
            // Every call and the wait below have deadlines of their own, so redis-rs needs none.
            .set_response_timeout(None)
            .set_connection_timeout(None)
            .set_dns_resolver(resolver.clone())
            .set_push_sender(move |push: PushInfo| {
                if !abandoned.load(Relaxed) {
                    on_push(push);
                }
                Ok::<(), redis::aio::SendError>(())
            });
        let client = login.client(&self.address).map_err(ConnectionFailure::from)?;
        let connecting = async {
            match &self.simulation {
                None => client.get_multiplexed_async_connection_with_config(&config).await,
                Some(simulation) => Box::pin(self.connect_simulated(&**simulation, &client, config)).await,
            }
        };
        self.within_timeout(connecting).await
    }

    async fn within_timeout<T>(
        &self,
        connecting: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, ConnectError> {
        match timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected.map_err(|error| ConnectionFailure::from(error).into()),
            Err(_) => Err(ConnectError::TimedOut(self.connect_timeout)),
        }
    }

    /// Opens a connection over a stream of the simulation.
    async fn connect_simulated(
        &self,
        simulation: &dyn Simulation,
        client: &Client,
        config: AsyncConnectionConfig,
    ) -> Result<MultiplexedConnection, RedisError> {
        let stream = simulation.dial(&self.address).await?;
        let login = client.get_connection_info().redis_settings();
        let (connection, driver) = MultiplexedConnection::new_with_config(login, stream, config).await?;
        tokio::spawn(driver);
        Ok(connection)
    }
}
