//! How a command ended: its exit code, and what the person at the terminal is told.

use std::io::Write as _;
use std::path::Path;

use wasmtime_wasi::I32Exit;

use super::CRASHED;

/// The exit code for an error of the engine while the guest ran; a crash is described on stderr.
pub(super) fn code(file: &Path, error: &wasmtime::Error) -> u8 {
    if let Some(exit) = error.downcast_ref::<I32Exit>() {
        return exit_code(exit.0);
    }
    // A closed stderr is no reason to end differently.
    drop(writeln!(std::io::stderr(), "alula: `{}` {}", file.display(), describe(error)));
    CRASHED
}

/// The cause, and below it where in the guest it happened. The host's own stack says nothing to
/// anybody.
fn describe(error: &wasmtime::Error) -> String {
    let mut causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    let cause = causes.pop().unwrap_or_default();
    let mut text = format!("crashed: {cause}");
    for context in causes {
        text.push('\n');
        text.push_str(&context);
    }
    text
}

/// What a parent process sees of an exit status: its low eight bits (POSIX, `_exit`).
const fn exit_code(status: i32) -> u8 {
    status.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exit_status_keeps_its_low_eight_bits() {
        for (status, code) in
            [(0, 0), (1, 1), (126, 126), (255, 255), (256, 0), (257, 1), (-1, 255)]
        {
            assert_eq!(exit_code(status), code, "{status}");
        }
    }
}
