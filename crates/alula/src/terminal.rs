//! What people (or programs, with `--json`) are told: results on standard output, progress and
//! errors on standard error. A reader that went away is not an error.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use alula_build::Progress;
use alula_types::Fault;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::wire;

/// Who reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terminal {
    /// Programs read standard output.
    pub(crate) json: bool,
    /// Standard output shows colours.
    pub(crate) out_colour: bool,
    /// Standard error shows colours.
    pub(crate) err_colour: bool,
    /// Standard error can redraw its lines.
    pub(crate) live: bool,
}

impl Terminal {
    /// Looks at who reads. `plain`: the user wants no colours anywhere.
    pub(crate) fn look(json: bool, plain: bool) -> Self {
        let err = std::io::stderr().is_terminal();
        Self {
            json,
            out_colour: std::io::stdout().is_terminal() && !plain && !json,
            err_colour: err && !plain,
            live: err && !json,
        }
    }

    /// Prints a result: text for people or a JSON document for programs.
    pub(crate) fn result(self, text: &str, json: &serde_json::Value) {
        let line = if self.json { format!("{json}\n") } else { format!("{text}\n") };
        // Whoever closed the pipe does not want to know.
        let _ = std::io::stdout().write_all(line.as_bytes());
    }

    /// Prints a line on standard error, for people only.
    pub(crate) fn say(self, text: &str) {
        if !self.json {
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }

    /// Prints a failure.
    pub(crate) fn fault(self, fault: &Fault) {
        if self.json {
            self.result("", &wire::fault(fault));
        } else {
            let _ = writeln!(std::io::stderr(), "{}", self.describe(fault));
        }
    }

    /// A failure in words: what happened, and what to do.
    pub(crate) fn describe(self, fault: &Fault) -> String {
        describe(fault, self.err_colour)
    }
}

/// A failure in words: what happened, its code, and what to do.
pub(crate) fn describe(fault: &Fault, colour: bool) -> String {
    let (red, bold, plain) =
        if colour { ("\x1b[1;31m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let (first, rest) = match fault.detail.split_once('\n') {
        Some((first, rest)) => (first, format!("\n{}", rest.trim_end())),
        None => (fault.detail.as_str(), String::new()),
    };
    let code = fault.code.name();
    let advice = fault.advice();
    format!("{red}error{plain} [{code}]: {bold}{first}{plain}{rest}\n  {bold}help{plain}: {advice}")
}

/// Progress of several functions' builds: a live line for each, or plain lines where nothing is
/// live.
#[derive(Clone)]
pub(crate) struct Board {
    terminal: Terminal,
    bars: Arc<MultiProgress>,
}

/// One function's line.
pub(crate) struct BoardLine {
    terminal: Terminal,
    name: String,
    bar: Option<ProgressBar>,
}

impl Board {
    pub(crate) fn new(terminal: Terminal) -> Self {
        Self { terminal, bars: Arc::new(MultiProgress::new()) }
    }

    /// Adds a line. It goes away when it is dropped.
    pub(crate) fn line(&self, name: &str) -> BoardLine {
        let bar = self.terminal.live.then(|| {
            let bar = self.bars.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner} {prefix}: {msg} ({elapsed})");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        BoardLine { terminal: self.terminal, name: name.to_owned(), bar }
    }
}

impl Progress for BoardLine {
    fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.terminal.say(&format!("{}: {text}", self.name)),
        }
    }
}

impl Drop for BoardLine {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A text without the escape sequences that colour it.
pub(crate) fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\x1b') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        rest = match after.strip_prefix('[') {
            // A control sequence ends with its first byte from @ to ~ (ECMA-48, section 5.4).
            Some(inner) => {
                let end = inner.find(|c: char| ('@'..='~').contains(&c));
                end.map_or("", |end| &inner[end + 1..])
            }
            None => after,
        };
    }
    plain.push_str(rest);
    plain
}

/// A number of bytes for people: `412 kB`, `1.3 MB`.
pub(crate) fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", value / 1e6),
        1_000_000_000.. => format!("{:.1} GB", value / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_types::Code;

    #[test]
    fn a_failure_says_what_happened_and_what_to_do() {
        let fault = Fault::new(Code::BuildFailed, "`make` failed:\nmain.c:1: no\n");
        assert_eq!(
            describe(&fault, false),
            "error [ALULA-E0211]: `make` failed:\nmain.c:1: no\n  help: mend what the compiler says"
        );
        assert!(describe(&fault, true).contains("\x1b[1;31merror"));
    }

    #[test]
    fn colours_are_taken_out() {
        let text = "\x1b[1m\x1b[38;5;9merror\x1b[0m: a\x1b[Kb\x1b";
        assert_eq!(without_colours(text), "error: ab");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [(999, "999 B"), (412_345, "412 kB"), (1_300_000, "1.3 MB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
