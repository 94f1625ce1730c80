//! Lines on their way to a reader: kept in a bounded buffer, written by one thread, dropped when it
//! is full and then counted.
//!
//! The first line after a pause is written at once. While more come, the writer looks every few
//! milliseconds only, so that a busy server pays a lock and a push per line and no wake-up.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use alula_rt::{TaskKind, clock, spawn_blocking};
use alula_types::usage::{OutcomeClass, Start, UsageSink};
use alula_types::{FunctionName, InvocationId, UsageRecord};
use parking_lot::{Condvar, Mutex};
use tokio::task::JoinHandle;

use crate::guest_log::{GuestLine, GuestLog, GuestStream};

/// Bytes that may wait to be written; about 30,000 invocation lines.
pub const BUFFER_LIMIT: usize = 4 << 20;

/// How long the writer collects lines while they keep coming. Shorter than a person can see.
const PACE: Duration = Duration::from_millis(8);

/// How long the last lines may take to be written when the program ends.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// One thing that happened.
#[derive(Debug)]
pub enum Line {
    /// A guest wrote this.
    Guest {
        /// The function that wrote it.
        function: FunctionName,
        /// The invocation it belongs to.
        invocation: InvocationId,
        /// Where it came from.
        stream: GuestStream,
        /// The text, without the line's end.
        text: Box<str>,
    },
    /// A request was answered.
    Answer(Box<Answer>),
    /// An invocation ended.
    Usage(Box<UsageRecord>),
    /// The program itself says this; never dropped.
    Note {
        /// For people; may have several lines.
        text: String,
        /// For programs: one JSON object, on one line.
        json: String,
    },
    /// So many lines were dropped because the reader was too slow.
    Dropped(u64),
}

/// A request with its answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The id that the client was told.
    pub invocation: InvocationId,
    /// The function, when one was invoked.
    pub function: Option<FunctionName>,
    /// The request's method.
    pub method: Box<str>,
    /// The request's path, without the query.
    pub path: Box<str>,
    /// The status that was sent.
    pub status: u16,
    /// From the request head to the last byte.
    pub elapsed: Duration,
    /// How the function's place came to be.
    pub start: Start,
    /// How it ended.
    pub outcome: OutcomeClass,
}

impl Line {
    fn cost(&self) -> usize {
        let own = size_of::<Self>();
        match self {
            Self::Guest { text, .. } => own + text.len(),
            Self::Answer(answer) => own + size_of::<Answer>() + answer.path.len(),
            Self::Usage(_) => own + size_of::<UsageRecord>(),
            Self::Note { text, json } => own + text.len() + json.len(),
            Self::Dropped(_) => own,
        }
    }
}

/// Turns lines into bytes. Called on the writer's thread only.
pub trait Render: Send {
    /// Appends a line with its end, or nothing when the reader does not want it.
    fn render(&mut self, line: &Line, out: &mut Vec<u8>);
}

/// Takes lines from everywhere. Ends with [`Writer::finish`].
pub struct Lines(Arc<Shared>);

/// The other end of [`Lines`].
pub struct Writer {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Line>,
    bytes: usize,
    dropped: u64,
    parked: bool,
    closed: bool,
}

impl Lines {
    /// Starts a writer. Must be called within the runtime, which lends the thread.
    ///
    /// An output that fails (a closed pipe, a full disk) is written to no more; the lines are lost.
    pub fn start(
        output: impl Write + Send + 'static,
        render: impl Render + 'static,
    ) -> (Arc<Self>, Writer) {
        let shared = Arc::new(Shared { state: Mutex::default(), wake: Condvar::new() });
        let theirs = Arc::clone(&shared);
        let thread = spawn_blocking(TaskKind::Writer, move || write_all(&theirs, output, render));
        (Arc::new(Self(Arc::clone(&shared))), Writer { shared, thread })
    }

    /// Takes one line. Never waits.
    pub fn push(&self, line: Line) {
        let mut state = self.0.state.lock();
        let cost = line.cost();
        let always = matches!(line, Line::Note { .. });
        if state.closed || (state.bytes + cost > BUFFER_LIMIT && !always) {
            state.dropped += 1;
            return;
        }
        state.bytes += cost;
        state.lines.push(line);
        if std::mem::take(&mut state.parked) {
            self.0.wake.notify_one();
        }
    }
}

impl GuestLog for Lines {
    fn line(&self, line: GuestLine<'_>) {
        self.push(Line::Guest {
            function: line.function.clone(),
            invocation: line.invocation,
            stream: line.stream,
            text: line.text.into(),
        });
    }
}

impl UsageSink for Lines {
    fn record(&self, record: UsageRecord) {
        self.push(Line::Usage(Box::new(record)));
    }
}

impl Writer {
    /// Writes what is left and ends. Waits at most two seconds: a reader may have stopped reading.
    pub async fn finish(self) {
        self.shared.state.lock().closed = true;
        self.shared.wake.notify_one();
        // A writer that cannot write is left behind; the process is about to end.
        let _ = clock::timeout(LAST_WRITE, self.thread).await;
    }
}

fn write_all(shared: &Shared, mut output: impl Write, mut render: impl Render) {
    let mut lines = Vec::new();
    let mut bytes = Vec::new();
    let mut broken = false;
    loop {
        let (dropped, closed) = take(shared, &mut lines);
        if !broken {
            if dropped > 0 {
                render.render(&Line::Dropped(dropped), &mut bytes);
            }
            lines.iter().for_each(|line| render.render(line, &mut bytes));
            broken = output.write_all(&bytes).and_then(|()| output.flush()).is_err();
        }
        lines.clear();
        bytes.clear();
        bytes.shrink_to(64 << 10);
        if closed {
            return;
        }
        let mut state = shared.state.lock();
        if !state.closed {
            shared.wake.wait_for(&mut state, PACE);
        }
    }
}

/// Waits for lines and takes them all.
fn take(shared: &Shared, lines: &mut Vec<Line>) -> (u64, bool) {
    let mut state = shared.state.lock();
    while state.lines.is_empty() && state.dropped == 0 && !state.closed {
        state.parked = true;
        shared.wake.wait(&mut state);
    }
    state.parked = false;
    state.bytes = 0;
    std::mem::swap(&mut state.lines, lines);
    (std::mem::take(&mut state.dropped), state.closed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An output that can be held up.
    #[derive(Clone, Default)]
    struct Output(Arc<(Mutex<Vec<u8>>, Mutex<()>)>);

    impl Write for Output {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _held = self.0.1.lock();
            self.0.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    struct Plain;

    impl Render for Plain {
        fn render(&mut self, line: &Line, out: &mut Vec<u8>) {
            let text = match line {
                Line::Note { text, .. } => text.clone(),
                Line::Guest { text, .. } => text.to_string(),
                Line::Dropped(count) => format!("dropped {count}"),
                Line::Usage(_) | Line::Answer(_) => "other".into(),
            };
            out.extend_from_slice(text.as_bytes());
            out.push(b'\n');
        }
    }

    fn note(text: &str) -> Line {
        Line::Note { text: text.into(), json: String::new() }
    }

    fn guest(text: &str) -> Line {
        Line::Guest {
            function: FunctionName::parse("f").unwrap(),
            invocation: InvocationId::from_parts(1, 1),
            stream: GuestStream::Stdout,
            text: text.into(),
        }
    }

    #[tokio::test]
    async fn lines_come_out_in_order_and_all_are_written_at_the_end() {
        let output = Output::default();
        let (lines, writer) = Lines::start(output.clone(), Plain);
        for number in 0..1_000 {
            lines.push(note(&number.to_string()));
        }
        writer.finish().await;
        let written = String::from_utf8(output.0.0.lock().clone()).unwrap();
        let expected: String = (0..1_000).map(|number| format!("{number}\n")).collect();
        assert_eq!(written, expected);
    }

    #[tokio::test]
    async fn a_slow_reader_costs_lines_and_is_told_how_many() {
        let output = Output::default();
        let (lines, writer) = Lines::start(output.clone(), Plain);
        let held = output.0.1.lock();
        lines.push(guest("first"));
        let long = "x".repeat(BUFFER_LIMIT / 4);
        // Whatever the writer holds already, nine do not fit.
        for _ in 0..9 {
            lines.push(guest(&long));
        }
        lines.push(note("kept"));
        drop(held);
        writer.finish().await;
        let written = String::from_utf8(output.0.0.lock().clone()).unwrap();
        assert!(written.lines().any(|line| line.starts_with("dropped ")), "nothing was dropped");
        assert!(written.lines().any(|line| line == "kept"), "a note was dropped");
    }
}
