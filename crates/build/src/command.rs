//! Runs the tools of a build: bounded in time, ended together with whoever waits, their output kept
//! whole.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use alula_rt::clock;
use alula_types::{Code, Fault};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// How long one command may take. A first build of a large Rust app on a small machine takes
/// minutes.
pub const TIME_LIMIT: Duration = Duration::from_secs(1_800);

/// Bytes of output kept per command. The beginning has the first error, so the rest is left out.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// What a command printed and how it ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// Its standard output and error, in that order, without terminal escapes removed.
    pub output: String,
    /// Its standard output alone.
    pub stdout: String,
}

/// Runs a shell command line in a folder, as an author would have typed it.
///
/// Fails with the whole output when it does not end with 0. Dropping the future ends the command
/// and everything it started.
pub async fn shell(line: &str, dir: &Path, coloured: bool) -> Result<Finished, Fault> {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line).current_dir(dir);
    // Tools see a pipe and leave colours out; where a person watches they are worth asking for.
    if coloured {
        command.env("CARGO_TERM_COLOR", "always").env("FORCE_COLOR", "1");
    }
    checked(line, run(command).await?)
}

/// Runs a program in a folder. Fails like [`shell`]; a program that is not there is `ToolMissing`.
pub async fn program<I, S>(name: &str, args: I, dir: &Path) -> Result<Finished, Fault>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    let mut command = Command::new(name);
    command.args(args).current_dir(dir);
    checked(name, run(command).await?)
}

fn checked(what: &str, finished: Finished) -> Result<Finished, Fault> {
    if finished.status.success() {
        return Ok(finished);
    }
    let output = finished.output.trim_end();
    let status = finished.status;
    let said = if output.is_empty() { "it printed nothing" } else { output };
    let detail = format!("`{what}` failed ({status}):\n{said}");
    if status.code() == Some(NOT_FOUND) {
        return Err(Fault::new(Code::ToolMissing, detail)
            .hint("install the program that was not found and make sure that it is on the PATH"));
    }
    Err(Fault::new(Code::BuildFailed, detail))
}

/// What a shell ends with when a program is not there (POSIX, Shell Command Language, section
/// 2.8.2).
const NOT_FOUND: i32 = 127;

/// Runs a prepared command and collects what it prints. Its standard input is empty.
pub async fn run(mut command: Command) -> Result<Finished, Fault> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that ending it ends what it started too.
    command.process_group(0).kill_on_drop(true);
    let child = command.spawn().map_err(|error| cannot_start(&name, &error))?;
    let mut group = Group::of(child);
    let outcome = clock::timeout(TIME_LIMIT, collect(&mut group.child)).await;
    let finished = outcome.map_err(|_| {
        let minutes = TIME_LIMIT.as_secs() / 60;
        Fault::new(Code::BuildFailed, format!("`{name}` was ended after {minutes} minutes"))
    })?;
    let finished = finished.map_err(|error| {
        Fault::new(Code::BuildFailed, format!("reading the output of `{name}` failed: {error}"))
    })?;
    group.finished = true;
    Ok(finished)
}

fn cannot_start(name: &str, error: &std::io::Error) -> Fault {
    if error.kind() == std::io::ErrorKind::NotFound {
        return Fault::new(Code::ToolMissing, format!("the program `{name}` is not installed"))
            .hint(format!("install `{name}` and make sure that it is on the PATH"));
    }
    Fault::new(Code::BuildFailed, format!("starting `{name}` failed: {error}"))
}

async fn collect(child: &mut Child) -> std::io::Result<Finished> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::join!(read(stdout), read(stderr));
    let status = child.wait().await?;
    let (stdout, stderr) = (stdout?, stderr?);
    Ok(Finished { status, output: format!("{stdout}{stderr}"), stdout })
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> std::io::Result<String> {
    let Some(mut pipe) = pipe else { return Ok(String::new()) };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8 << 10];
    let mut left_out = 0_usize;
    loop {
        let count = pipe.read(&mut buffer).await?;
        if count == 0 {
            break;
        }
        let room = OUTPUT_LIMIT.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
        left_out += count - room;
    }
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    if left_out > 0 {
        text.push_str(&format!("\n… {left_out} more bytes of output are left out\n"));
    }
    Ok(text)
}

/// A child in a process group of its own, ended as a whole.
struct Group {
    child: Child,
    id: Option<rustix::process::Pid>,
    finished: bool,
}

impl Group {
    fn of(child: Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { id: id.and_then(rustix::process::Pid::from_raw), child, finished: false }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let (Some(id), false) = (self.id, self.finished) {
            // It may have ended by itself in between; then there is nothing to do.
            let _ = rustix::process::kill_process_group(id, rustix::process::Signal::KILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failing_command_shows_its_whole_output() {
        let dir = std::env::temp_dir();
        let fault = shell("echo first; echo second >&2; exit 3", &dir, false).await.unwrap_err();
        assert_eq!(fault.code, Code::BuildFailed);
        assert!(fault.detail.contains("first\nsecond"), "{}", fault.detail);
        assert!(fault.detail.contains("exit status: 3"), "{}", fault.detail);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let dir = std::env::temp_dir();
        let fault = program("no-such-tool-here", ["--version"], &dir).await.unwrap_err();
        assert_eq!(fault.code, Code::ToolMissing);
        assert!(fault.detail.contains("no-such-tool-here"), "{}", fault.detail);
    }

    #[tokio::test]
    async fn output_beyond_the_limit_is_counted() {
        let dir = std::env::temp_dir();
        let line = format!("head -c {} /dev/zero", OUTPUT_LIMIT + 5);
        let finished = shell(&line, &dir, false).await.unwrap();
        assert!(finished.output.ends_with("… 5 more bytes of output are left out\n"));
    }

    #[tokio::test]
    async fn dropping_the_wait_ends_what_the_command_started() {
        let dir = tempfile::tempdir().unwrap();
        let pid_file = dir.path().join("pid");
        // The shell's child holds the pipe; only ending the group ends it.
        let line = "sleep 600 & echo $! > pid.tmp; mv pid.tmp pid; wait";
        let waiting = shell(line, dir.path(), false);
        let appeared = async {
            while !pid_file.exists() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = waiting => panic!("it sleeps for ten minutes"),
            () = appeared => {}
        }
        let pid: i32 = std::fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap();
        // Whoever adopts orphans may not collect them, so a zombie counts as ended.
        let runs = || {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let ended = async {
            while runs() {
                tokio::task::yield_now().await;
            }
        };
        clock::timeout(Duration::from_secs(10), ended).await.expect("the group was ended");
    }
}
