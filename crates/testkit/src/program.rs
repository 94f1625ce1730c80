//! Programs under test: started, read line by line, signalled, ended with the value.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;

use alula_rt::{TaskKind, spawn};
use parking_lot::Mutex;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::wait::patiently;

/// A running program. It is killed when the value is dropped.
pub struct Program {
    child: Child,
    output: Arc<Output>,
}

/// What a program has written so far, both streams in the order in which the lines arrived.
#[derive(Default)]
struct Output {
    lines: Mutex<Vec<String>>,
    more: Notify,
}

/// A command that runs `alula` with these arguments.
pub fn alula<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(crate::alula());
    command.args(arguments);
    command
}

impl Program {
    /// Starts a program. Its standard input is empty; what it writes is kept and can be waited for.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // What cargo told this test about itself must not steer the builds that the program starts.
        command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_MANIFEST_DIR").kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
        let output = Arc::new(Output::default());
        read(child.stdout.take(), &output);
        read(child.stderr.take(), &output);
        Self { child, output }
    }

    /// All lines so far, for the message of a failed assertion.
    pub fn output(&self) -> String {
        self.output.lines.lock().join("\n")
    }

    /// How many lines there are so far; the place from which [`Self::line_after`] looks.
    pub fn mark(&self) -> usize {
        self.output.lines.lock().len()
    }

    /// Waits for the first line that contains `text`.
    pub async fn line(&self, text: &str) -> String {
        self.line_after(0, text).await
    }

    /// Waits for the first line behind a mark that contains `text`.
    pub async fn line_after(&self, mark: usize, text: &str) -> String {
        let search = async {
            loop {
                let more = self.output.more.notified();
                tokio::pin!(more);
                more.as_mut().enable();
                if let Some(line) = self.find(mark, text) {
                    return line;
                }
                more.await;
            }
        };
        match alula_rt::clock::timeout(crate::wait::PATIENCE, search).await {
            Ok(line) => line,
            Err(_) => panic!("no line with `{text}`; there was:\n{}", self.output()),
        }
    }

    fn find(&self, mark: usize, text: &str) -> Option<String> {
        self.output.lines.lock().iter().skip(mark).find(|line| line.contains(text)).cloned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the program has not been waited for")
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("process ids are positive"), signal).expect("it still runs");
    }

    /// Asks it to end and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ended().await
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = patiently("the program to end", self.child.wait()).await;
        ended.expect("its status can be read")
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(path).expect("it still runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.expect("the kernel tells the resident memory") * 1024
    }
}

fn read(stream: Option<impl AsyncRead + Unpin + Send + 'static>, output: &Arc<Output>) {
    let mut lines = BufReader::new(stream.expect("both streams are pipes")).lines();
    let output = Arc::clone(output);
    spawn(TaskKind::Writer, async move {
        while let Ok(Some(line)) = lines.next_line().await {
            output.lines.lock().push(line);
            output.more.notify_waiters();
        }
    });
}

/// What a program that ran to its end left behind.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// Runs `alula` with these arguments to its end.
pub async fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Finished {
    run_with(alula(arguments), b"").await
}

/// Runs a command to its end with this standard input.
pub async fn run_with(mut command: Command, input: &[u8]) -> Finished {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("CARGO_TARGET_DIR").env_remove("CARGO_MANIFEST_DIR").kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|e| panic!("starting {command:?}: {e}"));
    let mut stdin = child.stdin.take().expect("the standard input is a pipe");
    let input = input.to_vec();
    let write = spawn(TaskKind::Writer, async move {
        // A program that ends without reading its input breaks the pipe; that is its right.
        let _ = stdin.write_all(&input).await;
    });
    let done = patiently("the program to end", child.wait_with_output()).await;
    let done = done.expect("its output can be read");
    write.abort();
    Finished {
        status: done.status,
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

/// A running `alula` that serves.
pub struct Server {
    /// The program.
    pub program: Program,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `alula dev` in a folder.
    pub async fn dev(folder: &Path) -> Self {
        Self::dev_with::<&str>(folder, []).await
    }

    /// Starts `alula dev` in a folder with more arguments.
    pub async fn dev_with<S: AsRef<OsStr>>(
        folder: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut command = alula([OsStr::new("dev"), folder.as_os_str()]);
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        Self::start(command).await
    }

    /// Starts `alula serve-component` with a file.
    pub async fn component(wasm: &Path) -> Self {
        Self::component_with::<&str>(wasm, []).await
    }

    /// Starts `alula serve-component` with a file and flags before it.
    pub async fn component_with<S: AsRef<OsStr>>(
        wasm: &Path,
        flags: impl IntoIterator<Item = S>,
    ) -> Self {
        let mut command = alula(["serve-component", "--listen", "127.0.0.1:0"]);
        command.args(flags).arg(wasm);
        Self::start(command).await
    }

    /// Starts a command and waits until it says where it listens.
    pub async fn start(command: Command) -> Self {
        let program = Program::start(command);
        let line = program.line("http://").await;
        let address = address_in(&line).unwrap_or_else(|| panic!("no address in `{line}`"));
        Self { program, address }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// `GET` a path.
    pub async fn get(&self, path: &str) -> crate::http::Answer {
        crate::http::get(self.address, path).await
    }

    /// `POST` a body to a path.
    pub async fn post(&self, path: &str, body: impl Into<bytes::Bytes>) -> crate::http::Answer {
        crate::http::post(self.address, path, body).await
    }
}

/// The address of the first `http://` URL in a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("http://")?;
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]".contains(c)));
    let host = &rest[..end.unwrap_or(rest.len())];
    host.replace("localhost", "127.0.0.1").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_what_a_server_prints() {
        let found = |line: &str| address_in(line).map(|address| address.to_string());
        assert_eq!(found("Serving http://127.0.0.1:80/").as_deref(), Some("127.0.0.1:80"));
        assert_eq!(found("x http://[::1]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(found("at http://localhost:1\u{1b}[0m").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(found("http://example.com/"), None);
    }

    #[tokio::test]
    async fn lines_of_both_streams_can_be_waited_for() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two >&2; exec cat /dev/zero >/dev/null"]);
        let program = Program::start(command);
        assert_eq!(program.line("one").await, "one");
        assert_eq!(program.line("tw").await, "two");
        assert!(program.resident_bytes() > 0);
        assert!(!program.stop().await.success());
    }

    #[tokio::test]
    async fn a_program_that_ends_leaves_its_status_and_output() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo error >&2; exit 3"]);
        let done = run_with(command, b"input").await;
        assert_eq!((done.status.code(), done.stdout.as_str()), (Some(3), "input"));
        assert_eq!(done.stderr, "error\n");
    }
}
