//! Outbound HTTP: one request of a guest, from the grants to the response head.
//!
//! [`send`] reads top to bottom: read the target → decide about the origin → obtain a connection
//! whose address the same decision permits → send → hand over the response, whose body gives the
//! connection back when it ends. Redirects are not followed: the guest does that itself and is
//! checked again.

mod body;
mod connect;
mod head;
pub(crate) mod pool;
pub(crate) mod resolve;
pub(crate) mod tls;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use alula_capability::{CallContext, HttpTimeouts, Refusal, TimedOut};
use alula_policy::Address;
use alula_rt::clock;
use alula_types::Body;
use hyper::client::conn::TrySendError;

use self::body::{ResponseBody, UpBody};
use self::head::Target;
use self::pool::{Lease, Pool};
use crate::Inner;

/// Sends a request and resolves with the response head.
pub(crate) async fn send(
    inner: &Arc<Inner>,
    context: &CallContext,
    request: http::Request<Body>,
    timeouts: HttpTimeouts,
) -> Result<http::Response<Body>, Refusal> {
    let target = Target::read(&request)?;
    let address = decide(inner, context, &target)?;
    let pool = inner.pool(&context.function);
    let (head, body) = head::outgoing(request, &context.trace).into_parts();
    let again = head::replayable(&head, &body).then(|| head.clone());
    let (body, mut sent) = UpBody::new(body, Arc::clone(inner));
    let mut request = http::Request::from_parts(head, body);
    let exchange =
        Exchange { inner, context, target: &target, address: &address, pool: &pool, timeouts };

    let (lease, reused) = exchange.obtain(true).await?;
    let failed = match exchange.transmit(lease, request, sent).await {
        Ok(response) => return Ok(response),
        Err(failed) => failed,
    };
    // A kept connection may have been closed by the peer meanwhile. What it never took, or what may
    // be done twice, goes once more over a new one.
    request = match (reused && failed.stale, failed.returned, again) {
        (true, Some(request), _) => {
            sent = request.body().sent();
            request
        }
        (true, None, Some(head)) => {
            let (body, new_sent) = UpBody::new(Body::empty(), Arc::clone(inner));
            sent = new_sent;
            http::Request::from_parts(head, body)
        }
        _ => return Err(failed.refusal),
    };
    let (lease, _) = exchange.obtain(false).await?;
    exchange.transmit(lease, request, sent).await.map_err(|failed| failed.refusal)
}

fn decide(inner: &Inner, context: &CallContext, target: &Target) -> Result<Address, Refusal> {
    #[cfg(test)]
    if inner.lacks(crate::Barrier::OriginCheck) {
        let all = alula_policy::HttpGrants::anywhere();
        let found = all.decide(target.scheme(), &target.host, target.port);
        return found.map_err(|denied| Refusal::Denied(denied.0));
    }
    let _ = inner;
    let grants = &context.grants.http;
    grants
        .decide(target.scheme(), &target.host, target.port)
        .map_err(|denied| Refusal::Denied(denied.0))
}

/// What every step of one exchange needs.
struct Exchange<'a> {
    inner: &'a Arc<Inner>,
    context: &'a CallContext,
    target: &'a Target,
    address: &'a Address,
    pool: &'a Arc<Pool>,
    timeouts: HttpTimeouts,
}

/// Why an exchange got no response, and what can be tried again.
struct Failed {
    refusal: Refusal,
    /// The connection broke before anything of the response arrived.
    stale: bool,
    /// The request, if the connection never took it.
    returned: Option<http::Request<UpBody>>,
}

impl Exchange<'_> {
    /// A connection to the target: a kept one if that is wanted and there is one, else a new one.
    /// Says which.
    async fn obtain(&self, kept: bool) -> Result<(Lease, bool), Refusal> {
        if kept && let Some(lease) = self.pool.checkout(&self.target.key, self.address).await {
            self.inner.counts.reused.fetch_add(1, Relaxed);
            return Ok((lease, true));
        }
        let limit = self.timeouts.connect.unwrap_or(self.inner.options.connect);
        let until = self.until(Some(limit));
        let name = &self.target.host;
        let room = clock::until(until, self.pool.room()).await.map_err(|_| {
            Refusal::Limit(format!("the function has no outbound connection free for {name}"))
        })?;
        let opening = connect::open(self.inner, self.target, self.address, room);
        let connection = clock::until(until, opening).await;
        let connection = connection.map_err(|_| Refusal::TimedOut(TimedOut::Connect))??;
        self.inner.counts.connections.fetch_add(1, Relaxed);
        Ok((self.pool.adopt(&self.target.key, connection), false))
    }

    /// Sends the request over a connection and waits for the response head.
    async fn transmit(
        &self,
        mut lease: Lease,
        mut request: http::Request<UpBody>,
        sent: body::Sent,
    ) -> Result<http::Response<Body>, Failed> {
        head::address_to(&mut request, self.target, lease.is_http2());
        let until = self.until(self.timeouts.first_byte);
        let response = match clock::until(until, lease.send(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(self.failed(error)),
            Err(_) => {
                let refusal = Refusal::TimedOut(TimedOut::FirstByte);
                return Err(Failed { refusal, stale: false, returned: None });
            }
        };
        let (mut head, body) = response.into_parts();
        if head.status == http::StatusCode::SWITCHING_PROTOCOLS {
            let words = "the peer switched protocols without being asked".to_owned();
            let refusal = Refusal::Protocol(self.target.host.clone(), words);
            return Err(Failed { refusal, stale: false, returned: None });
        }
        head::strip_hop_by_hop(&mut head.headers);
        let between = self.timeouts.between_bytes;
        let body = ResponseBody::new(
            body,
            lease,
            sent,
            Arc::clone(self.inner),
            (between, self.context.deadline),
        );
        Ok(http::Response::from_parts(head, Body::stream(body)))
    }

    fn failed(&self, mut error: TrySendError<http::Request<UpBody>>) -> Failed {
        let mut returned = error.take_message();
        if let Some(request) = &mut returned {
            head::address_back(request, self.target);
        }
        let error = error.into_error();
        let stale = error.is_canceled()
            || error.is_closed()
            || error.is_incomplete_message()
            || head::is_reset(&error);
        let refusal = Refusal::Protocol(self.target.host.clone(), head::words(&error));
        Failed { refusal, stale, returned }
    }

    /// When a wait of at most a duration ends: the invocation's deadline comes first.
    fn until(&self, limit: Option<std::time::Duration>) -> Instant {
        let deadline = self.context.deadline;
        limit
            .and_then(|limit| clock::now().checked_add(limit))
            .map_or(deadline, |end| end.min(deadline))
    }
}
