//! The Redis commands for operations.

use super::{
    operation::{Lifetime, OperationKind},
    scripts,
};
use crate::types::{FullKey, Ttl};
use redis::{Cmd, Pipeline};

/// Number of the arguments of the longest SET, its name included.
const SET_ARGUMENTS_MAX: usize = 6;
/// Bytes of the arguments of the longest SET besides key and value.
const SET_SHORT_BYTES: usize = 32;

/// Returns the Redis command for an operation.
pub fn command(key: &FullKey<'_>, kind: &OperationKind<'_>) -> Cmd {
    let key = key.as_bytes();
    match kind {
        OperationKind::Get(_) => of_key("GET", key),
        OperationKind::TimeLeft(_) => of_key("PTTL", key),
        OperationKind::GetAndTouch(ttl) => {
            let mut command = of_key("GETEX", key);
            match ttl {
                Ttl::Never => command.arg("PERSIST"),
                Ttl::Secs(secs) => command.arg("EX").arg(secs.get()),
            };
            command
        }
        OperationKind::Set { bytes, lifetime, if_absent, .. } => set(key, bytes, *lifetime, *if_absent),
        // UNLINK deletes as DEL does, but frees large values outside Redis's main thread.
        OperationKind::Delete => of_key("UNLINK", key),
        OperationKind::Touch(Ttl::Never) => script(scripts::PERSIST, key),
        OperationKind::Touch(Ttl::Secs(secs)) => {
            let mut command = of_key("EXPIRE", key);
            command.arg(secs.get());
            command
        }
        OperationKind::Increment(increment) => {
            let mut command = script(scripts::INCREMENT, key);
            command
                .arg(increment.by)
                .arg(or_empty(increment.ttl.secs()))
                .arg(or_empty(increment.min))
                .arg(or_empty(increment.max));
            command
        }
        OperationKind::TakeTokens(bucket) => {
            let mut command = script(scripts::TAKE_TOKENS, key);
            command.arg(bucket.interval_us).arg(bucket.interval_us * u64::from(bucket.limit)).arg(bucket.cost);
            command
        }
    }
}

fn of_key(name: &str, key: &[u8]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name).arg(key);
    command
}

fn set(key: &[u8], bytes: &[u8], lifetime: Lifetime, if_absent: bool) -> Cmd {
    let mut command = Cmd::with_capacity(SET_ARGUMENTS_MAX, SET_SHORT_BYTES + key.len() + bytes.len());
    command.arg("SET").arg(key).arg(bytes);
    match lifetime {
        Lifetime::New(Ttl::Never) => {}
        Lifetime::New(Ttl::Secs(secs)) => _ = command.arg("EX").arg(secs.get()),
        Lifetime::Kept => _ = command.arg("KEEPTTL"),
    }
    if if_absent {
        command.arg("NX");
    }
    command
}

/// Returns the command that runs a script on one key.
fn script(text: &str, key: &[u8]) -> Cmd {
    let mut command = Cmd::new();
    command.arg("EVAL").arg(text).arg(1).arg(key);
    command
}

fn or_empty(number: Option<impl ToString>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// Returns a read of a key in the form in which it is sent.
pub fn packed_read(key: &FullKey<'_>, kind: &OperationKind<'_>) -> Vec<u8> {
    if let OperationKind::Get(_) = kind { packed_get(key) } else { command(key, kind).get_packed_command() }
}

/// Returns a GET of a key in the form in which it is sent.
fn packed_get(key: &FullKey<'_>) -> Vec<u8> {
    const BEGIN: &[u8] = b"*2\r\n$3\r\nGET\r\n$";
    let key = key.as_bytes();
    // A length has at most five digits, and each part ends a line.
    let mut packed = Vec::with_capacity(BEGIN.len() + 9 + key.len());
    packed.extend_from_slice(BEGIN);
    packed.extend_from_slice(itoa::Buffer::new().format(key.len()).as_bytes());
    packed.extend_from_slice(b"\r\n");
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
