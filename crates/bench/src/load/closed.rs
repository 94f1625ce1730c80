//! The in-tree closed loop, for machines without `wrk`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use alula_rt::clock;
use anyhow::Result;
use futures_util::future::join_all;

use super::client::Client;
use super::{Sample, percentile};

/// Loads an address for a time.
pub(crate) async fn run(
    address: SocketAddr,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<Sample> {
    let begin = clock::now();
    let until = begin + time;
    let loops = (0..connections).map(|_| one_connection(address, path, until));
    let done = join_all(loops).await;
    let elapsed = (clock::now() - begin).as_secs_f64();
    let errors = done.iter().map(|(_, errors)| errors).sum();
    let mut latencies: Vec<Duration> = done.into_iter().flat_map(|(latency, _)| latency).collect();
    Ok(Sample {
        rate: latencies.len() as f64 / elapsed,
        p50: percentile(&mut latencies, 0.5),
        p99: percentile(&mut latencies, 0.99),
        errors,
    })
}

async fn one_connection(address: SocketAddr, path: &str, until: Instant) -> (Vec<Duration>, u64) {
    let mut latencies = Vec::new();
    let mut errors = 0;
    while clock::now() < until {
        let Ok(mut client) = Client::connect(address).await else {
            errors += 1;
            // A server that refuses must not make this loop spin.
            clock::sleep(Duration::from_millis(1)).await;
            continue;
        };
        while clock::now() < until {
            let begin = clock::now();
            match client.get(path).await {
                Ok(200..300) => latencies.push(clock::now() - begin),
                Ok(_) => errors += 1,
                Err(_) => {
                    errors += 1;
                    break;
                }
            }
        }
    }
    (latencies, errors)
}
