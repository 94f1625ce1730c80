//! What the program takes from its environment, and nothing else of it.

use std::ffi::OsString;
use std::path::PathBuf;

/// Whether the user wants no colours (<https://no-color.org>).
pub(crate) fn plain() -> bool {
    variable("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// What of the program's own log to show, when `--log` does not say it.
pub(crate) fn log_filter() -> Option<String> {
    variable("ALULA_LOG").and_then(|value| value.into_string().ok())
}

/// The user's folder for what can be made again (XDG Base Directory Specification).
pub(crate) fn cache_dir() -> PathBuf {
    let absolute = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
    let own = variable("XDG_CACHE_HOME").and_then(absolute);
    let home = || variable("HOME").and_then(absolute).map(|home| home.join(".cache"));
    own.or_else(home).unwrap_or_else(std::env::temp_dir).join("alula")
}

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}
