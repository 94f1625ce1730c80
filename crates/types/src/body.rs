//! A message body: nothing, bytes in hand, or a stream that pushes back.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};

use crate::error::Fault;

/// Why a body ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyError {
    /// The peer closed the connection or broke the framing.
    Disconnected,
    /// The body passed a limit (`limit` in bytes).
    TooLarge {
        /// The limit that was passed, in bytes.
        limit: u64,
    },
    /// No byte arrived for longer than the read timeout.
    TimedOut,
    /// The function failed after its response head was sent.
    Failed(Box<Fault>),
}

impl std::fmt::Display for BodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Disconnected => f.write_str("the peer closed the body early"),
            Self::TooLarge { limit } => write!(f, "the body is larger than {limit} bytes"),
            Self::TimedOut => f.write_str("the body did not arrive in time"),
            Self::Failed(fault) => write!(f, "the function failed while streaming: {fault}"),
        }
    }
}

impl std::error::Error for BodyError {}

type Stream = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A body of bytes with optional trailers. Dropping it tells the producer to stop.
pub struct Body(Repr);

enum Repr {
    Empty,
    Full(Bytes),
    Stream(Stream),
}

impl Body {
    /// A body of no bytes.
    pub const fn empty() -> Self {
        Self(Repr::Empty)
    }

    /// A body of bytes already in memory.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(if bytes.is_empty() { Repr::Empty } else { Repr::Full(bytes) })
    }

    /// A body that is produced as it is read; the producer sees back-pressure.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        if body.is_end_stream() { Self::empty() } else { Self(Repr::Stream(Box::pin(body))) }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Repr::Empty => f.write_str("Body(empty)"),
            Repr::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Repr::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Repr::Empty => Poll::Ready(None),
            Repr::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Repr::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Repr::Stream(stream) => stream.as_mut().poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Repr::Empty => true,
            Repr::Full(_) => false,
            Repr::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Repr::Empty => SizeHint::with_exact(0),
            Repr::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Repr::Stream(stream) => stream.size_hint(),
        }
    }
}
