//! Tokens that are valid, expired, foreign, or malformed.

use crate::harness::{API_KEY, Answer, Caller, shared};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

const SECRET: &str = "a-jwt-secret-for-the-tests-0123456789";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn claims() -> Value {
    json!({"sub": "cachefront", "iat": now(), "nbf": now(), "exp": now() + 60, "jti": "1",
           "iss": "cachefront", "aud": "cachefront", "scope": "read write delete"})
}

fn signed(algorithm: Algorithm, secret: &str, changes: &Value) -> String {
    signed_with(&Header::new(algorithm), secret, changes)
}

fn signed_with(header: &Header, secret: &str, changes: &Value) -> String {
    let mut claims = claims();
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    cachefront::server::install_crypto();
    encode(header, &claims, &EncodingKey::from_secret(secret.as_bytes())).expect("a token")
}

async fn send(authorization: Option<&str>) -> Answer {
    let http = Caller::http().build().expect("a client");
    let request = http.post(shared().url("/cache")).json(&json!({"command": "READ", "key": "k"}));
    Answer::of(match authorization {
        Some(text) => request.header("authorization", text),
        None => request,
    })
    .await
}

#[tokio::test]
async fn a_valid_token_is_accepted() {
    let token = signed(Algorithm::HS256, SECRET, &json!({}));
    assert_eq!(send(Some(&format!("Bearer {token}"))).await.status.as_u16(), 200);
    assert_eq!(send(Some(&format!("bearer {token}"))).await.status.as_u16(), 200);
}

#[tokio::test]
async fn clocks_may_differ_a_little() {
    let without_type = Header { typ: None, ..Header::new(Algorithm::HS256) };
    for token in [
        signed(Algorithm::HS256, SECRET, &json!({"iat": now() + 20, "nbf": now() + 20, "exp": now() + 920})),
        signed(Algorithm::HS256, SECRET, &json!({"iat": now() - 900, "nbf": now() - 900, "exp": now()})),
        signed_with(&without_type, SECRET, &json!({})),
    ] {
        let answer = send(Some(&format!("Bearer {token}"))).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    }
}

#[tokio::test]
async fn an_api_key_in_place_of_a_token_is_told_where_to_go() {
    for (key, beginning) in [
        (cachefront::settings::new_api_key(), "This is an API key: POST it to /login"),
        (API_KEY.to_owned(), "This is not a token of this service; if it is an API key: POST it to /login"),
    ] {
        let answer = send(Some(&format!("Bearer {key}"))).await;
        let body = answer.expect_error(401, "token_invalid").json();
        assert!(body["message"].as_str().is_some_and(|message| message.starts_with(beginning)), "{answer:?}");
        assert!(!answer.text.contains(&key), "{answer:?}");
    }
}

#[tokio::test]
async fn an_expired_token_says_so() {
    let token = signed(Algorithm::HS256, SECRET, &json!({"exp": now() - 60, "iat": now() - 120, "nbf": now() - 120}));
    let answer = send(Some(&format!("Bearer {token}"))).await;
    answer.expect_error(401, "token_expired");
    assert!(answer.header("www-authenticate").starts_with("Bearer "), "{answer:?}");
    assert!(answer.header("www-authenticate").contains("invalid_token"), "{answer:?}");
}

#[tokio::test]
async fn invalid_tokens_are_refused() {
    let good = signed(Algorithm::HS256, SECRET, &json!({}));
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..Header::new(Algorithm::HS256) };
    let of_another_type = Header { typ: Some("secevent+jwt".to_owned()), ..Header::new(Algorithm::HS256) };
    let unsigned = {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&claims()))
    };
    let mut tampered = good.clone().into_bytes();
    let middle = good.find('.').expect("three parts") + 5;
    tampered[middle] ^= 1;
    let unsigned_by_us = good.rsplit_once('.').map(|(rest, _)| format!("{rest}.")).expect("three parts");
    for (what, token) in [
        ("alg none", unsigned),
        ("no signature", unsigned_by_us),
        ("another secret", signed(Algorithm::HS256, "another-secret-of-32-bytes-at-least", &json!({}))),
        ("another algorithm", signed(Algorithm::HS512, SECRET, &json!({}))),
        ("another audience", signed(Algorithm::HS256, SECRET, &json!({"aud": "another"}))),
        ("another issuer", signed(Algorithm::HS256, SECRET, &json!({"iss": "another"}))),
        ("an unknown client", signed(Algorithm::HS256, SECRET, &json!({"sub": "nobody"}))),
        ("not yet valid", signed(Algorithm::HS256, SECRET, &json!({"nbf": now() + 600}))),
        ("not yet issued", signed(Algorithm::HS256, SECRET, &json!({"iat": now() + 600}))),
        ("of a longer life than configured", signed(Algorithm::HS256, SECRET, &json!({"exp": now() + 3600}))),
        ("with an extension that is not known", signed_with(&critical, SECRET, &json!({}))),
        ("of another type", signed_with(&of_another_type, SECRET, &json!({}))),
        ("without an end", signed(Algorithm::HS256, SECRET, &json!({"exp": null}))),
        ("without an audience", signed(Algorithm::HS256, SECRET, &json!({"aud": null}))),
        ("a scope that there is not", signed(Algorithm::HS256, SECRET, &json!({"scope": "admin"}))),
        ("tampered with", String::from_utf8(tampered).expect("a text")),
        ("no token at all", "abc".to_owned()),
        ("dots", "..".to_owned()),
        ("enormous", "a".repeat(10_000)),
    ] {
        let answer = send(Some(&format!("Bearer {token}"))).await;
        assert_eq!(answer.status.as_u16(), 401, "{what}: {answer:?}");
        answer.expect_error(401, "token_invalid");
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_told_how_to_authenticate() {
    for authorization in [None, Some("Basic YTpi"), Some("Bearer"), Some("nonsense")] {
        let answer = send(authorization).await;
        answer.expect_error(401, "token_missing");
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"cachefront\"");
    }
}
