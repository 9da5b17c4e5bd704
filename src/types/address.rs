//! The address of a Redis node.

use std::{fmt, str::FromStr};

/// The address of a Redis node or a sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The host name or IP address.
    pub host: String,
    /// The TCP port; never 0 in a parsed address.
    pub port: u16,
}

/// The error about a text that is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not an address: write host:port, such as 10.0.0.1:6379")]
pub struct AddressError {
    text: String,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Parses `host:port` or `[ipv6]:port`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| AddressError { text: text.to_owned() })
    }
}

fn parse(text: &str) -> Option<Address> {
    let (host, port) = text.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let port: u16 = port.parse().ok()?;
    let is_valid = !host.is_empty() && port != 0 && !host.contains(|c: char| c.is_whitespace() || c == '/');
    is_valid.then(|| Address { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_round_trip() {
        for text in ["10.0.0.1:6379", "redis-0.redis:6380", "[::1]:6379"] {
            assert_eq!(text.parse::<Address>().map(|a| a.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn texts_that_are_no_addresses_are_refused() {
        for text in
            ["", "redis", "redis:", ":6379", "redis:0", "redis:70000", "::1:6379", "[::1:6379", "a b:1", "redis://a:1"]
        {
            assert!(text.parse::<Address>().is_err(), "{text:?} was parsed as an address");
        }
    }
}
