//! Outbound HTTP of a guest, WASI 0.2 and 0.3 alike, over the capability port.
//!
//! The engine turns the guest's request into an `http::Request` and asks [`Egress`] to send it.
//! Nothing is decided here: the port's provider checks the grants, connects, and answers or
//! refuses. This module only translates: bodies, timeouts, and refusals into the error codes of
//! `wasi:http/types`.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alula_capability::{Call, CallContext, Host, HttpTimeouts, Refusal, Reply, TimedOut};
use alula_types::{Body, BodyError};
use bytes::Bytes;
use http::HeaderName;
use http::uri::Scheme;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;
use wasmtime_wasi_http::{
    DEFAULT_FORBIDDEN_HEADERS, Error, ForbiddenHeaderFilter, RequestOptions, WasiBody,
    WasiHttpHooks,
};

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(http::Response<WasiBody>, Io), Error>;

/// The outbound HTTP of one invocation.
pub(crate) struct Egress {
    host: Arc<dyn Host>,
    context: CallContext,
}

impl Egress {
    /// Sends what the guest sends through `host`, as `context`.
    pub(crate) fn new(host: Arc<dyn Host>, context: CallContext) -> Self {
        Self { host, context }
    }

    /// Who answers the guest's calls.
    pub(crate) const fn host(&self) -> &Arc<dyn Host> {
        &self.host
    }

    /// Who calls, and until when.
    pub(crate) const fn context(&self) -> &CallContext {
        &self.context
    }
}

impl WasiHttpHooks for Egress {
    fn is_forbidden_header(&mut self, name: &HeaderName) -> bool {
        is_forbidden(name)
    }

    // Trailers are checked where there is no store, by a copy of the same decision.
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(is_forbidden)
    }

    fn is_supported_scheme(&mut self, scheme: &Scheme) -> bool {
        *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS
    }

    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        // Tells how the guest fared with the response's body; nobody here needs to know.
        _consumed: Io,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        if let Err(error) = check_target(request.uri()) {
            return Box::new(ready(Err(error)));
        }
        let broken = Broken::default();
        let request = request.map(|body| from_guest(body, broken.clone()));
        let call = self.host.call(&self.context, Call::Http(request, timeouts(options)));
        Box::new(async move {
            match call.await {
                Ok(Reply::Http(response)) => {
                    // The provider drives the connection, so nothing is left to be polled beside
                    // the body.
                    Ok((response.map(to_guest), Box::new(ready(Ok(()))) as Io))
                }
                Err(refusal) => Err(broken.take().unwrap_or_else(|| error(refusal))),
            }
        })
    }
}

/// Whether a guest may neither set nor see a header field: those that belong to one connection, and
/// `host`, which the URI decides. A guest that could set it would reach another site behind a
/// granted address.
fn is_forbidden(name: &HeaderName) -> bool {
    DEFAULT_FORBIDDEN_HEADERS.contains(name)
}

/// Refuses a URI whose parts two readers could understand differently.
fn check_target(uri: &http::Uri) -> Result<(), Error> {
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    // RFC 9110 section 4.2.4: a sender makes no user information, which hides the real host.
    if authority.host().is_empty() || authority.as_str().contains('@') {
        return Err(Error::HttpRequestUriInvalid);
    }
    Ok(())
}

fn timeouts(options: Option<RequestOptions>) -> HttpTimeouts {
    let options = options.unwrap_or_default();
    HttpTimeouts {
        connect: options.connect_timeout,
        first_byte: options.first_byte_timeout,
        between_bytes: options.between_bytes_timeout,
    }
}

/// The error code of `wasi:http/types` that says best why a call got no reply.
fn error(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Denied(_) => Error::HttpRequestDenied,
        Refusal::Malformed(_) => Error::HttpRequestUriInvalid,
        Refusal::NameNotFound(_) => Error::DnsError { rcode: None, info_code: None },
        Refusal::ConnectionRefused(_) => Error::ConnectionRefused,
        Refusal::Tls(..) => Error::TlsProtocolError,
        Refusal::TimedOut(TimedOut::Connect) => Error::ConnectionTimeout,
        // RFC 9209 section 2.3.7, from which the codes come: data was expected and none came in
        // time.
        Refusal::TimedOut(TimedOut::FirstByte | TimedOut::BetweenBytes) => {
            Error::ConnectionReadTimeout
        }
        Refusal::Protocol(..) => Error::HttpProtocolError,
        Refusal::Limit(_) => Error::ConnectionLimitReached,
    }
}

fn body_error(error: BodyError) -> Error {
    match error {
        BodyError::Disconnected => Error::HttpResponseIncomplete,
        BodyError::TooLarge { limit } => Error::HttpResponseBodySize(Some(limit)),
        BodyError::TimedOut => Error::ConnectionReadTimeout,
        BodyError::Failed(fault) => Error::InternalError(Some(fault.detail)),
    }
}

/// A body from outside, as the engine wants it.
pub(crate) fn to_guest(body: Body) -> WasiBody {
    body.map_err(body_error).boxed_unsync()
}

/// A guest's body, as the rest of the platform wants it. What breaks it is kept in `broken`,
/// because [`BodyError`] has no room for it and the guest is to be told.
pub(crate) fn from_guest(body: WasiBody, broken: Broken) -> Body {
    Body::stream(GuestBody { body, broken })
}

/// Why a guest's body ended early, once it did. Clones are the same place.
#[derive(Clone, Default)]
pub(crate) struct Broken(Arc<Mutex<Option<Error>>>);

impl Broken {
    /// Takes the error, when there was one.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().take()
    }
}

struct GuestBody {
    body: WasiBody,
    broken: Broken,
}

impl HttpBody for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                *self.broken.0.lock() = Some(error);
                Poll::Ready(Some(Err(BodyError::Disconnected)))
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
#[path = "egress_tests.rs"]
mod tests;
