//! The address of a Redis node.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// The address of a Redis node or a sentinel.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    /// The host name or IP address.
    pub host: String,
    /// The TCP port; never 0 in a parsed address.
    pub port: u16,
}

/// The error about a text that is no address. The message is a sentence about the text, which it shows in quotes, with
/// escapes for what is invisible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The text has another form.
    #[error("{0:?} is not an address: write host:port, such as 10.0.0.1:6379")]
    NotAnAddress(String),
    /// The host has a character that no host name has.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// The error about a text that is neither a host name nor an IP address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The text has a user, and perhaps a password, which the message does not show.
    #[error("an address has no user and no password before an @: write them as username and password")]
    UserInfo,
    /// The text has a character that no host name has.
    #[error(
        "{host:?} is not a host, because of the character {character:?}: write a name or an IP address, without quotes"
    )]
    Character {
        /// The text.
        host: String,
        /// The character.
        character: char,
    },
    /// The text is empty, or longer than a name can be.
    #[error("{0:?} is not a host: a name has 1 to 253 characters")]
    Length(String),
}

/// Longest host name (RFC 1035 §2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Checks that a text is a host name or an IPv4 address. Underscores are allowed, as Docker has them in names.
pub fn check_host(host: &str) -> Result<(), HostError> {
    if host.contains('@') {
        return Err(HostError::UserInfo);
    }
    let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_');
    if let Some(character) = host.chars().find(|character| !is_part(*character)) {
        return Err(HostError::Character { host: host.to_owned(), character });
    }
    if host.is_empty() || host.len() > HOST_BYTES_MAX {
        return Err(HostError::Length(host.to_owned()));
    }
    Ok(())
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
        if text.contains('@') {
            return Err(HostError::UserInfo.into());
        }
        let not_an_address = || AddressError::NotAnAddress(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(not_an_address)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(not_an_address)?;
        if let Some(inner) = host.strip_prefix('[') {
            let ip = inner.strip_suffix(']').filter(|ip| ip.parse::<Ipv6Addr>().is_ok()).ok_or_else(not_an_address)?;
            return Ok(Self { host: ip.to_owned(), port });
        }
        if host.is_empty() || host.contains([':', '/']) {
            return Err(not_an_address());
        }
        check_host(host)?;
        Ok(Self { host: host.to_owned(), port })
    }
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
        for text in [
            "",
            "redis",
            "redis:",
            ":6379",
            "redis:0",
            "redis:70000",
            "::1:6379",
            "[::1:6379",
            "a b:1",
            "redis://a:1",
            "[a]:1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?} was parsed as an address");
        }
    }

    #[test]
    fn a_host_has_no_quotes_no_blanks_and_nothing_invisible() {
        for (text, expected) in [
            ("\"redis\":1", r#""\"redis\"" is not a host, because of the character '"'"#),
            ("'redis':1", r#""'redis'" is not a host, because of the character '\''"#),
            ("a b:1", r#""a b" is not a host, because of the character ' '"#),
            ("red\0is:1", r#""red\0is" is not a host, because of the character '\0'"#),
            ("redis\u{200b}:1", r#""redis\u{200b}" is not a host, because of the character '\u{200b}'"#),
            ("r\u{e9}dis:1", "\"r\u{e9}dis\" is not a host, because of the character '\u{e9}'"),
            ("user:hunter2@redis:1", "an address has no user and no password before an @"),
        ] {
            let error = text.parse::<Address>().expect_err(text).to_string();
            assert!(error.starts_with(expected) && !error.contains("hunter2"), "{error}");
        }
        assert!(format!("{}:1", "a".repeat(254)).parse::<Address>().is_err());
        for text in ["my_redis:1", "redis-0.redis.svc.cluster.local.:1", "xn--rdis-bpa:1"] {
            assert!(text.parse::<Address>().is_ok(), "{text}");
        }
    }
}
