//! A caller of the service.

use super::{Authority, Service, authority, described::assert_described};
use reqwest::{
    Certificate, Client, ClientBuilder, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap},
};
use serde_json::{Value, json};

/// A caller of the service that is logged in.
#[derive(Clone)]
pub struct Caller {
    /// The HTTP client.
    pub http: Client,
    /// URL of the command protocol.
    pub url: String,
    /// The bearer token.
    pub token: String,
}

/// A response of the service.
#[derive(Debug)]
pub struct Answer {
    /// Status of the response.
    pub status: StatusCode,
    /// Headers of the response.
    pub headers: HeaderMap,
    /// Body of the response.
    pub text: String,
}

impl Answer {
    /// Sends a request and reads the whole response; asserts that the OpenAPI description has it.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap_or_else(|error| panic!("no answer: {error:?}"));
        let (status, headers) = (response.status(), response.headers().clone());
        let url = response.url().clone();
        let answer = Self { status, headers, text: response.text().await.expect("a text") };
        if url.scheme() == "https" {
            assert_described(url.path(), &answer);
        }
        answer
    }

    /// Returns the body; asserts that it is JSON with the media type of JSON.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// Returns the value of a header; it is empty if the header is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("a text"))
    }

    /// Asserts that the response is an error in the common shape.
    #[track_caller]
    pub fn expect_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        let body = self.json();
        assert_eq!((body["status"].as_str(), body["code"].as_str()), (Some("ERROR"), Some(code)), "{self:?}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{self:?}");
        assert!(!self.text.contains("127.0.0.1"), "an address leaks: {self:?}");
        self
    }
}

impl Caller {
    /// Returns the builder of a client that trusts only the tests' authority.
    pub fn http() -> ClientBuilder {
        Self::http_trusting(authority())
    }

    /// Returns the builder of a client that trusts only this authority.
    pub fn http_trusting(authority: &Authority) -> ClientBuilder {
        let certificate = Certificate::from_pem(authority.pem().as_bytes()).expect("a certificate");
        Client::builder().tls_certs_only([certificate]).no_proxy()
    }

    /// Returns a client for plain HTTP, as admin ports speak it.
    pub fn plain_http() -> Client {
        Client::builder().no_proxy().build().expect("a client")
    }

    /// Logs in at a service.
    pub async fn log_in(service: &Service, api_key: &str, client_id: Option<&str>) -> Self {
        Self::log_in_at(&service.url(""), api_key, client_id).await
    }

    /// Logs in at a base URL.
    pub async fn log_in_at(base: &str, api_key: &str, client_id: Option<&str>) -> Self {
        let http = Self::http().build().expect("a client");
        let request = http.post(format!("{base}/login")).json(&json!({"api_key": api_key, "client_id": client_id}));
        let answer = Answer::of(request).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        Self { http, url: format!("{base}/cache"), token }
    }

    /// Sends a body to `/cache`.
    pub async fn send(&self, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.http.post(&self.url).header(AUTHORIZATION, format!("Bearer {}", self.token));
        Answer::of(request.header(CONTENT_TYPE, "application/json").body(body)).await
    }

    /// Sends a command or a batch and returns the JSON that came with HTTP 200.
    #[track_caller]
    pub fn run(&self, command: Value) -> impl Future<Output = Value> + '_ {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.send(command.to_string()).await;
            assert_eq!(answer.status, StatusCode::OK, "{command} at {place} gave {answer:?}");
            answer.json()
        }
    }

    /// Writes a value and asserts that the write succeeds.
    pub async fn write(&self, key: &str, value: &Value) {
        let reply = self.run(json!({"command": "WRITE", "key": key, "value": value})).await;
        assert_eq!(reply["status"], "SUCCESS", "{reply}");
    }

    /// Returns the value of a key; `None` if there is none.
    pub async fn read(&self, key: &str) -> Option<Value> {
        let mut reply = self.run(json!({"command": "READ", "key": key})).await;
        (reply["status"] == "SUCCESS").then(|| reply["value"].take())
    }

    /// Writes each key with itself as the value, and waits until reads return it.
    pub async fn fill(&self, keys: &[String]) {
        let write = |key: &String| json!({"command": "WRITE", "key": key, "value": key});
        let replies = self.run(keys.iter().map(write).collect()).await;
        let all = replies.as_array().expect("replies").iter().all(|reply| reply["status"] == "SUCCESS");
        assert!(all, "{replies}");
        for key in keys {
            self.until_read(key, Some(&json!(key))).await;
        }
    }

    /// Waits until a read returns the expected value, because replicas lag a little.
    pub async fn until_read(&self, key: &str, expected: Option<&Value>) {
        super::eventually(&format!("{key} reads as {expected:?}"), async || {
            (self.read(key).await.as_ref() == expected).then_some(())
        })
        .await;
    }
}
