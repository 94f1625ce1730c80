//! One connection from its first byte to its last.

use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicU32};

use alula_rt::clock;
use alula_types::limits::edge;
use alula_types::{Code, Fault};
use http::HeaderValue;
use http::uri::Authority;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::executor::{StreamExecutor, StreamWatch};
use crate::gateway::Shared;
use crate::head;
use crate::pace::{self, End, Step};
use crate::problem;
use crate::serve;
use crate::socket::{Protocol, Socket, Stream};

/// Who connected, and how to speak with them.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// What the requests of one connection share.
pub(crate) struct Connection {
    pub(crate) gateway: Arc<Shared>,
    pub(crate) traffic: Arc<Traffic>,
    /// The client's address, as `x-forwarded-for` has it.
    pub(crate) address: HeaderValue,
    pub(crate) tls: bool,
    /// Whether the peer is a reverse proxy whose `x-forwarded-*` fields are believed.
    pub(crate) proxied: bool,
    /// The stream whose request was handed over last; its executor takes it from here.
    pub(crate) newest: Mutex<Option<Arc<StreamWatch>>>,
    /// The host of the last request: a client rarely asks for another one on the same connection.
    host: Mutex<Option<Authority>>,
}

impl Connection {
    /// Reads the value of a host field. `None`: it is not a host.
    pub(crate) fn authority(&self, value: &HeaderValue) -> Option<Authority> {
        let mut last = self.host.lock();
        if let Some(host) = &*last
            && host.as_str().as_bytes() == value.as_bytes()
        {
            return Some(host.clone());
        }
        let host = Authority::try_from(value.as_bytes()).ok().filter(head::is_host)?;
        *last = Some(host.clone());
        Some(host)
    }
}

/// How the client behaves: written by the socket, the requests and the bodies of one connection,
/// read by [`pace`]. All relaxed: with HTTP/1 everything happens on the connection's own task, and
/// with HTTP/2 these are only counts.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    /// Requests whose answer has not ended.
    running: AtomicU32,
    /// Requests so far, wrapping.
    begun: AtomicU32,
    /// Some of a request head has come, not all of it (HTTP/1).
    partial: AtomicBool,
    /// The client does not take what it is sent.
    blocked: AtomicBool,
    /// How often that began, wrapping: a client that reads slowly is not one that reads nothing.
    stalls: AtomicU32,
    /// The client may still be sending what nobody reads (HTTP/1).
    unread: AtomicBool,
    /// Everything that was answered has left, so what comes next is no part of an answer (HTTP/1).
    quiet: AtomicBool,
    /// The status of an answer that hyper wrote by itself and that was held back, or 0.
    held_back: AtomicU16,
    http1: AtomicBool,
}

impl Traffic {
    /// The protocol is known.
    pub(crate) fn begin(&self, protocol: Protocol, any: bool) {
        let http1 = protocol == Protocol::Http1;
        self.http1.store(http1, Relaxed);
        self.quiet.store(http1, Relaxed);
        self.partial.store(http1 && any, Relaxed);
    }

    /// Bytes came from the client.
    pub(crate) fn arrived(&self) {
        if self.http1.load(Relaxed) && self.running() == 0 {
            self.partial.store(true, Relaxed);
        }
    }

    /// A request head is complete, and a body follows or does not.
    pub(crate) fn request_begins(&self, body: bool) {
        self.begun.fetch_add(1, Relaxed);
        self.running.fetch_add(1, Relaxed);
        if self.http1.load(Relaxed) {
            self.partial.store(false, Relaxed);
            self.unread.store(body, Relaxed);
            self.quiet.store(false, Relaxed);
        }
    }

    /// The last byte of an answer is on its way, or will never be.
    pub(crate) fn answer_ends(&self) {
        self.running.fetch_sub(1, Relaxed);
    }

    /// Nothing waits to be written.
    pub(crate) fn flushed(&self) {
        if self.http1.load(Relaxed) && self.running() == 0 {
            self.quiet.store(true, Relaxed);
        }
    }

    /// Whether these bytes are an answer that hyper makes up itself: it refuses a malformed or
    /// oversized head without asking anybody. Such an answer would lack the id, the code and the
    /// help, so it is held back and [`serve`] writes a better one.
    pub(crate) fn intercept(&self, bytes: &[u8]) -> bool {
        if !self.quiet.load(Relaxed) {
            return false;
        }
        let status = bytes.get(9..12).filter(|_| bytes.starts_with(b"HTTP/1."));
        let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        self.held_back.store(status.unwrap_or(400), Relaxed);
        true
    }

    pub(crate) fn set_blocked(&self, blocked: bool) {
        self.blocked.store(blocked, Relaxed);
        if blocked {
            self.stalls.fetch_add(1, Relaxed);
        }
    }

    /// The request's body has been read to its end.
    pub(crate) fn body_read(&self) {
        self.unread.store(false, Relaxed);
    }

    pub(crate) fn running(&self) -> u32 {
        self.running.load(Relaxed)
    }

    /// Changes whenever a new time begins to count.
    pub(crate) fn turns(&self) -> (u32, u32) {
        (self.begun.load(Relaxed), self.stalls.load(Relaxed))
    }

    pub(crate) fn is_partial(&self) -> bool {
        self.partial.load(Relaxed)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Relaxed)
    }

    fn held_back(&self) -> Option<u16> {
        Some(self.held_back.load(Relaxed)).filter(|status| *status != 0)
    }
}

/// Serves a connection until it ends or the gateway does.
pub(crate) async fn serve(socket: TcpStream, peer: Peer, gateway: Arc<Shared>) {
    let traffic = Arc::new(Traffic::default());
    let tls = peer.tls.is_some();
    let opened = {
        let open = open(socket, peer.tls, Arc::clone(&traffic));
        let mut draining = pin!(gateway.draining.cancelled());
        let in_time = clock::timeout(gateway.limits.head_timeout, open);
        tokio::select! {
            opened = in_time => opened,
            // Nothing was asked yet.
            () = &mut draining => return,
        }
    };
    // Neither a failed handshake nor a client that says nothing gets an answer: there is no
    // request.
    let Ok(Some(socket)) = opened else { return };
    let ip = peer.address.ip().to_canonical();
    let address = HeaderValue::from_str(&ip.to_string()).expect("an address is visible ASCII");
    let proxied = gateway.proxies.contains(&ip);
    let (newest, host) = (Mutex::new(None), Mutex::new(None));
    let connection = Arc::new(Connection { gateway, traffic, address, tls, proxied, newest, host });
    match socket.protocol() {
        Protocol::Http1 => serve_http1(socket, &connection).await,
        Protocol::Http2 => serve_http2(socket, &connection).await,
    }
}

async fn open(
    socket: TcpStream,
    tls: Option<TlsAcceptor>,
    traffic: Arc<Traffic>,
) -> Option<Socket> {
    let stream = match tls {
        None => Stream::Plain(socket),
        Some(tls) => Stream::Tls(Box::new(tls.accept(socket).await.ok()?)),
    };
    Socket::open(stream, traffic).await.ok().flatten()
}

async fn serve_http1(socket: Socket, connection: &Arc<Connection>) {
    let limits = &connection.gateway.limits;
    let mut builder = http1::Builder::new();
    builder
        // One copy of a small body is cheaper than a second entry of a gathered write.
        // `pipeline_flush` would do the same, but it never says that its buffer is full, so a large
        // body would be read into memory whole.
        .writev(false)
        .max_buf_size(size(edge::WRITE_BUFFER.0.max(limits.head.0 + 1)))
        .max_header_size(size(limits.head.0));
    if limits.headers != HYPER_HEADERS {
        builder.max_headers(limits.headers as usize);
    }
    let service = {
        let connection = Arc::clone(connection);
        service_fn(move |request| serve::handle(Arc::clone(&connection), request))
    };
    let mut http = builder.serve_connection(TokioIo::new(socket), service);
    let end = pace::drive(connection, |step| match step {
        Step::Poll(cx) => Pin::new(&mut http).poll(cx),
        Step::Drain => {
            Pin::new(&mut http).graceful_shutdown();
            std::task::Poll::Pending
        }
    })
    .await;
    let refusal = refusal(&end, connection);
    let socket = http.into_parts().io.into_inner();
    match (end, refusal) {
        (_, Some(fault)) => socket.refuse(&problem::raw(&fault)).await,
        (End::Finished(Ok(())), None) if connection.traffic.unread.load(Relaxed) => {
            socket.linger().await;
        }
        (End::Finished(_) | End::Idle, None) => socket.close().await,
        (End::HeadTimedOut | End::Unread | End::Cancelled, None) => {}
    }
}

async fn serve_http2(socket: Socket, connection: &Arc<Connection>) {
    let limits = &connection.gateway.limits;
    let executor = StreamExecutor::new(connection);
    let mut builder = http2::Builder::new(executor);
    builder
        .max_concurrent_streams(limits.streams)
        // Twice the limit, so that a head just above it reaches `head::read` and gets a whole
        // answer.
        .max_header_list_size(u32::try_from(limits.head.0 * 2).unwrap_or(u32::MAX));
    let service = {
        let connection = Arc::clone(connection);
        service_fn(move |request| serve::handle(Arc::clone(&connection), request))
    };
    let mut http = pin!(builder.serve_connection(TokioIo::new(socket), service));
    pace::drive(connection, |step| match step {
        Step::Poll(cx) => http.as_mut().poll(cx),
        Step::Drain => {
            http.as_mut().graceful_shutdown();
            std::task::Poll::Pending
        }
    })
    .await;
}

/// What hyper allows when nothing is said, and then keeps on the stack.
const HYPER_HEADERS: u32 = 100;

/// What to tell an HTTP/1 client whose request never got as far as [`serve::handle`].
fn refusal(end: &End, connection: &Connection) -> Option<Fault> {
    let limits = &connection.gateway.limits;
    if let Some(status) = connection.traffic.held_back() {
        return Some(match status {
            431 | 414 => Fault::new(
                Code::HeadTooLarge,
                format!(
                    "the request head has more than {} or {} fields",
                    limits.head, limits.headers
                ),
            ),
            _ => Fault::plain(Code::RequestMalformed),
        });
    }
    match end {
        End::HeadTimedOut if connection.traffic.is_partial() => Some(Fault::new(
            Code::RequestTimedOut,
            format!("no whole request head within {} ms", limits.head_timeout.as_millis()),
        )),
        _ => None,
    }
}

fn size(bytes: u64) -> usize {
    // hyper refuses smaller buffers.
    usize::try_from(bytes).unwrap_or(usize::MAX).max(8192)
}
