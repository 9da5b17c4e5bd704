//! The places of connections: how many an address has, and who gives way when they run out.

use crate::harness::{API_KEY, Http2, NO_REDIS, Service, connect_tls, eventually};
use proxy_header::{ProxiedAddress, ProxyHeader};
use serde_json::json;
use std::time::Duration;

const HERE: [u8; 4] = [127, 0, 0, 1];
const ELSEWHERE: [u8; 4] = [127, 0, 0, 2];

#[tokio::test]
async fn an_address_has_at_most_its_limit_of_connections() {
    let service = Service::start_with("CONNECTIONS_PER_ADDRESS_MAX=2", NO_REDIS);
    let _held = [Http2::connect(service.address).await, Http2::connect(service.address).await];
    assert!(Http2::connect_from(service.address, HERE).await.is_err(), "the address has two");
    assert!(Http2::connect_from(service.address, ELSEWHERE).await.is_ok());
}

#[tokio::test]
async fn connections_that_have_not_authenticated_give_their_places_to_others() {
    let service = Service::start_with("CONNECTIONS_MAX=4\nCONNECTIONS_PER_ADDRESS_MAX=100", NO_REDIS);
    let crowd = async || {
        let mut clients = Vec::new();
        for _ in 0..6 {
            clients.push(Http2::connect_from(service.address, ELSEWHERE).await.expect("a place"));
        }
        clients
    };
    let before = crowd().await;
    let login = json!({"api_key": API_KEY}).to_string();
    let mut client = Http2::connect(service.address).await;
    assert_eq!(client.send("/login", &[], &login).await.0, 200);
    let after = crowd().await;
    eventually("the others are closed", async || {
        let open = before.iter().chain(&after).filter(|client| !client.is_closed()).count();
        (open <= 3).then_some(())
    })
    .await;
    assert_eq!(client.send("/login", &[], &login).await.0, 200, "the authenticated one is open");
}

#[tokio::test]
async fn a_new_connection_is_refused_when_all_places_are_taken_by_authenticated_clients() {
    let service = Service::start_with("CONNECTIONS_MAX=2\nCONNECTIONS_PER_ADDRESS_MAX=2", NO_REDIS);
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = Http2::connect(service.address).await;
        assert_eq!(client.send("/login", &[], &json!({"api_key": API_KEY}).to_string()).await.0, 200);
        clients.push(client);
    }
    assert!(Http2::connect_from(service.address, ELSEWHERE).await.is_err());
    drop(clients.pop());
    eventually("the place is free again", async || Http2::connect_from(service.address, ELSEWHERE).await.ok()).await;
}

#[tokio::test]
async fn a_connection_that_only_sends_pings_is_closed() {
    let service = Service::start_with("IDLE_TIMEOUT_SECS=1", NO_REDIS);
    let closed = Http2::ping_until_closed(service.address, Duration::from_millis(100));
    tokio::time::timeout(Duration::from_secs(20), closed).await.expect("PING frames do not keep it open");
}

/// Returns the header of a proxy whose client has this address.
fn header(client: &str) -> Vec<u8> {
    let source = format!("{client}:5000").parse().expect("an address");
    let mut bytes = [0; 256];
    let header = ProxyHeader::with_address(ProxiedAddress::stream(source, source));
    let length = header.encode_to_slice_v2(&mut bytes).expect("it fits");
    bytes[..length].to_vec()
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_whose_connections_are_counted() {
    let options = "CONNECTIONS_PER_ADDRESS_MAX=1\nTRUSTED_PROXIES=127.0.0.2\nPROXY_PROTOCOL=true";
    let service = Service::start_with(options, NO_REDIS);
    let connect = async |from: [u8; 4], first: Vec<u8>| connect_tls(service.address, from, &first, b"h2").await;
    let _first = connect(ELSEWHERE, header("192.0.2.1")).await.expect("a place");
    connect(ELSEWHERE, header("192.0.2.1")).await.expect_err("the client has its place");
    let _second = connect(ELSEWHERE, header("192.0.2.2")).await.expect("the place of another client");
    connect(ELSEWHERE, Vec::new()).await.expect_err("the header is missing");
    connect(HERE, header("192.0.2.3")).await.expect_err("the peer is not trusted");
    // The refused connection may have its place for another moment.
    eventually("there is a place", async || connect(HERE, Vec::new()).await.ok()).await;
}

#[tokio::test]
async fn a_trusted_proxy_without_headers_has_no_limit_of_its_own() {
    let options = "CONNECTIONS_PER_ADDRESS_MAX=1\nTRUSTED_PROXIES=127.0.0.0/31";
    let service = Service::start_with(options, NO_REDIS);
    let _held = [Http2::connect(service.address).await, Http2::connect(service.address).await];
}
