//! `cachefront status`: shows on a terminal what the console shows.

mod page;
pub mod request;

use super::{config_args::ConfigArgs, failure::Failure, output::print};
use crate::{admin::console::ConsoleSnapshot, http::ServiceStatus, types::error_chain};
use clap::Args;
use page::{Paint, page};
use request::{AdminUrl, StatusError, request};
use std::{
    io::{self, IsTerminal},
    time::Duration,
};
use tokio::time::{sleep, timeout};

/// Time for one request, from connecting to the end of the answer.
const TIMEOUT: Duration = Duration::from_secs(5);
const WATCH_INTERVAL: Duration = Duration::from_secs(2);
/// Exit status of a service that answers and is degraded or not ready.
const EX_DEGRADED: u8 = 2;
/// Control sequence that clears the screen and moves the cursor to its beginning.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// Arguments of `cachefront status`.
#[derive(Args)]
#[command(after_help = "Exit status: 0 ready, 1 not reachable, 2 degraded or not ready, 64 wrong usage, 78 invalid \
    configuration.")]
pub struct StatusArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Use the admin port at this URL, such as `http://127.0.0.1:9091`, instead of the one in the settings
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    admin: Option<String>,
    /// Print the state as JSON, as the service sends it
    #[arg(long)]
    json: bool,
    /// Repeat every two seconds, until Ctrl-C
    #[arg(long)]
    watch: bool,
}

/// Requests the state of the instance and prints it.
pub fn run(args: &StatusArgs) -> Result<(), Failure> {
    let url = if let Some(url) = &args.admin {
        url.trim_end_matches('/').to_owned()
    } else {
        format!("http://{}", args.config.load_admin_address()?)
    };
    let url = AdminUrl::parse(&url)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::general)?;
    runtime.block_on(async {
        if !args.watch {
            return show(args, &url).await;
        }
        let clears = !args.json && io::stdout().is_terminal();
        loop {
            if clears {
                print(CLEAR)?;
            }
            // The service may answer the next time.
            if let Err(failure) = show(args, &url).await {
                print(format!("{}\n", failure.message))?;
            }
            sleep(WATCH_INTERVAL).await;
        }
    })
}

/// Requests and prints the state once.
async fn show(args: &StatusArgs, url: &AdminUrl) -> Result<(), Failure> {
    let requested = timeout(TIMEOUT, request(url)).await.unwrap_or(Err(StatusError::TimedOut));
    let (text, snapshot) = requested
        .and_then(|text| Ok((text.clone(), serde_json::from_slice::<ConsoleSnapshot>(&text)?)))
        .map_err(|error| Failure::general(format!("{} does not answer: {}", url.text, error_chain(&error))))?;
    if args.json {
        print(&text)?;
    } else {
        print(page(&snapshot, &Paint::for_terminal()))?;
    }
    match snapshot.status {
        ServiceStatus::Ready => Ok(()),
        other => {
            let message = format!("the service is {}", other.word().to_lowercase());
            Err(Failure { message, status: EX_DEGRADED })
        }
    }
}
