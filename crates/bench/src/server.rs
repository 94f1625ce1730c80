//! A server under measurement: started, found by the address it prints, ended by signal.

use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use alula_rt::{TaskKind, clock, spawn};
use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Compiling the largest language runtime takes some seconds on a busy machine; a build takes a
/// minute.
const START: Duration = Duration::from_secs(180);
const END: Duration = Duration::from_secs(15);

/// A running server.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server and waits until it prints its address.
    pub(crate) async fn start(command: Command) -> Result<Self> {
        let (child, mut lines) = launch(command)?;
        let mut said = Vec::new();
        let address = async {
            while let Some(line) = lines.recv().await {
                if let Some(address) = address_in(&line) {
                    return Ok(address);
                }
                said.push(line);
            }
            bail!("it ended without an address; it said:\n{}", said.join("\n"))
        };
        let address = clock::timeout(START, address).await;
        let address = address.map_err(|_| anyhow::anyhow!("no address within {START:?}"))??;
        Ok(Self { child, address })
    }

    /// Starts a server whose address is known before.
    pub(crate) fn launch_at(command: Command, address: SocketAddr) -> Result<Self> {
        let (child, _) = launch(command)?;
        Ok(Self { child, address })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id().unwrap_or_default()
    }

    /// A URL on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks it to end; it is killed when it does not.
    pub(crate) async fn stop(mut self) {
        if let Some(pid) = i32::try_from(self.pid()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        if clock::timeout(END, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }
}

/// Starts a command; the channel has its first lines, and what follows is read and thrown away.
fn launch(mut command: Command) -> Result<(Child, mpsc::Receiver<String>)> {
    let shown = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.env_remove("CARGO_TARGET_DIR");
    let mut child = command.spawn().with_context(|| format!("starting {shown}"))?;
    let (send, lines) = mpsc::channel(1024);
    drain(child.stdout.take(), send.clone());
    drain(child.stderr.take(), send);
    Ok((child, lines))
}

/// Keeps a pipe from filling up.
fn drain(pipe: Option<impl AsyncRead + Unpin + Send + 'static>, lines: mpsc::Sender<String>) {
    let Some(pipe) = pipe else { return };
    spawn(TaskKind::Writer, async move {
        let mut pipe = BufReader::with_capacity(256 * 1024, pipe);
        let mut line = Vec::new();
        while !lines.is_closed() && pipe.read_until(b'\n', &mut line).await.is_ok_and(|n| n > 0) {
            let _ = lines.try_send(String::from_utf8_lossy(&line).into_owned());
            line.clear();
        }
        let _ = tokio::io::copy_buf(&mut pipe, &mut tokio::io::sink()).await;
    });
}

/// The address of the first `http://` URL in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)));
    rest[..end.unwrap_or(rest.len())].replace("localhost", "127.0.0.1").parse().ok()
}

/// An address that was free a moment ago, for servers that cannot choose one themselves.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
