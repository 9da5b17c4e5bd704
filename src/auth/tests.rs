//! The acceptance of tokens, verified for the first time and from the cache.

use super::*;
use crate::{
    settings::{ClientConfig, digest_api_key},
    types::{Scope, Scopes, worker},
};
use secrecy::SecretString;
use std::{thread, time::Duration};

const SECRET: &str = "a-secret-of-the-tests-with-32-bytes";
const LIFE: Duration = Duration::from_secs(60);
const START_LEEWAY: Duration = Duration::from_secs(30);
const END_LEEWAY: Duration = Duration::from_secs(5);

fn config(secret: &str, clients: &[(&str, Scopes)]) -> AuthConfig {
    let clients = clients.iter().map(|(id, scopes)| ClientConfig {
        id: (*id).to_owned(),
        any_client_id: false,
        api_key_hashes: vec![digest_api_key(id)],
        scopes: *scopes,
        namespace: None,
        commands_per_second: None,
    });
    AuthConfig {
        jwt_secret: SecretString::from(secret),
        token_life: LIFE,
        token_start_leeway: START_LEEWAY,
        token_end_leeway: END_LEEWAY,
        clients: clients.collect(),
    }
}

/// Returns the client `a`, a token of it, and a second at or before which the token was issued.
fn auth_with_token() -> (Auth, String, u64) {
    let auth = Auth::new(&config(SECRET, &[("a", Scopes::ALL)]), None, Arc::default());
    let before = token::now_secs();
    let token = auth.log_in(None, "a", None).expect("the key is a's").text;
    (auth, token, before)
}

fn is_cached(auth: &Auth, token: &str, at_secs: u64) -> bool {
    auth.verified.get(&Fingerprint::of(token.as_bytes()), at_secs).is_some()
}

#[test]
fn a_verified_token_is_cached_and_stands_for_the_same_caller() {
    let (auth, token, now) = auth_with_token();
    assert!(!is_cached(&auth, &token, now), "issuing a token does not verify it");
    for time in ["the first", "the second"] {
        let caller = auth.verify(&token).unwrap_or_else(|error| panic!("{time} time: {error}"));
        assert_eq!(caller.permit(&[Scope::Delete]), Ok(()));
        assert!(is_cached(&auth, &token, now));
    }
}

#[test]
fn a_cached_token_ends_in_the_second_in_which_it_expires() {
    let (auth, token, before) = auth_with_token();
    auth.verify(&token).expect("a fresh token");
    let after = token::now_secs();
    let last = |issued: u64| issued + (LIFE + END_LEEWAY).as_secs();
    assert!(is_cached(&auth, &token, last(before)));
    assert!(!is_cached(&auth, &token, last(after) + 1));
    let first = before - START_LEEWAY.as_secs();
    assert!(!is_cached(&auth, &token, first - 1), "the clock was set back to before the token is valid");
}

#[test]
fn a_token_of_a_clock_that_differs_is_accepted_within_the_leeways() {
    let (auth, token, issued) = auth_with_token();
    let after = token::now_secs();
    let (start, end) = (START_LEEWAY.as_secs(), (LIFE + END_LEEWAY).as_secs());
    // The token was issued at some second from `issued` to `after`.
    for (now, refusal) in [
        (issued - start - 1, Some(TokenError::Invalid)),
        (after - start, None),
        (issued, None),
        (issued + end, None),
        (after + end + 1, Some(TokenError::Expired)),
    ] {
        assert_eq!(auth.verify_at(token.as_bytes(), now).err(), refusal, "at {now}, issued at {issued} or {after}");
    }
}

#[test]
fn a_token_of_a_longer_life_than_configured_is_refused_until_the_rest_is_as_short() {
    let (_, token, before) = auth_with_token();
    let after = token::now_secs();
    let shorter = AuthConfig { token_life: LIFE / 2, ..config(SECRET, &[("a", Scopes::ALL)]) };
    let auth = Auth::new(&shorter, None, Arc::default());
    assert_eq!(auth.verify_at(token.as_bytes(), after).err(), None, "30 s of life and 30 s of leeway");
    let shorter = AuthConfig { token_life: LIFE / 4, ..shorter };
    let auth = Auth::new(&shorter, None, Arc::default());
    assert_eq!(auth.verify_at(token.as_bytes(), before).err(), Some(TokenError::Invalid));
    assert_eq!(auth.verify_at(token.as_bytes(), after + 15).err(), None);
}

#[test]
fn a_key_in_place_of_a_token_is_told_from_an_invalid_token() {
    let (auth, token, _) = auth_with_token();
    for (text, refusal) in [
        (crate::settings::new_api_key().as_str(), TokenError::ApiKey),
        ("a shared secret", TokenError::NoToken),
        (&token[..token.len() - 1], TokenError::Invalid),
        ("a.b.c", TokenError::Invalid),
    ] {
        assert_eq!(auth.verify(text).err(), Some(refusal), "{text}");
    }
}

#[test]
fn a_refused_token_is_not_cached() {
    let (auth, token, now) = auth_with_token();
    let other = Auth::new(&config("another-secret-of-the-tests-32-bytes", &[("a", Scopes::ALL)]), None, Arc::default());
    let stranger = Auth::new(&config(SECRET, &[("b", Scopes::ALL)]), None, Arc::default());
    let long = "x".repeat(token::BYTES_MAX + 1);
    for (auth, token) in [(&other, &token), (&stranger, &token), (&auth, &format!("{token}x")), (&auth, &long)] {
        for _ in 0..2 {
            assert_eq!(auth.verify(token).err(), Some(TokenError::Invalid));
            assert!(!is_cached(auth, token, now));
        }
    }
}

#[test]
fn a_reload_ends_cached_tokens() {
    let (auth, token, _) = auth_with_token();
    auth.verify(&token).expect("a fresh token");
    let verified_by = |config: &AuthConfig| Auth::new(config, Some(&auth), Arc::default()).verify(&token);
    let reads = Scopes::parse("read").expect("a scope");
    let fewer = verified_by(&config(SECRET, &[("a", reads)])).expect("the client is still there");
    assert_eq!(fewer.permit(&[Scope::Write]), Err(PermissionError::MissingScope(Scope::Write)));
    assert_eq!(verified_by(&config(SECRET, &[("b", Scopes::ALL)])).err(), Some(TokenError::Invalid));
    let another_secret = config("another-secret-of-the-tests-32-bytes", &[("a", Scopes::ALL)]);
    assert_eq!(verified_by(&another_secret).err(), Some(TokenError::Invalid));
}

/// Caches three times as many tokens as all workers together may, and returns the number of those that are cached.
fn cached_of_many(auth: &Auth) -> usize {
    let numbers = || (0..3 * token_cache::TOKENS_MAX).map(|number| number.to_string());
    let client = Arc::new(Arc::clone(&auth.clients[0]));
    for number in numbers() {
        let cached = CachedToken { client: Arc::clone(&client), scopes: Scopes::ALL, valid_secs: 0..=u64::MAX };
        auth.verified.insert(Fingerprint::of(number.as_bytes()), cached);
    }
    let cached = numbers().filter(|number| is_cached(auth, number, 1)).count();
    assert!(Arc::strong_count(&client) <= cached + 1, "a token that was evicted holds its client");
    cached
}

#[test]
fn the_cache_is_bounded() {
    let (auth, ..) = auth_with_token();
    let cached = cached_of_many(&auth);
    assert!((1..=token_cache::TOKENS_MAX).contains(&cached), "{cached}");
}

#[test]
fn each_worker_has_its_part_of_the_cache() {
    let (auth, token, now) = auth_with_token();
    auth.verify(&token).expect("a fresh token");
    for number in 0..2 {
        let cached = || {
            worker::enter(number, 4);
            assert!(!is_cached(&auth, &token, now), "another thread has verified it");
            auth.verify(&token).expect("a fresh token");
            assert!(is_cached(&auth, &token, now));
            cached_of_many(&auth)
        };
        let cached = thread::scope(|threads| threads.spawn(cached).join().expect("the worker does not panic"));
        assert!((1..=token_cache::TOKENS_MAX / 4).contains(&cached), "{cached}");
    }
}
