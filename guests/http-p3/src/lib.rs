//! One `wasi:http` 0.3 handler that does what `?do=` says; the same words as in `../http`.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use futures_util::future::join_all;
use wasip3::cli::environment;
use wasip3::clocks::monotonic_clock;
use wasip3::exports::http::handler::Guest;
use wasip3::filesystem::preopens;
use wasip3::http::client;
use wasip3::http::types::{ErrorCode, Fields, Method, Request, Response, Scheme};
use wasip3::wit_bindgen::rt::async_support::{
    FutureReader, StreamReader, StreamResult, StreamWriter,
};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Probe;

wasip3::http::service::export!(Probe);

/// What this instance alone remembers.
static CALLS: AtomicU64 = AtomicU64::new(0);

impl Guest for Probe {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let call = CALLS.fetch_add(1, Relaxed) + 1;
        let query = Query::of(&request);
        match query.text("do").as_str() {
            "" | "hello" => text("hello\n"),
            "count" => text(&format!("{call}\n")),
            "headers" => text(&headers(&request)),
            "env" => text(&pairs(environment::get_environment())),
            "files" => text(&format!("{}\n", preopens::get_directories().len())),
            "echo" => Ok(respond(body_of(request).0)),
            "length" => length(request).await,
            "sleep" => {
                sleep(query.number("ms", 100)).await;
                text("slept\n")
            }
            "big" => big(query.number("bytes", 1 << 20)),
            "slow" => slow(query.number("ms", 100), query.number("pieces", 5)),
            "log" => {
                (0..query.number("lines", 1)).for_each(|line| println!("line {line}"));
                text("logged\n")
            }
            "after" => after(query.number("ms", 50)),
            "allocate" => {
                let held: Vec<_> =
                    (0..query.number("mib", 1)).map(|_| vec![1_u8; 1 << 20]).collect();
                text(&format!("{}\n", std::hint::black_box(held).len()))
            }
            "fetch" => fetch(&[query.text("url")]).await,
            "fetch-two" => fetch(&[query.text("url"), query.text("other")]).await,
            "spin" => loop {
                std::hint::black_box(());
            },
            "hog" => loop {
                std::mem::forget(std::hint::black_box(vec![0xa5_u8; 1 << 20]));
            },
            "trap" => core::arch::wasm32::unreachable(),
            "panic" => panic!("the guest panics: {}", query.text("secret")),
            "recurse" => text(&format!("{}\n", recurse(u64::MAX))),
            "error" => Err(ErrorCode::InternalError(Some("the guest reports an error".into()))),
            "half" => half(),
            "stalled" => {
                sleep(u64::MAX).await;
                text("never\n")
            }
            _ => {
                let response = text("no such thing to do\n")?;
                response.set_status_code(404).expect("the status is one of HTTP");
                Ok(response)
            }
        }
    }
}

struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request) -> Self {
        let path = request.get_path_with_query().unwrap_or_default();
        let query = path.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect())
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

fn pairs(list: Vec<(String, String)>) -> String {
    list.into_iter().map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn headers(request: &Request) -> String {
    let entries = request.get_headers().copy_all();
    let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
    pairs(entries.into_iter().map(|(name, value)| (name, text(value))).collect())
}

fn respond(body: StreamReader<u8>) -> Response {
    let kind = ("content-type".to_string(), b"text/plain".to_vec());
    let headers = Fields::from_list(&[kind]).expect("a content type is allowed");
    let (_, trailers) = wit_future::new(|| Ok(None));
    Response::new(headers, Some(body), trailers).0
}

/// Answers with a body that is written beside.
fn stream<F>(write: impl FnOnce(StreamWriter<u8>) -> F) -> Result<Response, ErrorCode>
where
    F: Future<Output = ()> + 'static,
{
    let (writer, reader) = wit_stream::new();
    wit_bindgen::spawn_local(write(writer));
    Ok(respond(reader))
}

fn text(text: &str) -> Result<Response, ErrorCode> {
    let bytes = text.as_bytes().to_vec();
    stream(|mut body| async move {
        body.write_all(bytes).await;
    })
}

fn big(bytes: u64) -> Result<Response, ErrorCode> {
    stream(move |mut body| async move {
        let mut left = bytes;
        while left > 0 {
            let size = left.min(64 << 10);
            if !body.write_all(vec![b'x'; size as usize]).await.is_empty() {
                return;
            }
            left -= size;
        }
    })
}

fn slow(ms: u64, pieces: u64) -> Result<Response, ErrorCode> {
    stream(move |mut body| async move {
        for piece in 0..pieces {
            if !body.write_all(format!("piece {piece}\n").into_bytes()).await.is_empty() {
                return;
            }
            sleep(ms).await;
        }
    })
}

/// Answers and goes on.
fn after(ms: u64) -> Result<Response, ErrorCode> {
    stream(move |mut body| async move {
        body.write_all(b"answered\n".to_vec()).await;
        drop(body);
        sleep(ms).await;
        println!("worked after the response");
    })
}

/// Crashes in the middle of its answer.
fn half() -> Result<Response, ErrorCode> {
    stream(|mut body| async move {
        body.write_all(b"the first half".to_vec()).await;
        panic!("the guest dies in the middle of its body");
    })
}

async fn sleep(ms: u64) {
    monotonic_clock::wait_for(ms.saturating_mul(1_000_000)).await;
}

#[inline(never)]
fn recurse(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 16]);
    if depth == 0 { 0 } else { recurse(depth - 1).wrapping_add(frame[3]) }
}

type Trailers = FutureReader<Result<Option<Fields>, ErrorCode>>;

fn body_of(request: Request) -> (StreamReader<u8>, Trailers) {
    let (done, told) = wit_future::new(|| Ok(()));
    drop(done);
    Request::consume_body(request, told)
}

/// Answers with the length of the request's body. A body that broke off has none: its trailers say
/// so.
async fn length(request: Request) -> Result<Response, ErrorCode> {
    let (body, trailers) = body_of(request);
    let bytes = collect(body).await;
    trailers.await?;
    text(&format!("{}\n", bytes.len()))
}

async fn collect(mut body: StreamReader<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let (result, piece) = body.read(Vec::with_capacity(64 << 10)).await;
        bytes.extend(piece);
        if !matches!(result, StreamResult::Complete(_)) {
            return bytes;
        }
    }
}

/// Fetches addresses at the same time and answers with what came of each, in order.
async fn fetch(urls: &[String]) -> Result<Response, ErrorCode> {
    let results = join_all(urls.iter().map(|url| fetch_one(url))).await;
    let lines = results.into_iter().map(|result| match result {
        Ok((status, body)) => format!("{status} {body}\n"),
        Err(code) => format!("error {code:?}\n"),
    });
    text(&lines.collect::<String>())
}

async fn fetch_one(url: &str) -> Result<(u16, String), ErrorCode> {
    let malformed = |()| ErrorCode::HttpRequestUriInvalid;
    let (scheme, rest) = url.split_once("://").ok_or(ErrorCode::HttpRequestUriInvalid)?;
    let (authority, path) = rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash));
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    let (_, trailers) = wit_future::new(|| Ok(None));
    let (request, _) = Request::new(Fields::new(), None, trailers, None);
    request.set_method(&Method::Get).map_err(malformed)?;
    request.set_scheme(Some(&scheme)).map_err(malformed)?;
    request.set_authority(Some(authority)).map_err(malformed)?;
    request.set_path_with_query(Some(path)).map_err(malformed)?;
    let response = client::send(request).await?;
    let status = response.get_status_code();
    let (done, told) = wit_future::new(|| Ok(()));
    drop(done);
    let (body, _) = Response::consume_body(response, told);
    Ok((status, String::from_utf8_lossy(&collect(body).await).into_owned()))
}
