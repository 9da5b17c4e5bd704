//! The list of all options, which reading, did-you-mean, `check-config` and the documentation share.

/// The kinds of sections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// `[redis]`
    Redis,
    /// `[service]`
    Service,
    /// `[near_cache]`
    NearCache,
    /// `[telemetry]`
    Telemetry,
    /// `[shard:NAME]`
    Shard,
    /// `[client:NAME]`
    Client,
}

impl Section {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 6] =
        [Self::Redis, Self::Service, Self::NearCache, Self::Telemetry, Self::Shard, Self::Client];

    /// Returns the title of the section, in which NAME stands for a name that the operator chooses.
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

    /// Returns the start of the title where a name follows.
    pub fn prefix(self) -> Option<&'static str> {
        self.title().strip_suffix("NAME")
    }
}

/// The description of one option.
#[derive(Debug)]
pub struct OptionSpec {
    /// The section of the option.
    pub section: Section,
    /// The name of the option. Its case does not count in files.
    pub name: &'static str,
    /// The value of an option that is not set; `None` where there is no value.
    pub default: Option<&'static str>,
    /// The option is masked wherever it is shown, and can come from a file (`…_FILE` in the environment).
    pub secret: bool,
    /// The option is accepted, so that an existing file loads, and has no effect.
    pub ignored: bool,
    /// A change takes effect while the service runs, not only at the next start.
    pub live: bool,
    /// The meaning of the option for the documentation: whole sentences in Markdown.
    pub help: &'static str,
}

impl OptionSpec {
    /// Marks an option as one that can change while the service runs.
    const fn live(self) -> Self {
        Self { live: true, ..self }
    }
}

/// An option with a default.
const fn option(section: Section, name: &'static str, default: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: Some(default), secret: false, ignored: false, live: false, help }
}

/// An option without a default.
const fn unset(section: Section, name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: None, secret: false, ignored: false, live: false, help }
}

/// A secret, which never has a default.
const fn secret(section: Section, name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec { section, name, default: None, secret: true, ignored: false, live: false, help }
}

/// An option of the Python service or of an earlier version.
const fn ignored(section: Section, name: &'static str) -> OptionSpec {
    let help =
        "Has no effect. The option is accepted, so that files of the Python service and of earlier versions load.";
    OptionSpec { section, name, default: None, secret: false, ignored: true, live: false, help }
}

use Section::{Client, NearCache, Redis, Service, Shard, Telemetry};

/// All options, in the order of the documentation.
pub const OPTIONS: &[OptionSpec] = &[
    option(Redis, "host", "127.0.0.1", "Host name or IP address of the master, where there is only one shard. The option is not allowed together with `[shard:NAME]`.").live(),
    option(Redis, "port", "6379", "Port of that master.").live(),
    unset(Redis, "replicas", "Replicas of that master: `host:port`, separated by commas. Without replicas, the master serves all reads.").live(),
    unset(Redis, "sentinels", "Addresses of the sentinels: `host:port`, separated by commas. The sentinels name the nodes, and each `[shard:NAME]` needs a `sentinel_master`."),
    unset(Redis, "sentinel_username", "ACL user for the sentinels.").live(),
    secret(Redis, "sentinel_password", "Password of the sentinels. An empty text means no password.").live(),
    option(Redis, "sentinel_tls", "false", "Use TLS for connections to the sentinels, with the same certificates as for `tls`."),
    unset(Redis, "cluster", "Addresses of some nodes of a Redis Cluster: `host:port`, separated by commas. The slots of the cluster replace shards and ring."),
    unset(Redis, "username", "ACL user for the nodes. Without it, Redis's default user is used.").live(),
    secret(Redis, "password", "Password of all nodes. An empty text means no password.").live(),
    option(Redis, "db", "0", "Number of the Redis database."),
    option(Redis, "tls", "false", "Use TLS for connections to the nodes."),
    unset(Redis, "ca_cert", "PEM file with the authorities that are trusted to certify Redis. Without it, the public authorities are trusted. Needs `tls=true`.").live(),
    unset(Redis, "expected_name", "Name that the certificates of Redis have to be valid for, in place of the host that is connected to. Needs `tls=true`.").live(),
    unset(Redis, "client_cert", "PEM file with the certificate that identifies this service to Redis. Needs `client_key`.").live(),
    unset(Redis, "client_key", "PEM file with the private key of `client_cert`.").live(),
    option(Redis, "key_expire_secs", "600", "Time to live, in seconds, of a value whose WRITE has no `expire`. With 0 or less, such values never expire.").live(),
    option(Redis, "connections_per_node", "0", "Number of multiplexed connections to each node, at most one for each of the `WORKERS`. With 0, each worker has one."),
    option(Redis, "connect_timeout_ms", "1000", "Time for opening a connection to a node, in milliseconds."),
    option(Redis, "attempt_timeout_ms", "250", "Time for one node to answer a READ, in milliseconds. After that, the next node is asked."),
    option(Redis, "probe_every_ms", "250", "Interval, in milliseconds, between two probes of a node for its role and its replication. A promotion is noticed after about this time, and at once while the master is lost: its replicas are then probed every 25 ms."),
    option(Redis, "in_flight_max", "10000", "Number of commands that may wait for the answers of one node; at least 1000, which is one batch. Further commands get 503 at once."),
    option(Redis, "hedge_reads", "true", "Send a READ to a second node as well when it takes longer than 95 % of all READs, but not before 5 ms and not later than after 20 ms. At most 3 % of all READs are sent twice. A replica that is slow several times in a row is read after the others until it answers a probe quickly."),
    option(Redis, "replica_stale_max_ms", "300000", "Time, in milliseconds, for which a replica is still read after it lost its master, while the service cannot reach the master either. With 0, there is no limit."),
    option(Redis, "master_hold_secs", "30", "Time, in seconds, for which a master is not used that comes back without data that its replicas have, for instance empty. Meanwhile the shard's writes get 503, and the replicas answer READs, so that somebody can promote one of them. The same holds at the start for a node that calls itself master without proof while the listed master is down. With 0, such a master is used at once."),
    ignored(Redis, "decode_responses"),
    ignored(Redis, "warm_up_secs"),
    option(Service, "HOST", "0.0.0.0", "IP address of the HTTPS port."),
    option(Service, "PORT", "9090", "Port for HTTPS."),
    option(Service, "ADMIN_HOST", "127.0.0.1", "IP address of the admin port. This port speaks plain HTTP and serves probes, metrics and the console, but no values."),
    option(Service, "ADMIN_PORT", "9091", "The admin port."),
    unset(Service, "ADMIN_HOSTS", "Host names under which the admin port may be asked, separated by commas, or `*` for all. IP addresses, names without a dot such as `localhost`, and names below `.localhost`, `.internal`, `.svc` and `.cluster.local` are always allowed. Others get 421, because a web page elsewhere could use them to read the console (DNS rebinding)."),
    option(Service, "DOCS", "true", "Serve `/docs` and `/openapi.json` on the HTTPS port."),
    option(Service, "HSTS", "true", "Ask browsers to use nothing but HTTPS with this host for a year (`Strict-Transport-Security`). They then open no plain HTTP under the same host name, also not the console on the admin port; use its IP address for that, or set `false`."),
    option(Service, "TLS_CERT", "certs/cert.pem", "PEM file with the certificate chain. The certificate of the service comes first. In place of a path, this and the other options of PEM files can have the PEM text itself, with `\\n` between its lines.").live(),
    option(Service, "TLS_KEY", "certs/key.pem", "PEM file with the private key of `TLS_CERT`.").live(),
    secret(Service, "JWT_SECRET_KEY", "Secret that signs tokens (HS256): at least 32 bytes, and the same on every instance.").live(),
    option(Service, "JWT_EXPIRE_SECS", "900", "Validity of a token, in seconds. A token that would be valid for longer is refused.").live(),
    option(Service, "JWT_START_LEEWAY_SECS", "30", "Time, in seconds, by which the clock of the instance that issued a token may be ahead of this one's, up to 300.").live(),
    option(Service, "JWT_END_LEEWAY_SECS", "5", "Time, in seconds, for which a token is still accepted after its end, up to 300.").live(),
    secret(Service, "SRVC_SHARED_SECRET", "API key with all permissions, whose callers may use any `client_id`. The option may be absent where there are `[client:NAME]` sections.").live(),
    option(Service, "IDENTITY", "cachefront", "Subject of the tokens that are issued for the shared secret.").live(),
    secret(Service, "ENCRYPTION_KEY", "Key that seals values: 32 bytes in base64 or hex, or the name of a file with such a key. Several keys are separated by commas; the first one seals, and all of them open. If the only entry names a file that does not exist, the service starts with a warning and refuses to seal values until a reload finds the file.").live(),
    option(Service, "ENCRYPT_VALUES", "on_request", "With `on_request`, the WRITEs with `\"encrypt\": true` are sealed. With `always`, every WRITE is sealed. With `required`, also only sealed values are read: any other value in Redis is the error `value_not_sealed`.").live(),
    option(Service, "VALUE_BYTES_MAX", "8388608", "Longest value, in bytes as Redis stores it without encryption. A longer one gets 413.").live(),
    option(Service, "BODY_BYTES_MAX", "0", "Longest request body, in bytes; at least 1024. A longer one gets 413. With 0, it is six times `VALUE_BYTES_MAX` and 64 KiB more, so that each value fits whatever its characters become in JSON, but not more than `BODIES_BYTES_MAX`.").live(),
    option(Service, "BODIES_BYTES_MAX", "167772160", "Memory for all request bodies together, in bytes, counted as they arrive. A request that does not fit gets 503. A quarter is kept for bodies of up to 64 KiB, unless `BODY_BYTES_MAX` leaves less. Where there are several clients, none gets more for large and unfinished bodies than it leaves.").live(),
    option(Service, "REPLIES_BYTES_MAX", "167772160", "Memory for all replies together, in bytes as they are written, until the last byte was sent. Where there are several clients, each may use half of it. A command whose reply does not fit gets 503, or 413 if the reply alone is too large: one reply has at most 64 MiB.").live(),
    option(Service, "REQUEST_DEADLINE_MS", "1000", "Time for one request after its body was received, in milliseconds. It must be more than `attempt_timeout_ms`.").live(),
    option(Service, "REQUESTS_MAX", "4096", "Number of requests to `/cache` in progress; a batch is one request. Further requests get 503 at once.").live(),
    option(Service, "WORKERS", "0", "Number of threads that serve requests, at most 64. With 0, there is one for each processor that the process may use."),
    option(Service, "CONNECTIONS_MAX", "10000", "Number of open HTTPS connections. A quarter of them is kept for clients that have authenticated. When places run out, connections that have not authenticated are closed first, and without such, new connections are closed at once. The limit of open files can lower the number, which the log says."),
    option(Service, "CONNECTIONS_PER_ADDRESS_MAX", "0", "Number of open HTTPS connections from one IP address; an IPv6 network of 64 bits counts as one address. With 0, it is half of `CONNECTIONS_MAX`. Proxies that are trusted are exempt."),
    unset(Service, "TRUSTED_PROXIES", "Proxies and load balancers in front of the service: IP addresses and networks such as `10.0.0.0/8`, separated by commas."),
    option(Service, "PROXY_PROTOCOL", "false", "With `true`, each connection from `TRUSTED_PROXIES` has to begin with a header of the PROXY protocol, version 2, which names the client. A header from any other address is refused."),
    option(Service, "IDLE_TIMEOUT_SECS", "75", "Time, in seconds, after which a connection is closed on which no request and no reply makes progress. PING frames of HTTP/2 are no progress."),
    option(Service, "LANE", "true", "Requests to `POST /cache` and `POST /login` over HTTP/1.1 take a short way through the service, which costs less CPU time. A connection leaves it for good with its first unusual request. With `false`, all requests take the way of HTTP/2 and of unusual requests, for comparison."),
    option(Service, "CONNECTION_AGE_MAX_SECS", "600", "Maximum age of an HTTPS connection, in seconds, so that new instances get their share of clients that stay connected. Each connection gets between 80 % and 100 % of it. The next response after that says `Connection: close`, or GOAWAY with HTTP/2, and requests in progress finish. With 0, there is no limit."),
    option(Service, "DRAIN_WAIT_SECS", "0", "Time after SIGTERM, in seconds, in which `/readyz` fails and requests are still served, so that load balancers can take the instance out. Set it longer than their health checks take to notice; with 0, requests that they send meanwhile fail.").live(),
    option(Service, "DRAIN_SECS", "30", "Time after that, in seconds, for requests in flight to finish.").live(),
    option(Service, "RELOAD_EVERY_SECS", "5", "Interval, in seconds, between two checks of the settings' files for changes. With 0, only SIGHUP reloads them.").live(),
    option(Service, "LOG_FORMAT", "human", "Form of log messages: `human` or `json`."),
    option(Service, "LOG_LEVEL", "info", "Lowest level of log messages: `error`, `warn`, `info`, `debug`, `trace` or `off`, or a filter such as `info,cachefront::store=debug`.").live(),
    option(Service, "CONSOLE_KEY_PATTERNS", "hashed", "Form of the key patterns on the console: with `hashed` words, with words `shown` in clear, or `off`."),
    ignored(Service, "APP_SECRET_KEY"),
    ignored(Service, "CSRF_PROTECTION_KEY"),
    option(NearCache, "enabled", "true", "Cache values that are read repeatedly in this process. Redis announces their changes (`CLIENT TRACKING`)."),
    option(NearCache, "bytes_max", "33554432", "Memory for cached values, in bytes. One value may take 1/32 of it."),
    option(NearCache, "age_max_ms", "10000", "Maximum age of a cached value, in milliseconds, in case an invalidation is lost."),
    option(NearCache, "keep_opened", "false", "Cache sealed values in opened form, which saves the decryption on each READ. Otherwise, only their sealed form is in memory."),
    unset(Telemetry, "otlp_endpoint", "Collector that receives traces over OTLP/gRPC, such as `http://127.0.0.1:4317`; `https://` works, too. Without it, there are no traces."),
    unset(Telemetry, "otlp_ca_cert", "PEM file with the authorities that are trusted to certify the collector. Without it, the public authorities are trusted. Needs `https://`."),
    option(Telemetry, "trace_sample_ratio", "0.01", "Share of traced requests, from 0 to 1, where the caller's `traceparent` does not decide.").live(),
    option(Telemetry, "inspect_one_in", "10000", "Number of answers of which one is compared with the master a moment later, and of changes of which one is watched (`cachefront_answers_older_than_promised_total`). With 0, nothing is inspected.").live(),
    option(Telemetry, "inspect_per_second", "50", "Maximum number of commands per second that the inspection sends to Redis, from 1 to 1000.").live(),
    option(Telemetry, "service_name", "cachefront", "Name of this service in traces."),
    unset(Shard, "master", "Master of the shard, `host:port`. Required unless there are `sentinels`.").live(),
    unset(Shard, "sentinel_master", "Name that the sentinels have for the shard's master. Required where there are `sentinels`."),
    unset(Shard, "replicas", "Replicas of the shard: `host:port`, separated by commas.").live(),
    option(Shard, "weight", "1", "Share of the keys relative to the other shards, from 0.01 to 100. Raise it in steps to let a shard grow.").live(),
    secret(Client, "api_key_hash", "Hash of the client's API key, as `cachefront hash-key` prints it. Several hashes are separated by commas, for the time in which keys are rotated. Required.").live(),
    unset(Client, "namespace", "Prefix of the client's keys in Redis (`namespace:key`). The client reaches no other keys. With `*`, the client may use all keys. Required.").live(),
    unset(Client, "scopes", "Operations that the client may use, separated by commas: `read` (READ, TTL, EXISTS), `write` (WRITE, TOUCH, INCREMENT, RATE_LIMIT), `delete` (DELETE). A READ with `touch` needs `read` and `write`. Required.").live(),
    unset(Client, "commands_per_second", "Number of commands that the client may send per second to each instance; each item of a batch counts. Without it, there is no limit.").live(),
];

/// The options that each `[client:NAME]` has to state. A default would be a permission that nobody gave.
pub const STATED: [&str; 2] = ["namespace", "scopes"];

/// Finds an option by its name in any case.
pub fn find(section: Section, name: &str) -> Option<&'static OptionSpec> {
    OPTIONS.iter().find(|option| option.section == section && option.name.eq_ignore_ascii_case(name))
}
