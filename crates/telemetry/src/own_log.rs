//! The program's own log: events of the `tracing` library, on standard error.

use tracing_subscriber::EnvFilter;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One line for people, coloured or not.
    Human {
        /// Whether the reader shows colours.
        colour: bool,
    },
    /// One JSON object per line.
    Json,
}

/// What is written when nothing else is asked for: what a person must know.
pub const DEFAULT_FILTER: &str = "warn";

/// Starts the log. `filter` is a list of directives such as `info` or `alula_gateway=debug`; a list
/// that cannot be read is an error with the reason. May be called once; later calls change nothing.
pub fn start(filter: Option<&str>, style: Style) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter.unwrap_or(DEFAULT_FILTER))
        .map_err(|error| format!("the log filter cannot be read: {error}"))?;
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second start happens in tests only, and the first one's settings are as good.
    let _ = match style {
        Style::Human { colour } => base.without_time().with_ansi(colour).compact().try_init(),
        Style::Json => base.json().flatten_event(true).try_init(),
    };
    Ok(())
}
