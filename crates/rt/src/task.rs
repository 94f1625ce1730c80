//! Background work: every kind of task that runs is a line here.
#![expect(clippy::disallowed_methods, reason = "this module is the one place that spawns")]

use std::future::Future;

use tokio::task::JoinHandle;

/// Everything that runs beside the caller, and what its end means.
///
/// Cancel: dropping the runtime drops the task at its next wait. Error: tasks handle their own
/// errors; a panic is logged with the kind by the runtime's panic hook and ends that task only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskKind {
    /// Accepts connections on one socket; ends at shutdown.
    Accept,
    /// Serves one connection; drained at shutdown.
    Connection,
    /// A guest that goes on after its response head; cancelled after the grace period.
    Guest,
    /// Drives one outbound connection; ends with it.
    Outbound,
    /// Retires idle instances; ends at shutdown.
    Reaper,
    /// Watches files for `alula dev`; ends with it.
    Watch,
    /// Runs a build for `alula dev`; its process is killed with it.
    Build,
    /// Writes logs and meter records; flushed at shutdown.
    Writer,
    /// Waits for signals; ends with the process.
    Signal,
}

/// Spawns a task on the current runtime.
pub fn spawn<F>(kind: TaskKind, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let _ = kind;
    tokio::spawn(future)
}

/// Runs blocking work on the runtime's blocking threads.
pub fn spawn_blocking<T: Send + 'static>(
    kind: TaskKind,
    work: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    let _ = kind;
    tokio::task::spawn_blocking(work)
}
