//! What a busy neighbour does to a small function: 200 requests a second in an open loop, with and
//! without one hog at a time in the same server.

use std::time::Duration;

use alula_rt::{CancellationToken, TaskKind, clock, spawn};
use anyhow::Result;

use super::answers;
use crate::apps::{self, Function};
use crate::load::client::Client;
use crate::load::{Sample, median, open_loop};
use crate::options::Options;
use crate::report::{Bound, Group};
use crate::server::Server;

const PER_SECOND: u32 = 200;
/// How often a running guest is asked to let others run.
const TICK_US: f64 = 1_000.0;
const QUIET: &str = "no hog";
const HOGS: &[(&str, &str)] = &[
    ("an endless loop", "/hog?do=spin"),
    ("allocating without end", "/hog?do=hog"),
    ("flooding its log", "/hog?do=flood"),
];

/// One row for each hog.
pub(crate) async fn hogs(options: &Options) -> Result<Vec<Group>> {
    let hello = apps::rust("examples/hello-rust", "hello_rust.wasm").await?;
    let probe = apps::rust("guests/http", "guest_http.wasm").await?;
    let app = apps::app(&[
        Function { name: "hello".into(), wasm: &hello, settings: "" },
        Function { name: "hog".into(), wasm: &probe, settings: "timeout = \"5s\"" },
    ])?;
    let server = Server::start(apps::dev(options, app.path())).await?;
    answers(&server, "/hello").await?;
    answers(&server, "/hog").await?;
    let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); HOGS.len() + 1];
    eprintln!("measuring {} hogs, {} rounds", HOGS.len(), options.rounds);
    for _ in 0..options.rounds {
        samples[0].push(neighbour(options, &server).await?);
        for (index, (_, path)) in HOGS.iter().enumerate() {
            let hog = Hog::begin(&server, path);
            clock::sleep(Duration::from_millis(300)).await;
            samples[index + 1].push(neighbour(options, &server).await?);
            hog.end().await;
        }
    }
    server.stop().await;
    Ok(vec![group(&samples)])
}

fn group(samples: &[Vec<Sample>]) -> Group {
    let columns = &["req/s", "p50 µs", "p99 µs", "errors"];
    let mut group = Group::new("200 requests/s to a small function beside one hog", columns);
    let names = std::iter::once(QUIET).chain(HOGS.iter().map(|(name, _)| *name));
    for (name, samples) in names.zip(samples) {
        let figures = vec![
            median(samples.iter().map(|sample| sample.rate)),
            median(samples.iter().map(|sample| sample.p50)),
            median(samples.iter().map(|sample| sample.p99)),
            samples.iter().map(|sample| sample.errors).sum::<u64>() as f64,
        ];
        group.rows.push((name.to_owned(), figures));
    }
    let quiet = group.get(QUIET, "p99 µs").unwrap_or(f64::NAN);
    for (name, _) in HOGS {
        group.check(name, "p99 µs", Bound::AtMost(2.0 * quiet + TICK_US));
    }
    group
}

async fn neighbour(options: &Options, server: &Server) -> Result<Sample> {
    open_loop(server.address, "/hello", PER_SECOND, options.round).await
}

/// One connection that asks for the same bad thing again and again.
struct Hog {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Hog {
    fn begin(server: &Server, path: &'static str) -> Self {
        let stop = CancellationToken::new();
        let (stopped, address) = (stop.clone(), server.address);
        let again_and_again = async move {
            loop {
                if let Ok(mut client) = Client::connect(address).await {
                    let _ = client.get(path).await;
                }
                // A hog that is refused at once must not turn into a flood of connections.
                clock::sleep(Duration::from_millis(10)).await;
            }
        };
        let task = spawn(TaskKind::Connection, async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = again_and_again => {}
            }
        });
        Self { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        let _ = self.task.await;
        // Its connection is closed, which cancels the guest; what it left is swept up before the
        // next round.
        clock::sleep(Duration::from_millis(500)).await;
    }
}
