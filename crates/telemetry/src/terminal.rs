//! Lines as a person at a terminal reads them.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use alula_types::Code;
use alula_types::usage::{OutcomeClass, Start};

use crate::guest_log::GuestStream;
use crate::lines::{Answer, Line, Render};

/// Renders for people.
#[derive(Debug, Clone, Copy)]
pub struct Human {
    /// Whether the reader shows colours.
    pub colour: bool,
}

const RED: &str = "\x1b[31m";
const GREEN: &str = "\x1b[32m";
const YELLOW: &str = "\x1b[33m";
const CYAN: &str = "\x1b[36m";
const DIM: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

impl Render for Human {
    fn render(&mut self, line: &Line, out: &mut Vec<u8>) {
        let written = match line {
            Line::Guest { function, stream, text, .. } => {
                let paint = self.paint(CYAN);
                let _ = write!(out, "{paint}[{function}]{} ", self.end());
                // What the host says about a guest must not look like the guest's own words.
                if *stream == GuestStream::Host {
                    let _ = write!(out, "{}", self.paint(DIM));
                }
                push_shown(text, self.colour, out);
                writeln!(out, "{}", self.end())
            }
            Line::Answer(answer) => self.answer(answer, out),
            Line::Usage(_) => Ok(()),
            Line::Note { text, .. } => writeln!(out, "{text}"),
            Line::Dropped(count) => {
                let paint = self.paint(YELLOW);
                writeln!(out, "{paint}{count} lines were left out{}", self.end())
            }
        };
        // Writing into memory does not fail.
        let _ = written;
    }
}

impl Human {
    fn paint(self, code: &'static str) -> &'static str {
        if self.colour { code } else { "" }
    }

    fn end(self) -> &'static str {
        self.paint(PLAIN)
    }

    fn answer(self, answer: &Answer, out: &mut Vec<u8>) -> std::io::Result<()> {
        let status = self.paint(match answer.status {
            500.. => RED,
            400.. => YELLOW,
            _ => GREEN,
        });
        write!(out, "{} ", answer.method)?;
        push_shown(&answer.path, false, out);
        write!(out, " {status}{}{} {}", answer.status, self.end(), Short(answer.elapsed))?;
        if answer.start != Start::None {
            write!(out, " {}{}{}", self.paint(DIM), answer.start.as_str(), self.end())?;
        }
        if let OutcomeClass::Failed(code) = answer.outcome {
            self.failure(code, out)?;
        }
        writeln!(out)
    }

    fn failure(self, code: Code, out: &mut Vec<u8>) -> std::io::Result<()> {
        let row = code.row();
        let paint = if code == Code::Cancelled { self.paint(DIM) } else { self.paint(RED) };
        write!(out, " {paint}{} [{}]{}", row.title, row.name, self.end())
    }
}

/// A duration with three digits or so: `0.42 ms`, `12.3 ms`, `1.20 s`.
#[derive(Debug, Clone, Copy)]
pub struct Short(pub Duration);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs_f64();
        let millis = seconds * 1e3;
        match millis {
            ..9.995 => write!(f, "{millis:.2} ms"),
            ..99.95 => write!(f, "{millis:.1} ms"),
            ..999.5 => write!(f, "{millis:.0} ms"),
            ..100_000.0 => write!(f, "{seconds:.2} s"),
            _ => write!(f, "{seconds:.0} s"),
        }
    }
}

/// Appends text with its control characters made visible: a guest (or whoever sends it text to log)
/// must not move the cursor or rename the window. Colours pass where the reader shows colours.
fn push_shown(text: &str, colours: bool, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_control() && c != '\t') {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        let length = match colour_length(rest) {
            Some(length) if colours => {
                out.extend_from_slice(&rest.as_bytes()[..length]);
                length
            }
            Some(length) => length,
            None => {
                let first = rest.chars().next().unwrap_or_default();
                // Writing into memory does not fail.
                let _ = write!(out, "{}", first.escape_default());
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    out.extend_from_slice(rest.as_bytes());
}

/// The length of the colour sequence (`ESC [ numbers m`) that a text begins with.
fn colour_length(text: &str) -> Option<usize> {
    let inner = text.strip_prefix("\x1b[")?;
    let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    inner[end..].starts_with('m').then_some(2 + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alula_types::{FunctionName, InvocationId};

    fn answer(status: u16, start: Start, outcome: OutcomeClass) -> Line {
        Line::Answer(Box::new(Answer {
            invocation: InvocationId::from_parts(1, 1),
            function: FunctionName::parse("thumbnail").ok(),
            method: "POST".into(),
            path: "/thumbnail".into(),
            status,
            elapsed: Duration::from_micros(12_345),
            start,
            outcome,
        }))
    }

    fn shown(line: &Line, colour: bool) -> String {
        let mut out = Vec::new();
        Human { colour }.render(line, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_answer_is_one_line() {
        let line = answer(200, Start::Fresh, OutcomeClass::Completed);
        assert_eq!(shown(&line, false), "POST /thumbnail 200 12.3 ms fresh\n");
        let line = answer(502, Start::Cold, OutcomeClass::Failed(Code::GuestTrapped));
        let expected = "POST /thumbnail 502 12.3 ms cold the function crashed [ALULA-E0301]\n";
        assert_eq!(shown(&line, false), expected);
        let line = answer(404, Start::None, OutcomeClass::Completed);
        assert_eq!(shown(&line, false), "POST /thumbnail 404 12.3 ms\n");
    }

    #[test]
    fn a_guest_cannot_play_with_the_terminal() {
        let guest = |text: &str| Line::Guest {
            function: FunctionName::parse("f").unwrap(),
            invocation: InvocationId::from_parts(1, 1),
            stream: GuestStream::Stdout,
            text: text.into(),
        };
        assert_eq!(shown(&guest("a\tb"), false), "[f] a\tb\n");
        assert_eq!(shown(&guest("\x1b]0;title\x07x"), false), "[f] \\u{1b}]0;title\\u{7}x\n");
        assert_eq!(shown(&guest("\x1b[2Jx"), true).matches("\x1b[2J").count(), 0);
        assert_eq!(shown(&guest("\x1b[1;31mred"), false), "[f] red\n");
        assert!(shown(&guest("\x1b[1;31mred"), true).contains("\x1b[1;31mred"));
        assert!(shown(&guest("ü\r\u{9b}2J"), true).contains("ü\\r\\u{9b}2J"));
    }

    #[test]
    fn durations_keep_about_three_digits() {
        for (micros, text) in [
            (420, "0.42 ms"),
            (9_996, "10.0 ms"),
            (12_345, "12.3 ms"),
            (345_678, "346 ms"),
            (999_600, "1.00 s"),
            (30_000_000, "30.00 s"),
            (100_000_000, "100 s"),
        ] {
            assert_eq!(Short(Duration::from_micros(micros)).to_string(), text);
        }
    }
}
