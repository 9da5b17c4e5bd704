//! A running service.

use super::{API_KEY, Caller, WAIT_TIMEOUT, authority, edit_settings, redis};
use crate::local_redis::RedisGroup;
use cachefront::{
    server::{self, ReloadTrigger, Server, Shutdown},
    settings,
};
use std::{
    fmt::Write,
    net::SocketAddr,
    path::Path,
    sync::{OnceLock, mpsc},
    thread::JoinHandle,
};
use tempfile::TempDir;

/// A service that runs in this process; it is shut down on drop.
pub struct Service {
    /// Address of the HTTPS port.
    pub address: SocketAddr,
    /// Address of the admin port.
    pub admin: SocketAddr,
    stop: Shutdown,
    reload: ReloadTrigger,
    thread: Option<JoinHandle<()>>,
    folder: TempDir,
}

/// Returns a service in front of one master and its replica, for tests that write no key and break nothing: its Redis
/// stays empty. The service ends with the process.
pub fn shared() -> &'static Service {
    static SHARED: OnceLock<(RedisGroup, Service)> = OnceLock::new();
    let (_, service) = SHARED.get_or_init(Service::with_own_redis);
    service
}

/// Returns the `[shard:…]` sections of a group.
pub fn redis_section(group: &RedisGroup) -> String {
    group.shards().fold(String::new(), |mut text, (name, master, replicas)| {
        let replicas: Vec<String> = replicas.iter().map(ToString::to_string).collect();
        let _ = write!(text, "\n[shard:{name}]\nmaster={master}\nreplicas={}\n", replicas.join(", "));
        text
    })
}

impl Service {
    /// Starts a service in front of one master and its replica, which no other test uses.
    pub fn with_own_redis() -> (RedisGroup, Self) {
        let group = redis(1, 1);
        let service = Self::start(&redis_section(&group));
        (group, service)
    }

    /// Starts a service; `sections` are added to the settings that every test needs.
    pub fn start(sections: &str) -> Self {
        Self::start_with("", sections)
    }

    /// Starts a service with more options of the `[service]` section.
    pub fn start_with(options: &str, sections: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = authority().issue(folder.path(), "service");
        let text = format!(
            "[service]\nHOST=127.0.0.1\nPORT=0\nADMIN_PORT=0\nTLS_CERT={}\nTLS_KEY={}\n\
             JWT_SECRET_KEY={JWT_SECRET}\nSRVC_SHARED_SECRET={API_KEY}\nLOG_LEVEL=off\n{options}\n{sections}",
            files.certificate.display(),
            files.key.display(),
        );
        let path = folder.path().join("setup.config");
        std::fs::write(&path, text).expect("the settings are written");
        let settings = settings::load_with(&path, []).unwrap_or_else(|problems| panic!("{problems}"));
        let listeners = server::bind(&settings.service).expect("free ports");
        let (address, admin) = (listeners.service_address, listeners.admin_address);
        let server = Server::new(settings).expect("a sound configuration");
        let server = server.reloading(move || settings::load_with(&path, []));
        let reload = server.reload();
        // A runtime of its own, so that a shared service outlives the test that started it.
        let (ready, started) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().expect("a runtime");
            runtime.block_on(async {
                let stop = Shutdown::default();
                ready.send(stop.clone()).expect("the test waits");
                server.run(listeners, stop).await.expect("the service runs until it is stopped");
            });
        });
        let stop = started.recv_timeout(WAIT_TIMEOUT).expect("the service starts");
        Self { address, admin, stop, reload, thread: Some(thread), folder }
    }

    /// Starts a service without a near cache: each READ reaches a node.
    pub fn plain(sections: &str) -> Self {
        Self::plain_with("", sections)
    }

    /// Starts a service with more options of the `[service]` section and without a near cache.
    pub fn plain_with(options: &str, sections: &str) -> Self {
        Self::start_with(options, &format!("{sections}\n[near_cache]\nenabled=false\n"))
    }

    /// Returns a caller with a token for the shared secret.
    pub async fn caller(&self) -> Caller {
        Caller::log_in(self, API_KEY, None).await
    }

    /// Returns the HTTPS URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// Replaces the settings file by one with a changed text, as an editor does.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        edit_settings(self.folder(), change);
    }

    /// Returns the folder of the settings and of the certificate, `service.pem`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Requests a reload, as SIGHUP does.
    pub fn reload(&self) {
        self.reload.request();
    }

    /// Requests a shutdown, as SIGTERM does.
    pub fn stop(&self) {
        self.stop.request();
    }

    /// Waits until the service has stopped.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the service panicked");
        }
    }
}

/// The secret that signs the tokens of the tests.
pub const JWT_SECRET: &str = "a-jwt-secret-for-the-tests-0123456789";

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.request();
        self.stop.request();
        self.join();
    }
}
