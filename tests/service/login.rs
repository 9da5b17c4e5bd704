//! `POST /login`, as JSON and as OAuth2 client credentials.

use crate::harness::{API_KEY, Answer, Caller, NO_REDIS, Service, shared};
use reqwest::RequestBuilder;
use serde_json::json;

fn post(service: &Service) -> RequestBuilder {
    Caller::http().build().expect("a client").post(service.url("/login"))
}

#[tokio::test]
async fn a_json_login_returns_a_token_of_fifteen_minutes() {
    let body = json!({"client_id": "anyone", "api_key": API_KEY, "grant_type": "client_credentials", "more": [1]});
    let answer = Answer::of(post(shared()).json(&body)).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"));
    let mut body = answer.json();
    assert_eq!(body["access_token"].take().as_str().map(|token| token.split('.').count()), Some(3));
    assert_eq!(body, json!({"access_token": null, "token_type": "Bearer", "expires_in": 900}));
}

#[tokio::test]
async fn an_oauth2_form_or_basic_login_returns_a_token() {
    let service = shared();
    let form = [("grant_type", "client_credentials"), ("client_id", "me"), ("client_secret", API_KEY)];
    let grant = [("grant_type", "client_credentials")];
    for request in [
        post(service).form(&form),
        post(service).form(&grant).basic_auth("me", Some(API_KEY)),
        post(service).basic_auth("me", Some(API_KEY)),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
        assert_eq!(answer.json()["token_type"], "Bearer");
    }
}

#[tokio::test]
async fn basic_credentials_may_be_form_encoded() {
    // RFC 6749 §2.3.1; an API key with reserved characters shows the difference.
    let section = "[client:odd]\nnamespace=*\nscopes=read\napi_key_hash=";
    let key = "with+plus and/slash=%";
    let service = Service::start(&format!("{NO_REDIS}{section}{}\n", cachefront::settings::hash_api_key(key)));
    for secret in [key, "with%2Bplus+and%2Fslash%3D%25"] {
        let answer = Answer::of(post(&service).basic_auth("odd", Some(secret))).await;
        assert_eq!(answer.status.as_u16(), 200, "{secret}: {answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_key_is_401_in_the_words_of_the_python_service() {
    let answer = Answer::of(post(shared()).json(&json!({"api_key": "wrong"}))).await;
    assert_eq!(answer.expect_error(401, "invalid_api_key").json()["message"], "Invalid secret");
    assert!(!answer.header("www-authenticate").is_empty());
}

#[tokio::test]
async fn an_absent_key_is_401_and_named() {
    let form = |pairs: &'static [(&str, &str)]| post(shared()).form(pairs);
    for (request, message) in [
        (post(shared()), "`api_key` is missing"),
        (post(shared()).json(&json!({})), "`api_key` is missing"),
        (post(shared()).json(&json!({"api_key": null})), "`api_key` is missing"),
        (post(shared()).json(&json!({"api_key": ""})), "`api_key` is empty"),
        (post(shared()).json(&json!({"apikey": API_KEY})), "`api_key` is missing; did you mean it by `apikey`?"),
        (post(shared()).json(&json!({"password": API_KEY})), "`api_key` is missing; did you mean it by `password`?"),
        (form(&[("grant_type", "client_credentials")]), "`client_secret` is missing"),
        (form(&[("secret", API_KEY)]), "`client_secret` is missing; did you mean it by `secret`?"),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.expect_error(401, "invalid_api_key").json()["message"], message);
        assert!(!answer.header("www-authenticate").is_empty());
        assert!(!answer.text.contains(API_KEY), "{answer:?}");
    }
}

#[tokio::test]
async fn every_failed_login_has_an_error_of_oauth2() {
    let form = |pairs: &'static [(&str, &str)]| post(shared()).form(pairs);
    let json = |body: &str| post(shared()).header("content-type", "application/json").body(body.to_owned());
    for (request, status, code, error) in [
        (json(r#"{"api_key":"wrong"}"#), 401, "invalid_api_key", "invalid_client"),
        (json("{}"), 401, "invalid_api_key", "invalid_client"),
        (json("{"), 400, "invalid_json", "invalid_request"),
        (json(r#"{"api_key":"x","scopes":"read"}"#), 400, "unknown_field", "invalid_request"),
        (form(&[("client_id", "me"), ("client_secret", "wrong")]), 401, "invalid_api_key", "invalid_client"),
        (form(&[("grant_type", "password")]), 400, "unsupported_grant_type", "unsupported_grant_type"),
        (json(r#"{"api_key":"x","grant_type":"password"}"#), 400, "unsupported_grant_type", "unsupported_grant_type"),
        (json(r#"{"api_key":"x","grant_type":5}"#), 400, "invalid_field", "invalid_request"),
        (form(&[("client_secret", API_KEY), ("scope", "admin")]), 400, "invalid_scope", "invalid_scope"),
        (json(&"x".repeat(5000)), 413, "body_too_large", "invalid_request"),
        (
            post(shared()).header("content-type", "text/plain").body("{}"),
            415,
            "unsupported_media_type",
            "invalid_request",
        ),
    ] {
        let answer = Answer::of(request).await;
        let body = answer.expect_error(status, code).json();
        let description = body["message"].as_str().expect("a message").replace('"', "'");
        assert_eq!((&body["error"], &body["error_description"]), (&json!(error), &json!(description)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_login_gets_the_scopes_that_it_asks_for_and_that_its_client_has() {
    let reader = "the-key-of-the-reader";
    let hash = cachefront::settings::hash_api_key(reader);
    let service =
        Service::start(&format!("{NO_REDIS}[client:reader]\napi_key_hash={hash}\nnamespace=*\nscopes=read,delete\n"));
    for (key, wanted, granted) in [
        (API_KEY, "read", Some("read")),
        (API_KEY, "write read", Some("read write")),
        (API_KEY, "openid read offline_access", Some("read")),
        (API_KEY, "", None),
        (reader, "read write", Some("read")),
        (reader, "read write delete", Some("read delete")),
    ] {
        let secret = [("client_secret", key), ("scope", wanted)];
        for request in [
            post(&service).form(&secret),
            post(&service).json(&json!({"client_secret": key, "scope": wanted})),
            post(&service).form(&secret[1..]).basic_auth("", Some(key)),
        ] {
            let answer = Answer::of(request).await;
            assert_eq!(answer.status.as_u16(), 200, "{wanted}: {answer:?}");
            assert_eq!(answer.json().get("scope").and_then(|scope| scope.as_str()), granted, "{wanted}");
        }
    }
    for (key, wanted) in [(reader, "write"), (API_KEY, "openid profile")] {
        let answer = Answer::of(post(&service).form(&[("client_secret", key), ("scope", wanted)])).await;
        answer.expect_error(400, "invalid_scope");
        let answer = Answer::of(post(&service).form(&[("scope", wanted)]).basic_auth("", Some(key))).await;
        answer.expect_error(400, "invalid_scope");
    }
}

#[tokio::test]
async fn a_token_permits_only_the_scopes_that_it_was_granted() {
    let answer = Answer::of(post(shared()).json(&json!({"api_key": API_KEY, "scope": "read"}))).await;
    let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
    let caller = Caller { token, ..shared().caller().await };
    let write = json!({"command": "WRITE", "key": "login:scope", "value": 1}).to_string();
    caller.send(write).await.expect_error(403, "scope_missing");
    assert_eq!(caller.read("login:missing").await, None);
}

#[tokio::test]
async fn a_json_login_may_be_one_of_oauth2() {
    let body = json!({"client_id": "me", "client_secret": API_KEY, "grant_type": "client_credentials"});
    let answer = Answer::of(post(shared()).json(&body)).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    let both = json!({"api_key": API_KEY, "client_secret": API_KEY});
    assert_eq!(Answer::of(post(shared()).json(&both)).await.status.as_u16(), 200);
    // Libraries send empty fields for what they do not have.
    for absent in [json!(null), json!("")] {
        let body = json!({"api_key": API_KEY, "grant_type": absent});
        assert_eq!(Answer::of(post(shared()).json(&body)).await.status.as_u16(), 200, "{body}");
        let form = [("client_secret", API_KEY), ("grant_type", "")];
        assert_eq!(Answer::of(post(shared()).form(&form)).await.status.as_u16(), 200);
    }
}

#[tokio::test]
async fn credentials_that_contradict_each_other_are_400() {
    let form = |pairs: &'static [(&str, &str)]| post(shared()).form(pairs).basic_auth("me", Some(API_KEY));
    for request in [
        form(&[("client_id", "somebody")]),
        form(&[("client_secret", "another")]),
        post(shared()).json(&json!({"api_key": "another"})).basic_auth("me", Some(API_KEY)),
        post(shared()).json(&json!({"api_key": API_KEY, "client_secret": "another"})),
    ] {
        let answer = Answer::of(request).await;
        answer.expect_error(400, "invalid_field");
        assert!(!answer.text.contains("another") && !answer.text.contains(API_KEY), "{answer:?}");
    }
    for request in [
        form(&[("client_id", "me"), ("client_secret", API_KEY)]),
        form(&[("client_id", ""), ("client_secret", "")]),
        post(shared()).form(&[("client_secret", API_KEY)]).basic_auth("me", Some("")),
        post(shared()).form(&[("client_id", "me")]).basic_auth("", Some(API_KEY)),
    ] {
        let answer = Answer::of(request).await;
        assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    }
}

#[tokio::test]
async fn malformed_logins_get_specific_errors() {
    let service = shared();
    let send = |content_type: &str, body: &'static [u8]| post(service).header("content-type", content_type).body(body);
    for (content_type, body, status, code) in [
        ("application/json", &b"{\"api_key\":"[..], 400, "invalid_json"),
        ("application/json", b"[1]", 400, "invalid_login"),
        ("application/json", b"{\"api_key\":5}", 400, "invalid_field"),
        ("application/json", b"{\"api_key\":\"\xff\"}", 400, "invalid_utf8"),
        ("text/plain", b"{}", 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", b"{\"api_key\":\"x\"}", 415, "unsupported_media_type"),
    ] {
        Answer::of(send(content_type, body)).await.expect_error(status, code);
    }
    let answer = Answer::of(post(service).header("authorization", "Basic !!!")).await;
    answer.expect_error(400, "invalid_basic");
}
