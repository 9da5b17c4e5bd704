//! The logins and certificates of connections, which a reload replaces while connections are open.

use super::wire::{ConnectionTls, KEEPALIVE, USER_TIMEOUT, tls_connector};
use crate::{settings, types::Address};
use redis::{
    Client, ClientTlsConfig, Cmd, ConnectionAddr, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo, RedisError,
    TlsCertificates, io::tcp::TcpSettings, io::tcp::socket2::TcpKeepalive,
};
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use std::{io, sync::Arc};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

/// The certificates for Redis cannot be used, although their check found no mistake. The complaint of the parser is not
/// kept, because it can quote the key.
#[derive(Debug, thiserror::Error)]
#[error("[redis] tls: the Redis client refuses ca_cert, or client_cert with client_key")]
pub struct RedisCertificateError;

/// The login and the certificates for connections, ready to use.
#[derive(Clone, Default)]
pub struct Login {
    username: Option<String>,
    password: Option<SecretString>,
    db: i64,
    tls: Option<LoginTls>,
    /// The login that this one replaced. It is used where a node refuses this one, because a rotation has reached the
    /// settings before Redis.
    earlier: Option<Arc<Self>>,
}

/// The TLS parameters of connections.
#[derive(Clone)]
struct LoginTls {
    /// An address with the parsed certificates. Host and port are those of the connection.
    target: ConnectionAddr,
    /// The same certificates for the connections that calls share.
    connector: TlsConnector,
    /// The name that Redis's certificate is verified for; `None` for the host that is connected to.
    expected_name: Option<String>,
}

impl Login {
    /// Prepares a login for connections to this database.
    pub fn new(config: &settings::RedisLoginConfig, db: i64) -> Result<Self, RedisCertificateError> {
        let tls = config.tls.as_ref().map(LoginTls::new).transpose().map_err(|_| RedisCertificateError)?;
        Ok(Self { username: config.username.clone(), password: config.password.clone(), db, tls, earlier: None })
    }

    /// Returns the login that this one replaced.
    pub(super) fn earlier(&self) -> Option<&Arc<Self>> {
        self.earlier.as_ref()
    }

    /// Returns a client that connects to an address with this login.
    pub(super) fn client(&self, address: &Address) -> Result<Client, RedisError> {
        let mut login = RedisConnectionInfo::default()
            .set_db(self.db)
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("cachefront", env!("CARGO_PKG_VERSION"));
        if let Some(username) = &self.username {
            login = login.set_username(username);
        }
        if let Some(password) = &self.password {
            login = login.set_password(password.expose_secret());
        }
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
        let tcp = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
        #[cfg(target_os = "linux")]
        let tcp = tcp.set_user_timeout(USER_TIMEOUT);
        let (host, port) = (address.host.clone(), address.port);
        let target = match &self.tls {
            None => ConnectionAddr::Tcp(host, port),
            // redis-rs verifies the certificate for this host; the address comes from the resolver.
            Some(LoginTls { target, expected_name, .. }) => {
                let mut target = target.clone();
                if let ConnectionAddr::TcpTls { host: certified, port: target_port, .. } = &mut target {
                    (*certified, *target_port) = (expected_name.clone().unwrap_or(host), port);
                }
                target
            }
        };
        Client::open(target.into_connection_info()?.set_redis_settings(login).set_tcp_settings(tcp))
    }

    /// Returns the TLS of a connection to an address; `None` for a plain connection.
    pub(super) fn tls(&self, address: &Address) -> Result<Option<ConnectionTls>, RedisError> {
        let Some(LoginTls { connector, expected_name, .. }) = &self.tls else { return Ok(None) };
        let name = expected_name.clone().unwrap_or_else(|| address.host.clone());
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        Ok(Some((connector.clone(), name)))
    }

    /// Returns the command that logs in again over an open connection; `None` without a password.
    pub fn auth_command(&self) -> Option<Cmd> {
        let password = self.password.as_ref()?;
        let mut command = redis::cmd("AUTH");
        command.arg(self.username.as_deref().unwrap_or("default")).arg(password.expose_secret());
        Some(command)
    }

    fn has_same_user(&self, other: &Self) -> bool {
        let passwords = [self, other].map(|login| login.password.as_ref().map(ExposeSecret::expose_secret));
        self.username == other.username && passwords[0] == passwords[1]
    }
}

impl LoginTls {
    fn new(config: &settings::RedisTlsConfig) -> Result<Self, RedisError> {
        let client_tls = config.client.as_ref().map(|(certificate, key)| ClientTlsConfig {
            client_cert: certificate.clone(),
            client_key: key.expose_secret().clone(),
        });
        let any = ConnectionAddr::TcpTls { host: String::new(), port: 0, insecure: false, tls_params: None };
        let certificates = TlsCertificates { client_tls, root_cert: config.ca_cert.clone() };
        let client = Client::build_with_tls(any.into_connection_info()?, certificates)?;
        Ok(Self {
            target: client.get_connection_info().addr().clone(),
            connector: tls_connector(config)?,
            expected_name: config.expected_name.clone(),
        })
    }
}

/// The login of connections that a reload can replace. A clone is a handle on the same login.
#[derive(Clone, Default)]
pub struct SharedLogin(watch::Sender<Arc<Login>>);

impl SharedLogin {
    /// Shares a login.
    pub fn new(login: Login) -> Self {
        Self(watch::Sender::new(Arc::new(login)))
    }

    /// Returns the login for new connections.
    pub fn current(&self) -> Arc<Login> {
        Arc::clone(&self.0.borrow())
    }

    /// Returns true if no other login has replaced this one.
    pub fn is_current(&self, login: &Arc<Login>) -> bool {
        Arc::ptr_eq(&self.0.borrow(), login)
    }

    /// Replaces the login. Connections keep the choice between TLS and plain text that was made at the start.
    pub fn replace(&self, mut login: Login) {
        self.0.send_if_modified(|current| {
            if login.tls.is_some() != current.tls.is_some() {
                login.tls.clone_from(&current.tls);
            }
            let has_same_user = login.has_same_user(current);
            // Certificates cannot be compared, so they are replaced even if they are the same.
            if has_same_user && login.db == current.db && login.tls.is_none() {
                return false;
            }
            login.earlier = if has_same_user {
                current.earlier.clone()
            } else {
                Some(Arc::new(Login { earlier: None, ..Login::clone(current) }))
            };
            *current = Arc::new(login);
            true
        });
    }

    /// Returns the changes that a connection with this login has to follow.
    pub fn changes_since(&self, login: &Arc<Login>) -> LoginChanges {
        LoginChanges { changes: self.0.subscribe(), login: Arc::clone(login) }
    }
}

/// The changes of a login that an open connection has to follow.
pub struct LoginChanges {
    changes: watch::Receiver<Arc<Login>>,
    /// The login of the connection.
    login: Arc<Login>,
}

impl LoginChanges {
    /// Waits until the connection has another user or password than new connections. Returns the login, and the command that
    /// logs in with it.
    pub async fn next(&mut self) -> (Arc<Login>, Cmd) {
        loop {
            let current = Arc::clone(&self.changes.borrow_and_update());
            if !current.has_same_user(&self.login)
                && let Some(command) = current.auth_command()
            {
                return (current, command);
            }
            self.changed().await;
        }
    }

    /// Records that the connection has this login now.
    pub fn accept(&mut self, login: Arc<Login>) {
        self.login = login;
    }

    /// Waits until the login is replaced.
    pub async fn changed(&mut self) {
        if self.changes.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(username: &str, password: &str) -> Login {
        let config = settings::RedisLoginConfig {
            username: Some(username.to_owned()),
            password: Some(password.into()),
            tls: None,
        };
        Login::new(&config, 0).expect("there are no certificates")
    }

    #[test]
    fn the_same_login_replaces_nothing_and_another_one_remembers_the_one_before() {
        let shared = SharedLogin::new(login("one", "first"));
        let first = shared.current();
        shared.replace(login("one", "first"));
        assert!(shared.is_current(&first));
        shared.replace(login("one", "second"));
        assert!(!shared.is_current(&first));
        let second = shared.current();
        assert!(second.earlier().is_some_and(|earlier| earlier.has_same_user(&first) && earlier.earlier().is_none()));
        shared.replace(login("one", "second"));
        assert!(shared.current().earlier().is_some_and(|earlier| earlier.has_same_user(&first)));
        shared.replace(login("two", "second"));
        assert!(shared.current().earlier().is_some_and(|earlier| earlier.has_same_user(&second)));
    }

    #[tokio::test]
    async fn a_connection_follows_the_login_until_it_has_accepted_it() {
        let shared = SharedLogin::new(login("one", "first"));
        let mut changes = shared.changes_since(&shared.current());
        shared.replace(login("two", "second"));
        for _ in 0..2 {
            let (offered, command) = changes.next().await;
            assert_eq!(command.get_packed_command(), redis::cmd("AUTH").arg("two").arg("second").get_packed_command());
            assert!(shared.is_current(&offered));
        }
        let (offered, _) = changes.next().await;
        changes.accept(offered);
        tokio::select! {
            biased;
            _ = changes.next() => panic!("it has the login"),
            () = std::future::ready(()) => {}
        }
    }
}
