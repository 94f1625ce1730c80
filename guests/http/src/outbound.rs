//! Requests to others: all are sent before the first answer is awaited.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingResponse, Method, OutgoingRequest, Scheme,
};

use crate::reply::Reply;

/// Fetches addresses at the same time and answers with what came of each, in order.
pub fn fetch(reply: Reply, urls: &[String]) {
    let sent: Vec<_> = urls.iter().map(|url| send(url)).collect();
    let lines = sent.into_iter().map(|sent| match sent.and_then(wait) {
        Ok((status, body)) => format!("{status} {body}\n"),
        Err(code) => format!("error {code:?}\n"),
    });
    reply.text(&lines.collect::<String>());
}

fn send(url: &str) -> Result<FutureIncomingResponse, ErrorCode> {
    let malformed = |()| ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_string()),
    };
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Get).map_err(malformed)?;
    request.set_scheme(Some(&scheme)).map_err(malformed)?;
    request.set_authority(Some(authority)).map_err(malformed)?;
    request.set_path_with_query(Some(path)).map_err(malformed)?;
    handle(request, None)
}

fn wait(pending: FutureIncomingResponse) -> Result<(u16, String), ErrorCode> {
    pending.subscribe().block();
    let answer = pending.get().expect("it is ready").expect("it is taken once");
    answer.map(|response| (response.status(), body(&response)))
}

fn body(response: &IncomingResponse) -> String {
    let body = response.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut bytes = Vec::new();
    while let Ok(piece) = stream.blocking_read(64 << 10) {
        bytes.extend(piece);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
