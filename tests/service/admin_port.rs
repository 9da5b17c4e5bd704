//! The admin port as its visitors meet it: the names under which it may be asked, its first page, and unknown paths.

use crate::harness::{Answer, Caller, NO_REDIS, Raw, Service, shared};
use reqwest::redirect::Policy;
use tokio::net::TcpStream;

const PATHS: [&str; 5] = ["/", "/console/facts", "/metrics", "/readyz", "/nowhere"];

/// Asks the admin port for a path under a host name.
async fn get(service: &Service, host: &str, path: &str) -> Answer {
    let http = Caller::http().redirect(Policy::none()).build().expect("a client");
    Answer::of(http.get(format!("http://{}{path}", service.admin)).header("host", host)).await
}

#[tokio::test]
async fn the_admin_port_is_not_read_under_the_name_of_another_site() {
    let service = Service::start_with("ADMIN_HOSTS=cache.example.com", NO_REDIS);
    for path in PATHS {
        let refused = get(&service, "evil.example:9091", path).await;
        refused.expect_error(421, "host_not_allowed");
        assert!(refused.text.contains("ADMIN_HOSTS"), "{refused:?}");
        for host in ["127.0.0.1:9091", "localhost:9091", "cachefront", "Cache.Example.Com:9091"] {
            assert_ne!(get(&service, host, path).await.status.as_u16(), 421, "{host} {path}");
        }
    }
    let any = Service::start_with("ADMIN_HOSTS=*", NO_REDIS);
    assert_eq!(get(&any, "evil.example", "/metrics").await.status.as_u16(), 200);
    let http = Caller::http().build().expect("a client");
    let asked = http.get(shared().url("/version")).header("host", "evil.example");
    assert_eq!(Answer::of(asked).await.status.as_u16(), 200, "the HTTPS port has a login");
}

#[tokio::test]
async fn a_probe_of_http_1_0_without_a_host_is_answered() {
    let mut connection = Raw::plain(shared().admin).await;
    assert_eq!(connection.send("GET /healthz HTTP/1.0\r\n\r\n").await.status(), 200);
}

#[tokio::test]
async fn the_root_of_the_admin_port_leads_to_the_console() {
    let answer = get(shared(), "localhost", "/").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (307, "console"));
    let http = Caller::plain_http();
    let page = Answer::of(http.get(format!("http://{}", shared().admin))).await;
    assert!(page.status.as_u16() == 200 && page.text.contains("<title>"), "{page:?}");
}

#[tokio::test]
async fn an_unknown_path_names_the_pages_of_its_port_and_where_those_of_the_other_are() {
    let answer = get(shared(), "localhost", "/docs").await;
    for path in ["/console", "/metrics", "/readyz", "/healthz", "/version"] {
        assert!(answer.expect_error(404, "unknown_path").text.contains(path), "{answer:?}");
    }
    let http = Caller::http().build().expect("a client");
    for path in ["/console", "/console/facts", "/metrics"] {
        let answer = Answer::of(http.get(shared().url(path))).await;
        assert!(answer.expect_error(404, "unknown_path").text.contains("admin port"), "{answer:?}");
    }
    let answer = Answer::of(http.get(shared().url("/nowhere"))).await;
    assert!(answer.text.contains("/docs") && !answer.text.contains("admin port"), "{answer:?}");
}

#[tokio::test]
async fn a_probe_is_answered_while_others_hold_every_place_of_the_admin_port() {
    let service = Service::start(NO_REDIS);
    let mut held = Vec::new();
    // The admin port has 256 places.
    for _ in 0..300 {
        held.push(TcpStream::connect(service.admin).await.expect("a connection"));
    }
    for _ in 0..5 {
        assert_eq!(get(&service, "localhost", "/healthz").await.status.as_u16(), 200);
    }
    drop(held);
}
