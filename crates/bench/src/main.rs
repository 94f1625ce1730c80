//! Measures Alula next to its peers: the same load, the same machine, the same run.
//!
//! Absolute figures differ from machine to machine, so what counts are ratios between contenders
//! whose rounds were interleaved. A result without its peer's row of the same run does not count.

mod apps;
mod contenders;
mod load;
mod machine;
mod options;
mod raw;
mod report;
mod server;
mod suite;

use std::process::ExitCode;

use anyhow::{Result, bail};

use options::Options;
use report::Report;

const USAGE: &str = "\
Usage: cargo xtask bench SUITE [OPTION]...

Suites:
  http         all of the following
  throughput   requests per second and latency, fresh and warm, by language, next to peers
  cold         the first request to functions that are compiled but not loaded
  start        `alula dev` of a built app: process start to first answer; resident memory
  stream       10 MB up and down: speed and memory
  hogs         what a busy neighbour does to the p99 of a small function
  soak         load for a long time: errors, leaks, drift

Options:
  --seconds N       of each round (default 4)
  --rounds N        of each contender, interleaved (default 5)
  --connections N   (default 32)
  --only WORD       only groups whose name contains WORD: rust, rust-p3, js, python
  --no-peers        do not look for wasmtime and workerd on PATH and in $ALULA_PEERS
  --own             the in-tree load generator even where wrk is on PATH
  --alula FILE      the binary to measure (default: beside this one)
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let suite = arguments.next().unwrap_or_default();
    let rest: Vec<String> = arguments.collect();
    if suite.is_empty() || suite.ends_with("help") || rest.iter().any(|word| word == "--help") {
        print!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match run(&suite, &rest) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a suite; whether all that must hold does.
fn run(suite: &str, rest: &[String]) -> Result<bool> {
    if suite == "raw-hyper" {
        return raw::serve().map(|()| true);
    }
    let options = Options::parse(rest)?;
    // One thread, so that the generator leaves the other cores to the server.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut report = Report::begin(suite, machine::facts(&options));
    runtime.block_on(async {
        match suite {
            "http" => {
                // One part that fails must not cost the figures of the others.
                part(&mut report, "throughput", suite::throughput(&options).await);
                part(&mut report, "cold", suite::cold(&options).await);
                part(&mut report, "start", suite::start(&options).await);
                part(&mut report, "stream", suite::stream(&options).await);
                part(&mut report, "hogs", suite::hogs(&options).await);
            }
            "throughput" => report.add(suite::throughput(&options).await?),
            "cold" => report.add(suite::cold(&options).await?),
            "start" => report.add(suite::start(&options).await?),
            "stream" => report.add(suite::stream(&options).await?),
            "hogs" => report.add(suite::hogs(&options).await?),
            "soak" => report.add(suite::soak(&options).await?),
            other => bail!("there is no suite `{other}`\n\n{USAGE}"),
        }
        Ok(())
    })?;
    report.finish()
}

fn part(report: &mut Report, name: &str, done: Result<Vec<report::Group>>) {
    match done {
        Ok(groups) => report.add(groups),
        Err(error) => report.failed(name, &format!("{error:#}")),
    }
}
