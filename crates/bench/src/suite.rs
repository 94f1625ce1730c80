//! The suites of measurements.

mod cold;
mod hogs;
mod soak;
mod start;
mod stream;
mod throughput;

use std::time::Duration;

use alula_rt::clock;
use anyhow::{Result, bail};

pub(crate) use cold::cold;
pub(crate) use hogs::hogs;
pub(crate) use soak::soak;
pub(crate) use start::start;
pub(crate) use stream::stream;
pub(crate) use throughput::throughput;

use crate::load::client::Client;
use crate::server::Server;

/// Asks for a path until the answer is 200: builds and compiles may take a while.
async fn answers(server: &Server, path: &str) -> Result<()> {
    let until = clock::now() + Duration::from_secs(600);
    let mut last = String::new();
    while clock::now() < until {
        match ask(server, path).await {
            Ok(200) => return Ok(()),
            Ok(status) => last = format!("status {status}"),
            Err(error) => last = format!("{error:#}"),
        }
        clock::sleep(Duration::from_millis(20)).await;
    }
    bail!("{} never answered: {last}", server.url(path))
}

async fn ask(server: &Server, path: &str) -> Result<u16> {
    Client::connect(server.address).await?.get(path).await
}
