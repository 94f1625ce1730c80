//! Three streams: a clock that ticks in the browser, an echo, and a download of any length.

use futures_lite::stream::{iter, unfold};
use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};
use wstd::http::body::Bytes;
use wstd::http::{Body, Error, Method, Request, Response};
use wstd::time::{Duration, Instant, Timer};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let query = request.uri().query().unwrap_or_default();
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/clock") => {
            clock(number(query, "ticks", u64::MAX), number(query, "ms", 1000))
        }
        (&Method::GET, "/download") => download(number(query, "bytes", 10_000_000)),
        (&Method::POST, "/echo") => echo(request),
        (&Method::GET, "/") => Ok(Response::builder()
            .header("content-type", "text/html; charset=utf-8")
            .body(Body::from(include_str!("page.html")))?),
        _ => Ok(Response::builder().status(404).body(Body::from("no such path\n"))?),
    }
}

/// Server-sent events: one a second, numbered, until the client leaves or `ticks` are told.
fn clock(ticks: u64, every_ms: u64) -> Result<Response<Body>, Error> {
    let begin = Instant::now();
    let events = unfold(0, move |tick| async move {
        if tick == ticks {
            return None;
        }
        // Waiting until a point in time does not drift; waiting a while after each event would.
        let due = begin + Duration::from_millis(every_ms.saturating_mul(tick));
        Timer::at(due).wait().await;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let event = format!("id: {tick}\nevent: tick\ndata: {now}\n\n");
        Some((Ok::<_, Infallible>(Bytes::from(event)), tick + 1))
    });
    Ok(Response::builder()
        .header("content-type", "text/event-stream")
        .header("cache-control", "no-store")
        .body(Body::from_try_stream(events))?)
}

/// Sends back what arrives while it arrives; memory does not grow with the body.
fn echo(request: Request<Body>) -> Result<Response<Body>, Error> {
    let (head, body) = request.into_parts();
    let mut response = Response::builder();
    if let Some(kind) = head.headers.get("content-type") {
        response = response.header("content-type", kind);
    }
    Ok(response.body(body)?)
}

/// So many bytes of a repeating text, made while they are sent.
fn download(bytes: u64) -> Result<Response<Body>, Error> {
    const PIECE: u64 = 64 << 10;
    let text = b"All work and no play makes a dull stream.\n";
    let piece = Bytes::from(text.iter().copied().cycle().take(PIECE as usize).collect::<Vec<_>>());
    let pieces = iter((0..bytes.div_ceil(PIECE)).map(move |index| {
        let left = (bytes - index * PIECE).min(PIECE);
        Ok::<_, Infallible>(piece.slice(..left as usize))
    }));
    Ok(Response::builder()
        .header("content-type", "application/octet-stream")
        .header("content-length", bytes)
        .body(Body::from_try_stream(pieces))?)
}

/// The number a query gives for a name, or the default.
fn number(query: &str, name: &str, default: u64) -> u64 {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(key, _)| *key == name);
    values.find_map(|(_, value)| value.parse().ok()).unwrap_or(default)
}
