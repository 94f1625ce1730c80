//! Binding, accepting, and ending in order.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use alula_dispatch::Dispatcher;
use alula_rt::{CancellationToken, Gate, TaskKind, clock};
use alula_types::limits::{GatewayLimits, edge};
use alula_types::usage::{OutcomeClass, Start, UsageSink};
use alula_types::{Code, Fault, FunctionName, InvocationId};
use arc_swap::ArcSwap;
use http::{HeaderValue, Method};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::connection::{self, Peer};
use crate::problem;
use crate::route::RouteTable;
use crate::tls::{self, TlsFiles};

/// What a gateway is made of.
pub struct Options {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Serve TLS (with HTTP/2 by ALPN) instead of cleartext (with HTTP/2 by prior knowledge).
    pub tls: Option<TlsFiles>,
    /// The limits of its connections.
    pub limits: GatewayLimits,
    /// Reverse proxies whose `x-forwarded-*` fields are believed. Everybody else's are replaced.
    pub proxies: Vec<IpAddr>,
    /// Takes the record of each invocation.
    pub usage: Arc<dyn UsageSink>,
    /// Is told of each answer; `None` costs nothing.
    pub observer: Option<Arc<dyn Observer>>,
}

/// Is told of each answer when its last byte is on its way: the lines that `alula dev` prints.
pub trait Observer: Send + Sync {
    /// Takes one answer. Called on the thread that serves the connection: must never wait.
    fn answered(&self, answer: &Answered<'_>);
}

/// One request with its answer.
#[derive(Debug)]
pub struct Answered<'a> {
    /// The id that the client was told.
    pub invocation: InvocationId,
    /// The function, when one was invoked.
    pub function: Option<&'a FunctionName>,
    /// The request's method.
    pub method: &'a Method,
    /// The request's path, without the query.
    pub path: &'a str,
    /// The status that was sent.
    pub status: u16,
    /// From the request head to the last byte.
    pub elapsed: Duration,
    /// How the function's place came to be.
    pub start: Start,
    /// How it ended.
    pub outcome: OutcomeClass,
}

/// A bound gateway. It answers once [`Gateway::run`] is called; until then clients wait.
pub struct Gateway {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    handle: Handle,
}

/// Changes the routes of a gateway while it runs. Clones are the same gateway's.
#[derive(Clone)]
pub struct Handle {
    local: SocketAddr,
    shared: Arc<Shared>,
}

/// What all connections of a gateway share.
pub(crate) struct Shared {
    pub(crate) routes: ArcSwap<RouteTable>,
    pub(crate) dispatcher: Arc<Dispatcher>,
    pub(crate) limits: GatewayLimits,
    pub(crate) usage: Arc<dyn UsageSink>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) proxies: Vec<IpAddr>,
    /// The authority of requests that name none.
    pub(crate) authority: HeaderValue,
    phase: AtomicU8,
    /// Cancelled once the phase is [`Phase::Draining`].
    pub(crate) draining: CancellationToken,
    /// Cancelled once the phase is [`Phase::Ended`].
    pub(crate) ended: CancellationToken,
}

/// Where a gateway is in its life. Connections read it with each poll, so it is one byte and no
/// lock; the tokens beside it only wake them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    Serving,
    Draining,
    Ended,
}

impl Shared {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Serving,
            1 => Phase::Draining,
            _ => Phase::Ended,
        }
    }

    fn enter(&self, phase: Phase) {
        // The phase first: who is woken must see it.
        self.phase.store(phase as u8, Ordering::Release);
        match phase {
            Phase::Serving => {}
            Phase::Draining => self.draining.cancel(),
            Phase::Ended => self.ended.cancel(),
        }
    }
}

impl Gateway {
    /// Binds the socket and reads the certificate.
    ///
    /// Fails with [`Code::SocketRefused`] or [`Code::FileRefused`].
    pub async fn bind(options: Options, dispatcher: Arc<Dispatcher>) -> Result<Self, Fault> {
        let tls = options.tls.as_ref().map(tls::acceptor).transpose()?;
        let refused = |e: io::Error| {
            Fault::new(Code::SocketRefused, format!("listening on {}: {e}", options.listen))
        };
        let listener = TcpListener::bind(options.listen).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?;
        let authority =
            HeaderValue::from_str(&local.to_string()).expect("an address is visible ASCII");
        let shared = Arc::new(Shared {
            routes: ArcSwap::default(),
            dispatcher,
            limits: options.limits,
            usage: options.usage,
            observer: options.observer,
            proxies: options.proxies,
            authority,
            phase: AtomicU8::new(Phase::Serving as u8),
            draining: CancellationToken::new(),
            ended: CancellationToken::new(),
        });
        Ok(Self { listener, tls, handle: Handle { local, shared } })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.handle.local
    }

    /// Replaces all routes at once. Requests that run keep the target they found.
    pub fn set_routes(&self, routes: RouteTable) {
        self.handle.set_routes(routes);
    }

    /// What changes the routes while the gateway runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `shutdown` is cancelled; then accepts no more, lets what runs end within the
    /// grace period of the limits, and cancels the rest. Resolves when no connection is left.
    pub async fn run(self, shutdown: CancellationToken) {
        let shared = self.handle.shared;
        let gate = Gate::default();
        accept_until(&shutdown, &self.listener, self.tls.as_ref(), &shared, &gate).await;
        // Closes the socket, so that clients are refused rather than left waiting.
        drop(self.listener);
        gate.close();
        shared.enter(Phase::Draining);
        if clock::timeout(shared.limits.grace, gate.empty()).await.is_err() {
            tracing::warn!(connections = gate.inside(), "the grace period is over; cancelling");
            shared.enter(Phase::Ended);
            gate.empty().await;
        }
    }
}

impl Handle {
    /// Where the gateway listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Replaces all routes at once. Requests that run keep the target they found.
    pub fn set_routes(&self, routes: RouteTable) {
        self.shared.routes.store(Arc::new(routes));
    }
}

async fn accept_until(
    shutdown: &CancellationToken,
    listener: &TcpListener,
    tls: Option<&TlsAcceptor>,
    shared: &Arc<Shared>,
    gate: &Gate,
) {
    let mut ended = pin!(shutdown.cancelled());
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut ended => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, address)) => admit(socket, address, tls, shared, gate),
            // A client that left before it was accepted concerns nobody else.
            Err(e) if is_about_one_client(&e) => {}
            Err(e) => {
                tracing::warn!(error = %e, "accepting a connection failed");
                clock::sleep(edge::ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_about_one_client(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

fn admit(
    socket: TcpStream,
    address: SocketAddr,
    tls: Option<&TlsAcceptor>,
    shared: &Arc<Shared>,
    gate: &Gate,
) {
    if gate.inside() >= shared.limits.connections as usize {
        // The answer fits the socket's empty buffer; a client of TLS just sees the connection
        // close.
        if tls.is_none() {
            let fault =
                Fault::new(Code::NoCapacity, "the gateway has no room for more connections");
            let _ = socket.try_write(&problem::raw(&fault.retry_after(Duration::from_secs(1))));
        }
        return;
    }
    let Some(inside) = gate.enter() else { return };
    // Only delays small answers; a socket that refuses still works.
    let _ = socket.set_nodelay(true);
    let peer = Peer { address, tls: tls.cloned() };
    let shared = Arc::clone(shared);
    alula_rt::spawn(TaskKind::Connection, async move {
        connection::serve(socket, peer, shared).await;
        drop(inside);
    });
}
