//! Bodies on their way in and out: counted, limited, and settled at their end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use alula_rt::clock;
use alula_types::limits::edge;
use alula_types::usage::Settlement;
use alula_types::{Body, BodyError, Code};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;

use crate::connection::Connection;
use crate::executor::StreamWatch;
use crate::serve::Exchange;

/// A request body as the function reads it. The client sees the function's back-pressure.
pub(crate) struct Received {
    incoming: Incoming,
    connection: Arc<Connection>,
    settlement: Arc<Settlement>,
    limit: u64,
    left: u64,
    /// Rings when the client pauses for too long. Only there while somebody waits for the client.
    pause: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    pause_limit: Duration,
    failed: bool,
}

impl Received {
    /// The body of a request that may have `limit` bytes.
    pub(crate) fn body(
        incoming: Incoming,
        connection: &Arc<Connection>,
        settlement: &Arc<Settlement>,
        limit: u64,
    ) -> Body {
        if incoming.is_end_stream() {
            return Body::empty();
        }
        Body::stream(Self {
            incoming,
            connection: Arc::clone(connection),
            settlement: Arc::clone(settlement),
            limit,
            left: limit,
            pause: None,
            pause_limit: connection.gateway.limits.body_timeout,
            failed: false,
        })
    }

    fn fail(
        &mut self,
        code: Code,
        error: BodyError,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.failed = true;
        // What the function makes of it comes second: see `serve::blame`.
        self.settlement.failed(code);
        Poll::Ready(Some(Err(error)))
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            let limit = self.pause_limit;
            let pause = self.pause.get_or_insert_with(|| Box::pin(clock::sleep(limit)));
            ready!(pause.as_mut().poll(cx));
            return self.fail(Code::RequestTimedOut, BodyError::TimedOut);
        };
        self.pause = None;
        match frame {
            None => {
                self.connection.traffic.body_read();
                Poll::Ready(None)
            }
            Some(Err(_)) => self.fail(Code::Cancelled, BodyError::Disconnected),
            Some(Ok(frame)) => {
                let size = frame.data_ref().map_or(0, |data| data.len() as u64);
                if size > self.left {
                    let limit = self.limit;
                    return self.fail(Code::BodyTooLarge, BodyError::TooLarge { limit });
                }
                self.left -= size;
                self.settlement.bytes_in.fetch_add(size, Relaxed);
                if self.incoming.is_end_stream() {
                    self.connection.traffic.body_read();
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.failed || self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// A response body on its way to the client. Whatever becomes of it, dropping it ends the exchange.
pub(crate) struct Sent {
    body: Body,
    /// What is left of a piece that is too large to be handed over at once.
    rest: Bytes,
    exchange: Exchange,
    watch: Option<Arc<StreamWatch>>,
    end: Ending,
}

#[derive(Debug, PartialEq, Eq)]
enum Ending {
    /// More may come.
    Open,
    /// It failed; the client is told once what came before is on its way.
    Failing(BodyError),
    /// Nothing more comes.
    Ended,
}

/// The connection copies what it is given, and what it has copied waits for the client; so a
/// function that sends all at once costs no more memory than one that sends little by little.
#[expect(clippy::cast_possible_truncation, reason = "a constant far below 4 GiB")]
const PIECE: usize = edge::WRITE_BUFFER.0 as usize;

impl Sent {
    pub(crate) fn new(body: Body, exchange: Exchange, watch: Option<Arc<StreamWatch>>) -> Self {
        let end = if body.is_end_stream() { Ending::Ended } else { Ending::Open };
        Self { body, rest: Bytes::new(), exchange, watch, end }
    }

    /// Hands over the beginning of some data and keeps the rest.
    fn hand_over(&mut self, mut data: Bytes) -> Frame<Bytes> {
        if data.len() > PIECE {
            self.rest = data.split_off(PIECE);
        }
        self.exchange.sent(data.len() as u64);
        Frame::data(data)
    }

    fn fail(&mut self, error: BodyError) {
        self.exchange.failed(match &error {
            BodyError::Failed(fault) => fault.code,
            BodyError::TooLarge { .. } => Code::ResponseTooLarge,
            BodyError::TimedOut => Code::DeadlinePassed,
            BodyError::Disconnected => Code::GuestFailed,
        });
        self.end = Ending::Failing(error);
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        if let Some(watch) = &this.watch {
            watch.piece_taken();
        }
        match std::mem::replace(&mut this.end, Ending::Ended) {
            Ending::Open => {}
            Ending::Failing(error) => return Poll::Ready(Some(Err(error))),
            Ending::Ended => return Poll::Ready(None),
        }
        let frame = if this.rest.is_empty() {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Pending => {
                    this.end = Ending::Open;
                    return Poll::Pending;
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    // An error ends the connection without a flush. Waiting one turn lets what the
                    // function sent before it failed go out first.
                    this.fail(error);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => this.hand_over(data),
                    Err(trailers) => trailers,
                },
            }
        } else {
            let rest = std::mem::take(&mut this.rest);
            this.hand_over(rest)
        };
        if !this.rest.is_empty() || !this.body.is_end_stream() {
            this.end = Ending::Open;
        }
        if let Some(watch) = &this.watch {
            watch.piece_given();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.end == Ending::Ended
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let rest = self.rest.len() as u64;
        match hint.exact() {
            Some(exact) => SizeHint::with_exact(exact + rest),
            None => {
                hint.set_lower(hint.lower() + rest);
                hint
            }
        }
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if self.end == Ending::Open {
            self.exchange.failed(Code::Cancelled);
        }
        if let Some(watch) = &self.watch {
            watch.piece_taken();
        }
    }
}
