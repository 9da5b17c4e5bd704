//! Every option there is: the one list that reading, did-you-mean, `check-config` and the documentation share.

/// The kinds of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Redis,
    Service,
    NearCache,
    Telemetry,
    /// `[shard:NAME]`
    Shard,
    /// `[client:NAME]`
    Client,
}

impl Section {
    pub const ALL: [Self; 6] =
        [Self::Redis, Self::Service, Self::NearCache, Self::Telemetry, Self::Shard, Self::Client];

    /// The section's title; NAME stands for what the operator chooses.
    pub fn title(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Service => "service",
            Self::NearCache => "near_cache",
            Self::Telemetry => "telemetry",
            Self::Shard => "shard:NAME",
            Self::Client => "client:NAME",
        }
    }

    /// What a title must start with, where the rest is a name.
    pub fn prefix(self) -> Option<&'static str> {
        self.title().strip_suffix("NAME")
    }
}

/// One option.
#[derive(Debug)]
pub struct OptionSpec {
    pub section: Section,
    pub name: &'static str,
    /// What counts when the option is absent; `None` where nothing does.
    pub default: Option<&'static str>,
    /// Masked wherever it is shown; can also come from a file (`…_FILE` in the environment).
    pub secret: bool,
    /// Accepted so that an existing file loads, but without effect.
    pub ignored: bool,
    /// A change takes effect while the service runs; else at the next start.
    pub live: bool,
    pub help: &'static str,
}

impl OptionSpec {
    /// The same option, which takes effect while the service runs.
    const fn live(self) -> Self {
        Self { live: true, ..self }
    }
}

const fn option(section: Section, name: &'static str, default: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: Some(default), secret: false, ignored: false, live: false, help }
}

const fn unset(section: Section, name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: None, secret: false, ignored: false, live: false, help }
}

const fn secret(section: Section, name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: None, secret: true, ignored: false, live: false, help }
}

const fn ignored(section: Section, name: &'static str) -> OptionSpec {
    let help = "Accepted, so that files of the Python service and of earlier versions load; it has no effect.";
    OptionSpec { section, name, default: None, secret: false, ignored: true, live: false, help }
}

use Section::{Client, NearCache, Redis, Service, Shard, Telemetry};

/// In the order in which the documentation shows them.
pub const OPTIONS: &[OptionSpec] = &[
    option(
        Redis,
        "host",
        "127.0.0.1",
        "Master of the only shard: host name or address. Not allowed beside `[shard:NAME]`.",
    ).live(),
    option(Redis, "port", "6379", "Port of that master.").live(),
    unset(Redis, "replicas", "Its replicas, `host:port` separated by commas. Without any, reads go to the master.").live(),
    unset(
        Redis,
        "sentinels",
        "Sentinels that know the nodes, `host:port` separated by commas; then each `[shard:NAME]` has a `sentinel_master`.",
    ),
    unset(Redis, "sentinel_username", "ACL user to log in as at the sentinels."),
    secret(Redis, "sentinel_password", "Password for every sentinel; empty for none."),
    option(Redis, "sentinel_tls", "false", "Speak TLS to the sentinels, with the certificates of `tls`."),
    unset(
        Redis,
        "cluster",
        "Some nodes of a Redis Cluster, `host:port` separated by commas; its slots take the place of shards and ring.",
    ),
    unset(Redis, "username", "ACL user to log in as; absent, Redis's default user."),
    secret(Redis, "password", "Password for every node; empty for none."),
    option(Redis, "db", "0", "Number of the Redis database."),
    option(Redis, "tls", "false", "Speak TLS to Redis."),
    unset(
        Redis,
        "ca_cert",
        "PEM file with the authorities that may vouch for Redis; absent, the public ones. Needs `tls=true`.",
    ),
    unset(Redis, "client_cert", "PEM file with the certificate to show to Redis. Needs `client_key`."),
    unset(Redis, "client_key", "PEM file with its private key."),
    option(
        Redis,
        "key_expire_secs",
        "600",
        "How long a value lives when a WRITE does not say, in seconds; 0 or less: for ever.",
    ).live(),
    option(
        Redis,
        "connections_per_node",
        "0",
        "Multiplexed connections to each node; 0: one for each of the `WORKERS`, and never more.",
    ),
    option(Redis, "connect_timeout_ms", "1000", "How long opening a connection to a node may take."),
    option(
        Redis,
        "attempt_timeout_ms",
        "250",
        "How long one node may take to answer a READ before another one is asked.",
    ),
    option(
        Redis,
        "probe_every_ms",
        "250",
        "How often each node is asked for its role and replication; a promotion is followed after about so long.",
    ),
    option(
        Redis,
        "in_flight_max",
        "10000",
        "Commands that may wait for one node's answer, at least 1000, a whole batch; more get 503 at once.",
    ),
    option(
        Redis,
        "hedge_reads",
        "false",
        "Send a READ that takes longer than nineteen of twenty do to a second node as well; at most one in twenty.",
    ),
    option(
        Redis,
        "replica_stale_max_ms",
        "300000",
        "How long a replica that lost its master goes on being read while the master is lost to us, too; 0: for ever.",
    ),
    ignored(Redis, "decode_responses"),
    ignored(Redis, "warm_up_secs"),
    option(Service, "HOST", "0.0.0.0", "IP address to serve HTTPS on."),
    option(Service, "PORT", "9090", "Port to serve HTTPS on."),
    option(
        Service,
        "ADMIN_HOST",
        "127.0.0.1",
        "IP address of the plain-HTTP admin port (probes, metrics and the console; no values are served there).",
    ),
    option(Service, "ADMIN_PORT", "9091", "The admin port."),
    option(Service, "TLS_CERT", "certs/cert.pem", "PEM file with the certificate chain, own certificate first.").live(),
    option(Service, "TLS_KEY", "certs/key.pem", "PEM file with its private key.").live(),
    secret(Service, "JWT_SECRET_KEY", "Signs the tokens (HS256): at least 32 bytes, the same on every instance.").live(),
    option(Service, "JWT_EXPIRE_SECS", "900", "How long a token is valid.").live(),
    secret(
        Service,
        "SRVC_SHARED_SECRET",
        "An API key with all permissions and a free `client_id`. Optional where there are `[client:NAME]` sections.",
    ).live(),
    option(Service, "IDENTITY", "cachefront", "Subject of the tokens that the shared secret gets.").live(),
    secret(
        Service,
        "ENCRYPTION_KEY",
        "Seals values: a file with 32 bytes in base64 or hex, or the key itself. Several, separated by commas: the first seals, all open.",
    ).live(),
    option(
        Service,
        "ENCRYPT_VALUES",
        "on_request",
        "`on_request`: a WRITE with `\"encrypt\": true` is sealed. `always`: every WRITE is.",
    ).live(),
    option(Service, "VALUE_BYTES_MAX", "8388608", "The longest value, in bytes as Redis stores it.").live(),
    option(Service, "BODY_BYTES_MAX", "8388608", "The longest request body, in bytes.").live(),
    option(
        Service,
        "BODIES_BYTES_MAX",
        "134217728",
        "Memory for all request bodies together, in bytes; what comes on top gets 503.",
    ).live(),
    option(
        Service,
        "REQUEST_DEADLINE_MS",
        "1000",
        "How long a request may take once its body is here; more than `attempt_timeout_ms`.",
    ).live(),
    option(
        Service,
        "REQUESTS_MAX",
        "4096",
        "Requests to `/cache` that are worked on at once, a batch being one; what comes on top gets 503 at once.",
    ).live(),
    option(
        Service,
        "WORKERS",
        "0",
        "Threads that serve requests, at most 64; 0: one for each processor that the process may use.",
    ),
    option(
        Service,
        "CONNECTIONS_MAX",
        "10000",
        "Open HTTPS connections; further ones are closed at once. Allow the process as many open files.",
    ),
    option(Service, "IDLE_TIMEOUT_SECS", "75", "A connection on which nothing moves for so long is closed."),
    option(
        Service,
        "DRAIN_WAIT_SECS",
        "0",
        "How long to serve on after SIGTERM, with `/readyz` saying no, until load balancers have taken notice.",
    ).live(),
    option(Service, "DRAIN_SECS", "30", "How long requests in flight may then take to finish.").live(),
    option(
        Service,
        "RELOAD_EVERY_SECS",
        "5",
        "How often the files are looked at, to apply what changed in them; 0: only on SIGHUP.",
    ).live(),
    option(Service, "LOG_FORMAT", "human", "`human` or `json`."),
    option(
        Service,
        "LOG_LEVEL",
        "info",
        "`error`, `warn`, `info`, `debug`, `trace`, `off`, or a filter such as `info,cachefront::store=debug`.",
    ).live(),
    option(
        Service,
        "CONSOLE_KEY_PATTERNS",
        "hashed",
        "How the console on the admin port shows what kinds of keys are asked for: with words `hashed`, `shown` in clear, or `off`.",
    ),
    ignored(Service, "APP_SECRET_KEY"),
    ignored(Service, "CSRF_PROTECTION_KEY"),
    option(
        NearCache,
        "enabled",
        "true",
        "Keep values that are read again and again in this process; Redis says when they change (`CLIENT TRACKING`).",
    ),
    option(NearCache, "bytes_max", "33554432", "Memory for what is kept, in bytes; a single value may take 1/32 of it."),
    option(NearCache, "age_max_ms", "10000", "How long a value is kept at most, should Redis's word not get here."),
    option(
        NearCache,
        "keep_opened",
        "false",
        "Keep sealed values opened as well, which saves opening them for each READ; else only sealed ones are in memory.",
    ),
    unset(
        Telemetry,
        "otlp_endpoint",
        "Collector that gets traces over OTLP/gRPC, such as `http://127.0.0.1:4317`, or with `https://`; absent, there are none.",
    ),
    unset(
        Telemetry,
        "otlp_ca_cert",
        "PEM file with the authorities that may vouch for the collector; absent, the public ones. Needs `https://`.",
    ),
    option(
        Telemetry,
        "trace_sample_ratio",
        "0.01",
        "Share of the requests that are traced, 0 to 1, where the caller's `traceparent` does not decide.",
    )
    .live(),
    option(Telemetry, "service_name", "cachefront", "What the traces call this service."),
    unset(Shard, "master", "The shard's master, `host:port`. Required where there are no `sentinels`.").live(),
    unset(
        Shard,
        "sentinel_master",
        "What the sentinels call the shard's master. Required where there are `sentinels`.",
    ),
    unset(Shard, "replicas", "Its replicas, `host:port` separated by commas.").live(),
    option(Shard, "weight", "1", "Share of the keys relative to the other shards, 1 to 100.").live(),
    secret(
        Client,
        "api_key_hash",
        "Hash of the client's API key as `cachefront hash-key` prints it; several, separated by commas, while keys are rotated. Required.",
    ).live(),
    option(Client, "scopes", "read,write,delete", "What the client may do.").live(),
    unset(Client, "namespace", "Put before each of the client's keys (`namespace:key`); it reaches no others.").live(),
    unset(
        Client,
        "commands_per_second",
        "Commands that the client may send per second on each instance; absent, no limit. Each item of a batch counts.",
    ).live(),
];

/// The option of that name, whatever its case.
pub fn find(section: Section, name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.section == section && option.name.eq_ignore_ascii_case(name))
}
