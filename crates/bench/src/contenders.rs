//! The contenders: how each is found, started and told what to serve.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tokio::process::Command;

use crate::options::Options;
use crate::server::{Server, free_address};

/// The flags of `wasmtime serve` that were found to be fastest on small machines.
const BEST_FLAGS: &[&str] = &[
    "-Opooling-memory-keep-resident=2097152",
    "-Opooling-table-keep-resident=524288",
    "-Opooling-async-stack-keep-resident=65536",
];

/// How `wasmtime serve` treats instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wasmtime {
    /// A fresh instance for each request, and no flags else.
    Fresh,
    /// The same with the best flags.
    FreshBest,
    /// Instances are reused a thousand times.
    Reused,
}

/// One server of a group of contenders.
pub(crate) struct Contender {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The server.
    pub(crate) server: Server,
    /// What is asked of it.
    pub(crate) path: &'static str,
}

/// A program on PATH or in one of the folders of `ALULA_PEERS`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let paths = ["PATH", "ALULA_PEERS"].into_iter().filter_map(env::var_os);
    let mut folders = paths.flat_map(|paths| env::split_paths(&paths).collect::<Vec<_>>());
    folders.find_map(|folder| Some(folder.join(name)).filter(|path| path.is_file()))
}

/// The raw baseline.
pub(crate) async fn raw_hyper() -> Result<Contender> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("raw-hyper");
    start("raw hyper", command).await
}

/// Alula with one component.
pub(crate) async fn alula(options: &Options, wasm: &Path, warm: bool) -> Result<Contender> {
    let mut command = Command::new(&options.alula);
    command.args(["serve-component", "--listen", "127.0.0.1:0"]);
    if warm {
        command.arg("--reuse");
    }
    command.arg(wasm);
    start(if warm { "alula warm" } else { "alula fresh" }, command).await
}

/// `wasmtime serve`, when it is there and peers are wanted.
pub(crate) async fn wasmtime(
    options: &Options,
    wasm: &Path,
    how: Wasmtime,
) -> Result<Option<Contender>> {
    let Some(program) = find("wasmtime").filter(|_| options.peers) else { return Ok(None) };
    let mut command = Command::new(program);
    command.args(["serve", "-Scli", "--addr", "127.0.0.1:0"]);
    let (name, reuse) = match how {
        Wasmtime::Fresh => ("wasmtime serve", "1"),
        Wasmtime::FreshBest => ("wasmtime serve, best flags", "1"),
        Wasmtime::Reused => ("wasmtime serve, reused", "1000"),
    };
    command.args(["--max-instance-reuse-count", reuse]);
    if how == Wasmtime::FreshBest {
        command.args(BEST_FLAGS);
    }
    command.arg(wasm);
    start(name, command).await.map(Some)
}

/// workerd with a module that answers a constant, when it is there and peers are wanted.
pub(crate) async fn workerd(options: &Options, folder: &Path) -> Result<Option<Contender>> {
    let Some(program) = find("workerd").filter(|_| options.peers) else { return Ok(None) };
    let address = free_address()?;
    std::fs::write(folder.join("worker.js"), WORKER)?;
    std::fs::write(folder.join("config.capnp"), workerd_config(address))?;
    let mut command = Command::new(program);
    command.args(["serve", "config.capnp"]).current_dir(folder);
    let server = Server::launch_at(command, address)?;
    Ok(Some(Contender { name: "workerd", server, path: "/" }))
}

const WORKER: &str = "export default { fetch() { return new Response('Hello\\n'); } };\n";

fn workerd_config(address: SocketAddr) -> String {
    format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\
         const config :Workerd.Config = (\n\
         services = [(name = \"main\", worker = (\n\
         modules = [(name = \"worker\", esModule = embed \"worker.js\")],\n\
         compatibilityDate = \"2025-01-01\"))],\n\
         sockets = [(name = \"http\", address = \"{address}\", http = (), service = \"main\")]);\n"
    )
}

async fn start(name: &'static str, command: Command) -> Result<Contender> {
    let server = Server::start(command).await.with_context(|| format!("starting {name}"))?;
    Ok(Contender { name, server, path: "/" })
}
