//! Reading a request head: limits, agreement about the host, and what a function is told.
//!
//! What reaches a function is always the same shape, whatever the client wrote: an absolute URI (so
//! that scheme and host are in one place), one `host` field that agrees with it, no field that
//! concerns only this connection, and `x-forwarded-*` that the gateway vouches for.

use alula_rt::random;
use alula_types::{Code, Fault, InvocationId, TraceContext};
use bytes::Bytes;
use http::header::{
    CONNECTION, FORWARDED, HOST, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE,
    TRANSFER_ENCODING, UPGRADE,
};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Method, Request, Uri, Version, request};
use hyper::body::Incoming;

use crate::connection::Connection;

pub(crate) const INVOCATION_ID: HeaderName = HeaderName::from_static("alula-invocation-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What marks an exchange, both as values and as the fields that the function and the client see.
pub(crate) struct Marks {
    pub(crate) id: InvocationId,
    pub(crate) trace: TraceContext,
    pub(crate) id_field: HeaderValue,
    pub(crate) trace_field: HeaderValue,
    /// Whether the client's trace goes on; else its `tracestate` means nothing.
    continued: bool,
}

impl Marks {
    /// Makes an id and continues the client's trace or starts one.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let id = random::invocation_id();
        let parent = parent(headers);
        let trace = match parent {
            Some(parent) => parent.child(random::span_id()),
            None => random::trace(),
        };
        // One allocation holds the two values of both directions.
        let mut text = [0; ID_LEN + TraceContext::HEADER_LEN];
        text[..ID_LEN].copy_from_slice(&id.to_hex());
        text[ID_LEN..].copy_from_slice(&trace.to_header());
        let mut text = Bytes::from_owner(text);
        let field = |bytes| HeaderValue::from_maybe_shared(bytes).expect("digits and dashes");
        let (id_field, trace_field) = (field(text.split_to(ID_LEN)), field(text));
        Self { id, trace, id_field, trace_field, continued: parent.is_some() }
    }

    /// The two fields, for their last use.
    pub(crate) fn take_fields(&mut self) -> (HeaderValue, HeaderValue) {
        let nothing = || HeaderValue::from_static("");
        let id = std::mem::replace(&mut self.id_field, nothing());
        (id, std::mem::replace(&mut self.trace_field, nothing()))
    }
}

const ID_LEN: usize = 32;

/// More than one parent is none (Trace Context, section 3.2.1).
fn parent(headers: &HeaderMap) -> Option<TraceContext> {
    let mut all = headers.get_all(TRACEPARENT).iter();
    let first = all.next()?.to_str().ok()?;
    if all.next().is_some() { None } else { TraceContext::parse(first) }
}

/// Evidence that a head was checked.
pub(crate) struct Head {
    parts: request::Parts,
    /// What the client asked for, before [`Head::into_parts`] names it a `GET`.
    pub(crate) method: Method,
}

impl Head {
    /// The host, with its port if the client named one.
    pub(crate) fn authority(&self) -> &str {
        self.parts.uri.authority().map_or("", Authority::as_str)
    }

    /// The path, without the query.
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    pub(crate) fn uri(&self) -> &Uri {
        &self.parts.uri
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The head as the function is given it.
    pub(crate) fn into_parts(self, connection: &Connection, marks: &Marks) -> request::Parts {
        let mut parts = self.parts;
        let headers = &mut parts.headers;
        let found = Found::of(headers);
        if found.hop_by_hop {
            remove_hop_by_hop(headers);
        }
        if found.tracestate && !marks.continued {
            headers.remove(TRACESTATE);
        }
        if found.forwarding && connection.proxied {
            forward(headers, connection);
        } else {
            if found.forwarding {
                FORWARDING.iter().for_each(|name| drop(headers.remove(name)));
            }
            headers.insert(X_FORWARDED_FOR, connection.address.clone());
        }
        headers.insert(INVOCATION_ID, marks.id_field.clone());
        headers.insert(TRACEPARENT, marks.trace_field.clone());
        // hyper keeps the wish for an upgrade here; functions do not take over connections.
        parts.extensions.clear();
        parts
    }
}

/// Checks a request's head and gives it one shape.
pub(crate) fn read(
    connection: &Connection,
    request: Request<Incoming>,
) -> Result<(Head, Incoming), Fault> {
    let (mut parts, body) = request.into_parts();
    check_size(connection, &parts)?;
    if parts.method == Method::CONNECT {
        return Err(Fault::new(Code::MethodRefused, "the gateway opens no tunnels"));
    }
    let authority = authority(connection, &parts)?;
    let mut uri = std::mem::take(&mut parts.uri).into_parts();
    let target = match uri.path_and_query.take() {
        Some(target) if target.path().starts_with('/') => target,
        Some(target) if target == "*" && parts.method == Method::OPTIONS => target,
        // `http://example.com` and the like; only an absolute form has no path.
        None if uri.scheme.is_some() => PathAndQuery::from_static("/"),
        _ => return Err(malformed("the request target is not a path")),
    };
    if has_dot_segment(target.path()) {
        return Err(malformed("the path has a dot segment")
            .hint("resolve `.` and `..` before sending, as RFC 3986 section 5.2.4 says"));
    }
    if !parts.headers.contains_key(HOST) {
        let host =
            HeaderValue::from_str(authority.as_str()).expect("an authority is visible ASCII");
        parts.headers.insert(HOST, host);
    }
    uri.scheme = Some(if connection.tls { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(authority);
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).map_err(|_| malformed("the request target is not a URI"))?;
    let method = parts.method.clone();
    Ok((Head { parts, method }, body))
}

/// With HTTP/1 the parser has checked both limits before.
fn check_size(connection: &Connection, parts: &request::Parts) -> Result<(), Fault> {
    if parts.version != Version::HTTP_2 {
        return Ok(());
    }
    let limits = &connection.gateway.limits;
    // As RFC 9113 section 6.5.2 counts; the pseudo-fields are about as long as an HTTP/1 request
    // line.
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    let uri = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    let bytes = fields.sum::<usize>() + uri;
    if bytes as u64 > limits.head.0 || parts.headers.len() > limits.headers as usize {
        let (bytes, count) = (limits.head, limits.headers);
        let detail = format!("the request head has more than {bytes} or {count} fields");
        return Err(Fault::new(Code::HeadTooLarge, detail));
    }
    Ok(())
}

/// The one host that a request is for. Two that differ are two readings of one request, and what
/// passes a check by the first may be served by the second, so they are refused.
fn authority(connection: &Connection, parts: &request::Parts) -> Result<Authority, Fault> {
    let mut fields = parts.headers.get_all(HOST).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(malformed("there is more than one host field"));
    }
    if !matches!(parts.uri.scheme_str(), None | Some("http" | "https")) {
        return Err(malformed("the scheme is neither http nor https"));
    }
    let field = match field {
        Some(value) => {
            Some(connection.authority(value).ok_or_else(|| malformed("the host is not a host"))?)
        }
        None => None,
    };
    let named_by = parts.uri.authority();
    if named_by.is_some_and(|target| !is_host(target)) {
        return Err(malformed("the host of the target is not a host"));
    }
    match (named_by, field) {
        (None, Some(field)) => Ok(field),
        (Some(target), None) if parts.version != Version::HTTP_11 => Ok(target.clone()),
        (Some(target), Some(field)) if same_host(connection, target, &field) => Ok(field),
        (Some(_), Some(_)) => Err(malformed("the target and the host field disagree")),
        // HTTP/1.0 knew no hosts.
        (None, None) if parts.version == Version::HTTP_10 => {
            let own = connection.gateway.authority.as_bytes();
            Ok(Authority::try_from(own).expect("an address is an authority"))
        }
        (_, None) => Err(malformed("there is no host field")),
    }
}

/// Whether an authority names a host, and nobody at it.
pub(crate) fn is_host(authority: &Authority) -> bool {
    !authority.host().is_empty() && !authority.as_str().contains('@')
}

fn same_host(connection: &Connection, a: &Authority, b: &Authority) -> bool {
    let default = if connection.tls { 443 } else { 80 };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default);
    a.host().eq_ignore_ascii_case(b.host()) && port(a) == port(b)
}

fn malformed(detail: &str) -> Fault {
    Fault::new(Code::RequestMalformed, detail)
}

/// Whether a piece of the path is `.` or `..`, encoded or not.
pub(crate) fn has_dot_segment(path: &str) -> bool {
    let mut pieces = path.split('/');
    pieces.any(|piece| match piece.as_bytes().first() {
        Some(b'.' | b'%') => is_dots(piece.as_bytes()),
        _ => false,
    })
}

fn is_dots(mut piece: &[u8]) -> bool {
    let mut dots = 0;
    while !piece.is_empty() {
        piece = match piece {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
    dots == 1 || dots == 2
}

/// What a look at the names of a head finds, so that the usual head, which has none of these, is
/// looked through once.
#[derive(Debug, Default)]
struct Found {
    hop_by_hop: bool,
    forwarding: bool,
    tracestate: bool,
}

impl Found {
    fn of(headers: &HeaderMap) -> Self {
        let mut found = Self::default();
        for name in headers.keys() {
            match name.as_str() {
                "connection"
                | "keep-alive"
                | "proxy-connection"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "te"
                | "transfer-encoding"
                | "upgrade" => {
                    found.hop_by_hop = true;
                }
                "forwarded" | "x-forwarded-for" | "x-forwarded-host" | "x-forwarded-port"
                | "x-forwarded-proto" => found.forwarding = true,
                "tracestate" => found.tracestate = true,
                _ => {}
            }
        }
        found
    }
}

/// Removes the fields that concern one connection only (RFC 9110, section 7.6.1).
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    if Found::of(headers).hop_by_hop {
        remove_hop_by_hop(headers);
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        // A client must not make the gateway drop what it relies on.
        .filter(|name| *name != HOST && *name != TE)
        .collect();
    for name in &named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
    for name in &HOP_BY_HOP {
        headers.remove(name);
    }
    // Whether trailers are understood matters to the function too.
    if headers.get(TE).is_some_and(|value| value != "trailers") {
        headers.remove(TE);
    }
}

static HOP_BY_HOP: [HeaderName; 6] = [
    KEEP_ALIVE,
    PROXY_CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Adds a proxy to the list that it sent. What a client claims about where its request came from is
/// believed of known proxies only; without one, the URI has the scheme and the host that the client
/// used.
fn forward(headers: &mut HeaderMap, connection: &Connection) {
    let own = connection.address.as_bytes();
    let list = match headers.get(X_FORWARDED_FOR) {
        Some(before) => [before.as_bytes(), own].join(&b", "[..]),
        None => own.to_vec(),
    };
    if let Ok(list) = HeaderValue::from_bytes(&list) {
        headers.insert(X_FORWARDED_FOR, list);
    }
}

static FORWARDING: [HeaderName; 5] =
    [X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PORT, X_FORWARDED_PROTO, FORWARDED];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_segments_are_found_however_they_are_written() {
        for path in ["/..", "/.", "/a/../b", "/a/%2e%2E", "/%2e./x", "/a/.%2e"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/", "/...", "/.a", "/a.", "/a..b", "/%2e%2e%2e", "/%2f..x", "/..%2f", "/%"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }

    #[test]
    fn what_concerns_one_connection_is_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private, host"),
            ("x-private", "1"),
            ("keep-alive", "1"),
            ("upgrade", "h2c"),
            ("te", "trailers"),
            ("proxy-authorization", "secret"),
            ("host", "a"),
            ("accept", "b"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "host", "te"]);
    }
}
