//! Raw texts → [`Settings`], or everything that is wrong with them.

use super::{
    Auth, Client, LogFormat, Problems, Redis, RedisTls, Sealing, Service, Settings, Shard, api_keys,
    layers::Found,
    log_filter,
    options::Section,
    read::Reader,
    secrets::{self, JWT_SECRET_BYTES_MIN, SHARED_SECRET_CHARS_MIN},
};
use crate::types::{Address, Namespace, Scopes, Ttl};
use secrecy::{ExposeSecret, SecretBox, SecretString};
use std::{cell::RefCell, collections::HashMap, net::Ipv6Addr, num::NonZeroU32, path::Path};

/// One day.
const SECS_MAX: i64 = 86_400;
const BYTES_MAX: i64 = 512 * 1024 * 1024;

/// Checks all that was found in the file at `path` and in the environment.
pub fn check(mut found: Found, path: &Path) -> Result<Settings, Problems> {
    let problems = RefCell::new(std::mem::take(&mut found.problems));
    // A problem with the file as such makes everything seem absent: the rest would be noise.
    if found.sections.is_empty() && !problems.borrow().is_empty() {
        return Err(Problems {
            file: path.display().to_string(),
            problems: problems.into_inner(),
            tls_files: Vec::new(),
        });
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let reader = |kind, title| Reader::new(&found, &problems, kind, title, folder);
    let redis = reader(Section::Redis, "redis");
    let service = reader(Section::Service, "service");
    let mut notices = ignored_options(&found);
    refuse_short_deadline(&service, &redis);
    let settings = Settings {
        auth: auth(&service, clients(&found, &reader), &mut notices),
        sealing: sealing(&service),
        shards: shards(&found, &redis, &reader),
        default_ttl: default_ttl(&redis),
        redis: redis_settings(&redis),
        service: service_settings(&service),
        notices,
    };
    let section_of = |client: &str| {
        let titles = titles(&found, Section::Client);
        titles.into_iter().find(|(_, name)| *name == client).map(|(title, _)| reader(Section::Client, title))
    };
    api_keys::refuse_shared(&settings.auth.clients, section_of);
    match problems.into_inner() {
        none if none.is_empty() => Ok(settings),
        problems => {
            let Service { tls_cert, tls_key, .. } = settings.service;
            let tls_files = vec![("TLS_CERT", tls_cert), ("TLS_KEY", tls_key)];
            Err(Problems { file: path.display().to_string(), problems, tls_files })
        }
    }
}

fn service_settings(service: &Reader<'_>) -> Service {
    let settings = Service {
        host: service.ip("HOST"),
        port: service.port("PORT", 0),
        admin_host: service.ip("ADMIN_HOST"),
        admin_port: service.port("ADMIN_PORT", 0),
        tls_cert: service.path("TLS_CERT").unwrap_or_default(),
        tls_key: service.path("TLS_KEY").unwrap_or_default(),
        deadline: service.duration("REQUEST_DEADLINE_MS", 1..=60_000),
        body_bytes_max: service.size("BODY_BYTES_MAX", 1024..=BYTES_MAX),
        value_bytes_max: service.size("VALUE_BYTES_MAX", 1..=BYTES_MAX),
        bodies_bytes_max: service.size("BODIES_BYTES_MAX", 1024..=1024 * BYTES_MAX),
        connections_max: service.size("CONNECTIONS_MAX", 1..=1_000_000),
        idle_timeout: service.duration("IDLE_TIMEOUT_SECS", 1..=SECS_MAX),
        drain: service.duration("DRAIN_SECS", 0..=3600),
        log_format: service.choice("LOG_FORMAT", &[("human", LogFormat::Human), ("json", LogFormat::Json)]),
        log_level: log_filter::parse(service.text("LOG_LEVEL").unwrap_or_default()).unwrap_or_else(|message| {
            service.refuse("LOG_LEVEL", message);
            String::new()
        }),
    };
    if settings.bodies_bytes_max < settings.body_bytes_max {
        service.refuse("BODIES_BYTES_MAX", "is less than BODY_BYTES_MAX, so the largest body would never fit");
    }
    if settings.port != 0 && settings.port == settings.admin_port {
        service.refuse("ADMIN_PORT", format!("{} is the port of the service itself; choose another", settings.port));
    }
    settings
}

/// A node that hangs takes a whole attempt; only what is left then can go to the next one.
fn refuse_short_deadline(service: &Reader<'_>, redis: &Reader<'_>) {
    // What is no number is refused where it is read.
    let number = |reader: &Reader<'_>, option: &str| reader.text(option)?.parse::<u32>().ok().filter(|ms| *ms > 0);
    if let (Some(deadline), Some(attempt)) =
        (number(service, "REQUEST_DEADLINE_MS"), number(redis, "attempt_timeout_ms"))
        && deadline <= attempt
    {
        service.refuse(
            "REQUEST_DEADLINE_MS",
            format!("{deadline} is not more than attempt_timeout_ms ({attempt}): when a node hangs, no time would be left to ask another"),
        );
    }
}

fn redis_settings(redis: &Reader<'_>) -> Redis {
    redis.refuse_empty("tls", "write true or false");
    let tls = redis.flag("tls");
    for option in ["ca_cert", "client_cert", "client_key"] {
        if !tls && redis.text(option).is_some() {
            redis.refuse(option, "has no effect without tls=true");
        }
    }
    let tls = tls.then(|| RedisTls { ca_cert: redis.file("ca_cert"), client: client_certificate(redis) });
    if redis.text("username").is_some() && redis.text("password").is_none() {
        redis.refuse("password", "is needed by the username");
    }
    Redis {
        username: redis.text("username").map(str::to_owned),
        password: redis.text("password").map(SecretString::from),
        db: redis.number("db", 0..=65_535),
        tls,
        connections_per_node: redis.size("connections_per_node", 1..=64),
        connect_timeout: redis.duration("connect_timeout_ms", 1..=60_000),
        attempt_timeout: redis.duration("attempt_timeout_ms", 1..=60_000),
        probe_every: redis.duration("probe_every_ms", 10..=60_000),
        in_flight_max: redis.size("in_flight_max", 1..=1_000_000),
    }
}

fn client_certificate(redis: &Reader<'_>) -> Option<(Vec<u8>, SecretBox<Vec<u8>>)> {
    match (redis.text("client_cert").is_some(), redis.text("client_key").is_some()) {
        (true, false) => redis.refuse("client_key", "is needed by client_cert"),
        (false, true) => redis.refuse("client_cert", "is needed by client_key"),
        _ => {}
    }
    Some((redis.file("client_cert")?, SecretBox::new(Box::new(redis.file("client_key")?))))
}

fn default_ttl(redis: &Reader<'_>) -> Ttl {
    let secs = redis.number("key_expire_secs", i64::MIN..=i64::from(u32::MAX));
    Ttl::from_secs(secs).unwrap_or_else(|| {
        redis.refuse("key_expire_secs", format!("{secs} is more than {} (100 years)", crate::types::TTL_SECS_MAX));
        Ttl::Never
    })
}

fn shards<'a>(found: &'a Found, redis: &Reader<'_>, reader: &impl Fn(Section, &'a str) -> Reader<'a>) -> Vec<Shard> {
    let named = titles(found, Section::Shard);
    let shards: Vec<Shard> = if named.is_empty() {
        vec![Shard {
            name: "main".to_owned(),
            weight: 1,
            master: only_master(redis),
            replicas: redis.addresses("replicas"),
        }]
    } else {
        for option in ["host", "port", "replicas"].into_iter().filter(|option| redis.is_set(option)) {
            redis.refuse(
                option,
                "is not allowed beside [shard:NAME] sections: give each shard its own master and replicas",
            );
        }
        named.into_iter().map(|(title, name)| shard(&reader(Section::Shard, title), name)).collect()
    };
    refuse_doubles(&shards, redis);
    shards
}

/// The master of the only shard: `host` and `port`, an IPv6 address also without brackets.
fn only_master(redis: &Reader<'_>) -> Address {
    let (host, port) = (redis.text("host").unwrap_or_default(), redis.port("port", 1));
    let text = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    text.parse().unwrap_or_else(|_: String| {
        redis.refuse("host", format!("\"{host}\" is not a host: write its name or IP address, and its port as port"));
        nowhere()
    })
}

fn shard(section: &Reader<'_>, name: &str) -> Shard {
    check_name(section, name, "master");
    let master = if let Some(text) = section.text("master") {
        parse_address(section, "master", text)
    } else {
        section.refuse("master", "is missing: write host:port");
        nowhere()
    };
    let weight = u32::try_from(section.number("weight", 1..=100)).unwrap_or(1);
    Shard { name: name.to_owned(), weight, master, replicas: section.addresses("replicas") }
}

/// A node belongs to one shard and has one part in it.
fn refuse_doubles(shards: &[Shard], redis: &Reader<'_>) {
    let mut seen: HashMap<&Address, &str> = HashMap::new();
    for shard in shards {
        for address in std::iter::once(&shard.master).chain(&shard.replicas).filter(|address| **address != nowhere()) {
            if let Some(other) = seen.insert(address, &shard.name) {
                let places = if other == shard.name {
                    format!("twice in shard \"{other}\"")
                } else {
                    format!("in shard \"{other}\" and in shard \"{}\"", shard.name)
                };
                redis.refuse("replicas", format!("{address} stands {places}"));
            }
        }
    }
}

fn clients<'a>(found: &'a Found, reader: &impl Fn(Section, &'a str) -> Reader<'a>) -> Vec<Client> {
    titles(found, Section::Client)
        .into_iter()
        .map(|(title, name)| client(&reader(Section::Client, title), name))
        .collect()
}

fn client(section: &Reader<'_>, name: &str) -> Client {
    check_name(section, name, "api_key_hash");
    let mut api_key_hashes = Vec::new();
    for text in section.list("api_key_hash") {
        match secrets::parse_api_key_hash(text) {
            Some(hash) => api_key_hashes.push(hash),
            None => section.refuse(
                "api_key_hash",
                "is not a hash: paste what `cachefront hash-key` prints, sha256: and 64 hex digits",
            ),
        }
    }
    if section.text("api_key_hash").is_none() {
        section.refuse("api_key_hash", "is missing: `cachefront hash-key` makes a key and its hash");
    }
    section.refuse_empty("scopes", "list those of read, write, delete that the client may");
    let scopes = Scopes::parse(&section.text("scopes").unwrap_or_default().replace('\n', " ")).unwrap_or_else(|word| {
        section.refuse("scopes", format!("\"{word}\" is none of: read, write, delete"));
        Scopes::ALL
    });
    if scopes.is_empty() {
        section.refuse("scopes", "grants nothing: list those of read, write, delete that the client may");
    }
    section.refuse_empty("namespace", "give the client one of its own");
    let namespace = section.text("namespace").and_then(|text| {
        let namespace = Namespace::new(text);
        if namespace.is_none() {
            section.refuse(
                "namespace",
                format!("\"{text}\" is not a namespace: up to 64 letters, digits, \".\", \"_\" or \"-\""),
            );
        }
        namespace
    });
    let limit = section.is_set("commands_per_second").then(|| section.number("commands_per_second", 1..=10_000_000));
    let commands_per_second = limit.and_then(|limit| NonZeroU32::new(u32::try_from(limit).ok()?));
    Client { id: name.to_owned(), any_client_id: false, api_key_hashes, scopes, namespace, commands_per_second }
}

fn auth(service: &Reader<'_>, mut clients: Vec<Client>, notices: &mut Vec<String>) -> Auth {
    let jwt_secret = service.text("JWT_SECRET_KEY").unwrap_or_default();
    if jwt_secret.is_empty() {
        service.refuse("JWT_SECRET_KEY", "is missing: make one with `openssl rand -base64 48`");
    } else if secrets::is_placeholder(jwt_secret) {
        service.refuse("JWT_SECRET_KEY", "is a placeholder: make one with `openssl rand -base64 48`");
    } else if jwt_secret.len() < JWT_SECRET_BYTES_MIN {
        service.refuse(
            "JWT_SECRET_KEY",
            format!(
                "has {} bytes; at least {JWT_SECRET_BYTES_MIN} are needed: make one with `openssl rand -base64 48`",
                jwt_secret.len()
            ),
        );
    }
    let identity = service.text("IDENTITY").unwrap_or_default();
    let shared = shared_secret(service, identity, notices);
    if shared.is_some() && clients.iter().any(|client| client.id == identity) {
        service.refuse(
            "IDENTITY",
            format!("\"{identity}\" is also the name of a [client:NAME] section; name one of them otherwise"),
        );
    }
    clients.extend(shared);
    if clients.is_empty() {
        service.refuse("SRVC_SHARED_SECRET", "is missing, and there is no [client:NAME] section: nobody could log in");
    }
    Auth {
        jwt_secret: SecretString::from(jwt_secret),
        token_life: service.duration("JWT_EXPIRE_SECS", 1..=SECS_MAX * 365),
        clients,
    }
}

/// The client that the shared secret stands for.
fn shared_secret(service: &Reader<'_>, identity: &str, notices: &mut Vec<String>) -> Option<Client> {
    let Some(secret) = service.text("SRVC_SHARED_SECRET") else {
        if service.is_set("SRVC_SHARED_SECRET") {
            service.refuse(
                "SRVC_SHARED_SECRET",
                "is empty: set one, or remove the option where every client has its own section",
            );
        }
        return None;
    };
    if secrets::is_placeholder(secret) {
        service.refuse("SRVC_SHARED_SECRET", "is a placeholder: make one with `openssl rand -base64 24`");
    } else if secret.chars().count() < SHARED_SECRET_CHARS_MIN {
        notices.push(format!("SRVC_SHARED_SECRET has fewer than {SHARED_SECRET_CHARS_MIN} characters and could be guessed: make a longer one with `openssl rand -base64 24`"));
    }
    Some(Client {
        id: identity.to_owned(),
        any_client_id: true,
        api_key_hashes: vec![secrets::digest_api_key(secret)],
        scopes: Scopes::ALL,
        namespace: None,
        commands_per_second: None,
    })
}

fn sealing(service: &Reader<'_>) -> Sealing {
    service.refuse_empty("ENCRYPT_VALUES", "write on_request or always");
    let always = service.choice("ENCRYPT_VALUES", &[("on_request", false), ("always", true)]);
    let keys: Vec<_> = service
        .list("ENCRYPTION_KEY")
        .into_iter()
        .enumerate()
        .filter_map(|(position, text)| sealing_key(service, position + 1, text))
        .collect();
    if service.is_set("ENCRYPTION_KEY") && service.text("ENCRYPTION_KEY").is_none() {
        service.refuse("ENCRYPTION_KEY", "is empty: give a key or a key file, or remove the option");
    } else if always && service.text("ENCRYPTION_KEY").is_none() {
        service.refuse(
            "ENCRYPTION_KEY",
            "is missing, and ENCRYPT_VALUES=always needs one: make it with `openssl rand -hex 32`",
        );
    }
    Sealing { keys, always }
}

/// The key itself, or what the file of that name holds. A text that is neither is shown to nobody: it may be a key.
fn sealing_key(service: &Reader<'_>, number: usize, text: &str) -> Option<SecretBox<[u8; 32]>> {
    let refuse = |what: &str| {
        service.refuse(
            "ENCRYPTION_KEY",
            format!("entry {number} {what}; a key is 32 bytes in base64 or hex, such as `openssl rand -hex 32` makes"),
        );
        None
    };
    let path = service.locate(text);
    let given = secrets::parse_sealing_key(text).map(|key| Ok(Some(key)));
    match given.unwrap_or_else(|| std::fs::read_to_string(&path).map(|content| secrets::parse_sealing_key(&content))) {
        Ok(Some(key)) if secrets::is_placeholder_key(key.expose_secret()) => {
            refuse("is a placeholder, one byte 32 times")
        }
        Ok(Some(key)) => Some(key),
        Ok(None) => refuse("names a file that holds no key"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            refuse("is neither a key nor the name of a file that is there")
        }
        Err(_) => refuse("names a file that cannot be read"),
    }
}

fn ignored_options(found: &Found) -> Vec<String> {
    let ignored = super::options::OPTIONS.iter().filter(|option| option.ignored);
    ignored
        .filter(|option| {
            found
                .sections
                .get(option.section.title())
                .is_some_and(|section| section.contains_key(&option.name.to_ascii_lowercase()))
        })
        .map(|option| format!("[{}] {} has no effect here and can be removed", option.section.title(), option.name))
        .collect()
}

/// Titles of a kind of section, with the name in each.
fn titles(found: &Found, kind: Section) -> Vec<(&str, &str)> {
    let prefix = kind.prefix().unwrap_or_default();
    found.sections.keys().filter_map(|title| Some((title.as_str(), title.strip_prefix(prefix)?))).collect()
}

fn check_name(section: &Reader<'_>, name: &str, option: &str) {
    let valid = name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if !valid {
        section.refuse(option, format!("\"{name}\" is not a name: up to 64 letters, digits, \".\", \"_\" or \"-\""));
    }
}

fn parse_address(section: &Reader<'_>, option: &str, text: &str) -> Address {
    text.parse().unwrap_or_else(|error: String| {
        section.refuse(option, error);
        nowhere()
    })
}

/// Stands in for an address that was refused; no settings leave here with it.
fn nowhere() -> Address {
    Address { host: String::new(), port: 0 }
}
