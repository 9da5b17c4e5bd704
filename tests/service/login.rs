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
async fn a_wrong_or_absent_key_is_401_in_the_words_of_the_python_service() {
    for body in [json!({"api_key": "wrong"}), json!({}), json!({"api_key": null}), json!({"api_key": ""})] {
        let answer = Answer::of(post(shared()).json(&body)).await;
        answer.expect_error(401, "invalid_api_key");
        assert_eq!(answer.json()["message"], "Invalid secret");
        assert!(!answer.header("www-authenticate").is_empty());
    }
    Answer::of(post(shared())).await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn oauth2_logins_get_oauth2_errors() {
    let service = shared();
    let wrong = [("grant_type", "client_credentials"), ("client_id", "me"), ("client_secret", "wrong")];
    let answer = Answer::of(post(service).form(&wrong)).await;
    assert_eq!(answer.expect_error(401, "invalid_api_key").json()["error"], "invalid_client");
    let grant = [("grant_type", "password"), ("client_secret", API_KEY)];
    let answer = Answer::of(post(service).form(&grant)).await;
    assert_eq!(answer.expect_error(400, "unsupported_grant_type").json()["error"], "unsupported_grant_type");
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
