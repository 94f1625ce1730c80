//! `cargo xtask test`: every check and every test, in the order in which failures are cheapest.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::{process, repo, tidy};

/// What the guests are built for. Authors need only the first; the others are for the tests of
/// preview 1 commands and of core modules that carry a component type.
const TARGETS: &[&str] = &["wasm32-wasip2", "wasm32-wasip1", "wasm32-unknown-unknown"];

/// A stage: its name and what it does with the arguments that name tests.
type Stage = (&'static str, fn(&[&str]) -> Result<(), String>);

/// The runner's own summary is to be the last thing seen, so the tests are the last stage.
const STAGES: &[Stage] = &[
    ("toolchain", toolchain),
    ("format", format),
    ("tidy", |_| tidy::run()),
    ("clippy", clippy),
    ("build", build),
    ("examples", examples),
    ("doc tests", doc_tests),
    ("tests", tests),
];

const SLOW_CHECKS: &[&str] = &["clippy", "examples", "doc tests"];

/// Runs the stages until one fails.
pub(crate) fn run(arguments: &[String]) -> Result<(), String> {
    let fast = arguments.iter().any(|argument| argument == "--fast");
    let filters: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|argument| *argument != "--fast").collect();
    if let Some(unknown) = filters.iter().find(|filter| filter.starts_with('-')) {
        return Err(format!("`test` has no option `{unknown}`"));
    }
    let mut times = Vec::new();
    for (name, stage) in STAGES {
        if fast && SLOW_CHECKS.contains(name) {
            continue;
        }
        eprintln!("==> {name}");
        let since = Instant::now();
        let done = stage(&filters);
        times.push(format!("{name} {:.1} s", since.elapsed().as_secs_f64()));
        if let Err(error) = done {
            eprintln!("\n==> {name} failed after: {}", times.join(", "));
            return Err(error);
        }
    }
    eprintln!("==> all passed: {}", times.join(", "));
    Ok(())
}

/// The targets of the guests are there, whatever rustup is allowed to do by itself.
fn toolchain(_: &[&str]) -> Result<(), String> {
    let rustc = process::env("RUSTC").unwrap_or_else(|| "rustc".to_owned());
    let mut command = Command::new(rustc);
    let sysroot = process::output(command.current_dir(repo::root()).args(["--print", "sysroot"]))?;
    let installed = Path::new(sysroot.trim()).join("lib/rustlib");
    let missing: Vec<&str> =
        TARGETS.iter().copied().filter(|target| !installed.join(target).is_dir()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut rustup = Command::new("rustup");
    rustup.current_dir(repo::root()).args(["target", "add"]).args(&missing);
    process::run(&mut rustup).map_err(|error| {
        format!("{error}; the guests need `rustup target add {}`", missing.join(" "))
    })
}

fn format(_: &[&str]) -> Result<(), String> {
    // `cargo fmt` takes no target folder, so this one is started by hand.
    let mut fmt = Command::new("cargo");
    process::run(fmt.current_dir(repo::root()).args(["fmt", "--all", "--check"]))?;
    // Guests and examples are workspaces of their own; rustfmt needs no manifest.
    let outside = |file: &repo::File| {
        ["examples/", "guests/", "fuzz/"].iter().any(|folder| file.path.starts_with(folder))
    };
    let files: Vec<String> =
        repo::files(&["rs"])?.into_iter().filter(outside).map(|file| file.path).collect();
    if files.is_empty() {
        return Ok(());
    }
    let mut rustfmt = Command::new("rustfmt");
    process::run(rustfmt.current_dir(repo::root()).args(["--check", "--edition=2024"]).args(files))
        .map_err(|error| format!("{error}; run rustfmt on the files named"))
}

fn clippy(_: &[&str]) -> Result<(), String> {
    let arguments = ["--workspace", "--all-targets", "--quiet", "--", "--deny", "warnings"];
    process::run(&mut process::cargo(&["clippy"], &arguments))
}

/// Everything in one go: the features of the dependencies are the same for the binary and for the
/// tests, so that the engine is built once.
fn build(_: &[&str]) -> Result<(), String> {
    process::run(&mut process::cargo(&["build"], &["--workspace", "--all-targets"]))
}

/// Builds every example as its author would. That also installs the languages' tools, so that no
/// test waits for a download.
fn examples(_: &[&str]) -> Result<(), String> {
    let alula = process::target_folder().join("debug/alula");
    let manifests = repo::files(&["toml"])?.into_iter().filter_map(|file| {
        let folder = file.path.strip_suffix("/alula.toml")?.to_owned();
        folder.starts_with("examples/").then_some(folder)
    });
    for folder in manifests {
        let mut command = Command::new(&alula);
        command.current_dir(repo::root()).args(["build", &folder]).stdin(Stdio::null());
        // Its output is for authors; what matters here is said when it fails.
        let done = command.env_remove("CARGO_TARGET_DIR").output();
        let done = done.map_err(|error| format!("starting {}: {error}", alula.display()))?;
        if !done.status.success() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            eprintln!("{}{}", text(&done.stdout), text(&done.stderr));
            return Err(format!("`alula build {folder}` ended with {}", done.status));
        }
    }
    Ok(())
}

fn doc_tests(_: &[&str]) -> Result<(), String> {
    process::run(&mut process::cargo(&["test"], &["--workspace", "--doc", "--quiet"]))
}

fn tests(filters: &[&str]) -> Result<(), String> {
    let nextest = process::succeeds(Command::new("cargo").args(["nextest", "--version"]));
    let subcommand: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let mut command =
        process::cargo(subcommand, &["--workspace", "--all-targets", "--no-fail-fast"]);
    // `cargo test` takes one name itself and more behind the dashes.
    command.arg("--").args(filters);
    process::run(&mut command)
}
