//! `cachefront status`: what the console shows, on a terminal.

use super::{
    ConfigArgs, Failure, healthcheck, print,
    table::{Column, Side, shown, table},
};
use crate::{
    admin::console::{ConsoleSnapshot, NodeRoleView, ShardView, behind, format as words, summary},
    http::ServiceStatus,
    settings,
};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Collected, Empty, Limited};
use hyper::{Request, StatusCode, Uri, client::conn::http1::handshake, header::HOST};
use hyper_util::rt::TokioIo;
use std::{
    env,
    fmt::Write,
    io::{self, IsTerminal},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    time::{sleep, timeout},
};

const TIMEOUT: Duration = Duration::from_secs(5);
const EVERY: Duration = Duration::from_secs(2);
const FACTS_BYTES_MAX: usize = 16 << 20;
const EVENTS_SHOWN: usize = 8;
/// The service answers, but something is missing.
const NOT_WHOLE: u8 = 2;
/// Clears the screen and goes to its beginning.
const CLEAR: &str = "\x1b[2J\x1b[H";

#[derive(Args)]
#[command(
    after_help = "Exit status: 0 ready, 1 not reachable, 2 degraded or not ready, 64 used wrongly, 78 something \
    wrong with the settings."
)]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// The admin port, such as `http://127.0.0.1:9091`; else it is where the settings say
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    admin: Option<String>,
    /// Print the facts as JSON, just as the service tells them
    #[arg(long)]
    json: bool,
    /// Look again every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

pub fn run(args: &StatusArgs) -> Result<(), Failure> {
    let url = if let Some(url) = &args.admin {
        url.trim_end_matches('/').to_owned()
    } else {
        let settings = settings::load(&args.config.config).map_err(Failure::settings)?;
        format!("http://{}", healthcheck::admin_address(&settings.service))
    };
    let place = place(&url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    runtime.block_on(async {
        if !args.watch {
            return look(args, &place).await;
        }
        let clears = !args.json && io::stdout().is_terminal();
        loop {
            if clears {
                print(CLEAR)?;
            }
            // It may be back the next time.
            if let Err(failure) = look(args, &place).await {
                print(format!("{}\n", failure.message))?;
            }
            sleep(EVERY).await;
        }
    })
}

async fn look(args: &StatusArgs, place: &EventPlace) -> Result<(), Failure> {
    let asked = timeout(TIMEOUT, ask(place)).await.unwrap_or_else(|_| Err("it took too long".to_owned()));
    let unreachable = |problem: String| Failure::general(format!("{} does not answer: {problem}", place.url));
    let text = asked.map_err(unreachable)?;
    let foreign = |error| unreachable(format!("these are no facts: {error}"));
    let facts: ConsoleSnapshot = serde_json::from_slice(&text).map_err(foreign)?;
    if args.json {
        print(&text)?;
    } else {
        print(page(&facts, &Paint::for_terminal()))?;
    }
    match facts.status {
        ServiceStatus::Ready => Ok(()),
        other => {
            let message = format!("the service is {}", other.word().to_lowercase());
            Err(Failure { message, status: NOT_WHOLE })
        }
    }
}

/// Where to ask.
struct EventPlace {
    url: String,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

fn place(url: &str) -> Result<EventPlace, Failure> {
    let wrong = |why: &str| Failure::usage(format!("{url} is no URL of an admin port: {why}"));
    let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("it begins with http://"));
    }
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    Ok(EventPlace {
        url: url.to_owned(),
        host: authority.host().trim_start_matches('[').trim_end_matches(']').to_owned(),
        port: authority.port_u16().unwrap_or(80),
        authority: authority.as_str().to_owned(),
        path: format!("{}/console/facts", uri.path().trim_end_matches('/')),
    })
}

/// The facts as they came. The error is a sentence without its subject.
async fn ask(place: &EventPlace) -> Result<Bytes, String> {
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|error| error.to_string())?;
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    let task = tokio::spawn(async move { drop(connection.await) });
    let asked = async {
        let request = Request::get(&place.path).header(HOST, &place.authority).body(Empty::<Bytes>::new());
        let answer = sender.send_request(request.map_err(|error| error.to_string())?).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{} has status {}", place.path, answer.status().as_u16()));
        }
        let body = Limited::new(answer.into_body(), FACTS_BYTES_MAX).collect().await;
        body.map(Collected::to_bytes).map_err(|error| error.to_string())
    };
    let asked = asked.await;
    task.abort();
    asked
}

/// Colours, where they are wanted: <https://no-color.org>.
struct Paint(bool);

impl Paint {
    fn for_terminal() -> Self {
        let unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self(io::stdout().is_terminal() && !unwanted)
    }

    fn status(&self, status: ServiceStatus) -> String {
        let code = match status {
            ServiceStatus::Ready => 32,
            ServiceStatus::Degraded => 33,
            ServiceStatus::NotReady => 31,
        };
        if self.0 { format!("\x1b[1;{code}m{}\x1b[0m", status.word()) } else { status.word().to_owned() }
    }

    fn soft(&self, text: &str) -> String {
        if self.0 { format!("\x1b[2m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn page(facts: &ConsoleSnapshot, paint: &Paint) -> String {
    let mut text = String::new();
    let about = format!(
        "version {}, up for {}, {}",
        shown(&facts.version),
        words::span(Duration::from_secs(facts.uptime_secs)),
        summary(facts)
    );
    let _ = writeln!(text, "{}  {}", paint.status(facts.status), paint.soft(&about));
    for problem in &facts.problems {
        let _ = writeln!(text, "  - {}", shown(problem));
    }
    let _ = writeln!(text, "\n{}", rates(facts));
    let _ = writeln!(text, "{}", shards(facts));
    let _ = writeln!(text, "{}", nodes(facts));
    for event in facts.events.iter().take(EVENTS_SHOWN) {
        let times = if event.times > 1 { format!(" ({} times)", event.times) } else { String::new() };
        let _ = writeln!(text, "{}  {}{times}", paint.soft(&words::clock(event.at_ms)), shown(&event.text));
    }
    text
}

fn rates(facts: &ConsoleSnapshot) -> String {
    let columns = [
        Column("", Side::Left),
        Column("REQUESTS/S", Side::Right),
        Column("COMMANDS/S", Side::Right),
        Column("ERRORS/S", Side::Right),
        Column("P50", Side::Right),
        Column("P99", Side::Right),
        Column("NEAR CACHE", Side::Right),
    ];
    let rows = [("last 10 s", &facts.rates.last_10_secs), ("last minute", &facts.rates.last_minute)];
    let rows = rows.map(|(name, rate)| {
        vec![
            name.to_owned(),
            words::figure(rate.requests_per_sec),
            words::figure(rate.commands_per_sec),
            words::figure(rate.errors_per_sec),
            words::micros_or_nothing(rate.p50_us),
            words::micros_or_nothing(rate.p99_us),
            rate.near_hits.map_or_else(|| words::NOTHING.to_owned(), words::percent),
        ]
    });
    table(&columns, &rows)
}

fn shards(facts: &ConsoleSnapshot) -> String {
    let columns = [
        Column("SHARD", Side::Left),
        Column("SHARE", Side::Right),
        Column(if facts.cluster { "SLOTS" } else { "WEIGHT" }, Side::Right),
        Column("STATE", Side::Left),
        Column("READABLE", Side::Right),
        Column("FAILOVERS", Side::Right),
    ];
    let row = |shard: &ShardView| {
        let state = match (shard.contested, shard.writable, shard.readable) {
            (true, ..) => "two masters",
            (false, true, _) => "serving",
            (false, false, true) => "read only",
            (false, false, false) => "unavailable",
        };
        let readable = shard.nodes.iter().filter(|node| node.readable).count();
        let size = shard.slots.map(|slots| slots.to_string()).or(shard.weight.map(|weight| weight.to_string()));
        vec![
            shown(&shard.name),
            words::percent(shard.share),
            size.unwrap_or_default(),
            state.to_owned(),
            format!("{readable} of {}", shard.nodes.len()),
            shard.promotions.to_string(),
        ]
    };
    table(&columns, &facts.shards.iter().map(row).collect::<Vec<_>>())
}

fn nodes(facts: &ConsoleSnapshot) -> String {
    let columns = [
        Column("NODE", Side::Left),
        Column("SHARD", Side::Left),
        Column("ROLE", Side::Left),
        Column("CONNECTION", Side::Left),
        Column("BEHIND", Side::Right),
        Column("IN FLIGHT", Side::Right),
        Column("ANSWERS/S", Side::Right),
        Column("FAILURES/S", Side::Right),
        Column("P50", Side::Right),
        Column("P99", Side::Right),
    ];
    let rows = facts.shards.iter().flat_map(|shard| shard.nodes.iter().map(move |node| (shard, node)));
    let rows = rows.map(|(shard, node)| {
        vec![
            shown(&node.address),
            shown(&shard.name),
            // The one that matters stands out without a colour.
            if node.role == NodeRoleView::Master { "MASTER".to_owned() } else { node.role.word().to_owned() },
            node.state.word().to_owned(),
            behind(node),
            node.in_flight.to_string(),
            words::figure(node.answers_per_sec),
            words::figure(node.failures_per_sec),
            words::micros_or_nothing(node.p50_us),
            words::micros_or_nothing(node.p99_us),
        ]
    });
    table(&columns, &rows.collect::<Vec<_>>())
}
