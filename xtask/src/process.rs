//! Starting other programs, above all cargo.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::repo;

/// Cargo, in the root folder.
///
/// `CARGO_TARGET_DIR` becomes an argument instead of staying in the environment: the tests start
/// programs that build guests, and those must find their results in their own folders.
pub(crate) fn cargo(subcommand: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new(env("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.current_dir(repo::root()).stdin(Stdio::null()).args(subcommand);
    if let Some(folder) = env("CARGO_TARGET_DIR") {
        command.env_remove("CARGO_TARGET_DIR").arg("--target-dir").arg(folder);
    }
    command.args(arguments);
    // Set for xtask's own build by `cargo run`; the guests' builds must not see them.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

/// What cargo knows of the workspace's own packages.
pub(crate) fn metadata() -> Result<Value, String> {
    let mut command = Command::new("cargo");
    command.current_dir(repo::root()).args(["metadata", "--no-deps", "--format-version=1"]);
    let text = output(&mut command)?;
    serde_json::from_str(&text).map_err(|error| format!("reading cargo metadata: {error}"))
}

/// Where cargo puts what it builds.
pub(crate) fn target_folder() -> PathBuf {
    env("CARGO_TARGET_DIR").map_or_else(|| repo::root().join("target"), PathBuf::from)
}

/// A variable of the environment.
pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Runs a command to its end with its output passed through.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let shown = show(command);
    let status = command.status().map_err(|error| format!("starting `{shown}`: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` ended with {status}")) }
}

/// Runs a command and returns what it wrote to its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let shown = show(command);
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("starting `{shown}`: {error}"))?;
    if !done.status.success() {
        return Err(format!("`{shown}` ended with {}", done.status));
    }
    String::from_utf8(done.stdout).map_err(|_| format!("`{shown}` wrote something that is no text"))
}

/// Whether a command can be started and succeeds; its output is thrown away.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

fn show(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let program = program.rsplit('/').next().unwrap_or_default().to_owned();
    let words = command.get_args().take(8).map(|word| word.to_string_lossy().into_owned());
    std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ")
}
