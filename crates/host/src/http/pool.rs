//! The connections of one function: those in use are counted, those at rest are kept for a while.
//!
//! A kept connection is used again only if the decision about the new request permits the address
//! it leads to: the grants may have changed since it was opened.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use alula_policy::Address;
use alula_rt::clock;
use hyper::client::conn::{TrySendError, http1, http2};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{AbortHandle, JoinHandle};

use super::body::UpBody;
use super::head::Key;

/// The connections of one function.
pub(crate) struct Pool {
    room: Arc<Semaphore>,
    kept: Mutex<HashMap<Key, Kept>>,
    per_origin: usize,
}

/// What is kept for one origin.
#[derive(Default)]
struct Kept {
    /// Idle HTTP/1.1 connections, the most recently used last.
    http1: Vec<(Connection, Instant)>,
    /// One HTTP/2 connection that all requests share.
    http2: Option<Arc<Shared>>,
}

/// An open connection.
pub(crate) struct Connection {
    pub(super) sender: Sender,
    /// Held for its end: dropping it closes the connection.
    pub(super) driver: Driver,
    /// The address it leads to.
    pub(super) remote: IpAddr,
}

pub(super) enum Sender {
    Http1(http1::SendRequest<UpBody>),
    Http2(http2::SendRequest<UpBody>),
}

/// Closes its connection when dropped.
pub(super) struct Driver(AbortHandle);

impl Driver {
    pub(super) fn new(task: &JoinHandle<()>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An HTTP/2 connection with the number of its streams.
struct Shared {
    sender: http2::SendRequest<UpBody>,
    _driver: Driver,
    remote: IpAddr,
    streams: AtomicUsize,
    /// When the last stream ended.
    rested: Mutex<Instant>,
}

/// The right to send one request.
pub(crate) struct Lease(Held);

enum Held {
    /// Alone on its connection; closes it when dropped, unless it is given back.
    Http1 { connection: Connection, pool: Arc<Pool>, key: Key },
    /// One stream of many.
    Http2(Stream),
}

/// One stream of a shared connection, counted while it lives.
struct Stream(Arc<Shared>);

impl Stream {
    fn of(shared: Arc<Shared>) -> Self {
        shared.streams.fetch_add(1, SeqCst);
        Self(shared)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        *self.0.rested.lock() = clock::now();
        self.0.streams.fetch_sub(1, SeqCst);
    }
}

/// How long a connection that has just served may take to be ready again.
const READY: Duration = Duration::from_millis(50);

impl Pool {
    pub(crate) fn new(connections: u32, per_origin: usize) -> Self {
        let room = Arc::new(Semaphore::new(connections as usize));
        Self { room, kept: Mutex::default(), per_origin }
    }

    /// Room for one more connection. Closes an idle one when there is none, and waits.
    pub(super) async fn room(&self) -> OwnedSemaphorePermit {
        if let Ok(room) = Arc::clone(&self.room).try_acquire_owned() {
            return room;
        }
        self.close_one_idle();
        Arc::clone(&self.room).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// A kept connection to an origin whose address the decision permits.
    pub(super) async fn checkout(self: &Arc<Self>, key: &Key, address: &Address) -> Option<Lease> {
        if let Some(shared) = self.shared(key)
            && address.permits(shared.remote)
        {
            return Some(Lease(Held::Http2(Stream::of(shared))));
        }
        loop {
            let (mut connection, _) = self.kept.lock().get_mut(key)?.http1.pop()?;
            let Sender::Http1(sender) = &mut connection.sender else { continue };
            if !address.permits(connection.remote) || sender.is_closed() {
                continue;
            }
            // Its last response has ended, but its task may not have noticed yet.
            if matches!(clock::timeout(READY, sender.ready()).await, Ok(Ok(()))) {
                let (pool, key) = (Arc::clone(self), key.clone());
                return Some(Lease(Held::Http1 { connection, pool, key }));
            }
        }
    }

    fn shared(&self, key: &Key) -> Option<Arc<Shared>> {
        let mut kept = self.kept.lock();
        let slot = &mut kept.get_mut(key)?.http2;
        if slot.as_ref().is_some_and(|shared| shared.sender.is_closed()) {
            *slot = None;
        }
        slot.clone()
    }

    /// Takes a new connection into use. An HTTP/2 one is shared from now on.
    pub(super) fn adopt(self: &Arc<Self>, key: &Key, connection: Connection) -> Lease {
        let Connection { sender, driver, remote } = connection;
        match sender {
            Sender::Http1(sender) => {
                let connection = Connection { sender: Sender::Http1(sender), driver, remote };
                Lease(Held::Http1 { connection, pool: Arc::clone(self), key: key.clone() })
            }
            Sender::Http2(sender) => {
                let shared = Arc::new(Shared {
                    sender,
                    _driver: driver,
                    remote,
                    streams: AtomicUsize::new(0),
                    rested: Mutex::new(clock::now()),
                });
                // The newest is the one whose address the latest decision permits.
                self.kept.lock().entry(key.clone()).or_default().http2 = Some(Arc::clone(&shared));
                Lease(Held::Http2(Stream::of(shared)))
            }
        }
    }

    fn keep(&self, key: Key, connection: Connection) {
        let mut kept = self.kept.lock();
        let idle = &mut kept.entry(key).or_default().http1;
        if idle.len() < self.per_origin {
            idle.push((connection, clock::now()));
        }
    }

    /// Closes what has lain idle for longer than a time, and what the peer closed.
    pub(crate) fn retire(&self, now: Instant, idle: Duration) {
        let rests = |since: Instant| now.saturating_duration_since(since) < idle;
        self.kept.lock().retain(|_, kept| {
            kept.http1.retain(|(connection, since)| rests(*since) && !connection.is_closed());
            if kept.http2.as_ref().is_some_and(|shared| {
                shared.sender.is_closed() || (shared.is_idle() && !rests(*shared.rested.lock()))
            }) {
                kept.http2 = None;
            }
            !kept.is_empty()
        });
    }

    /// Whether nothing is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.lock().is_empty()
    }

    fn close_one_idle(&self) {
        let mut kept = self.kept.lock();
        for origin in kept.values_mut() {
            if !origin.http1.is_empty() {
                // The oldest is the likeliest to be useless.
                origin.http1.remove(0);
                return;
            }
            if origin.http2.as_ref().is_some_and(|shared| shared.is_idle()) {
                origin.http2 = None;
                return;
            }
        }
    }
}

impl Kept {
    fn is_empty(&self) -> bool {
        self.http1.is_empty() && self.http2.is_none()
    }
}

impl Connection {
    fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

impl Shared {
    fn is_idle(&self) -> bool {
        self.streams.load(SeqCst) == 0
    }
}

impl Lease {
    pub(super) const fn is_http2(&self) -> bool {
        matches!(self.0, Held::Http2(_))
    }

    /// Sends a request and resolves with the response head.
    pub(super) async fn send(
        &mut self,
        request: http::Request<UpBody>,
    ) -> Result<http::Response<hyper::body::Incoming>, TrySendError<http::Request<UpBody>>> {
        match &mut self.0 {
            Held::Http1 { connection, .. } => match &mut connection.sender {
                Sender::Http1(sender) => sender.try_send_request(request).await,
                Sender::Http2(sender) => sender.try_send_request(request).await,
            },
            Held::Http2(stream) => stream.0.sender.clone().try_send_request(request).await,
        }
    }

    /// Gives the connection back after an exchange that both sides ended.
    pub(super) fn give_back(self) {
        if let Held::Http1 { connection, pool, key } = self.0
            && !connection.is_closed()
        {
            pool.keep(key, connection);
        }
    }
}
