//! 10 MB up and down: they must pass through and not pile up.

use std::time::Duration;

use alula_rt::clock;
use anyhow::{Result, ensure};
use bytes::Bytes;
use http::Method;

use super::answers;
use crate::apps;
use crate::load::client::{Client, discard};
use crate::load::median;
use crate::machine::{forget_peak, peak_mib, resident_mib};
use crate::options::Options;
use crate::report::{Bound, Group};
use crate::server::Server;

const BODY: usize = 10_000_000;
const TIMES: usize = 20;
/// Room for the buffers of sockets and pipes on the way; a body that piles up needs 10 MB at least.
const FLAT_MIB: f64 = 8.0;

/// Up, down, and both at once.
pub(crate) async fn stream(options: &Options) -> Result<Vec<Group>> {
    let app = apps::copy("examples/stream")?;
    let server = Server::start(apps::dev(options, app.path())).await?;
    answers(&server, "/download?bytes=1000").await?;
    let columns = &["MB/s", "growth MiB", "peak MiB"];
    let mut group = Group::new("10 MB bodies through the stream example", columns);
    let body = Bytes::from(vec![b'x'; BODY]);
    // The first pass grows what is kept between requests; only what comes after it is a body's own.
    echo(&server, &body).await?;
    let down = format!("/download?bytes={BODY}");
    download(&server, &down).await?;
    for name in ["down", "up and down"] {
        let before = resident_mib(server.pid());
        forget_peak(server.pid());
        let mut rates = Vec::new();
        for _ in 0..TIMES {
            let begin = clock::now();
            match name {
                "down" => download(&server, &down).await?,
                _ => echo(&server, &body).await?,
            }
            rates.push(BODY as f64 / 1e6 / (clock::now() - begin).as_secs_f64());
        }
        let peak = peak_mib(server.pid());
        group.rows.push((name.to_owned(), vec![median(rates), peak - before, peak]));
        group.check(name, "growth MiB", Bound::AtMost(FLAT_MIB));
        clock::sleep(Duration::from_millis(200)).await;
    }
    server.stop().await;
    Ok(vec![group])
}

async fn download(server: &Server, path: &str) -> Result<()> {
    let mut client = Client::connect(server.address).await?;
    let response = client.send(Method::GET, path, Bytes::new()).await?;
    let length = discard(response).await?;
    ensure!(length == BODY, "{length} bytes came instead of {BODY}");
    Ok(())
}

async fn echo(server: &Server, body: &Bytes) -> Result<()> {
    let mut client = Client::connect(server.address).await?;
    let response = client.send(Method::POST, "/echo", body.clone()).await?;
    let length = discard(response).await?;
    ensure!(length == BODY, "{length} bytes came back instead of {BODY}");
    Ok(())
}
