//! `alula run`: one command, in the foreground, with the terminal's own streams.
//!
//! A command is a component that exports `wasi:cli/run` (0.2 or 0.3) or a preview 1 module. It
//! belongs to the person who runs it, so it has no deadline and no CPU budget; it still reaches
//! only the folders, hosts and variables it was given.
//!
//! The guest has a thread and a runtime of its own and may block the thread: a file read costs a
//! system call, not a hand-over, and a computation pays nothing for being interruptible. An
//! interrupt (SIGINT) therefore does not end the thread: `run` returns at once and its caller ends
//! the process.

mod dir;
mod ending;
mod execute;
mod filesystem;
mod kept;
pub(crate) mod network;
mod preview1;
mod state;
mod stdio;

use std::path::PathBuf;
use std::sync::Arc;

use alula_capability::Host;
use alula_policy::{HttpGrants, NetGrants};
use alula_types::{Code, Fault};
use tokio::sync::oneshot;

pub use dir::{Dir, parse_dir};
pub use kept::Kept;

/// What to run, and what it may reach.
pub struct Options {
    /// The `.wasm` file.
    pub file: PathBuf,
    /// The arguments after the program's own name, which is the file's name without its folder.
    pub args: Vec<String>,
    /// The whole environment; nothing is inherited. Later entries of one name win.
    pub env: Vec<(String, String)>,
    /// The folders, in the order in which the guest finds them.
    pub dirs: Vec<Dir>,
    /// Outbound HTTP; the default grants none.
    pub http: HttpGrants,
    /// Raw sockets and name lookups; `None` grants none.
    pub net: Option<NetGrants>,
    /// Sends the guest's HTTP requests.
    pub host: Arc<dyn Host>,
    /// Where compiled code of large files is kept for the next run; `None` compiles each time.
    pub kept: Option<Kept>,
}

/// The exit code when the guest crashed: what a shell reports for a process that aborted.
pub const CRASHED: u8 = 134;
/// The exit code after SIGINT: what a shell reports for a process that it ended.
pub const INTERRUPTED: u8 = 130;

/// Stack of the guest's thread in bytes. Guest code runs on stacks of the engine's; the compiler
/// needs this one.
const THREAD_STACK: usize = 8 << 20;

/// Runs a command to its end and returns its exit code.
///
/// A guest that crashes is described on stderr and its code is [`CRASHED`]. After SIGINT the result
/// is [`INTERRUPTED`] while the guest's thread may still run: the caller must end the process.
///
/// # Errors
///
/// A fault when the guest could not be started: the file, a folder, an import or an export is not
/// right.
pub async fn run(options: Options) -> Result<u8, Fault> {
    let failed = |error| Fault::new(Code::Internal, format!("starting a thread: {error}"));
    let (done, outcome) = oneshot::channel();
    // The worker drives connections while the guest blocks its thread. The caller's runtime would
    // be gone under the guest after an interrupt.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("command-io")
        .enable_all()
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("command".into())
        .stack_size(THREAD_STACK)
        .spawn(move || {
            let result = runtime.block_on(execute::execute(options));
            // A lookup that never ends must not hold up the end of the command.
            runtime.shutdown_background();
            // Nobody waits any more after an interrupt.
            drop(done.send(result));
        })
        .map_err(failed)?;
    tokio::select! {
        outcome = outcome => outcome.unwrap_or_else(|_| {
            Err(Fault::new(Code::Internal, "the thread of the command panicked"))
        }),
        interrupted = tokio::signal::ctrl_c() => match interrupted {
            Ok(()) => Ok(INTERRUPTED),
            Err(error) => Err(Fault::new(Code::Internal, format!("waiting for signals: {error}"))),
        },
    }
}

#[cfg(test)]
mod tests;
