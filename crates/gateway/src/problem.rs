//! Faults as answers: `application/problem+json` (RFC 9457).

use alula_rt::random;
use alula_types::{Body, Class, Fault, InvocationId};
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

/// The media type.
pub(crate) const TYPE: &str = "application/problem+json";

/// Why a request gets no answer of its own: a fault, and fields that belong to it.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) fault: Fault,
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self { fault, fields: Vec::new() }
    }
}

/// The answer that tells a client of a fault.
pub(crate) fn response(refusal: Refusal, invocation: InvocationId) -> Response<Body> {
    let Refusal { fault, fields: own } = refusal;
    let mut response = Response::new(Body::full(document(&fault, invocation)));
    *response.status_mut() = status(&fault);
    let fields = response.headers_mut();
    fields.extend(own);
    fields.insert(CONTENT_TYPE, HeaderValue::from_static(TYPE));
    // An error is about this moment.
    fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(wait) = fault.retry_after {
        fields.insert(RETRY_AFTER, wait.as_secs().max(1).into());
    }
    response
}

/// The whole answer, as bytes, to a client whose request could not be read.
pub(crate) fn raw(fault: &Fault) -> Vec<u8> {
    let invocation = random::invocation_id();
    let status = status(fault);
    let body = document(fault, invocation);
    let retry = match fault.retry_after {
        Some(wait) => format!("retry-after: {}\r\n", wait.as_secs().max(1)),
        None => String::new(),
    };
    let trace = random::trace().to_header();
    let trace = String::from_utf8_lossy(&trace);
    let reason = status.canonical_reason().unwrap_or("Error");
    let date = httpdate::fmt_http_date(alula_rt::clock::wall());
    let mut answer = format!(
        "HTTP/1.1 {} {reason}\r\ncontent-type: {TYPE}\r\ncache-control: no-store\r\n\
         content-length: {}\r\n{retry}alula-invocation-id: {invocation}\r\ntraceparent: {trace}\r\n\
         connection: close\r\ndate: {date}\r\n\r\n",
        status.as_u16(),
        body.len(),
    )
    .into_bytes();
    answer.extend_from_slice(&body);
    answer
}

fn status(fault: &Fault) -> StatusCode {
    let status = StatusCode::from_u16(fault.code.row().status);
    status.expect("the table's statuses lie between 400 and 599")
}

fn document(fault: &Fault, invocation: InvocationId) -> Bytes {
    let row = fault.code.row();
    // A fault of ours may name what only the operator should see; the log has it under this id.
    let detail = if row.class == Class::Bug { row.title } else { &fault.detail };
    let document = json!({
        "type": format!("urn:alula:error:{}", row.name),
        "title": row.title,
        "status": row.status,
        "detail": detail,
        "code": row.name,
        "hint": fault.advice(),
        "invocation": invocation.to_string(),
    });
    Bytes::from(document.to_string())
}
