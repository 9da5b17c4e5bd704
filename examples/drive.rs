//! The load that `make bench` needs and no packaged tool makes: requests at a fixed rate, handshakes, idle connections.
//!
//! Usage: drive open PORT CERTIFICATE REQUEST CONNECTIONS SECONDS RATE · drive handshakes PORT CERTIFICATE REQUEST
//! THREADS SECONDS full|resumed · drive idle PORT CERTIFICATE REQUEST CONNECTIONS, which holds them until its input ends.
//!
//! REQUEST is a file with one HTTP/1.1 request as it goes over the wire. Threads that block keep better time than
//! timers of a runtime, whose step is a millisecond.

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

type Failure = Box<dyn Error + Send + Sync>;
type Stream = StreamOwned<ClientConnection, TcpStream>;

/// A service, and what to ask it.
#[derive(Clone)]
struct Target {
    port: u16,
    tls: Arc<ClientConfig>,
    request: Arc<[u8]>,
}

impl Target {
    fn new(port: &str, certificate: &str, request: &str, resumes: bool) -> Result<Self, Failure> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(certificate)?)?;
        let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        if !resumes {
            tls.resumption = Resumption::disabled();
        }
        Ok(Self { port: port.parse()?, tls: Arc::new(tls), request: std::fs::read(request)?.into() })
    }

    fn connect(&self) -> Result<Stream, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let session = ClientConnection::new(Arc::clone(&self.tls), ServerName::try_from("localhost")?)?;
        Ok(StreamOwned::new(session, stream))
    }

    /// Sends the request and reads the whole answer.
    fn ask(&self, stream: &mut Stream) -> Result<(), Failure> {
        stream.write_all(&self.request)?;
        let mut answer = Vec::with_capacity(1024);
        let mut piece = [0; 16 * 1024];
        let mut whole = None;
        while whole.is_none_or(|length| answer.len() < length) {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Err("the connection ended within an answer".into());
            }
            answer.extend_from_slice(&piece[..read]);
            whole = whole.or_else(|| length(&answer));
        }
        if answer.starts_with(b"HTTP/1.1 200") { Ok(()) } else { Err(String::from_utf8_lossy(&answer).into()) }
    }
}

/// Length of a whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&answer[..end]).ok()?.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length:")?;
    Some(end + rest.lines().next()?.trim().parse::<usize>().ok()?)
}

/// Runs `work` in so many threads and puts together what they return.
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
        all.extend(thread.join().map_err(|_| "a thread hit a defect")??);
    }
    Ok(all)
}

/// Asks at a fixed rate, whatever the answers do. What was due while its connection still waited for an answer counts
/// from when it was due.
fn open(target: &Target, connections: u32, limit: Duration, rate: f64) -> Result<(), Failure> {
    let pause = Duration::from_secs_f64(f64::from(connections) / rate);
    // Connected before the first is due.
    let start = Instant::now() + Duration::from_secs(1);
    let target = target.clone();
    let mut waits = in_threads(connections, move |number| {
        let mut stream = target.connect()?;
        target.ask(&mut stream)?;
        let mut due = start + pause.mul_f64(f64::from(number) / f64::from(connections));
        let mut waits = Vec::new();
        while due < start + limit && Instant::now() < start + limit {
            let now = Instant::now();
            let from = if now < due {
                thread::sleep(due - now);
                Instant::now()
            } else {
                due
            };
            target.ask(&mut stream)?;
            waits.push(from.elapsed());
            due += pause;
        }
        Ok(waits)
    })?;
    let took = start.elapsed().as_secs_f64();
    waits.sort_unstable();
    let at = |thousandth: usize| waits[(waits.len() * thousandth / 1000).min(waits.len() - 1)].as_secs_f64() * 1e6;
    say(&format!(
        "{{\"requests\":{},\"took_secs\":{took},\"p50_us\":{:.1},\"p99_us\":{:.1},\"p999_us\":{:.1}}}",
        waits.len(),
        at(500),
        at(990),
        at(999)
    ))
}

/// Connects, asks once and closes, again and again.
fn handshakes(target: &Target, threads: u32, limit: Duration) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    let target = target.clone();
    let made = in_threads(threads, move |_| {
        let mut made = Vec::new();
        while Instant::now() < end {
            target.ask(&mut target.connect()?)?;
            made.push(());
        }
        Ok(made)
    })?;
    say(&format!("{{\"requests\":{}}}", made.len()))
}

/// Holds connections that have asked once.
fn idle(target: &Target, connections: u32) -> Result<(), Failure> {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut stream = target.connect()?;
        target.ask(&mut stream)?;
        held.push(stream);
    }
    say(&format!("{{\"open\":{}}}", held.len()))?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

fn say(line: &str) -> Result<(), Failure> {
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
        _ => Err("usage: see the head of examples/drive.rs".into()),
    }
}
