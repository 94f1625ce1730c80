//! Load for a long time: errors, memory that only grows, latency that drifts.

use anyhow::{Result, bail};

use super::answers;
use crate::apps::{self, Function};
use crate::load::{Sample, closed_loop};
use crate::machine::resident_mib;
use crate::options::Options;
use crate::report::{Bound, Group};
use crate::server::Server;

/// Pieces into which the time is cut, to see a drift.
const PIECES: u32 = 12;

/// Fresh and warm in turns; the first and the last quarter must not differ much.
pub(crate) async fn soak(options: &Options) -> Result<Vec<Group>> {
    let hello = apps::rust("examples/hello-rust", "hello_rust.wasm").await?;
    let app = apps::app(&[
        Function { name: "fresh".into(), wasm: &hello, settings: "" },
        Function { name: "warm".into(), wasm: &hello, settings: "reuse = \"warm\"" },
    ])?;
    let server = Server::start(apps::dev(options, app.path())).await?;
    answers(&server, "/fresh").await?;
    answers(&server, "/warm").await?;
    let columns = &["req/s", "p99 µs", "errors", "RSS MiB"];
    let mut group = Group::new("soak", columns);
    for piece in 0..PIECES {
        for path in ["/fresh", "/warm"] {
            let many = options.connections;
            let time = (options.round / (2 * PIECES)).max(std::time::Duration::from_secs(1));
            let sample = closed_loop(options, &server, path, many, time).await?;
            group.rows.push(row(&format!("{path} {piece}"), &sample, &server));
        }
    }
    server.stop().await;
    let (Some(first), Some(last)) = (group.rows.get(4), group.rows.last()) else {
        bail!("nothing was measured")
    };
    let errors: f64 = group.rows.iter().map(|(_, figures)| figures[2]).sum();
    let growth = last.1[3] - first.1[3];
    let summary = vec![f64::NAN, f64::NAN, errors, growth];
    group.rows.push(("errors, and growth since the third piece".to_owned(), summary));
    let name = "errors, and growth since the third piece";
    group.check(name, "errors", Bound::AtMost(0.0));
    group.check(name, "RSS MiB", Bound::AtMost(16.0));
    Ok(vec![group])
}

fn row(name: &str, sample: &Sample, server: &Server) -> (String, Vec<f64>) {
    let errors = sample.errors as f64;
    (name.to_owned(), vec![sample.rate, sample.p99, errors, resident_mib(server.pid())])
}
