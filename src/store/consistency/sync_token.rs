//! Tokens that carry read-your-writes from one instance to another.
//!
//! A token names an instance and a moment of that instance's time: everything its bearer had acknowledged lies before
//! it. The instance itself knows what that moment means. Any other one knows that the moment had passed when it first
//! met a token as late, and takes that for the moment of its own time: no clocks have to agree. A change is covered by
//! every later token of any instance that its bearer sends the token to, so one instance and moment are enough.

use crate::store::consistency::{Clock, Freshness, LogicalTime};
use arc_swap::ArcSwap;
use aws_lc_rs::hmac;
use std::{
    collections::{HashMap, VecDeque},
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
};

/// Instances whose tokens are known; a restarted one counts anew.
const INSTANCES_MAX: usize = 256;
/// Tokens that are known of one instance.
const SIGHTINGS_MAX: usize = 32;
/// Sightings that are closer together in time are taken for one.
const SIGHTING_MS_MIN: u64 = 20;
/// Bytes of the signature that a token carries.
const SIGNATURE_BYTES: usize = 8;

/// What a caller is given and brings back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncToken {
    instance: u64,
    moment: LogicalTime,
    signature: [u8; SIGNATURE_BYTES],
}

impl fmt::Display for SyncToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{:x}.{:016x}", self.instance, self.moment.ms(), u64::from_be_bytes(self.signature))
    }
}

impl FromStr for SyncToken {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut number = || u64::from_str_radix(parts.next().filter(|part| !part.starts_with('+'))?, 16).ok();
        let (instance, ms, signature) = (number().ok_or(())?, number().ok_or(())?, number().ok_or(())?);
        if parts.next().is_some() {
            return Err(());
        }
        Ok(Self { instance, moment: LogicalTime::from_ms(ms), signature: signature.to_be_bytes() })
    }
}

/// Makes tokens and knows what they mean.
pub struct SyncTokens {
    clock: Clock,
    instance: u64,
    key: ArcSwap<hmac::Key>,
    sightings: Mutex<HashMap<u64, Sightings>>,
}

/// Of the tokens of one instance, both parts ascending: a moment of its time, and the moment of ours at which a token
/// as late was first met.
#[derive(Default)]
struct Sightings(VecDeque<(LogicalTime, LogicalTime)>);

impl SyncTokens {
    /// `secret` is the same on every instance; a token that was not signed with it has its bearer read from masters.
    pub fn new(clock: Clock, secret: &[u8]) -> Self {
        let mut instance = [0; 8];
        // Without random bytes two instances might be taken for one; then there would be no tokens for TLS, either.
        let _filled = aws_lc_rs::rand::fill(&mut instance);
        let (instance, key) = (u64::from_be_bytes(instance), ArcSwap::from_pointee(derive_key(secret)));
        Self { clock, instance, key, sightings: Mutex::default() }
    }

    /// From now on tokens are signed with another secret.
    pub fn set_secret(&self, secret: &[u8]) {
        self.key.store(Arc::new(derive_key(secret)));
    }

    /// A token that covers everything acknowledged until now.
    pub fn token(&self) -> SyncToken {
        // Changes are noted a millisecond after the clock.
        self.sign(LogicalTime::from_ms(self.clock.now().ms() + 1))
    }

    /// A token that covers nothing.
    pub fn empty_token(&self) -> SyncToken {
        self.sign(LogicalTime::ZERO)
    }

    /// How fresh reads have to be to show what the token covers.
    pub fn freshness(&self, token: &SyncToken) -> Freshness {
        if token.moment == LogicalTime::ZERO {
            return Freshness::ReadYourWrites;
        }
        if token.signature != self.sign_for(token.instance, token.moment).signature {
            return Freshness::Master;
        }
        if token.instance == self.instance {
            return Freshness::Since(token.moment);
        }
        Freshness::Since(self.first_seen_at(token))
    }

    /// The moment of our time by which the token's had passed.
    fn first_seen_at(&self, token: &SyncToken) -> LogicalTime {
        // Two tokens of one of its milliseconds are the same, and ours is only known to the millisecond, too.
        let now = LogicalTime::from_ms(self.clock.now().ms() + 2);
        let mut instances = self.sightings.lock().unwrap_or_else(PoisonError::into_inner);
        if instances.len() >= INSTANCES_MAX && !instances.contains_key(&token.instance) {
            // The one that has been silent longest. Its tokens will count as met anew, which errs on the safe side.
            let last = |sightings: &Sightings| sightings.0.back().map(|(_, ours)| *ours);
            if let Some(oldest) = instances.iter().min_by_key(|(_, of)| last(of)).map(|(instance, _)| *instance) {
                instances.remove(&oldest);
            }
        }
        instances.entry(token.instance).or_default().first(token.moment, now)
    }

    fn sign(&self, moment: LogicalTime) -> SyncToken {
        self.sign_for(self.instance, moment)
    }

    fn sign_for(&self, instance: u64, moment: LogicalTime) -> SyncToken {
        let mut message = [0; 16];
        message[..8].copy_from_slice(&instance.to_be_bytes());
        message[8..].copy_from_slice(&moment.ms().to_be_bytes());
        let full = hmac::sign(&self.key.load(), &message);
        let mut signature = [0; SIGNATURE_BYTES];
        signature.copy_from_slice(&full.as_ref()[..SIGNATURE_BYTES]);
        SyncToken { instance, moment, signature }
    }
}

fn derive_key(secret: &[u8]) -> hmac::Key {
    let root = hmac::Key::new(hmac::HMAC_SHA256, secret);
    hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&root, b"cachefront sync token").as_ref())
}

impl Sightings {
    /// When a token as late as `theirs` was first met; now, if none was.
    fn first(&mut self, theirs: LogicalTime, now: LogicalTime) -> LogicalTime {
        if let Some((_, ours)) = self.0.iter().find(|(known, _)| *known >= theirs) {
            return *ours;
        }
        match self.0.back_mut() {
            Some(last) if last.1.ms() + SIGHTING_MS_MIN > now.ms() => *last = (theirs, now),
            _ => self.0.push_back((theirs, now)),
        }
        if self.0.len() > SIGHTINGS_MAX {
            self.0.pop_front();
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"a secret of both";

    fn instance() -> SyncTokens {
        SyncTokens::new(Clock::default(), SECRET)
    }

    #[test]
    fn tokens_round_trip_as_text() {
        let token = instance().token();
        assert_eq!(token.to_string().parse(), Ok(token));
        for text in ["", "1.2", "1.2.3.4", "x.2.3", "+1.2.3", "1..3", "1.2.3 ", "11111111111111111.2.3"] {
            assert!(text.parse::<SyncToken>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_instance_knows_its_own_moments() {
        let own = instance();
        let token = own.token();
        assert_eq!(own.freshness(&token), Freshness::Since(token.moment));
        assert_eq!(own.freshness(&own.empty_token()), Freshness::ReadYourWrites);
    }

    #[test]
    fn another_one_counts_from_when_it_first_met_a_token_as_late() {
        let (own, other) = (instance(), instance());
        let late = other.sign(LogicalTime::from_ms(900));
        let Freshness::Since(met) = own.freshness(&late) else { panic!("a moment") };
        assert!(met > LogicalTime::ZERO);
        assert_eq!(own.freshness(&other.sign(LogicalTime::from_ms(5))), Freshness::Since(met));
        assert_eq!(own.freshness(&late), Freshness::Since(met));
    }

    #[test]
    fn sightings_are_few_and_err_on_the_safe_side() {
        let moment = LogicalTime::from_ms;
        let mut sightings = Sightings::default();
        for step in 1..=100 {
            assert_eq!(sightings.first(moment(step * 10), moment(step * 1000)), moment(step * 1000));
        }
        assert_eq!(sightings.0.len(), SIGHTINGS_MAX);
        // Forgotten, so that one that is as late and still known stands in.
        assert_eq!(sightings.first(moment(10), moment(200_000)), moment(69_000));
        assert_eq!(sightings.first(moment(995), moment(200_000)), moment(100_000));
        // Two close together are one, at the later moment.
        assert_eq!(sightings.first(moment(1010), moment(100_005)), moment(100_005));
        assert_eq!(sightings.first(moment(1000), moment(200_000)), moment(100_005));
    }

    #[test]
    fn many_instances_do_not_fill_the_memory() {
        let own = instance();
        for _ in 0..INSTANCES_MAX + 10 {
            own.freshness(&instance().token());
        }
        assert_eq!(own.sightings.lock().expect("not poisoned").len(), INSTANCES_MAX);
    }

    #[test]
    fn a_token_that_was_not_signed_with_our_secret_reads_from_masters() {
        let stranger = SyncTokens::new(Clock::default(), b"another secret");
        assert_eq!(instance().freshness(&stranger.token()), Freshness::Master);
    }
}
