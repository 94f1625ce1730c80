//! The providers behind the capability port: what a guest may call, done for it.
//!
//! Every call is checked against the grants it carries, and what is checked is what is used: the
//! address that a grant permits is the address that is connected to. Nothing here knows a guest's
//! interface.

mod http;

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};
use std::time::Duration;

use alula_capability::{BoxFuture, Call, CallContext, Host, Refusal, Reply};
use alula_rt::{TaskKind, clock};
use alula_types::{FunctionName, Limits};
use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;

use crate::http::pool::Pool;
pub use crate::http::resolve::{Lookup, SystemLookup};

/// What the providers of a node may do and use.
pub struct Options {
    /// Certificate authorities trusted beside the public ones. Default: none.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Outbound connections of one function at the same time. Default: [`Limits::DEFAULT`].
    pub connections: u32,
    /// How long an unused connection is kept. Default: 30 s, less than most servers keep one.
    pub idle: Duration,
    /// Unused connections kept for one origin. Default: 16.
    pub idle_per_origin: usize,
    /// Time to connect, TLS included, when the guest names none. Default: 10 s.
    pub connect: Duration,
    /// Who looks names up. Default: the system.
    pub lookup: Arc<dyn Lookup>,
    /// Which check the tests take away, to see the attack succeed without it.
    #[cfg(test)]
    pub(crate) without: Option<Barrier>,
}

/// A check that tests take away.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Barrier {
    /// The grants are not asked about the origin.
    OriginCheck,
    /// The grants are not asked about the address.
    AddressCheck,
    /// The name is looked up again after the check, and the second answer is used.
    SameAddress,
    /// All functions share one pool of connections.
    OwnPool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            extra_roots: Vec::new(),
            connections: Limits::DEFAULT.outbound,
            idle: Duration::from_secs(30),
            idle_per_origin: 16,
            connect: Duration::from_secs(10),
            lookup: Arc::new(SystemLookup::default()),
            #[cfg(test)]
            without: None,
        }
    }
}

/// All providers of a node. Its connections end when it is dropped.
pub struct Providers(Arc<Inner>);

pub(crate) struct Inner {
    options: Options,
    tls: Arc<rustls::ClientConfig>,
    pools: Mutex<HashMap<FunctionName, Arc<Pool>>>,
    reaping: AtomicBool,
    counts: Tally,
}

/// What the providers have done since they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// HTTP requests that guests made.
    pub requests: u64,
    /// Those refused because of missing grants.
    pub denied: u64,
    /// Those that got no response for another reason.
    pub failed: u64,
    /// Connections opened.
    pub connections: u64,
    /// Requests sent on a connection that had served before.
    pub reused: u64,
    /// Body bytes sent.
    pub bytes_up: u64,
    /// Body bytes received.
    pub bytes_down: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    denied: AtomicU64,
    failed: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) reused: AtomicU64,
    pub(crate) bytes_up: AtomicU64,
    pub(crate) bytes_down: AtomicU64,
}

impl Providers {
    /// Providers with these options. Needs no runtime yet; calls do.
    pub fn new(options: Options) -> Self {
        let tls = http::tls::config(&options.extra_roots);
        Self(Arc::new(Inner {
            options,
            tls: Arc::new(tls),
            pools: Mutex::default(),
            reaping: AtomicBool::new(false),
            counts: Tally::default(),
        }))
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        let tally = &self.0.counts;
        Counts {
            requests: tally.requests.load(Relaxed),
            denied: tally.denied.load(Relaxed),
            failed: tally.failed.load(Relaxed),
            connections: tally.connections.load(Relaxed),
            reused: tally.reused.load(Relaxed),
            bytes_up: tally.bytes_up.load(Relaxed),
            bytes_down: tally.bytes_down.load(Relaxed),
        }
    }
}

impl Host for Providers {
    fn call(&self, context: &CallContext, call: Call) -> BoxFuture<Result<Reply, Refusal>> {
        let inner = Arc::clone(&self.0);
        let context = context.clone();
        match call {
            Call::Http(request, timeouts) => Box::pin(async move {
                inner.counts.requests.fetch_add(1, Relaxed);
                let result = http::send(&inner, &context, request, timeouts).await;
                match &result {
                    Ok(_) => {}
                    Err(Refusal::Denied(reason)) => {
                        inner.counts.denied.fetch_add(1, Relaxed);
                        let (function, invocation) = (&context.function, &context.invocation);
                        tracing::debug!(%function, %invocation, %reason, "denied an HTTP call");
                    }
                    Err(_) => {
                        inner.counts.failed.fetch_add(1, Relaxed);
                    }
                }
                result.map(Reply::Http)
            }),
        }
    }
}

impl Inner {
    /// The connections of one function, which no other function ever uses.
    fn pool(self: &Arc<Self>, function: &FunctionName) -> Arc<Pool> {
        if !self.reaping.swap(true, Relaxed) {
            alula_rt::spawn(TaskKind::Reaper, reap(Arc::downgrade(self), self.options.idle));
        }
        #[cfg(test)]
        let shared = FunctionName::parse("shared").expect("a valid name");
        #[cfg(test)]
        let function = if self.lacks(Barrier::OwnPool) { &shared } else { function };
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.get(function) {
            return Arc::clone(pool);
        }
        let pool = Arc::new(Pool::new(self.options.connections, self.options.idle_per_origin));
        pools.insert(function.clone(), Arc::clone(&pool));
        pool
    }

    #[cfg(test)]
    fn lacks(&self, barrier: Barrier) -> bool {
        self.options.without == Some(barrier)
    }
}

/// Closes connections that lay idle for too long, and forgets the pools of functions that are gone.
/// Ends with the providers.
async fn reap(providers: Weak<Inner>, idle: Duration) {
    loop {
        clock::sleep((idle / 4).max(Duration::from_millis(10))).await;
        let Some(inner) = providers.upgrade() else { return };
        inner.pools.lock().retain(|_, pool| {
            pool.retire(clock::now(), idle);
            // Nobody else can get at a pool while the table is locked.
            Arc::strong_count(pool) > 1 || !pool.is_empty()
        });
    }
}

/// Makes every name lead to the same addresses; for tests and for closed networks.
#[derive(Debug, Clone)]
pub struct FixedLookup(pub Vec<SocketAddr>);

impl Lookup for FixedLookup {
    fn lookup(&self, _name: &str, port: u16) -> BoxFuture<io::Result<Vec<SocketAddr>>> {
        let with_port = |address: &SocketAddr| match address.port() {
            0 => SocketAddr::new(address.ip(), port),
            _ => *address,
        };
        let found = self.0.iter().map(with_port).collect();
        Box::pin(std::future::ready(Ok(found)))
    }
}

#[cfg(test)]
mod tests;
