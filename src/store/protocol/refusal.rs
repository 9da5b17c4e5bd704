//! The reasons for which Redis refuses a command, read from the first word of its error.

use super::{hash_slots::SLOTS, server_text::is_host};
use crate::types::Address;
use std::fmt;

/// Maximum number of characters of a code.
const CODE_CHARS_MAX: usize = 24;

/// The reason for which Redis refused a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerRefusal {
    /// `READONLY`: the node is a replica and accepts no writes.
    ReadOnly,
    /// `LOADING`: the node is reading its data from a file.
    Loading,
    /// `MASTERDOWN`: the node is a replica that has lost its master and is set up to answer no reads then.
    MasterDown,
    /// `CLUSTERDOWN`: the Redis Cluster is down, or no node serves the slot.
    ClusterDown,
    /// `TRYAGAIN`: the slot is moving, and some of the keys are on the other node.
    TryAgain,
    /// `MOVED`: another node has the slot; `None` if Redis does not name it.
    Moved(Option<SlotTarget>),
    /// `ASK`: another node is to be asked for this key, this time; `None` if Redis does not name it.
    Ask(Option<SlotTarget>),
    /// `WRONGTYPE`: the key holds a list, a hash, a set or the like.
    WrongType,
    /// `OOM`: the node has reached its limit of memory.
    OutOfMemory,
    /// `NOPERM`: the user may not run the command.
    NoPermission,
    /// `ERR`: the command is unknown, or any other error without a code of its own.
    Generic,
    /// Another code.
    Other(String),
}

impl ServerRefusal {
    /// Reads the code of an error and, for a redirection, its target from the rest of the error.
    pub fn parse(code: &str, detail: &str) -> Self {
        match code {
            "READONLY" => Self::ReadOnly,
            "LOADING" => Self::Loading,
            "MASTERDOWN" => Self::MasterDown,
            "CLUSTERDOWN" => Self::ClusterDown,
            "TRYAGAIN" => Self::TryAgain,
            "MOVED" => Self::Moved(SlotTarget::parse(detail)),
            "ASK" => Self::Ask(SlotTarget::parse(detail)),
            "WRONGTYPE" => Self::WrongType,
            "OOM" => Self::OutOfMemory,
            "NOPERM" => Self::NoPermission,
            other if other != "ERR" && is_code(other) => Self::Other(other.to_owned()),
            _ => Self::Generic,
        }
    }

    /// Returns true if the node certainly did not run the command, so that another node may run it.
    pub fn did_not_run(&self) -> bool {
        matches!(self, Self::ReadOnly | Self::Loading | Self::MasterDown) || self.is_redirection()
    }

    /// Returns true if a node of a Redis Cluster refused because another node has the slot, or no node has it now.
    pub fn is_redirection(&self) -> bool {
        self.names_a_node() || matches!(self, Self::TryAgain | Self::ClusterDown)
    }

    /// Returns true if a node of a Redis Cluster refused because another node is to be asked.
    pub fn names_a_node(&self) -> bool {
        matches!(self, Self::Moved(_) | Self::Ask(_))
    }

    /// Returns the code as Redis writes it.
    pub fn code(&self) -> &str {
        match self {
            Self::ReadOnly => "READONLY",
            Self::Loading => "LOADING",
            Self::MasterDown => "MASTERDOWN",
            Self::ClusterDown => "CLUSTERDOWN",
            Self::TryAgain => "TRYAGAIN",
            Self::Moved(_) => "MOVED",
            Self::Ask(_) => "ASK",
            Self::WrongType => "WRONGTYPE",
            Self::OutOfMemory => "OOM",
            Self::NoPermission => "NOPERM",
            Self::Generic => "ERR",
            Self::Other(code) => code,
        }
    }
}

/// Returns true if a word has the form of a code. A proxy may answer with a sentence that begins with another word.
pub fn is_code(word: &str) -> bool {
    word.len() <= CODE_CHARS_MAX && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

impl fmt::Display for ServerRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The slot and the node that a redirection names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTarget {
    /// The slot of the key. It is below [`SLOTS`].
    pub slot: u16,
    /// The host of the node; `None` for the host of the node that redirects.
    host: Option<String>,
    /// The port of the node.
    port: u16,
}

impl SlotTarget {
    /// Reads `3999 127.0.0.1:6381`. Returns `None` for the unknown host `?`, which cannot be followed, and for what
    /// Redis does not write.
    fn parse(detail: &str) -> Option<Self> {
        let (slot, address) = detail.split_once(' ')?;
        let slot = slot.parse().ok().filter(|slot| *slot < SLOTS)?;
        let (host, port) = address.trim().rsplit_once(':')?;
        let port = port.parse().ok().filter(|port| *port > 0)?;
        let host = match host {
            "" => None,
            named if is_host(named) => Some(named.to_owned()),
            _ => return None,
        };
        Some(Self { slot, host, port })
    }

    /// Returns the address of the node; `from` is the node that redirects.
    pub fn address(&self, from: &Address) -> Address {
        Address { host: self.host.as_ref().unwrap_or(&from.host).clone(), port: self.port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(detail: &str) -> Option<(u16, Address)> {
        let from = Address { host: "asked".to_owned(), port: 1 };
        SlotTarget::parse(detail).map(|target| (target.slot, target.address(&from)))
    }

    #[test]
    fn the_target_of_a_redirection_is_read_as_redis_writes_it() {
        for (detail, host) in [
            ("3999 127.0.0.1:6381", "127.0.0.1"),
            ("3999 2001:db8::1:6381", "2001:db8::1"),
            ("3999 :6381", "asked"),
            ("3999 b.example:6381", "b.example"),
        ] {
            assert_eq!(target(detail), Some((3999, Address { host: host.to_owned(), port: 6381 })), "{detail:?}");
        }
        for detail in ["", "3999", "3999 b", "3999 ?:6381", "16384 b:6381", "3999 b\u{1b}:6381", "3999 b:0", "-1 b:1"] {
            assert_eq!(target(detail), None, "{detail:?}");
        }
    }

    #[test]
    fn a_code_is_written_as_it_was_read() {
        for code in [
            "READONLY",
            "LOADING",
            "MASTERDOWN",
            "CLUSTERDOWN",
            "TRYAGAIN",
            "MOVED",
            "ASK",
            "WRONGTYPE",
            "OOM",
            "NOPERM",
            "ERR",
            "BUSY",
        ] {
            assert_eq!(ServerRefusal::parse(code, "").code(), code);
        }
    }

    #[test]
    fn a_redirected_command_did_not_run() {
        for code in ["MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"] {
            let refusal = ServerRefusal::parse(code, "3999 ?:6381");
            assert!(refusal.is_redirection() && refusal.did_not_run(), "{code}");
        }
        for code in ["OOM", "WRONGTYPE", "NOPERM", "ERR", "BUSY"] {
            assert!(!ServerRefusal::parse(code, "").did_not_run(), "{code}");
        }
    }
}
