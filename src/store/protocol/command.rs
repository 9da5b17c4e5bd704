//! The Redis commands for operations.

use super::operation::OperationKind;
use crate::types::{FullKey, Ttl};
use redis::{Cmd, Pipeline};
use std::io::Write;

/// Returns the Redis command for an operation.
pub fn command(key: &FullKey<'_>, kind: &OperationKind<'_>) -> Cmd {
    let mut command = Cmd::new();
    match kind {
        OperationKind::Get(_) => command.arg("GET").arg(key.as_bytes()),
        // UNLINK deletes as DEL does, but frees large values outside Redis's main thread.
        OperationKind::Delete => command.arg("UNLINK").arg(key.as_bytes()),
        OperationKind::Set { bytes, ttl, .. } => {
            command.arg("SET").arg(key.as_bytes()).arg(bytes.as_ref());
            match ttl {
                Ttl::Never => &mut command,
                Ttl::Secs(secs) => command.arg("EX").arg(secs.get()),
            }
        }
    };
    command
}

/// Returns a GET of a key in the form in which it is sent.
pub fn packed_get(key: &FullKey<'_>) -> Vec<u8> {
    const BEGIN: &[u8] = b"*2\r\n$3\r\nGET\r\n$";
    let key = key.as_bytes();
    // A length has at most five digits, and each part ends a line.
    let mut packed = Vec::with_capacity(BEGIN.len() + 9 + key.len());
    packed.extend_from_slice(BEGIN);
    // Memory takes all that is written.
    let _written = write!(packed, "{}\r\n", key.len());
    packed.extend_from_slice(key);
    packed.extend_from_slice(b"\r\n");
    packed
}

/// Adds the question whether the node is a master: a replica refuses `WAIT`, and a master answers this one at once.
pub fn ask_for_role(commands: &mut Pipeline) {
    commands.cmd("WAIT").arg(0).arg(0);
}

/// Returns three commands: the request to track the next key, a GET of the key, and a PTTL of it.
pub fn tracked_get(key: &FullKey<'_>) -> Pipeline {
    let mut pipeline = Pipeline::with_capacity(3);
    pipeline.cmd("CLIENT").arg("CACHING").arg("YES");
    pipeline.cmd("GET").arg(key.as_bytes()).cmd("PTTL").arg(key.as_bytes());
    pipeline
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{store::consistency::Freshness, types::Key};

    #[test]
    fn a_packed_get_is_what_redis_rs_packs() {
        for name in ["k".to_owned(), "ä key".to_owned(), "k".repeat(512)] {
            let key = Key::new(name.into()).expect("a key");
            let key = key.within(None);
            let packed = command(&key, &OperationKind::Get(Freshness::ReadYourWrites)).get_packed_command();
            assert_eq!(packed_get(&key), packed);
        }
    }
}
