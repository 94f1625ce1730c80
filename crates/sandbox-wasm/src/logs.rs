//! What a guest writes to its standard streams, as log lines of its invocation.
//!
//! A function has a budget of log bytes per second. Lines over it are dropped and counted, and one
//! line of the host's says how many were lost.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use alula_rt::clock;
use alula_telemetry::{GuestLine, GuestLog, GuestStream};
use alula_types::{ByteSize, FunctionName, InvocationId};
use bytes::Bytes;
use parking_lot::Mutex;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Longer lines are cut into several.
const LINE_BYTES_MAX: usize = 8 << 10;

/// The log of one function: where lines go and how many may.
pub(crate) struct FunctionLog {
    function: FunctionName,
    log: Arc<dyn GuestLog>,
    rate: ByteSize,
    budget: Mutex<Budget>,
}

struct Budget {
    left: u64,
    filled: Instant,
    dropped: u64,
    noticed: Option<Instant>,
}

impl FunctionLog {
    pub(crate) fn new(function: FunctionName, log: Arc<dyn GuestLog>, rate: ByteSize) -> Arc<Self> {
        let budget = Budget { left: rate.0, filled: clock::now(), dropped: 0, noticed: None };
        Arc::new(Self { function, log, rate, budget: Mutex::new(budget) })
    }

    /// Writes a line of the host's own, which no budget holds back.
    pub(crate) fn host(&self, invocation: InvocationId, text: &str) {
        for text in text.lines() {
            self.emit(invocation, GuestStream::Host, text);
        }
    }

    fn emit(&self, invocation: InvocationId, stream: GuestStream, text: &str) {
        self.log.line(GuestLine { function: &self.function, invocation, stream, text });
    }

    fn guest(&self, invocation: InvocationId, stream: GuestStream, line: &[u8]) {
        let (allowed, dropped) = self.budget.lock().take(line.len() as u64 + 1, self.rate.0);
        self.notice(invocation, dropped);
        if allowed {
            self.emit(invocation, stream, &String::from_utf8_lossy(line));
        }
    }

    /// Says how many lines were dropped, at most once a second.
    fn settle(&self, invocation: InvocationId) {
        let dropped = self.budget.lock().report();
        self.notice(invocation, dropped);
    }

    fn notice(&self, invocation: InvocationId, dropped: u64) {
        if dropped > 0 {
            let rate = self.rate;
            let text = format!("{dropped} log lines were dropped: more than {rate} a second");
            self.emit(invocation, GuestStream::Host, &text);
        }
    }
}

impl Drop for FunctionLog {
    fn drop(&mut self) {
        let dropped = std::mem::take(&mut self.budget.lock().dropped);
        self.notice(InvocationId::from_parts(0, 0), dropped);
    }
}

impl Budget {
    /// Whether a line may pass, and how many dropped ones to report before it.
    fn take(&mut self, bytes: u64, rate: u64) -> (bool, u64) {
        let now = clock::now();
        // Whole seconds, so that a flood is told of once a second and not between every two lines.
        if now.saturating_duration_since(self.filled) >= Duration::from_secs(1) {
            self.left = rate;
            self.filled = now;
        }
        if bytes > self.left {
            self.dropped += 1;
            return (false, 0);
        }
        self.left -= bytes;
        self.noticed = None;
        (true, std::mem::take(&mut self.dropped))
    }

    fn report(&mut self) -> u64 {
        let now = clock::now();
        let soon = self.noticed.is_some_and(|at| now - at < Duration::from_secs(1));
        if self.dropped == 0 || soon {
            return 0;
        }
        self.noticed = Some(now);
        std::mem::take(&mut self.dropped)
    }
}

/// The standard streams of one instance. Clones are the same streams.
#[derive(Clone)]
pub(crate) struct GuestOutput(Arc<Output>);

struct Output {
    log: Arc<FunctionLog>,
    state: Mutex<State>,
}

struct State {
    invocation: InvocationId,
    lines: [Vec<u8>; 2],
}

impl GuestOutput {
    pub(crate) fn new(log: Arc<FunctionLog>, invocation: InvocationId) -> Self {
        let state = Mutex::new(State { invocation, lines: [Vec::new(), Vec::new()] });
        Self(Arc::new(Output { log, state }))
    }

    /// Lines from now on belong to this invocation.
    pub(crate) fn begin(&self, invocation: InvocationId) {
        self.0.state.lock().invocation = invocation;
    }

    /// Writes out unfinished lines.
    pub(crate) fn finish(&self) {
        let mut state = self.0.state.lock();
        let invocation = state.invocation;
        for (index, stream) in [GuestStream::Stdout, GuestStream::Stderr].into_iter().enumerate() {
            let line = std::mem::take(&mut state.lines[index]);
            if !line.is_empty() {
                self.0.log.guest(invocation, stream, &line);
            }
        }
        drop(state);
        self.0.log.settle(invocation);
    }

    pub(crate) fn stdout(&self) -> LineStream {
        LineStream { output: self.clone(), stream: GuestStream::Stdout }
    }

    pub(crate) fn stderr(&self) -> LineStream {
        LineStream { output: self.clone(), stream: GuestStream::Stderr }
    }

    /// Writes an entry that is whole.
    pub(crate) fn entry(&self, stream: GuestStream, text: &str) {
        let invocation = self.0.state.lock().invocation;
        for line in text.lines() {
            self.0.log.guest(invocation, stream, line.as_bytes());
        }
    }

    fn write(&self, stream: GuestStream, bytes: &[u8]) {
        let mut state = self.0.state.lock();
        let invocation = state.invocation;
        let line = &mut state.lines[usize::from(stream == GuestStream::Stderr)];
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece.strip_suffix(b"\n").unwrap_or(piece));
            if piece.ends_with(b"\n") || line.len() >= LINE_BYTES_MAX {
                self.0.log.guest(invocation, stream, line);
                line.clear();
            }
        }
    }
}

/// One of the two streams, in the shapes that WASI 0.2 and 0.3 ask for.
#[derive(Clone)]
pub(crate) struct LineStream {
    output: GuestOutput,
    stream: GuestStream,
}

impl IsTerminal for LineStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineStream {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LineStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LineStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.output.write(self.stream, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl tokio::io::AsyncWrite for LineStream {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.output.write(self.stream, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Kept(Mutex<Vec<String>>);

    impl GuestLog for Kept {
        fn line(&self, line: GuestLine<'_>) {
            self.0.lock().push(format!("{:?} {}", line.stream, line.text));
        }
    }

    fn output(rate: ByteSize) -> (Arc<Kept>, GuestOutput) {
        let kept = Arc::new(Kept::default());
        let name = FunctionName::parse("f").expect("a name");
        let log = FunctionLog::new(name, Arc::clone(&kept) as Arc<dyn GuestLog>, rate);
        (kept, GuestOutput::new(log, InvocationId::from_parts(1, 1)))
    }

    #[test]
    fn pieces_become_lines_and_the_last_one_needs_no_end() {
        let (kept, output) = output(ByteSize::kib(64));
        output.write(GuestStream::Stdout, b"one\ntw");
        output.write(GuestStream::Stderr, b"err\n");
        output.write(GuestStream::Stdout, b"o\nthree");
        output.finish();
        let lines = kept.0.lock().clone();
        assert_eq!(lines, ["Stdout one", "Stderr err", "Stdout two", "Stdout three"]);
    }

    #[test]
    fn dropped_lines_are_counted_in_one_line() {
        let (kept, output) = output(ByteSize(8));
        for _ in 0..5 {
            output.write(GuestStream::Stdout, b"1234567\n");
        }
        output.finish();
        let lines = kept.0.lock().clone();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert_eq!(lines[1], "Host 4 log lines were dropped: more than 8B a second");
    }
}
