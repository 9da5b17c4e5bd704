//! A load generator for `make bench`: requests at a fixed rate, handshakes, and idle connections.
//!
//! Usage:
//! - `drive open PORT CERTIFICATE REQUEST CONNECTIONS SECONDS RATE`
//! - `drive handshakes PORT CERTIFICATE REQUEST THREADS SECONDS full|resumed`
//! - `drive idle PORT CERTIFICATE REQUEST CONNECTIONS`: keeps the connections open until its standard input ends
//!
//! REQUEST is a file with the bytes of one HTTP/1.1 request. The load comes from blocking threads, which keep time more
//! precisely than the timers of an async runtime, whose resolution is a millisecond.

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    env,
    error::Error,
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Any error.
type Failure = Box<dyn Error + Send + Sync>;
/// A TLS connection.
type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A service and the request to send to it.
#[derive(Clone)]
struct Target {
    port: u16,
    tls: Arc<ClientConfig>,
    /// The bytes of the request.
    request: Arc<[u8]>,
}

impl Target {
    /// Reads the certificate and the request. With `resumes`, later connections resume TLS sessions.
    fn new(port: &str, certificate: &str, request: &str, resumes: bool) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        if !resumes {
            tls.resumption = Resumption::disabled();
        }
        Ok(Self { port: port.parse()?, tls: Arc::new(tls), request: std::fs::read(request)?.into() })
    }

    /// Opens a connection; the handshake follows with the first request.
    fn connect(&self) -> Result<Stream, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from("localhost")?)?;
        Ok(StreamOwned::new(session, stream))
    }

    /// Sends the request and reads the whole response.
    fn send(&self, stream: &mut Stream) -> Result<(), Failure> {
        stream.write_all(&self.request)?;
        let mut response = Vec::with_capacity(1024);
        let mut piece = [0; 16 * 1024];
        let mut expected = None;
        while expected.is_none_or(|length| response.len() < length) {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Err("the connection ended within a response".into());
            }
            response.extend_from_slice(&piece[..read]);
            expected = expected.or_else(|| response_bytes(&response));
        }
        if response.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err(String::from_utf8_lossy(&response).into()) }
    }
}

/// Returns the length of a whole response; `None` until its head is complete.
fn response_bytes(response: &[u8]) -> Option<usize> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&response[..end]).ok()?.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length:")?;
    Some(end + rest.lines().next()?.trim().parse::<usize>().ok()?)
}

/// Runs `work` in this number of threads and returns all their results.
fn in_threads<T: Send + 'static>(
    count: u32,
    work: impl Fn(u32) -> Result<Vec<T>, Failure> + Clone + Send + 'static,
) -> Result<Vec<T>, Failure> {
    let threads: Vec<_> = (0..count)
        .map(|number| {
            let work = work.clone();
            thread::spawn(move || work(number))
        })
        .collect();
    let mut all = Vec::new();
    for thread in threads {
        all.extend(thread.join().map_err(|_| "a thread panicked")??);
    }
    Ok(all)
}

/// Sends requests at a fixed rate, independently of the responses (open loop). The latency of a request counts from the
/// time at which it was due, even if its connection still waited for the previous response.
fn open(target: &Target, connections: u32, limit: Duration, rate: f64) -> Result<(), Failure> {
    let pause = Duration::from_secs_f64(f64::from(connections) / rate);
    // All connections are open before the first request is due.
    let start = Instant::now() + Duration::from_secs(1);
    let target = target.clone();
    let mut latencies = in_threads(connections, move |number| {
        let mut stream = target.connect()?;
        target.send(&mut stream)?;
        let mut due = start + pause.mul_f64(f64::from(number) / f64::from(connections));
        let mut latencies = Vec::new();
        while due < start + limit && Instant::now() < start + limit {
            let now = Instant::now();
            let from = if now < due {
                thread::sleep(due - now);
                Instant::now()
            } else {
                due
            };
            target.send(&mut stream)?;
            latencies.push(from.elapsed());
            due += pause;
        }
        Ok(latencies)
    })?;
    let took = start.elapsed().as_secs_f64();
    latencies.sort_unstable();
    print_line(&format!(
        "{{\"requests\":{},\"took_secs\":{took},\"p50_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1}}}",
        latencies.len(),
        quantile_us(&latencies, 500),
        quantile_us(&latencies, 990),
        quantile_us(&latencies, 999)
    ))
}

/// Returns a quantile of sorted latencies in microseconds.
fn quantile_us(sorted: &[Duration], thousandth: usize) -> f64 {
    sorted[(sorted.len() * thousandth / 1000).min(sorted.len() - 1)].as_secs_f64() * 1e6
}

/// Opens a connection for each request and closes it after the response.
fn handshakes(target: &Target, threads: u32, limit: Duration) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    let target = target.clone();
    let made = in_threads(threads, move |_| {
        let mut made = Vec::new();
        while Instant::now() < end {
            target.send(&mut target.connect()?)?;
            made.push(());
        }
        Ok(made)
    })?;
    print_line(&format!("{{\"requests\":{}}}", made.len()))
}

/// Keeps connections open after one request on each.
fn idle(target: &Target, connections: u32) -> Result<(), Failure> {
    let mut open = Vec::new();
    for _ in 0..connections {
        let mut stream = target.connect()?;
        target.send(&mut stream)?;
        open.push(stream);
    }
    print_line(&format!("{{\"open\":{}}}", open.len()))?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

/// Writes a line to standard output and flushes it.
fn print_line(line: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn main() -> Result<(), Failure> {
    cachefront::server::install_crypto();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["open", port, certificate, request, connections, secs, rate] => {
            let target = Target::new(port, certificate, request, true)?;
            open(&target, connections.parse()?, Duration::from_secs(secs.parse()?), rate.parse()?)
        }
        ["handshakes", port, certificate, request, threads, secs, kind] => {
            let target = Target::new(port, certificate, request, *kind == "resumed")?;
            handshakes(&target, threads.parse()?, Duration::from_secs(secs.parse()?))
        }
        ["idle", port, certificate, request, connections] => {
            idle(&Target::new(port, certificate, request, true)?, connections.parse()?)
        }
        _ => Err("usage: see the documentation at the head of examples/drive.rs".into()),
    }
}
