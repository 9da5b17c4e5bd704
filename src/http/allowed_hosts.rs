//! The names under which a port may be asked. They protect a port without a login from pages of other origins.
//!
//! A page can give its own name the address of this machine (DNS rebinding), so that its scripts may read what the port
//! answers. The browser then sends the name of the page in `Host`.

use axum::{
    extract::Request,
    http::{header::HOST, uri::Authority},
};
use std::net::{IpAddr, Ipv6Addr};

/// Ends of names that nobody can register: of this machine (RFC 6761), of private networks, and of Kubernetes.
const PRIVATE_ENDS: [&str; 4] = [".localhost", ".internal", ".svc", ".cluster.local"];

/// The names that are allowed besides those that no page can have: IP addresses, names without a dot, and private names.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    /// The names, in lower case.
    names: Vec<String>,
}

impl AllowedHosts {
    /// Allows these names; `*` allows all.
    pub fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| name.trim_end_matches('.').to_ascii_lowercase()).collect() }
    }

    /// Returns true if the request may be answered. A request without a host is not from a browser.
    pub fn allow(&self, request: &Request) -> bool {
        let Some(host) = request.headers().get(HOST) else {
            return request.uri().host().is_none_or(|host| self.contains(host));
        };
        let authority = host.to_str().ok().and_then(|text| text.parse::<Authority>().ok());
        authority.is_some_and(|authority| self.contains(authority.host()))
    }

    fn contains(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_address = host.parse::<IpAddr>().is_ok()
            || host
                .strip_prefix('[')
                .and_then(|host| host.strip_suffix(']'))
                .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok());
        is_address
            || !host.contains('.')
            || PRIVATE_ENDS.iter().any(|end| host.ends_with(end))
            || self.names.iter().any(|name| *name == host || name == "*")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;

    fn allow(hosts: &AllowedHosts, host: &str) -> bool {
        hosts.allow(&Request::builder().uri("/console").header(HOST, host).body(Body::empty()).expect("a request"))
    }

    #[test]
    fn names_that_a_page_can_have_are_allowed_only_where_they_are_listed() {
        let (none, listed) = (AllowedHosts::default(), AllowedHosts::new(&["Cache.Example.com".to_owned()]));
        for host in [
            "127.0.0.1:9091",
            "10.1.2.3",
            "[::1]:9091",
            "localhost:9091",
            "LOCALHOST.",
            "cachefront:9091",
            "cachefront-0.cachefront.default.svc.cluster.local:9091",
            "cachefront.default.svc",
            "node-1.c.project.internal",
        ] {
            assert!(allow(&none, host), "{host}");
        }
        for host in [
            "evil.example:9091",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "a.svc.example",
            "cache.example.com",
        ] {
            assert!(!allow(&none, host), "{host}");
        }
        assert!(allow(&listed, "cache.example.com:9091") && !allow(&listed, "x.cache.example.com"));
        assert!(allow(&AllowedHosts::new(&["*".to_owned()]), "evil.example"));
        let request = |uri: &str| Request::builder().uri(uri).body(Body::empty()).expect("a request");
        assert!(none.allow(&request("/readyz")) && !none.allow(&request("http://evil.example/readyz")));
    }
}
