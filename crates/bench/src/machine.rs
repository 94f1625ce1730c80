//! What the machine is, and what a process holds of it.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::contenders;
use crate::options::Options;

/// The facts without which a figure means nothing.
pub(crate) fn facts(options: &Options) -> Value {
    let cpu = first_field("/proc/cpuinfo", "model name").unwrap_or_default();
    let memory = first_field("/proc/meminfo", "MemTotal").unwrap_or_default();
    json!({
        "unix_ms": alula_rt::clock::unix_ms(),
        "cpu": cpu,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": memory,
        "kernel": read("/proc/sys/kernel/osrelease"),
        "load": read("/proc/loadavg"),
        "alula": version(&options.alula.display().to_string(), &["--version"]),
        "commit": version("git", &["describe", "--always", "--dirty"]),
        "wasmtime": contenders::find("wasmtime").map(|p| version(&p.display().to_string(), &["--version"])),
        "workerd": contenders::find("workerd").map(|p| version(&p.display().to_string(), &["--version"])),
        "generator": if use_wrk(options) { "wrk" } else { "in-tree" },
        "round_seconds": options.round.as_secs_f64(),
        "rounds": options.rounds,
        "connections": options.connections,
    })
}

/// Whether loads are made by `wrk`.
pub(crate) fn use_wrk(options: &Options) -> bool {
    options.wrk && contenders::find("wrk").is_some()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn first_field(path: &str, name: &str) -> Option<String> {
    let text = read(path);
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

fn version(program: &str, arguments: &[&str]) -> String {
    let done = Command::new(program).args(arguments).output();
    done.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default()
}

/// Resident memory of a process in MiB.
pub(crate) fn resident_mib(pid: u32) -> f64 {
    status_mib(pid, "VmRSS")
}

/// The most that was ever resident, in MiB, since [`forget_peak`].
pub(crate) fn peak_mib(pid: u32) -> f64 {
    status_mib(pid, "VmHWM")
}

/// Sets the peak back to what is resident now.
pub(crate) fn forget_peak(pid: u32) {
    // 5 resets the high-water mark: proc(5), clear_refs. Without the right to, peaks stay too high.
    let _ = std::fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

fn status_mib(pid: u32, name: &str) -> f64 {
    let field = first_field(&format!("/proc/{pid}/status"), name).unwrap_or_default();
    let kib = field.split_whitespace().next().and_then(|kib| kib.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// The repository's root folder.
pub(crate) fn root() -> PathBuf {
    let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_owned()
}
