//! Fields that no command has, but that somebody sends who means one: a WRITE with `ttl` would otherwise live for the
//! default time, and nobody would notice.

use crate::{
    api::near_miss::PlainName,
    http::{ErrorCode, Problem},
};
use std::borrow::Cow;

/// The names of all fields of commands, those of READ, WRITE and DELETE first.
pub const KNOWN: [&str; 17] = [
    "command",
    "key",
    "value",
    "expire",
    "encrypt",
    "replicas",
    "consistency",
    "encoding",
    "if_absent",
    "keep_expire",
    "touch",
    "by",
    "min",
    "max",
    "limit",
    "per",
    "cost",
];

/// The names that unknown ones are compared with: READ, WRITE and DELETE ignore unknown fields. Other commands refuse them.
const COMPARED: &[&str] = KNOWN.split_at(11).0;

/// Other words for a field, in the plain form of names, and the advice for whoever sends one of them.
const OTHER_WORDS: [(&str, &[&str]); 12] = [
    ("did you mean `command`?", &["cmd"]),
    ("did you mean `key`?", &["keys", "kye", "keyname"]),
    ("did you mean `value`?", &["val"]),
    (
        "did you mean `expire`?",
        &[
            "ttl",
            "ttls",
            "ttlsec",
            "ttlsecs",
            "ttlseconds",
            "ex",
            "expiration",
            "expirein",
            "expiresin",
            "expireafter",
            "expiresafter",
            "expiretime",
            "expirytime",
            "expirationtime",
            "expiresec",
            "expiresecs",
            "expireseconds",
            "keyexpiresecs",
            "setex",
            "maxage",
            "lifetime",
            "timetolive",
        ],
    ),
    (
        "did you mean `expire`, the seconds to live?",
        &[
            "px",
            "ttlms",
            "expirems",
            "pexpire",
            "psetex",
            "exat",
            "pxat",
            "expireat",
            "expiresat",
            "expirationdate",
            "pexpireat",
        ],
    ),
    ("did you mean `expire`, or the header `request-timeout-ms`?", &["timeout", "timeoutms", "timeoutsecs"]),
    ("did you mean `encrypt`?", &["encrypted", "encryption", "encryptvalue", "encryptvalues", "seal", "sealed"]),
    (
        "did you mean `replicas`?",
        &["wait", "waitreplicas", "waitforreplicas", "numreplicas", "minreplicas", "replicate", "replication"],
    ),
    (
        "did you mean `consistency`?",
        &["consistent", "consistencylevel", "readconsistency", "consistentread", "readfrom", "readpreference"],
    ),
    ("did you mean `encoding`?", &["base64", "encode", "valueencoding"]),
    ("did you mean `if_absent`?", &["nx", "setnx", "onlyifabsent", "ifnotexists"]),
    ("did you mean `keep_expire`?", &["keepttl"]),
];

/// Options that other stores have and this one has not, and what happens here.
const NOT_OFFERED: [(&str, &[&str]); 1] = [(
    "a WRITE replaces whatever is stored, or with `if_absent` nothing",
    &["xx", "ifexists", "ifmatch", "ifnonematch", "cas"],
)];

/// A field that is not known, but is meant to have an effect.
pub struct NearMiss<'a> {
    name: Cow<'a, str>,
    correction: Correction,
}

/// The correction of such a field.
enum Correction {
    /// The known field that the name is close to.
    Spelling(&'static str),
    /// A phrase for the message.
    Phrase(&'static str),
}

impl<'a> NearMiss<'a> {
    /// Returns the near miss that a field with an unknown name is, if it is one.
    pub fn of(name: Cow<'a, str>) -> Option<Self> {
        let plain = PlainName::of(&name)?;
        let phrases = OTHER_WORDS.iter().chain(&NOT_OFFERED);
        let phrase = phrases.into_iter().find(|(_, words)| words.contains(&plain.as_str()));
        let correction = match phrase {
            Some((phrase, _)) => Correction::Phrase(phrase),
            None => Correction::Spelling(plain.close_to(COMPARED)?),
        };
        Some(Self { name, correction })
    }

    /// Returns the problem of a command with this field.
    pub fn problem(&self) -> Problem {
        let name = &self.name;
        let message = match self.correction {
            Correction::Spelling(known) => format!("`{name}` is not a field of a command; did you mean `{known}`?"),
            Correction::Phrase(phrase) => format!("`{name}` is not a field of a command; {phrase}"),
        };
        Problem::new(ErrorCode::UnknownField, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the message about a field with this name, without its beginning; `None` if the field is ignored.
    fn advice(name: &str) -> Option<String> {
        let mut body = Vec::new();
        NearMiss::of(name.into())?.problem().write_item(&mut body);
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["code"], "unknown_field");
        let beginning = format!("`{name}` is not a field of a command; ");
        Some(body["message"].as_str()?.strip_prefix(&beginning).expect("the name comes first").to_owned())
    }

    #[test]
    fn a_field_that_is_meant_to_be_a_known_one_is_refused_with_its_name() {
        for (names, known) in [
            (&["Command", "cmd", "comand"][..], "command"),
            (&["Key", "KEY", "keys"], "key"),
            (&["Value", "val", "values"], "value"),
            (&["ttl", "TTL", "ttl_secs", "ex", "EX", "expires", "expiry", "expires_in", "max-age", "maxAge"], "expire"),
            (&["encrypted", "Encrypt", "encryption", "sealed"], "encrypt"),
            (&["replica", "wait", "min_replicas"], "replicas"),
            (&["consistencies", "Consistent", "consistancy"][1..], "consistency"),
            (&["Encoding", "base64"], "encoding"),
            (&["nx", "NX", "ifAbsent", "if_not_exists", "setnx"], "if_absent"),
            (&["keepttl", "keepExpire"], "keep_expire"),
            (&["Touch"], "touch"),
        ] {
            for name in names {
                assert_eq!(advice(name), Some(format!("did you mean `{known}`?")), "{name}");
            }
        }
        for name in ["px", "expire_at", "expiresAt", "ttl_ms"] {
            assert_eq!(advice(name).as_deref(), Some("did you mean `expire`, the seconds to live?"), "{name}");
        }
    }

    #[test]
    fn an_option_that_there_is_not_is_refused_with_what_happens_instead() {
        for name in ["xx", "if_exists", "If-None-Match", "cas"] {
            let instead = "a WRITE replaces whatever is stored, or with `if_absent` nothing";
            assert_eq!(advice(name).as_deref(), Some(instead), "{name}");
        }
    }

    #[test]
    fn other_fields_are_ignored() {
        for name in [
            "",
            "id",
            "type",
            "comment",
            "trace",
            "traceparent",
            "tags",
            "version",
            "client",
            "source",
            "decrypt",
            "user",
            "meta",
            "timestamp",
            "note",
            "namespace",
            "limits",
            "costs",
            "a name of more than 24 bytes",
            "ключ",
        ] {
            assert_eq!(advice(name), None, "{name}");
        }
    }

    #[test]
    fn the_words_are_in_their_plain_form_and_occur_once() {
        let mut words: Vec<_> = OTHER_WORDS.iter().chain(&NOT_OFFERED).flat_map(|(_, words)| *words).collect();
        for word in &words {
            assert_eq!(PlainName::of(word).expect("a short name").as_str(), **word);
            assert!(!KNOWN.contains(word), "{word}");
        }
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count, "{words:?}");
    }
}
