//! Bodies on their way through: counted, bounded in time, and tied to their connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed, Ordering::SeqCst};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use alula_capability::BoxFuture;
use alula_rt::clock;
use alula_types::{Body, BodyError};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use super::pool::Lease;
use crate::Inner;

/// Tells whether a request's body has been sent to its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Sent(Arc<AtomicBool>);

impl Sent {
    fn is_done(&self) -> bool {
        self.0.load(SeqCst)
    }
}

/// The body of a request.
pub(crate) struct UpBody {
    body: Body,
    sent: Sent,
    inner: Arc<Inner>,
}

impl UpBody {
    pub(super) fn new(body: Body, inner: Arc<Inner>) -> (Self, Sent) {
        let sent = Sent::default();
        (Self { body, sent: sent.clone(), inner }, sent)
    }

    pub(super) fn sent(&self) -> Sent {
        self.sent.clone()
    }
}

impl HttpBody for UpBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            self.inner.counts.bytes_up.fetch_add(data.len() as u64, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for UpBody {
    fn drop(&mut self) {
        // The connection lets go of a body when it has sent it, or when it breaks and is of no use
        // anyway.
        self.sent.0.store(true, SeqCst);
    }
}

/// The body of a response. Holds its connection, gives it back at the end, and closes it when
/// dropped before.
pub(super) struct ResponseBody {
    incoming: Incoming,
    lease: Option<Lease>,
    sent: Sent,
    inner: Arc<Inner>,
    /// The longest pause between two pieces.
    between: Option<Duration>,
    deadline: Instant,
    pause: Option<BoxFuture<()>>,
}

impl ResponseBody {
    pub(super) fn new(
        incoming: Incoming,
        lease: Lease,
        sent: Sent,
        inner: Arc<Inner>,
        (between, deadline): (Option<Duration>, Instant),
    ) -> Self {
        let lease = Some(lease);
        let mut body = Self { incoming, lease, sent, inner, between, deadline, pause: None };
        body.release_at_end();
        body
    }

    /// Gives the connection back once both bodies have ended. A request still being sent keeps it.
    fn release_at_end(&mut self) {
        if self.incoming.is_end_stream() {
            self.release();
        }
    }

    fn release(&mut self) {
        if let Some(lease) = self.lease.take()
            && self.sent.is_done()
        {
            lease.give_back();
        }
    }

    fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let pause = self.pause.get_or_insert_with(|| {
            let end = self.between.and_then(|limit| clock::now().checked_add(limit));
            let until = end.map_or(self.deadline, |end| end.min(self.deadline));
            Box::pin(clock::sleep_until(until))
        });
        pause.as_mut().poll(cx)
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.pause = None;
                if let Some(data) = frame.data_ref() {
                    self.inner.counts.bytes_down.fetch_add(data.len() as u64, Relaxed);
                }
                self.release_at_end();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.lease = None;
                tracing::debug!(%error, "a response body broke off");
                Poll::Ready(Some(Err(BodyError::Disconnected)))
            }
            Poll::Ready(None) => {
                self.release();
                Poll::Ready(None)
            }
            Poll::Pending => {
                ready!(self.poll_pause(cx));
                self.lease = None;
                Poll::Ready(Some(Err(BodyError::TimedOut)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
