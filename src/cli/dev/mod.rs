//! `cachefront dev`: everything that is needed to try the service, made on the spot and gone afterwards.

mod banner;
mod certificate;
pub mod local_redis;
mod session;

use super::Failure;
use crate::{
    server::{self, Server, Shutdown},
    store::{ShardHealth, Store},
    telemetry,
};
use clap::Args;
use local_redis::{Layout, RedisGroup};
use session::DevSession;
use std::{path::PathBuf, time::Duration};
use tokio::time::{sleep, timeout};

/// How long connecting to Redis on this machine may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Args)]
pub struct DevArgs {
    /// Port to serve HTTPS on
    #[arg(long, default_value_t = 9090)]
    port: u16,
    /// Shards, each with its own master and replicas
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=16))]
    shards: u16,
    /// Replicas of each master
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(0..=8))]
    replicas: u16,
    /// Folder of cert.pem and key.pem; both are made if neither is there
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    certs: PathBuf,
}

pub fn run(args: &DevArgs) -> Result<(), Failure> {
    let certificate = certificate::ensure(&args.certs).map_err(Failure::general)?;
    // Before Redis is started: a taken port is the likeliest problem, and the cheapest to find.
    let (listeners, ports) = session::listen(args.port).map_err(Failure::general)?;
    let redis =
        RedisGroup::start(&Layout { shards: args.shards.into(), replicas: args.replicas.into(), ..Layout::default() })
            .map_err(Failure::general)?;
    let session = DevSession::new(&redis, &certificate, ports).map_err(Failure::general)?;
    let settings = session.settings().map_err(Failure::settings)?;
    let traces = telemetry::start(&settings);
    let service = Server::new(settings).map_err(Failure::settings)?.tracing(traces);

    let runtime = super::background_runtime()?;
    let outcome = runtime.block_on(async {
        let stop = server::on_signals().map_err(Failure::general)?;
        let announce = announce(&session, &redis, service.store(), stop.clone());
        let (served, announced) = tokio::join!(service.run(listeners, stop), announce);
        announced.and(served.map_err(Failure::general))
    });
    drop(redis);
    println!("\nStopped. Redis and what it held are gone.");
    outcome
}

/// Says what to paste as soon as all of Redis is connected.
async fn announce(session: &DevSession, redis: &RedisGroup, store: Store, stop: Shutdown) -> Result<(), Failure> {
    let whole = |shard: &ShardHealth| shard.master_up && shard.replicas_up == shard.replicas;
    let connected = timeout(CONNECT_TIMEOUT, async {
        while !store.health().iter().all(whole) {
            sleep(Duration::from_millis(5)).await;
        }
    });
    tokio::select! {
        () = stop.requested() => Ok(()),
        connected = connected => {
            if connected.is_err() {
                stop.request();
                return Err(Failure::general("the Redis started here could not be connected to in time"));
            }
            print!("{}", banner::text(session, redis));
            Ok(())
        }
    }
}
