//! `alula dev` of an app that was built before: process start to first answer; memory before and
//! after load.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use alula_rt::clock;
use anyhow::{Result, bail};
use tokio::process::Command;

use super::answers;
use crate::apps;
use crate::load::client::Client;
use crate::load::{closed_loop, percentile};
use crate::machine::{peak_mib, resident_mib};
use crate::options::Options;
use crate::report::{Bound, Group};
use crate::server::{Server, free_address};

/// How long after the load memory is looked at.
const REST: Duration = Duration::from_secs(60);
const STARTS: usize = 20;

/// Both groups.
pub(crate) async fn start(options: &Options) -> Result<Vec<Group>> {
    let app = apps::copy("examples/hello-rust")?;
    let first = Server::start(apps::dev(options, app.path())).await?;
    answers(&first, "/").await?;
    first.stop().await;
    Ok(vec![starts(options, app.path()).await?, memory(options, app.path()).await?])
}

async fn starts(options: &Options, app: &Path) -> Result<Group> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(one_start(options, app).await?);
    }
    let mut group = Group::new("alula dev, process start to first answer", &["p50 ms", "max ms"]);
    let figures = vec![percentile(&mut times, 0.5) / 1e3, percentile(&mut times, 1.0) / 1e3];
    group.rows.push(("a built example".to_owned(), figures));
    group.check("a built example", "p50 ms", Bound::AtMost(80.0));
    Ok(group)
}

async fn one_start(options: &Options, app: &Path) -> Result<Duration> {
    let address = free_address()?;
    let mut command = Command::new(&options.alula);
    command.arg("dev").arg(app).args(["--listen", &address.to_string()]);
    let begin = clock::now();
    let server = Server::launch_at(command, address)?;
    first_answer(address).await?;
    let time = clock::now() - begin;
    server.stop().await;
    Ok(time)
}

async fn first_answer(address: SocketAddr) -> Result<()> {
    let until = clock::now() + Duration::from_secs(30);
    while clock::now() < until {
        if let Ok(mut client) = Client::connect(address).await
            && let Ok(200) = client.get("/").await
        {
            return Ok(());
        }
        // The timer's own grain: a millisecond.
        clock::sleep(Duration::from_millis(1)).await;
    }
    bail!("no answer within 30 s of the start")
}

async fn memory(options: &Options, app: &Path) -> Result<Group> {
    let server = Server::start(apps::dev(options, app)).await?;
    answers(&server, "/").await?;
    clock::sleep(Duration::from_secs(2)).await;
    let before = resident_mib(server.pid());
    for _ in 0..options.rounds {
        closed_loop(options, &server, "/", options.connections, options.round).await?;
    }
    let loaded = peak_mib(server.pid());
    eprintln!("resting for {REST:?} before memory is looked at");
    clock::sleep(REST).await;
    let after = resident_mib(server.pid());
    server.stop().await;
    let columns = &["before MiB", "peak MiB", "a minute after MiB"];
    let mut group = Group::new("resident memory of alula dev", columns);
    group.rows.push(("rust hello".to_owned(), vec![before, loaded, after]));
    group.check("rust hello", "before MiB", Bound::AtMost(40.0));
    group.check("rust hello", "a minute after MiB", Bound::AtMost(80.0));
    Ok(group)
}
