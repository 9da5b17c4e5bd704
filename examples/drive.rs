//! A load generator for `make bench`: requests at a fixed rate, handshakes, and idle connections.
//!
//! Usage:
//! - `drive open PORT CERTIFICATE REQUESTS CONNECTIONS SECONDS RATE`
//! - `drive skewed PORT CERTIFICATE REQUESTS CONNECTIONS SECONDS RATE HOT ADMIN_PORT together|apart`: HOT of the connections
//!   carry 80 % of the load. They begin on one worker of the service, or spread over all its workers. The time in which the service
//!   spreads them is not counted.
//! - `drive handshakes PORT CERTIFICATE REQUESTS THREADS SECONDS full|resumed`
//! - `drive idle PORT CERTIFICATE REQUESTS CONNECTIONS`: keeps the connections open until its standard input ends
//!
//! CERTIFICATE is `-` for plain HTTP. REQUESTS is a file with HTTP/1.1 requests and a NUL between them. The load comes from
//! blocking threads, which keep time more precisely than the timers of an async runtime, whose resolution is a millisecond.

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    collections::BTreeMap,
    env,
    error::Error,
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Part of the load that hot connections carry.
const HOT_SHARE: f64 = 0.8;
/// Time in which the service may spread hot connections over its workers.
const SPREADING: Duration = Duration::from_secs(3);
/// Number of times that connections are opened until enough of them are on each worker.
const SPLITS_MAX: u32 = 5;
/// Requests on a new connection that show which worker has it.
const PROBES: usize = 30;

/// Any error.
type Failure = Box<dyn Error + Send + Sync>;

/// A connection, with or without TLS.
trait Connection: Read + Write + Send {}
impl<T: Read + Write + Send> Connection for T {}
type Stream = Box<dyn Connection>;

/// A service and the requests to send to it.
#[derive(Clone)]
struct Target {
    port: u16,
    /// The configuration of TLS; `None` for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
    requests: Arc<[Vec<u8>]>,
}

impl Target {
    /// Reads the certificate and the requests. With `resumes`, later connections resume TLS sessions.
    fn new(port: &str, certificate: &str, requests: &str, resumes: bool) -> Result<Self, Failure> {
        let tls = if certificate == "-" { None } else { Some(Arc::new(tls_config(certificate, resumes)?)) };
        let requests = fs::read(requests)?.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        Ok(Self { port: port.parse()?, tls, requests })
    }

    /// Opens a connection; the handshake follows with the first request.
    fn connect(&self) -> Result<Stream, Failure> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let session = ClientConnection::new(Arc::clone(tls), ServerName::try_from("localhost")?)?;
        Ok(Box::new(StreamOwned::new(session, stream)))
    }

    /// Opens a connection and sends the first request on it.
    fn open(&self) -> Result<Stream, Failure> {
        let mut stream = self.connect()?;
        self.send(&mut stream, 0)?;
        Ok(stream)
    }

    /// Opens a connection, and returns the name of the worker that has it, with the connection.
    fn open_on_worker(&self, admin_port: u16) -> Result<(String, Stream), Failure> {
        let mut stream = self.open()?;
        let before = busy_times(admin_port)?;
        for number in 0..PROBES {
            self.send(&mut stream, number)?;
        }
        let (worker, _) = busiest(&before, &busy_times(admin_port)?)?;
        Ok((worker, stream))
    }

    /// Sends a request and reads the whole response.
    fn send(&self, stream: &mut Stream, number: usize) -> Result<(), Failure> {
        stream.write_all(&self.requests[number % self.requests.len()])?;
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

/// Returns the TLS configuration of a client that trusts this certificate.
fn tls_config(certificate: &str, resumes: bool) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let mut tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    if !resumes {
        tls.resumption = Resumption::disabled();
    }
    Ok(tls)
}

/// Returns the length of a whole response; `None` until its head is complete.
fn response_bytes(response: &[u8]) -> Option<usize> {
    let end = response.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&response[..end]).ok()?.to_ascii_lowercase();
    let (_, rest) = head.split_once("content-length:")?;
    Some(end + rest.lines().next()?.trim().parse::<usize>().ok()?)
}

/// Runs each job in a thread of its own and returns their results in order.
fn in_threads<T: Send + 'static>(
    jobs: impl Iterator<Item = impl FnOnce() -> Result<T, Failure> + Send + 'static>,
) -> Result<Vec<T>, Failure> {
    let threads: Vec<_> = jobs.map(thread::spawn).collect();
    threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect()
}

/// An open connection that sends its requests at a fixed rate, independently of the responses (open loop).
struct Sender {
    stream: Stream,
    /// The number of its first request. Connections with different numbers read different keys at a time.
    number: usize,
    /// The time from the start to its first request.
    offset: Duration,
    /// The time between two requests.
    pause: Duration,
}

impl Sender {
    /// Sends requests until the end. The latency of a request counts from the time at which it was due, even if its connection
    /// still waited for the previous response.
    fn run(mut self, target: &Target, start: Instant, end: Instant) -> Result<Vec<Duration>, Failure> {
        let mut due = start + self.offset;
        let mut latencies = Vec::new();
        while due < end && Instant::now() < end {
            let now = Instant::now();
            let from = if now < due {
                thread::sleep(due - now);
                Instant::now()
            } else {
                due
            };
            target.send(&mut self.stream, self.number)?;
            latencies.push(from.elapsed());
            self.number += 1;
            due += self.pause;
        }
        Ok(latencies)
    }
}

/// Returns senders that share a rate evenly.
fn senders(streams: Vec<Stream>, rate: f64) -> impl Iterator<Item = Sender> {
    let count = u32::try_from(streams.len()).expect("there are few connections");
    let pause = Duration::from_secs_f64(f64::from(count) / rate);
    streams.into_iter().zip(0u32..).map(move |(stream, number)| Sender {
        stream,
        number: number as usize,
        offset: pause * number / count,
        pause,
    })
}

/// Runs senders side by side. Returns their latencies and the seconds that it took.
fn run_all(
    target: &Target,
    senders: impl Iterator<Item = Sender>,
    limit: Duration,
) -> Result<(Vec<Vec<Duration>>, f64), Failure> {
    // All threads run before the first request is due.
    let start = Instant::now() + Duration::from_millis(100);
    let latencies = in_threads(senders.map(|sender| {
        let target = target.clone();
        move || sender.run(&target, start, start + limit)
    }))?;
    Ok((latencies, start.elapsed().as_secs_f64()))
}

/// Sends requests at a fixed rate over connections with equal shares.
fn open(target: &Target, connections: usize, limit: Duration, rate: f64) -> Result<(), Failure> {
    let streams = (0..connections).map(|_| target.open()).collect::<Result<_, _>>()?;
    let (latencies, took) = run_all(target, senders(streams, rate), limit)?;
    let latencies = latencies.concat();
    print_line(&format!("{{\"requests\":{},\"took_secs\":{took},{}}}", latencies.len(), quantiles("", latencies)?))
}

/// A few connections that carry most of the load.
struct Skew {
    /// The number of these connections.
    hot: usize,
    /// The admin port of the service.
    admin_port: u16,
    /// Whether they are on one worker.
    together: bool,
}

/// Sends requests at a fixed rate, most of them over a few hot connections.
fn skewed(target: &Target, connections: usize, limit: Duration, rate: f64, skew: &Skew) -> Result<(), Failure> {
    let (hot_streams, cold_streams) = open_split(target, connections, skew)?;
    let hot_senders = senders(hot_streams, rate * HOT_SHARE);
    let all = hot_senders.chain(senders(cold_streams, rate * (1.0 - HOT_SHARE)));
    let all: Vec<Sender> = all.collect();
    let pauses: Vec<Duration> = all.iter().map(|sender| sender.pause).collect();
    let before = busy_times(skew.admin_port)?;
    let (mut latencies, took) = run_all(target, all.into_iter(), SPREADING + limit)?;
    let (_, busiest) = busiest(&before, &busy_times(skew.admin_port)?)?;
    for (latencies, pause) in latencies.iter_mut().zip(pauses) {
        let uncounted = usize::try_from(SPREADING.as_nanos() / pause.as_nanos().max(1))?;
        latencies.drain(..uncounted.min(latencies.len()));
    }
    let cold_latencies = latencies.split_off(skew.hot).concat();
    let hot_latencies = latencies.concat();
    print_line(&format!(
        "{{\"requests\":{},\"took_secs\":{took},\"busiest\":{:.3},{},{}}}",
        hot_latencies.len() + cold_latencies.len(),
        busiest / took,
        quantiles("hot_", hot_latencies)?,
        quantiles("cold_", cold_latencies)?
    ))
}

/// Returns the seconds for which each worker of the service has been busy.
fn busy_times(admin_port: u16) -> Result<BTreeMap<String, f64>, Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", admin_port))?;
    stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    let rows =
        page.lines().filter_map(|line| line.strip_prefix("cachefront_runtime_worker_busy_seconds_total{worker="));
    rows.map(|row| {
        let (worker, seconds) = row.split_once("} ").ok_or("a row of the metrics has no value")?;
        Ok((worker.to_owned(), seconds.parse()?))
    })
    .collect()
}

/// Returns the worker that was busy for the longest time between two moments, and this time in seconds.
fn busiest(before: &BTreeMap<String, f64>, after: &BTreeMap<String, f64>) -> Result<(String, f64), Failure> {
    let busy = after.iter().map(|(name, seconds)| (name.clone(), seconds - before.get(name).unwrap_or(&0.0)));
    busy.max_by(|one, other| one.1.total_cmp(&other.1)).ok_or_else(|| "the metrics have no workers".into())
}

/// Opens connections, and splits them into hot and cold ones. Another load can hide which worker has a connection, so it may take
/// several times.
fn open_split(target: &Target, connections: usize, skew: &Skew) -> Result<(Vec<Stream>, Vec<Stream>), Failure> {
    let mut tries = 0;
    loop {
        let streams = (0..connections).map(|_| target.open_on_worker(skew.admin_port)).collect::<Result<_, _>>()?;
        tries += 1;
        match split(streams, skew) {
            Err(_) if tries < SPLITS_MAX => {}
            opened => return opened,
        }
    }
}

/// Splits connections into hot and cold ones. The hot ones are on one worker, or on all workers in turn.
fn split(streams: Vec<(String, Stream)>, skew: &Skew) -> Result<(Vec<Stream>, Vec<Stream>), Failure> {
    let mut workers: BTreeMap<String, Vec<Stream>> = BTreeMap::new();
    for (worker, stream) in streams {
        workers.entry(worker).or_default().push(stream);
    }
    let mut cold: Vec<Vec<Stream>> = workers.into_values().collect();
    cold.sort_by_key(Vec::len);
    let mut chosen = Vec::new();
    for turn in 0..skew.hot {
        let worker = if skew.together { cold.len() - 1 } else { turn % cold.len() };
        chosen.push(cold[worker].pop().ok_or("a worker has too few of the connections")?);
    }
    Ok((chosen, cold.into_iter().flatten().collect()))
}

/// Returns quantiles of latencies as fields of JSON.
fn quantiles(prefix: &str, mut latencies: Vec<Duration>) -> Result<String, Failure> {
    latencies.sort_unstable();
    let last = latencies.len().checked_sub(1).ok_or("no request was answered")?;
    let at = |thousandth: usize| latencies[(latencies.len() * thousandth / 1000).min(last)].as_secs_f64() * 1e6;
    Ok(format!(
        "\"{prefix}p50_us\":{:.1},\"{prefix}p99_us\":{:.1},\"{prefix}p999_us\":{:.1}",
        at(500),
        at(990),
        at(999)
    ))
}

/// Opens a connection for each request and closes it after the response.
fn handshakes(target: &Target, threads: usize, limit: Duration) -> Result<(), Failure> {
    let end = Instant::now() + limit;
    let made = in_threads((0..threads).map(|_| {
        let target = target.clone();
        move || {
            let mut made = 0;
            while Instant::now() < end {
                target.open()?;
                made += 1;
            }
            Ok(made)
        }
    }))?;
    print_line(&format!("{{\"requests\":{}}}", made.iter().sum::<usize>()))
}

/// Keeps connections open after one request on each.
fn idle(target: &Target, connections: usize) -> Result<(), Failure> {
    let open: Vec<Stream> = (0..connections).map(|_| target.open()).collect::<Result<_, _>>()?;
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

fn seconds(text: &str) -> Result<Duration, Failure> {
    Ok(Duration::from_secs(text.parse()?))
}

fn main() -> Result<(), Failure> {
    cachefront::server::install_crypto();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [mode, port, certificate, requests, rest @ ..] = arguments.as_slice() else {
        return Err("usage: see the documentation at the head of examples/drive.rs".into());
    };
    let target = Target::new(port, certificate, requests, !rest.contains(&"full"))?;
    match (*mode, rest) {
        ("open", [connections, secs, rate]) => open(&target, connections.parse()?, seconds(secs)?, rate.parse()?),
        ("skewed", [connections, secs, rate, hot, admin_port, kind]) => {
            let skew = Skew { hot: hot.parse()?, admin_port: admin_port.parse()?, together: *kind == "together" };
            skewed(&target, connections.parse()?, seconds(secs)?, rate.parse()?, &skew)
        }
        ("handshakes", [threads, secs, _]) => handshakes(&target, threads.parse()?, seconds(secs)?),
        ("idle", [connections]) => idle(&target, connections.parse()?),
        _ => Err("usage: see the documentation at the head of examples/drive.rs".into()),
    }
}
