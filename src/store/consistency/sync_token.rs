//! Tokens that carry read-your-writes from one instance to another.
//!
//! A token names an instance and a time of that instance's clock: everything that its bearer had acknowledged lies
//! before this time. The instance itself knows the meaning of the time. Another instance knows only that the time had
//! passed when it first saw a token with that time or a later one, and uses its own time of that sighting: no clocks
//! have to agree. A bearer sends its token to every instance, and each token that an instance returns covers
//! everything that the received one covers. So one instance and one time are enough.

mod sightings;

use super::{
    clock::{Clock, LogicalTime},
    requirement::Freshness,
};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use sightings::Sightings;
use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// Number of instances whose tokens are remembered. An instance that was restarted counts as another one.
const INSTANCES_MAX: usize = 256;
/// Number of bytes of the signature in a token.
const SIGNATURE_BYTES: usize = 8;

/// A token that a caller is given and sends with later requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncToken {
    instance: u64,
    time: LogicalTime,
    signature: [u8; SIGNATURE_BYTES],
}

/// The text is not a sync token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not a sync token")]
pub struct InvalidSyncToken;

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{:x}.{:016x}", self.instance, self.time.ms(), u64::from_be_bytes(self.signature))
    }
}

impl FromStr for SyncToken {
    type Err = InvalidSyncToken;

    fn from_str(text: &str) -> Result<Self, InvalidSyncToken> {
        let parts: Vec<&str> = text.split('.').collect();
        let [instance, ms, signature] = parts[..] else { return Err(InvalidSyncToken) };
        Ok(Self {
            instance: parse_hex(instance)?,
            time: LogicalTime::from_ms(parse_hex(ms)?),
            signature: parse_hex(signature)?.to_be_bytes(),
        })
    }
}

fn parse_hex(text: &str) -> Result<u64, InvalidSyncToken> {
    if text.starts_with('+') {
        return Err(InvalidSyncToken);
    }
    u64::from_str_radix(text, 16).map_err(|_| InvalidSyncToken)
}

/// The key that signs sync tokens. All instances have the same one.
#[derive(Clone)]
pub struct SyncTokenKey(hmac::Key);

impl SyncTokenKey {
    /// Creates the key from secret bytes that serve no other purpose.
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    fn sign(&self, instance: u64, time: LogicalTime) -> SyncToken {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&instance.to_be_bytes());
        message[8..].copy_from_slice(&time.ms().to_be_bytes());
        let tag = hmac::sign(&self.0, &message);
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(&tag.as_ref()[..SIGNATURE_BYTES]);
        SyncToken { instance, time, signature }
    }
}

/// Issues sync tokens, and translates them to the freshness that reads need.
pub struct SyncTokens {
    clock: Clock,
    instance: u64,
    key: ArcSwap<SyncTokenKey>,
    /// The tokens of other instances that were seen, by instance.
    sightings: Mutex<HashMap<u64, Sightings>>,
}

impl SyncTokens {
    /// Creates the issuer of the instance with this random number. The bearer of a token that was signed with another
    /// key reads from masters.
    pub fn new(clock: Clock, instance: u64, key: SyncTokenKey) -> Self {
        Self { clock, instance, key: ArcSwap::from_pointee(key), sightings: Mutex::default() }
    }

    /// Changes the key: from now on tokens are signed and checked with this one.
    pub fn set_key(&self, key: SyncTokenKey) {
        self.key.store(Arc::new(key));
    }

    /// Returns a token that covers everything acknowledged until now.
    pub fn token(&self) -> SyncToken {
        // A change is recorded with a time that is one millisecond after the clock's.
        self.sign(self.clock.now().plus_ms(1))
    }

    /// Returns a token that covers nothing.
    pub fn empty_token(&self) -> SyncToken {
        self.sign(LogicalTime::ZERO)
    }

    /// Returns the freshness that a read needs to show everything that the token covers.
    pub fn freshness(&self, token: &SyncToken) -> Freshness {
        if token.time == LogicalTime::ZERO {
            return Freshness::ReadYourWrites;
        }
        if token.signature != self.key.load().sign(token.instance, token.time).signature {
            return Freshness::Master;
        }
        if token.instance == self.instance {
            return Freshness::Since(token.time);
        }
        Freshness::Since(self.first_seen_at(token))
    }

    /// Returns a time of this instance by which the token's time had passed.
    fn first_seen_at(&self, token: &SyncToken) -> LogicalTime {
        // Both instances know their times to the millisecond only.
        let now = self.clock.now().plus_ms(2);
        let mut instances = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        if instances.len() >= INSTANCES_MAX && !instances.contains_key(&token.instance) {
            // The tokens of a removed instance will count as seen for the first time, which is on the safe side.
            let longest_unseen = instances.iter().min_by_key(|(_, sightings)| sightings.last()).map(|(id, _)| *id);
            if let Some(longest_unseen) = longest_unseen {
                instances.remove(&longest_unseen);
            }
        }
        instances.entry(token.instance).or_default().first(token.time, now)
    }

    fn sign(&self, time: LogicalTime) -> SyncToken {
        self.key.load().sign(self.instance, time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(number: u64) -> SyncTokens {
        SyncTokens::new(Clock::default(), number, SyncTokenKey::new(b"the key of both instances"))
    }

    #[test]
    fn tokens_round_trip_as_text() {
        let token = instance(1).token();
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "1.2", "1.2.3.4", "x.2.3", "+1.2.3", "1..3", "1.2.3 ", "11111111111111111.2.3"] {
            assert!(text.parse::<SyncToken>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_instance_knows_the_times_of_its_own_tokens() {
        let own = instance(1);
        let token = own.token();
        assert_eq!(own.freshness(&token), Freshness::Since(token.time));
        assert_eq!(own.freshness(&own.empty_token()), Freshness::ReadYourWrites);
    }

    #[test]
    fn another_instance_uses_the_time_at_which_it_first_saw_a_token_as_late() {
        let (own, other) = (instance(1), instance(2));
        let late = other.sign(LogicalTime::from_ms(900));
        let Freshness::Since(seen) = own.freshness(&late) else { panic!("a time") };
        assert!(seen > LogicalTime::ZERO);
        assert_eq!(own.freshness(&other.sign(LogicalTime::from_ms(5))), Freshness::Since(seen));
        assert_eq!(own.freshness(&late), Freshness::Since(seen));
    }

    #[test]
    fn many_instances_do_not_fill_the_memory() {
        let own = instance(1);
        for number in 0..INSTANCES_MAX as u64 + 10 {
            own.freshness(&instance(number + 2).token());
        }
        assert_eq!(own.sightings.lock().expect("not poisoned").len(), INSTANCES_MAX);
    }

    #[test]
    fn a_token_that_was_signed_with_another_key_reads_from_masters() {
        let stranger = SyncTokens::new(Clock::default(), 2, SyncTokenKey::new(b"another key"));
        assert_eq!(instance(1).freshness(&stranger.token()), Freshness::Master);
    }

    #[test]
    fn a_changed_key_signs_and_checks_tokens_at_once() {
        let own = instance(1);
        let before = own.token();
        own.set_key(SyncTokenKey::new(b"the next key"));
        assert_eq!(own.freshness(&before), Freshness::Master);
        assert!(matches!(own.freshness(&own.token()), Freshness::Since(_)));
    }
}
