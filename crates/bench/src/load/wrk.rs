//! `wrk`, where it is on PATH: it needs less of the machine than a loop of our own.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tokio::process::Command;

use super::Sample;
use crate::contenders;

/// Loads a URL for a time.
pub(crate) async fn run(url: &str, connections: usize, time: Duration) -> Result<Sample> {
    let wrk = contenders::find("wrk").context("wrk is not on PATH")?;
    let mut command = Command::new(wrk);
    command.args(["-t1", "--latency", &format!("-c{connections}")]);
    command.args([&format!("-d{}s", time.as_secs().max(1)), url]).stdin(Stdio::null());
    let done = command.kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "wrk: {}", String::from_utf8_lossy(&done.stderr));
    read(&text).with_context(|| format!("reading what wrk printed:\n{text}"))
}

fn read(text: &str) -> Option<Sample> {
    let behind = |label: &str| {
        let mut lines = text.lines().map(str::trim);
        lines.find_map(|line| line.strip_prefix(label)).map(str::trim)
    };
    let bad: u64 = behind("Non-2xx or 3xx responses:").map_or(Some(0), |n| n.parse().ok())?;
    let broken = behind("Socket errors:")
        .map_or(0, |line| line.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok()).sum());
    Some(Sample {
        rate: behind("Requests/sec:")?.parse().ok()?,
        p50: micros(behind("50%")?)?,
        p99: micros(behind("99%")?)?,
        errors: bad + broken,
    })
}

fn micros(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok()?;
    match &text[digits.len()..] {
        "us" => Some(number),
        "ms" => Some(number * 1e3),
        "s" => Some(number * 1e6),
        "m" => Some(number * 6e7),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_wrk_is_read() {
        let text = "  Latency Distribution\n     50%  293.00us\n     75%    0.50ms\n     \
            99%    1.40ms\n  Socket errors: connect 0, read 2, write 0, timeout 1\n  \
            Non-2xx or 3xx responses: 4\nRequests/sec:  75900.12\n";
        let sample = read(text).unwrap();
        assert_eq!((sample.p50, sample.p99), (293.0, 1400.0));
        assert_eq!((sample.rate, sample.errors), (75900.12, 7));
        assert!(read("").is_none());
    }
}
