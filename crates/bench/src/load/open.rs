//! The open loop: requests come at their times, whatever happened to those before.
//!
//! A latency counts from the moment the request's timer fired. A slow server delays no later
//! request, so nothing is left out; a late timer is the generator's own lateness and is not the
//! server's.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use alula_rt::{TaskKind, clock, spawn};
use anyhow::Result;
use tokio::sync::Mutex;

use super::client::Client;
use super::{Sample, percentile};

/// Sends so many requests per second for a time.
pub(crate) async fn open_loop(
    address: SocketAddr,
    path: &str,
    per_second: u32,
    time: Duration,
) -> Result<Sample> {
    let idle: Arc<Mutex<Vec<Client>>> = Arc::default();
    let gap = Duration::from_secs(1) / per_second;
    let begin = clock::now();
    let mut running = Vec::new();
    for number in 0.. {
        let due = begin + gap * number;
        if due >= begin + time {
            break;
        }
        clock::sleep_until(due).await;
        let (idle, path) = (Arc::clone(&idle), path.to_owned());
        running.push(spawn(TaskKind::Connection, async move {
            let begin = clock::now();
            let kept = idle.lock().await.pop();
            let mut client = match kept {
                Some(client) => client,
                None => Client::connect(address).await?,
            };
            let status = client.get(&path).await?;
            let latency = clock::now() - begin;
            idle.lock().await.push(client);
            anyhow::Ok((status, latency))
        }));
    }
    let (mut latencies, mut errors) = (Vec::new(), 0);
    for one in running {
        match one.await? {
            Ok((200..300, latency)) => latencies.push(latency),
            _ => errors += 1,
        }
    }
    let rate = latencies.len() as f64 / (clock::now() - begin).as_secs_f64();
    let (p50, p99) = (percentile(&mut latencies, 0.5), percentile(&mut latencies, 0.99));
    Ok(Sample { rate, p50, p99, errors })
}
