//! Which tokens are accepted, the first time and when they are known.

use super::*;
use crate::types::{Scope, Scopes};
use secrecy::SecretString;
use std::time::Duration;

const SECRET: &str = "a-secret-of-the-tests-with-32-bytes";
const LIFE: Duration = Duration::from_secs(60);
/// How far clocks may differ, in seconds.
const LEEWAY_SECS: u64 = 5;

fn settings(secret: &str, clients: &[(&str, Scopes)]) -> settings::AuthConfig {
    let client = |(id, scopes): &(&str, Scopes)| settings::ClientConfig {
        id: (*id).to_owned(),
        any_client_id: false,
        api_key_hashes: vec![settings::digest_api_key(id)],
        scopes: *scopes,
        namespace: None,
        commands_per_second: None,
    };
    settings::AuthConfig {
        jwt_secret: SecretString::from(secret),
        token_life: LIFE,
        clients: clients.iter().map(client).collect(),
    }
}

/// One client, `a`, with its token, and the second at or after which that was issued.
fn with_token() -> (Auth, String, u64) {
    let auth = Auth::new(&settings(SECRET, &[("a", Scopes::ALL)]), None, Arc::default());
    let before = token::now_secs();
    let token = auth.log_in(None, "a").expect("the key is a's").text;
    (auth, token, before)
}

fn is_known(auth: &Auth, token: &str, at_secs: u64) -> bool {
    auth.verified.find(&Fingerprint::of(token), at_secs).is_some()
}

#[test]
fn a_token_is_known_once_it_was_verified_and_stands_for_the_same_caller() {
    let (auth, token, now) = with_token();
    assert!(!is_known(&auth, &token, now), "issuing it is not verifying it");
    for time in ["the first", "the second"] {
        let caller = auth.verify(&token).unwrap_or_else(|error| panic!("{time} time: {error}"));
        assert_eq!(caller.permit(Scope::Delete), Ok(()));
        assert!(is_known(&auth, &token, now));
    }
}

#[test]
fn a_known_token_ends_in_the_second_in_which_it_expires() {
    let (auth, token, before) = with_token();
    auth.verify(&token).expect("a fresh token");
    let after = token::now_secs();
    let last = |issued: u64| issued + LIFE.as_secs() + LEEWAY_SECS;
    assert!(is_known(&auth, &token, last(before)));
    assert!(!is_known(&auth, &token, last(after) + 1));
    assert!(!is_known(&auth, &token, before - LEEWAY_SECS - 1), "before its time, as when the clock is set back");
}

#[test]
fn a_token_that_was_not_accepted_is_not_remembered() {
    let (auth, token, now) = with_token();
    let other =
        Auth::new(&settings("another-secret-of-the-tests-32-bytes", &[("a", Scopes::ALL)]), None, Arc::default());
    let stranger = Auth::new(&settings(SECRET, &[("b", Scopes::ALL)]), None, Arc::default());
    let long = "x".repeat(token::BYTES_MAX + 1);
    for (auth, token) in [(&other, &token), (&stranger, &token), (&auth, &format!("{token}x")), (&auth, &long)] {
        for _ in 0..2 {
            assert_eq!(auth.verify(token).err(), Some(TokenError::Invalid));
            assert!(!is_known(auth, token, now));
        }
    }
}

#[test]
fn other_settings_end_what_was_known() {
    let (auth, token, _) = with_token();
    auth.verify(&token).expect("a fresh token");
    let verified_by = |settings: &settings::AuthConfig| Auth::new(settings, Some(&auth), Arc::default()).verify(&token);
    let reads = Scopes::parse("read").expect("a scope");
    let fewer = verified_by(&settings(SECRET, &[("a", reads)])).expect("the client is still there");
    assert_eq!(fewer.permit(Scope::Write), Err(Refusal::MissingScope(Scope::Write)));
    assert_eq!(verified_by(&settings(SECRET, &[("b", Scopes::ALL)])).err(), Some(TokenError::Invalid));
    let another_secret = settings("another-secret-of-the-tests-32-bytes", &[("a", Scopes::ALL)]);
    assert_eq!(verified_by(&another_secret).err(), Some(TokenError::Invalid));
}

#[test]
fn only_so_many_tokens_are_kept() {
    let (auth, ..) = with_token();
    let client = &auth.clients[0];
    for number in 0..3 * verified::TOKENS_MAX {
        let known = KnownToken { client: Arc::clone(client), scopes: Scopes::ALL, times: 0..=u64::MAX };
        auth.verified.insert(Fingerprint::of(&number.to_string()), known);
    }
    let kept = (0..3 * verified::TOKENS_MAX).filter(|number| is_known(&auth, &number.to_string(), 1)).count();
    assert!((1..=verified::TOKENS_MAX).contains(&kept), "{kept}");
    assert!(Arc::strong_count(client) <= verified::TOKENS_MAX + 1);
}
