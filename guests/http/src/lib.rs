//! One `wasi:http` 0.2 handler that does what `?do=` says: every way a function can end, well or
//! badly.

mod memory;
mod outbound;
mod reply;

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasip2::cli::{environment, exit, stderr, stdout};
use wasip2::clocks::monotonic_clock;
use wasip2::exports::http::incoming_handler::Guest;
use wasip2::filesystem::preopens;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasip2::io::streams::{OutputStream, StreamError};

use reply::{Reply, echo, length, pour};

struct Probe;

wasip2::http::proxy::export!(Probe);

/// What this instance alone remembers.
static CALLS: AtomicU64 = AtomicU64::new(0);

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let call = CALLS.fetch_add(1, Relaxed) + 1;
        let query = Query::of(&request);
        let reply = Reply::new(out);
        match query.text("do").as_str() {
            "" | "hello" => reply.text("hello\n"),
            "count" => reply.text(&format!("{call}\n")),
            "status" => reply.status(query.number("code", 200) as u16).text("as you wish\n"),
            "headers" => reply.text(&headers(&request)),
            "env" => reply.text(&pairs(environment::get_environment())),
            "args" => reply.text(&environment::get_arguments().join("\n")),
            "files" => reply.text(&format!("{}\n", preopens::get_directories().len())),
            "echo" => echo(request, reply),
            "length" => length(&request, reply),
            "sleep" => {
                sleep(query.number("ms", 100));
                reply.text("slept\n");
            }
            "burn" => reply.text(&format!("{}\n", burn(query.number("ms", 100)))),
            "big" => big(reply, query.number("bytes", 1 << 20)),
            "slow" => slow(reply, query.number("ms", 100), query.number("pieces", 5)),
            "log" => {
                flood(query.number("lines", 1), query.number("size", 32));
                reply.text("logged\n");
            }
            "after" => after(reply, query.number("ms", 50)),
            "spin-after" => {
                reply.text("spinning\n");
                spin();
            }
            "handles" => {
                let held: Vec<_> = (0..query.number("n", 1)).map(|_| Fields::new()).collect();
                reply.text(&format!("{}\n", held.len()));
            }
            "allocate" => reply.text(&format!("{}\n", memory::allocate(query.number("mib", 1)))),
            "hide" => {
                memory::hide(&query.text("secret"));
                reply.text("hidden\n");
            }
            "scan" => reply.text(&format!("{}\n", memory::scan(&query.text("backwards")))),
            "fetch" => outbound::fetch(reply, &[query.text("url")]),
            "fetch-two" => outbound::fetch(reply, &[query.text("url"), query.text("other")]),
            bad => misbehave(bad, reply, &query),
        }
    }
}

/// What a function should never do.
fn misbehave(how: &str, reply: Reply, query: &Query) {
    match how {
        "spin" => spin(),
        "hog" => drop(memory::allocate(u64::MAX)),
        "flood" => flood(u64::MAX, 200),
        "trap" => core::arch::wasm32::unreachable(),
        "panic" => panic!("the guest panics: {}", query.text("secret")),
        "recurse" => reply.text(&format!("{}\n", recurse(u64::MAX))),
        "silent" => drop(reply),
        "error" => reply.fail(ErrorCode::InternalError(Some("the guest reports an error".into()))),
        "exit" => exit::exit(if query.number("code", 1) == 0 { Ok(()) } else { Err(()) }),
        "half" => half(reply),
        "unfinished" => unfinished(reply),
        "stalled" => {
            // Holds the request without an answer and without work.
            let _held = reply;
            sleep(u64::MAX);
        }
        _ => reply.status(404).text("no such thing to do\n"),
    }
}

/// The decoded pairs of a request's query.
pub struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &IncomingRequest) -> Self {
        let path = request.path_with_query().unwrap_or_default();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_string(), decode(value))).collect())
    }

    fn text(&self, key: &str) -> String {
        self.0
            .iter()
            .find(|(own, _)| own == key)
            .map(|(_, value)| value.clone())
            .unwrap_or_default()
    }

    fn number(&self, key: &str, default: u64) -> u64 {
        self.text(key).parse().unwrap_or(default)
    }
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.filter(|_| *first == b'%').and_then(|two| u8::from_str_radix(two, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn pairs(list: Vec<(String, String)>) -> String {
    list.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn headers(request: &IncomingRequest) -> String {
    let entries = request.headers().entries();
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    pairs(entries.into_iter().map(|(name, value)| (name, text(value))).collect())
}

fn sleep(ms: u64) {
    monotonic_clock::subscribe_duration(ms.saturating_mul(1_000_000)).block();
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

/// Computes for a while.
fn burn(ms: u64) -> u64 {
    let end = monotonic_clock::now() + ms * 1_000_000;
    let mut turns = 0_u64;
    while monotonic_clock::now() < end {
        for _ in 0..10_000 {
            turns = std::hint::black_box(turns.wrapping_add(1));
        }
    }
    turns
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if depth == 0 { 0 } else { recurse(depth - 1).wrapping_add(frame[3]) }
}

/// Lines to the standard output, every tenth to the standard error.
fn flood(lines: u64, size: u64) {
    let (out, err) = (stdout::get_stdout(), stderr::get_stderr());
    let filler = "x".repeat(size as usize);
    for line in 0..lines {
        let to: &OutputStream = if line % 10 == 9 { &err } else { &out };
        if to.blocking_write_and_flush(format!("line {line} {filler}\n").as_bytes()).is_err() {
            return;
        }
    }
}

fn big(reply: Reply, bytes: u64) {
    let (body, stream) = reply.start();
    if pour(&stream, bytes).is_ok() {
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}

fn slow(reply: Reply, ms: u64, pieces: u64) {
    let (body, stream) = reply.start();
    for piece in 0..pieces {
        if stream.blocking_write_and_flush(format!("piece {piece}\n").as_bytes()).is_err() {
            return;
        }
        sleep(ms);
    }
    drop(stream);
    let _ = OutgoingBody::finish(body, None);
}

/// Answers and goes on.
fn after(reply: Reply, ms: u64) {
    reply.text("answered\n");
    sleep(ms);
    let _ = stdout::get_stdout().blocking_write_and_flush(b"worked after the response\n");
}

/// Crashes in the middle of its answer.
fn half(reply: Reply) {
    let (_body, stream) = reply.start();
    let _: Result<(), StreamError> = stream.blocking_write_and_flush(b"the first half");
    panic!("the guest dies in the middle of its body");
}

/// Lets go of its body without finishing it.
fn unfinished(reply: Reply) {
    let (body, stream) = reply.start();
    let _ = stream.blocking_write_and_flush(b"the first half");
    drop(stream);
    drop(body);
}

/// A response with a status and a content type.
pub fn response(status: u16) -> OutgoingResponse {
    let headers = Fields::new();
    headers.set("content-type", &[b"text/plain".to_vec()]).expect("a content type is allowed");
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("the status is one of HTTP");
    response
}
