//! The contract `wasi-cli`: one run of a command per request, by CGI 1.1 (RFC 3875).
//!
//! The request's head becomes environment variables, its body standard input, and standard output
//! becomes the response. What goes beyond the RFC or leaves something out:
//!
//! - `REQUEST_URI` has path and query as the client wrote them, as common servers do.
//! - `PATH_INFO` is the whole path, decoded; `SCRIPT_NAME` is empty, because the route decides.
//! - The query never becomes command line arguments (section 4.4): that let clients write commands.
//! - A `proxy` field is left out: as `HTTP_PROXY` it would redirect the function's own requests. So
//!   are fields whose names have other characters than letters, digits and hyphens, which two
//!   fields could share a variable by.
//! - `authorization` is passed on: nobody before the function has looked at it.
//!
//! # The response
//!
//! Output that begins with a CGI head (fields, then an empty line, with at least one of
//! `Content-Type`, `Location` and `Status`) is a response with that head. A `Location` without a
//! status is a redirect (302). **All other output is itself the body, as `text/plain;
//! charset=utf-8` with status 200**, so that a command that just prints is a function too. A head
//! is at most [`MAX_HEAD`] bytes.

mod response;

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName};

pub use response::{HeadReader, Response};

/// Longest response head, in bytes.
pub const MAX_HEAD: usize = 64 << 10;

/// What is known of a request beside its head.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The name and port that the client asked for, when the request does not say.
    pub server: Option<(&'a str, u16)>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// Bytes of the body, if they are known in advance.
    pub body_len: Option<u64>,
}

/// The environment variables of a request, to which the function's own are added by the caller.
pub fn variables(request: &http::request::Parts, around: &Around<'_>) -> Vec<(String, String)> {
    let mut variables = Vec::with_capacity(16 + request.headers.len());
    let mut set = |name: &str, value: String| variables.push((name.to_owned(), value));
    set("GATEWAY_INTERFACE", "CGI/1.1".to_owned());
    set("SERVER_SOFTWARE", concat!("alula/", env!("CARGO_PKG_VERSION")).to_owned());
    set("SERVER_PROTOCOL", protocol(request.version).to_owned());
    set("REQUEST_METHOD", request.method.as_str().to_owned());
    let target = request.uri.path_and_query().map_or("/", |target| target.as_str());
    set("REQUEST_URI", target.to_owned());
    set("SCRIPT_NAME", String::new());
    set("PATH_INFO", decode(request.uri.path()));
    set("QUERY_STRING", request.uri.query().unwrap_or_default().to_owned());
    let (name, port) = server(request, around);
    set("SERVER_NAME", name);
    set("SERVER_PORT", port.to_string());
    // The RFC wants both; the second may be the address.
    let client = around.client.map(|address| address.to_string()).unwrap_or_default();
    set("REMOTE_ADDR", client.clone());
    set("REMOTE_HOST", client);
    if let Some(kind) = request.headers.get(header::CONTENT_TYPE) {
        set("CONTENT_TYPE", String::from_utf8_lossy(kind.as_bytes()).into_owned());
    }
    if let Some(len) = around.body_len.or_else(|| length(&request.headers)) {
        set("CONTENT_LENGTH", len.to_string());
    }
    for name in request.headers.keys().filter(|name| crosses(name)) {
        let variable = format!("HTTP_{}", name.as_str().to_ascii_uppercase().replace('-', "_"));
        set(&variable, joined(&request.headers, name));
    }
    variables
}

const fn protocol(version: http::Version) -> &'static str {
    match version {
        http::Version::HTTP_10 => "HTTP/1.0",
        http::Version::HTTP_2 => "HTTP/2.0",
        http::Version::HTTP_3 => "HTTP/3.0",
        _ => "HTTP/1.1",
    }
}

fn server(request: &http::request::Parts, around: &Around<'_>) -> (String, u16) {
    let named = request.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let named = named.and_then(|host| host.parse().ok());
    let authority: Option<http::uri::Authority> = request.uri.authority().cloned().or(named);
    let port = around.server.map(|(_, port)| port);
    match authority {
        Some(authority) => {
            let default = if request.uri.scheme_str() == Some("https") { 443 } else { 80 };
            let port = authority.port_u16().or(port).unwrap_or(default);
            (authority.host().to_owned(), port)
        }
        None => {
            (around.server.map_or("localhost", |(name, _)| name).to_owned(), port.unwrap_or(80))
        }
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a request's field becomes a variable.
fn crosses(name: &HeaderName) -> bool {
    let own = [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::TE,
        header::UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy"),
        header::PROXY_AUTHORIZATION,
    ];
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    !own.contains(name) && name.as_str().bytes().all(plain)
}

/// All values of a field as one (RFC 9110 section 5.3; cookies by RFC 6265 section 5.4).
fn joined(headers: &HeaderMap, name: &HeaderName) -> String {
    let values = headers.get_all(name).iter();
    let values: Vec<_> = values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    values.join(if *name == header::COOKIE { "; " } else { ", " })
}

/// Decodes a path. What does not decode to UTF-8, or to NUL, which no variable can hold, stays as
/// written.
fn decode(path: &str) -> String {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.first_chunk::<2>().filter(|_| *first == b'%');
        let byte = digits.and_then(|digits| {
            let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
            Some(digit(digits[0])? << 4 | digit(digits[1])?)
        });
        match byte {
            Some(byte) if byte != 0 => {
                out.push(byte);
                rest = &tail[2..];
            }
            _ => {
                out.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(request: http::request::Builder) -> Vec<(String, String)> {
        let (head, ()) = request.body(()).expect("a request").into_parts();
        variables(&head, &Around { body_len: Some(3), ..Around::default() })
    }

    fn get<'a>(variables: &'a [(String, String)], name: &str) -> Option<&'a str> {
        variables.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn a_request_becomes_variables() {
        let variables = of(http::Request::post("/a%20b/c%2Fd?x=1&y=%20")
            .header("host", "shop.test:8080")
            .header("content-type", "text/plain")
            .header("content-length", "99")
            .header("x-one", "1")
            .header("x-many", "a")
            .header("x-many", "b")
            .header("cookie", "a=1")
            .header("cookie", "b=2"));
        for (name, want) in [
            ("GATEWAY_INTERFACE", "CGI/1.1"),
            ("SERVER_PROTOCOL", "HTTP/1.1"),
            ("REQUEST_METHOD", "POST"),
            ("REQUEST_URI", "/a%20b/c%2Fd?x=1&y=%20"),
            ("SCRIPT_NAME", ""),
            ("PATH_INFO", "/a b/c/d"),
            ("QUERY_STRING", "x=1&y=%20"),
            ("SERVER_NAME", "shop.test"),
            ("SERVER_PORT", "8080"),
            ("CONTENT_TYPE", "text/plain"),
            ("CONTENT_LENGTH", "3"),
            ("HTTP_HOST", "shop.test:8080"),
            ("HTTP_X_ONE", "1"),
            ("HTTP_X_MANY", "a, b"),
            ("HTTP_COOKIE", "a=1; b=2"),
        ] {
            assert_eq!(get(&variables, name), Some(want), "{name}");
        }
    }

    #[test]
    fn dangerous_and_ambiguous_fields_do_not_cross() {
        let variables = of(http::Request::get("/")
            .header("proxy", "http://evil.test")
            .header("x_under", "1")
            .header("connection", "close")
            .header("content-type", "a/b")
            .header("authorization", "Bearer x"));
        for name in ["HTTP_PROXY", "HTTP_X_UNDER", "HTTP_CONNECTION", "HTTP_CONTENT_TYPE"] {
            assert_eq!(get(&variables, name), None, "{name}");
        }
        assert_eq!(get(&variables, "HTTP_AUTHORIZATION"), Some("Bearer x"));
        assert_eq!(get(&variables, "QUERY_STRING"), Some(""));
    }

    #[test]
    fn paths_that_do_not_decode_stay() {
        for (path, want) in [("/%zz", "/%zz"), ("/%ff", "/%ff"), ("/%00a", "/%00a"), ("/%", "/%")] {
            assert_eq!(decode(path), want);
        }
    }

    proptest! {
        #[test]
        fn no_variable_has_a_nul_or_a_double_name(path in "/[!-~]{0,20}", value in "[ -~]{0,9}") {
            let request = http::Request::get(path).header("x-a", value.trim()).header("x-b", "1");
            let Ok(request) = request.body(()) else { return Ok(()) };
            let variables = variables(&request.into_parts().0, &Around::default());
            let mut names: Vec<_> = variables.iter().map(|(name, _)| name).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(names.len(), variables.len());
            prop_assert!(variables.iter().all(|(_, value)| !value.contains('\0')));
        }
    }
}
