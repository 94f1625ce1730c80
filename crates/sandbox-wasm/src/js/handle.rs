//! The one call: an HTTP request in, an HTTP response out, and whatever the guest does afterwards.

use std::fmt::Write as _;
use std::future::poll_fn;

use alula_types::{Body, Code, Fault};
use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use wasmtime::component::Accessor;

use super::bindings::alula::js::types;
use super::{Function, JsGuest, body};

/// Calls the guest and resolves with its response head; the body streams while the store is driven.
///
/// The outer error is a trap. The inner one is the guest's own failure, of which the function's log
/// has the details: the fault's text may be seen by a client.
pub(crate) async fn call_handle<T: JsGuest>(
    accessor: &Accessor<T>,
    function: &Function,
    request: http::Request<Body>,
) -> wasmtime::Result<Result<http::Response<Body>, Fault>> {
    let (head, body) = request.into_parts();
    let request = accessor.with(|mut access| {
        let body = body::to_guest(&mut access, |data: &mut T| data.js().state, body)?;
        Ok::<_, wasmtime::Error>(types::Request {
            method: head.method.as_str().to_owned(),
            url: absolute(&head),
            fields: fields(&head.headers),
            body,
        })
    })?;
    let response = match function.alula_js_handler().call_handle(accessor, request).await? {
        Ok(response) => response,
        Err(_) => {
            let fault = Fault::new(Code::GuestFailed, "the handler threw an exception");
            return Ok(Err(fault));
        }
    };
    let types::Response { status, fields, body } = response;
    let body = accessor.with(|mut access| {
        let endings = access.data_mut().js().state.endings.clone();
        body::from_guest(&mut access, &endings, body)
    })?;
    Ok(response_head(status, &fields)
        .map(|head| head.map(|()| body))
        .map_err(|what| Fault::new(Code::GuestFailed, what)))
}

/// Waits until nothing of the guest runs any more: streams, timers, work handed to `waitUntil`.
///
/// The caller bounds the wait. Only one call at a time may wait on a store.
pub(crate) async fn settled<T: JsGuest>(accessor: &Accessor<T>) {
    poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
}

/// The request's absolute URL: its own when it has one, else from its `host` field.
fn absolute(head: &http::request::Parts) -> String {
    let scheme = head.uri.scheme_str().unwrap_or("http");
    let field = || head.headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = head.uri.authority().map(|authority| authority.as_str()).or_else(field);
    let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
    format!("{scheme}://{}{path}", authority.unwrap_or("localhost"))
}

/// Header fields as the guest reads them: one `name: value` line each, bytes as code points.
pub(super) fn fields(headers: &HeaderMap) -> String {
    let mut text = String::with_capacity(headers.len() * 40);
    for (name, value) in headers {
        let _ = write!(text, "{name}: ");
        match value.to_str() {
            Ok(value) => text.push_str(value),
            Err(_) => text.extend(value.as_bytes().iter().map(|byte| char::from(*byte))),
        }
        text.push('\n');
    }
    text
}

/// The reverse of [`fields`]; the error says which line does not fit.
fn header_map(fields: &str) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in fields.lines() {
        let (name, value) = line.split_once(": ").ok_or("a header field without a colon")?;
        let value: Option<Vec<u8>> =
            value.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        let value = value.and_then(|value| HeaderValue::from_bytes(&value).ok());
        let name = HeaderName::from_bytes(name.as_bytes());
        match (name, value) {
            (Ok(name), Some(value)) => headers.append(name, value),
            _ => return Err(format!("the header field {line:?} is not valid")),
        };
    }
    Ok(headers)
}

fn response_head(status: u16, fields: &str) -> Result<http::Response<()>, String> {
    let mut response = http::Response::new(());
    *response.status_mut() =
        http::StatusCode::from_u16(status).map_err(|_| format!("{status} is not a status"))?;
    *response.headers_mut() = header_map(fields)?;
    Ok(response)
}

/// The head of an outbound request.
pub(super) fn request_head(
    method: &str,
    url: &str,
    fields: &str,
) -> Result<http::Request<()>, String> {
    let mut request = http::Request::new(());
    *request.method_mut() =
        method.parse().map_err(|_| format!("{method:?} is not a request method"))?;
    *request.uri_mut() = url.parse().map_err(|_| format!("{url:?} is not a URL to send to"))?;
    *request.headers_mut() = header_map(fields)?;
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_survive_the_round_trip_byte_for_byte() {
        let mut headers = HeaderMap::new();
        headers.append("accept", HeaderValue::from_static("a, b"));
        headers.append("x-name", HeaderValue::from_bytes(b"J\xfcrgen: x").expect("valid"));
        headers.append("x-name", HeaderValue::from_static(""));
        assert_eq!(header_map(&fields(&headers)), Ok(headers));
    }

    #[test]
    fn fields_that_could_split_a_message_are_refused() {
        for bad in ["a b: c\n", "nocolon\n", "x: \u{100}\n", "x: a\0b\n", ": v\n"] {
            assert!(header_map(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_url_is_absolute_whatever_the_request_line_was() {
        let request = http::Request::get("/a?b=c").header("host", "h:1").body(()).expect("valid");
        assert_eq!(absolute(&request.into_parts().0), "http://h:1/a?b=c");
        let request = http::Request::get("https://x/").header("host", "h").body(()).expect("valid");
        assert_eq!(absolute(&request.into_parts().0), "https://x/");
    }
}
