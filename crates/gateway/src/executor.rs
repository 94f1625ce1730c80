//! Running the streams of an HTTP/2 connection, and ending those that their client does not read.
//!
//! A client may read the connection and yet grant one stream no window; then the connection looks
//! well and the stream waits for ever. Each stream therefore watches itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use alula_rt::{TaskKind, clock};
use hyper::rt::Executor;

use crate::connection::Connection;

/// Counts the pieces of a body: odd while one waits for the client to take it.
#[derive(Debug, Default)]
pub(crate) struct StreamWatch(AtomicU32);

impl StreamWatch {
    /// A piece was handed over.
    pub(crate) fn piece_given(&self) {
        let count = self.0.load(Relaxed);
        self.0.store((count | 1).wrapping_add(2), Relaxed);
    }

    /// The next piece is asked for, or there is none.
    pub(crate) fn piece_taken(&self) {
        let count = self.0.load(Relaxed);
        self.0.store(count & !1, Relaxed);
    }
}

/// Spawns the streams of one connection.
#[derive(Clone)]
pub(crate) struct StreamExecutor(Arc<Connection>);

impl StreamExecutor {
    pub(crate) fn new(connection: &Arc<Connection>) -> Self {
        Self(Arc::clone(connection))
    }
}

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, future: F) {
        // hyper calls the service and hands its future over in the same turn.
        let watch = self.0.newest.lock().take();
        let limit = self.0.gateway.limits.write_timeout;
        let stream = Watched { future: Box::pin(future), watch, limit, seen: 0, timer: None };
        alula_rt::spawn(TaskKind::Connection, stream);
    }
}

struct Watched<F> {
    future: Pin<Box<F>>,
    watch: Option<Arc<StreamWatch>>,
    limit: Duration,
    /// The count when the timer was set.
    seen: u32,
    timer: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<F: Future> Future for Watched<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.future.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let count = this.watch.as_ref().map_or(0, |watch| watch.0.load(Relaxed));
        if count != this.seen {
            this.seen = count;
            this.timer = None;
        }
        if count & 1 == 0 {
            return Poll::Pending;
        }
        let limit = this.limit;
        // Dropping the stream resets it.
        this.timer.get_or_insert_with(|| Box::pin(clock::sleep(limit))).as_mut().poll(cx)
    }
}
