//! The program under test: built once, started in child processes that never outlive the tests.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_testkit::alula;
pub use alula_testkit::wait::PATIENCE;

/// How long a build may take: tools are installed and libraries compiled the first time.
pub const BUILD_PATIENCE: Duration = Duration::from_secs(900);
use parking_lot::{Condvar, Mutex};

/// A command that runs `alula` with arguments.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(alula());
    command.args(args).stdin(Stdio::null());
    without_cargo(&mut command);
    command
}

/// Takes away what Cargo told this test about itself: it must not steer the builds of the program.
fn without_cargo(command: &mut Command) {
    for name in ["CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR", "RUSTFLAGS"] {
        command.env_remove(name);
    }
}

/// What a finished process left.
#[derive(Debug)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Finished {
    /// The exit code, or the shell's way of writing a signal.
    pub fn code(&self) -> i32 {
        use std::os::unix::process::ExitStatusExt as _;
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or_default())
    }

    /// The standard output as one JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `alula` with arguments to its end.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Finished {
    finish(&mut command(args))
}

/// Runs a command to its end.
pub fn finish(command: &mut Command) -> Finished {
    let output = command.output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Finished { status: output.status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A process that runs beside the test, with every line it writes.
pub struct Running {
    /// Ends the process when its standard input closes; see [`watched`].
    guard: Child,
    /// What it wrote to standard output.
    pub stdout: Lines,
    /// What it wrote to standard error.
    pub stderr: Lines,
}

impl Running {
    /// Starts `alula` with arguments in a folder.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, dir: &Path) -> Self {
        let mut command = watched();
        command.arg(alula()).args(args).current_dir(dir);
        without_cargo(&mut command);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut guard = command.spawn().expect("the program starts");
        let stdout = Lines::read(guard.stdout.take().expect("it is piped"));
        let stderr = Lines::read(guard.stderr.take().expect("it is piped"));
        Self { guard, stdout, stderr }
    }

    /// Everything it has written, for a failed assertion's message.
    pub fn transcript(&self) -> String {
        format!("stdout:\n{}\nstderr:\n{}", self.stdout.all(), self.stderr.all())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A shell that starts a command and kills it when the shell's standard input ends: with the value
/// that holds the other end, or with the whole test process, however that ends.
fn watched() -> Command {
    let mut shell = Command::new("sh");
    shell.args([
        "-c",
        "\"$@\" & pid=$!; exec >/dev/null 2>&1; cat; kill -KILL $pid; wait $pid",
        "sh",
    ]);
    shell
}

/// Waits until a condition holds; panics with its description when it does not within [`PATIENCE`].
#[track_caller]
pub fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_for(PATIENCE, what, look)
}

/// The same with a patience of the caller's.
#[track_caller]
pub fn wait_for<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = clock::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(clock::now() < deadline, "waited in vain until {what}");
        std::thread::park_timeout(STEP);
    }
}

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// The lines of a stream, read as they come.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    grown: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    /// Reads a stream to its end on a thread of its own.
    pub fn read(stream: impl Read + Send + 'static) -> Self {
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
                let text = String::from_utf8_lossy(&line).trim_end_matches('\n').to_owned();
                theirs.state.lock().lines.push(text);
                theirs.grown.notify_all();
                line.clear();
            }
            theirs.state.lock().ended = true;
            theirs.grown.notify_all();
        });
        Self(shared)
    }

    /// How many lines there are, to look only at later ones.
    pub fn mark(&self) -> usize {
        self.0.state.lock().lines.len()
    }

    /// All lines so far.
    pub fn all(&self) -> String {
        self.0.state.lock().lines.join("\n")
    }

    /// Waits for a line after `mark` for which `pick` gives a value. `None` when the stream ended
    /// or [`PATIENCE`] did.
    pub fn find<T>(&self, mark: usize, pick: impl FnMut(&str) -> Option<T>) -> Option<T> {
        self.find_until(clock::now() + PATIENCE, mark, pick)
    }

    /// The same with a deadline of the caller's.
    pub fn find_until<T>(
        &self,
        deadline: Instant,
        mark: usize,
        mut pick: impl FnMut(&str) -> Option<T>,
    ) -> Option<T> {
        let mut state = self.0.state.lock();
        let mut seen = mark;
        loop {
            while let Some(line) = state.lines.get(seen) {
                seen += 1;
                if let Some(found) = pick(line) {
                    return Some(found);
                }
            }
            if state.ended || self.0.grown.wait_until(&mut state, deadline).timed_out() {
                return None;
            }
        }
    }
}
