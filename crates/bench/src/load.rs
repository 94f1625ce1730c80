//! Load: closed loops (each connection sends as soon as it has its answer) and open loops (requests
//! come at their times, whatever happened to those before).

pub(crate) mod client;
mod closed;
mod open;
mod wrk;

use std::time::Duration;

use anyhow::Result;

use crate::machine;
use crate::options::Options;
use crate::server::Server;

pub(crate) use open::open_loop;

/// What a round of load measured. Latencies in microseconds.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sample {
    /// Answers per second.
    pub(crate) rate: f64,
    /// Median latency.
    pub(crate) p50: f64,
    /// 99th percentile.
    pub(crate) p99: f64,
    /// Answers other than 2xx, and broken connections.
    pub(crate) errors: u64,
}

/// A closed loop with so many connections, by `wrk` where it is there.
pub(crate) async fn closed_loop(
    options: &Options,
    server: &Server,
    path: &str,
    connections: usize,
    time: Duration,
) -> Result<Sample> {
    if machine::use_wrk(options) {
        wrk::run(&server.url(path), connections, time).await
    } else {
        closed::run(server.address, path, connections, time).await
    }
}

/// The value below which this part of the latencies lies. Sorts them.
pub(crate) fn percentile(latencies: &mut [Duration], part: f64) -> f64 {
    latencies.sort_unstable();
    let last = latencies.len().saturating_sub(1);
    // The nearest rank; both numbers are far below what an f64 holds exactly.
    let index = ((latencies.len() as f64 * part).ceil() as usize).saturating_sub(1).min(last);
    latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
}

/// The middle of some figures.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut latencies: Vec<Duration> = (1..=100).rev().map(Duration::from_micros).collect();
        assert_eq!(percentile(&mut latencies, 0.5).round(), 50.0);
        assert_eq!(percentile(&mut latencies, 0.99).round(), 99.0);
        assert_eq!(percentile(&mut [], 0.5), 0.0);
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
    }
}
