//! Signals: the first asks to end in order, the second ends at once.

use alula_rt::{CancellationToken, TaskKind};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the signals so far ask for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals {
    /// Cancelled by the first SIGINT or SIGTERM: stop taking work, finish what runs.
    pub(crate) end: CancellationToken,
    /// Cancelled by the second: leave now.
    pub(crate) leave: CancellationToken,
}

/// Starts listening. Only for commands that serve: the others end the way the system ends programs.
pub(crate) fn listen() -> std::io::Result<Signals> {
    let signals = Signals::default();
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    alula_rt::spawn(TaskKind::Signal, follow(interrupt, terminate, signals.clone()));
    Ok(signals)
}

async fn follow(mut interrupt: Signal, mut terminate: Signal, signals: Signals) {
    for token in [&signals.end, &signals.leave] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    }
}
