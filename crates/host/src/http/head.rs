//! Request and response heads: where a request goes, and which fields cross.

use alula_capability::Refusal;
use alula_rt::random;
use alula_types::{Body, TraceContext};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Uri};
use http_body::Body as _;

use super::body::UpBody;

/// Where a request goes.
#[derive(Debug)]
pub(crate) struct Target {
    /// The absolute URI as the guest wrote it.
    pub(crate) uri: Uri,
    /// The host, lower case; IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) key: Key,
    /// The value of `host`: the authority, without the scheme's own port.
    host_field: HeaderValue,
}

/// What connections are kept under.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tls: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Target {
    /// Reads the target of a request, refusing what two readers could understand differently.
    pub(crate) fn read<B>(request: &http::Request<B>) -> Result<Self, Refusal> {
        let uri = request.uri();
        let malformed = || Refusal::Malformed(uri.to_string());
        if request.method() == Method::CONNECT {
            return Err(Refusal::Malformed("CONNECT is not offered".to_owned()));
        }
        let (tls, own_port) = match uri.scheme_str() {
            Some("http") => (false, 80),
            Some("https") => (true, 443),
            _ => return Err(malformed()),
        };
        let authority = uri.authority().ok_or_else(malformed)?;
        // RFC 9110 section 4.2.4: user information hides the real host.
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return Err(malformed());
        }
        let port = match authority.port() {
            Some(port) => port.as_u16(),
            // An authority that ends with a colon has an empty port, which stands for the scheme's
            // own.
            None => own_port,
        };
        if port == 0 {
            return Err(malformed());
        }
        let host = authority.host().to_ascii_lowercase();
        let field = if port == own_port { host.clone() } else { format!("{host}:{port}") };
        let host_field = HeaderValue::from_str(&field).map_err(|_| malformed())?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let key = Key { tls, host: host.clone(), port };
        Ok(Self { uri: uri.clone(), host, port, key, host_field })
    }

    pub(crate) fn scheme(&self) -> &'static str {
        if self.key.tls { "https" } else { "http" }
    }
}

/// A guest's request without what belongs to one connection, and with its hop of the trace.
pub(crate) fn outgoing(
    mut request: http::Request<Body>,
    trace: &TraceContext,
) -> http::Request<Body> {
    let exact = request.body().size_hint().exact().is_some();
    let headers = request.headers_mut();
    strip_hop_by_hop(headers);
    headers.remove(header::HOST);
    // The body is sent without waiting for a permission.
    headers.remove(header::EXPECT);
    // A length that is known is written by the connection itself; two lengths would contradict.
    if exact || headers.get_all(header::CONTENT_LENGTH).iter().count() > 1 {
        headers.remove(header::CONTENT_LENGTH);
    }
    let own =
        headers.get("traceparent").and_then(|value| TraceContext::parse(value.to_str().ok()?));
    if own.is_none() {
        let field = trace.child(random::span_id()).to_header();
        let field = HeaderValue::from_bytes(&field).expect("hexadecimal digits and hyphens");
        headers.insert(HeaderName::from_static("traceparent"), field);
    }
    request
}

/// Removes the fields that belong to one connection (RFC 9110 section 7.6.1).
pub(crate) fn strip_hop_by_hop(headers: &mut HeaderMap) {
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    for name in listed {
        headers.remove(name);
    }
    for name in [
        header::CONNECTION,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ] {
        headers.remove(name);
    }
    // Of `te` only `trailers` means anything beyond one connection.
    let trailers = headers.get_all(header::TE).iter().any(|value| {
        let names = value.to_str().unwrap_or_default();
        names.split(',').any(|name| name.trim().eq_ignore_ascii_case("trailers"))
    });
    headers.remove(header::TE);
    if trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
}

/// Whether a request may be sent again after the connection broke: it has no body and doing it
/// twice is doing it once (RFC 9110 section 9.2.2).
pub(crate) fn replayable(head: &http::request::Parts, body: &Body) -> bool {
    let idempotent =
        [Method::GET, Method::HEAD, Method::OPTIONS, Method::PUT, Method::DELETE, Method::TRACE];
    idempotent.contains(&head.method) && body.size_hint().exact() == Some(0)
}

/// Writes the target into the request in the form that the connection's protocol wants.
pub(crate) fn address_to(request: &mut http::Request<UpBody>, target: &Target, http2: bool) {
    if http2 {
        // HTTP/2 takes scheme, authority and path from the absolute URI.
        *request.version_mut() = http::Version::HTTP_2;
        return;
    }
    *request.version_mut() = http::Version::HTTP_11;
    let path = target.uri.path_and_query().cloned();
    *request.uri_mut() = path.map_or_else(|| Uri::from_static("/"), Uri::from);
    request.headers_mut().insert(header::HOST, target.host_field.clone());
}

/// Undoes [`address_to`], for another connection.
pub(crate) fn address_back(request: &mut http::Request<UpBody>, target: &Target) {
    request.headers_mut().remove(header::HOST);
    *request.uri_mut() = target.uri.clone();
}

/// Whether the peer reset the connection.
pub(crate) fn is_reset(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error);
    source.and_then(|source| source.downcast_ref::<std::io::Error>()).is_some_and(|error| {
        matches!(
            error.kind(),
            std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
                | std::io::ErrorKind::BrokenPipe
        )
    })
}

/// An error with its causes, in one line.
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(uri: &str) -> Result<Target, Refusal> {
        let request = http::Request::builder().uri(uri).body(()).expect("a valid URI");
        Target::read(&request)
    }

    #[test]
    fn a_target_is_an_absolute_http_uri() {
        for (uri, host, port, field) in [
            ("http://a.b/x?y", "a.b", 80, "a.b"),
            ("http://A.B:80", "a.b", 80, "a.b"),
            ("https://a.b:8443/", "a.b", 8443, "a.b:8443"),
            ("http://a.b:443/", "a.b", 443, "a.b:443"),
            ("http://[::1]:81/", "::1", 81, "[::1]:81"),
            ("http://10.0.0.1", "10.0.0.1", 80, "10.0.0.1"),
        ] {
            let target = read(uri).expect(uri);
            assert_eq!((target.host.as_str(), target.port), (host, port), "{uri}");
            assert_eq!(target.host_field, field, "{uri}");
        }
        for uri in ["/x", "*", "ftp://a.b/", "http://u@a.b/", "http://u:p@a.b/", "http://a.b:0/"] {
            assert!(matches!(read(uri), Err(Refusal::Malformed(_))), "{uri}");
        }
        let connect = http::Request::connect("http://a.b/").body(()).expect("a request");
        assert!(matches!(Target::read(&connect), Err(Refusal::Malformed(_))));
    }

    #[test]
    fn fields_of_one_connection_do_not_cross() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("x-kept", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "x"),
            ("te", "gzip, Trailers"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["te", "x-kept"]);
        assert_eq!(headers["te"], "trailers");
    }

    #[test]
    fn the_trace_is_continued_unless_the_guest_does_it() {
        let trace = random::trace();
        let parent = |request: http::Request<Body>| {
            let request = outgoing(request, &trace);
            TraceContext::parse(request.headers()["traceparent"].to_str().expect("text"))
        };
        let sent = parent(http::Request::new(Body::empty())).expect("valid");
        assert_eq!(sent.trace_id, trace.trace_id);
        assert_ne!(sent.span_id, trace.span_id);
        let with = |value: &str| {
            let request = http::Request::builder().header("traceparent", value);
            request.body(Body::empty()).expect("a request")
        };
        let own = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(parent(with(own)), TraceContext::parse(own));
        assert_eq!(parent(with("nonsense")).expect("valid").trace_id, trace.trace_id);
    }

    #[test]
    fn a_length_that_contradicts_the_body_does_not_cross() {
        let request = http::Request::builder()
            .header("content-length", "5")
            .body(Body::full("0123456789"))
            .expect("a request");
        let request = outgoing(request, &random::trace());
        assert!(!request.headers().contains_key("content-length"));
    }
}
