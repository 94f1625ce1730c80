//! What the program takes from its environment, and nothing else of it.

use std::ffi::OsString;

/// Whether the user wants no colours (<https://no-color.org>).
pub(crate) fn plain() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What of the program's own log to show, when `--log` does not say it.
pub(crate) fn log_filter() -> Option<String> {
    variable("ALULA_LOG").and_then(|value| value.into_string().ok())
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
