//! `cachefront dev`: everything that is needed to try the service, made on the spot and removed afterwards.

mod banner;
mod certificate;
mod error;
mod local_redis;
mod new_file;
mod session;
mod terminal;

use super::failure::Failure;
use crate::{
    server::{self, Server, Shutdown},
    store::{ShardHealth, Store},
    telemetry,
};
use clap::Args;
use error::DevError;
use local_redis::RedisGroup;
use session::DevSession;
use std::{path::PathBuf, time::Duration};
use tokio::time::{sleep, timeout};

/// Time for connecting to all nodes of this machine's Redis.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Arguments of `cachefront dev`.
#[derive(Args)]
pub struct DevArgs {
    /// Serve HTTPS on this port; the admin port is the next one
    #[arg(long, default_value_t = 9090)]
    port: u16,
    /// Start this many shards, each with its own master and replicas
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    shards: u16,
    /// Start this many replicas of each master
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=8))]
    replicas: u16,
    /// Use cert.pem and key.pem of this folder; both are made if neither exists
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    certs: PathBuf,
}

/// Starts Redis and the service, prints the banner, and stops both on Ctrl-C.
pub fn run(args: &DevArgs) -> Result<(), Failure> {
    let certificate = certificate::ensure(&args.certs).map_err(Failure::caused)?;
    // The ports come before Redis: a taken port is the likeliest problem, and the cheapest to find.
    let (listeners, ports) = session::listen(args.port).map_err(Failure::caused)?;
    let redis = RedisGroup::start(args.shards, args.replicas).map_err(Failure::caused)?;
    let session = DevSession::new(&redis, &certificate, ports).map_err(Failure::caused)?;
    let settings = session.load_settings()().map_err(Failure::settings)?;
    let traces = telemetry::start(&settings);
    let server = Server::new(settings).map_err(Failure::invalid_settings)?.tracing(traces);
    let server = server.reloading(session.load_settings());

    let runtime = super::runtime::background()?;
    let outcome = runtime.block_on(async {
        let shutdown = server::on_signals().map_err(Failure::caused)?;
        let announce = announce(&session, &redis, server.store(), shutdown.clone());
        let serve = async {
            tokio::select! {
                never = terminal::shut_down_when_closed(&shutdown) => never,
                outcome = server.run(listeners, shutdown.clone()) => outcome,
            }
        };
        let (served, announced) = tokio::join!(serve, announce);
        announced.and(served.map_err(Failure::general))
    });
    drop(redis);
    println!("\nStopped. Redis and its data are removed.");
    outcome
}

/// Prints the banner as soon as all of Redis is connected.
async fn announce(session: &DevSession, redis: &RedisGroup, store: Store, shutdown: Shutdown) -> Result<(), Failure> {
    let connected = timeout(CONNECT_TIMEOUT, async {
        while !store.health().iter().all(is_connected) {
            sleep(POLL_INTERVAL).await;
        }
    });
    tokio::select! {
        () = shutdown.requested() => Ok(()),
        connected = connected => {
            if connected.is_err() {
                shutdown.request();
                return Err(Failure::caused(DevError::NotConnected));
            }
            print!("{}", banner::text(session, redis));
            Ok(())
        }
    }
}

fn is_connected(shard: &ShardHealth) -> bool {
    shard.master_up && shard.replicas_up == shard.replicas
}
