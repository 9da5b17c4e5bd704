//! Connections that send far more than others, all with one worker.

use crate::harness::{MetricsPage, Raw, Service, redis, redis_section};
use std::{sync::Arc, time::Duration};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::watch, task::JoinSet, time::timeout};
use tokio_rustls::client::TlsStream;

type Connection = Raw<TlsStream<TcpStream>>;

const CONNECTIONS: usize = 16;
/// Requests that tell by their CPU time which worker serves a connection.
const PROBES: usize = 30;

fn post(token: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /cache HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

async fn busy_secs(service: &Service) -> [f64; 2] {
    let page = MetricsPage::of(service).await;
    ["0", "1"].map(|worker| page.sum("cachefront_runtime_worker_busy_seconds_total", &format!("worker=\"{worker}\"")))
}

/// Returns the number of the worker that serves a connection.
async fn worker_of(connection: &mut Connection, service: &Service, request: &str) -> usize {
    let before = busy_secs(service).await;
    for _ in 0..PROBES {
        assert_eq!(connection.send(request).await.status(), 200);
    }
    let after = busy_secs(service).await;
    usize::from(after[1] - before[1] > after[0] - before[0])
}

/// Sends requests until the end, each with an answer that no other one has.
async fn send_until(
    mut ended: watch::Receiver<bool>,
    mut connection: Connection,
    token: Arc<str>,
    id: usize,
) -> Connection {
    let mut number = 0;
    while !*ended.borrow_and_update() {
        number += 1;
        let value = format!("value {number} of {id}");
        let write = post(&token, &format!(r#"{{"command":"WRITE","key":"skew:{id}","value":"{value}"}}"#));
        let answer = connection.send(write).await;
        assert!(answer.status() == 200 && answer.body.contains(&value), "{}", answer.body);
        let read = connection.send(post(&token, &format!(r#"{{"command":"READ","key":"skew:{id}"}}"#))).await;
        assert!(read.body.contains(&value), "{}", read.body);
    }
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_much_busier_than_another_one_gives_connections_away() {
    let group = redis(1, 1);
    let service = Service::start_with("WORKERS=2\n", &redis_section(&group));
    let token: Arc<str> = service.caller().await.token.into();
    let read = post(&token, r#"{"command":"READ","key":"skew:none"}"#);
    let mut of_workers = [Vec::new(), Vec::new()];
    for _ in 0..CONNECTIONS {
        let mut connection: Connection = Raw::tls(service.address, b"http/1.1").await;
        let worker = worker_of(&mut connection, &service, &read).await;
        of_workers[worker].push(connection);
    }
    // The other connections stay open, and silent.
    of_workers.sort_by_key(Vec::len);
    let [silent, hot] = of_workers;
    assert!(hot.len() >= CONNECTIONS / 2);

    let (end, ended) = watch::channel(false);
    let mut sending = JoinSet::new();
    for (id, connection) in hot.into_iter().enumerate() {
        sending.spawn(send_until(ended.clone(), connection, Arc::clone(&token), id));
    }
    let moved = MetricsPage::until(&service, "cachefront_connections_moved_total", "", |moved| moved >= 2.0);
    timeout(Duration::from_secs(30), moved).await.expect("connections move");
    end.send(true).expect("the connections are there");
    // Requests go on where the connection went, also those that the lane does not take.
    for (number, mut connection) in sending.join_all().await.into_iter().chain(silent).enumerate() {
        assert_eq!(connection.send(&read).await.status(), 200);
        if number % 2 == 0 {
            assert_eq!(connection.send("GET /version HTTP/1.1\r\nHost: a\r\n\r\n").await.status(), 200);
        } else {
            connection.0.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.expect("it is sent");
            connection.0.flush().await.expect("it is sent");
            timeout(Duration::from_secs(5), connection.closed()).await.expect("a connection of HTTP/1.1 stays one");
        }
    }
    service.stop();
    service.wait();
}
