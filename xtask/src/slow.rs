//! What takes minutes and is not part of the tests: measurements, fuzzing, soaking.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{process, repo};

/// Builds Alula for use and runs a suite of measurements.
pub(crate) fn bench(arguments: &[String]) -> Result<(), String> {
    run_bench(arguments.iter().map(String::as_str).collect())
}

/// Loads Alula for a long time and looks for errors, leaks and drift.
pub(crate) fn soak(arguments: &[String]) -> Result<(), String> {
    run_bench(std::iter::once("soak").chain(arguments.iter().map(String::as_str)).collect())
}

fn run_bench(arguments: Vec<&str>) -> Result<(), String> {
    let packages = ["--release", "--package=alula", "--package=alula-bench"];
    process::run(&mut process::cargo(&["build"], &packages))?;
    let mut command = Command::new(process::target_folder().join("release/alula-bench"));
    process::run(command.current_dir(repo::root()).args(arguments))
}

/// Runs the property tests with ever new cases, then each cargo-fuzz target where that is
/// installed.
pub(crate) fn fuzz(arguments: &[String]) -> Result<(), String> {
    let time = seconds(arguments, Duration::from_secs(60))?;
    let until = Instant::now() + time;
    let packages = users_of("proptest")?;
    while Instant::now() < until {
        let mut command = process::cargo(&["test"], &["--quiet"]);
        command.args(packages.iter().flat_map(|name| ["--package", name]));
        process::run(command.env("PROPTEST_CASES", "20000"))?;
        let damaged = ["--package=alula-tests", "--quiet", "--", "fuzz::"];
        process::run(&mut process::cargo(&["test"], &damaged))?;
    }
    let nightly = ["+nightly", "fuzz", "--version"];
    if !process::succeeds(Command::new("cargo").args(nightly)) {
        eprintln!("cargo-fuzz on a nightly toolchain is not installed: its targets were left out");
        return Ok(());
    }
    let mut list = Command::new("cargo");
    let list = process::output(list.current_dir(repo::root()).args(["+nightly", "fuzz", "list"]))?;
    for target in list.split_whitespace() {
        let limit = format!("-max_total_time={}", time.as_secs());
        let mut run = Command::new("cargo");
        run.current_dir(repo::root()).args(["+nightly", "fuzz", "run", target, "--", &limit]);
        process::run(&mut run)?;
    }
    Ok(())
}

/// The packages whose tests use a library.
fn users_of(library: &str) -> Result<Vec<String>, String> {
    let metadata = process::metadata()?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let uses = |package: &&Value| {
        let dependencies = package["dependencies"].as_array().map(Vec::as_slice);
        dependencies.unwrap_or_default().iter().any(|one| one["name"] == library)
    };
    let names = packages.iter().filter(uses).filter_map(|package| package["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

fn seconds(arguments: &[String], default: Duration) -> Result<Duration, String> {
    match arguments {
        [] => Ok(default),
        [flag, number] if flag == "--seconds" => {
            let number =
                number.parse().map_err(|_| format!("`{number}` is no number of seconds"))?;
            Ok(Duration::from_secs(number))
        }
        _ => Err("the only option is `--seconds N`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_and_anything_else_is_refused() {
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            seconds(&words, Duration::from_secs(1))
        };
        assert_eq!(read(&[]), Ok(Duration::from_secs(1)));
        assert_eq!(read(&["--seconds", "5"]), Ok(Duration::from_secs(5)));
        assert!(read(&["--seconds", "x"]).is_err());
        assert!(read(&["5"]).is_err());
    }
}
