//! Static files: the folder of a route, as HTTP sees it.
//!
//! - The type comes from the name; `index.html` stands for a folder, and a folder named without a
//!   slash at its end is redirected to the one with it.
//! - Beside a file, `NAME.br`, `NAME.zst` and `NAME.gz` are taken as the same thing compressed, for
//!   clients that accept it.
//! - `etag`, `last-modified`, `if-none-match`, `if-modified-since`, `if-range` and one range per
//!   request work as RFC 9110 says; a request for several ranges gets the whole file, which section
//!   14.2 allows.
//! - Nothing outside the folder is ever served, by no spelling and through no link, and neither are
//!   names that begin with a dot, except `.well-known` (RFC 8615): such files configure, they are
//!   not content.

mod conditions;
mod range;
mod resolve;
mod stream;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use alula_rt::{TaskKind, clock, spawn_blocking};
use alula_types::{Body, Code, Fault};
use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE,
    ETAG, LAST_MODIFIED, LOCATION, RANGE, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use crate::head::Head;
use crate::problem::Refusal;
use crate::route::{Entry, Target};
use conditions::{Precondition, Validators};
use range::Asked;
use resolve::{Found, Opened};

/// A folder (or one file) that a route serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticDir(Arc<PathBuf>);

impl StaticDir {
    /// Serves this folder, or this file for every request of the route. It need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(path.into()))
    }
}

/// Answers a `GET` or `HEAD` for a file.
pub(crate) async fn answer(entry: Arc<Entry>, head: Head) -> Result<Response<Body>, Refusal> {
    let Target::Static(folder) = &entry.target else {
        return Err(Fault::new(Code::Internal, "a route to files has no folder").into());
    };
    let missing = || Fault::new(Code::FileMissing, format!("there is no file `{}`", head.path()));
    let pieces = resolve::pieces(entry.rest(head.path())).ok_or_else(missing)?;
    let slash = head.path().ends_with('/');
    let range = head.headers().get(RANGE).filter(|_| head.method == Method::GET);
    // Ranges of compressed bytes help nobody.
    let codings = if range.is_none() { codings(head.headers()) } else { Vec::new() };
    let root = folder.clone();
    let found = spawn_blocking(TaskKind::Connection, move || {
        resolve::open(&root.0, &pieces, slash, &codings)
    });
    match found.await {
        Ok(Ok(Found::File(opened))) => respond(*opened, &head),
        Ok(Ok(Found::FolderWithoutSlash)) => Ok(redirect(&head)),
        Ok(Ok(Found::Nothing)) => Err(missing().into()),
        Ok(Err(error)) => {
            tracing::warn!(path = head.path(), %error, "a static file could not be read");
            Err(Fault::new(Code::FileRefused, format!("`{}` could not be read", head.path()))
                .into())
        }
        Err(_) => Err(Fault::new(Code::Internal, "reading a static file panicked").into()),
    }
}

fn respond(opened: Opened, head: &Head) -> Result<Response<Body>, Refusal> {
    let validators = Validators::new(&opened, clock::wall());
    let mut headers = describe(&opened, &validators);
    let length = opened.length;
    match conditions::check(head.headers(), &validators) {
        Precondition::Holds => {}
        Precondition::NotModified => {
            headers.remove(CONTENT_TYPE);
            return Ok(with(StatusCode::NOT_MODIFIED, headers, Body::empty()));
        }
        Precondition::Failed => {
            return Err(Fault::plain(Code::PreconditionFailed).into());
        }
    }
    let asked = head.headers().get(RANGE).filter(|_| head.method == Method::GET);
    let asked = match asked {
        Some(value) if conditions::range_applies(head.headers(), &validators) => {
            range::parse(value, length)
        }
        _ => Asked::Whole,
    };
    let (status, start, end) = match asked {
        Asked::Whole => (StatusCode::OK, 0, length),
        Asked::Part { start, end } => {
            let range = format!("bytes {start}-{}/{length}", end - 1);
            headers.insert(CONTENT_RANGE, text(&range));
            (StatusCode::PARTIAL_CONTENT, start, end)
        }
        Asked::Outside => {
            let detail = format!("the file has {length} bytes");
            let mut refusal = Refusal::from(Fault::new(Code::RangeRefused, detail));
            refusal.fields.push((CONTENT_RANGE, text(&format!("bytes */{length}"))));
            return Err(refusal);
        }
    };
    headers.insert(CONTENT_LENGTH, (end - start).into());
    let body = match head.method {
        Method::HEAD => Body::empty(),
        _ => stream::body(opened, start, end),
    };
    Ok(with(status, headers, body))
}

/// The fields that are the same for the whole file, a part of it and no change.
fn describe(opened: &Opened, validators: &Validators) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, media_type(&opened.name));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(ETAG, text(&validators.etag));
    // The name decides the type; a browser that guesses runs uploads as scripts.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(modified) = validators.modified {
        headers.insert(LAST_MODIFIED, text(&httpdate::fmt_http_date(modified)));
    }
    if opened.variants {
        headers.insert(VARY, HeaderValue::from(ACCEPT_ENCODING));
    }
    if let Some(coding) = opened.coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name));
    }
    headers
}

fn media_type(name: &str) -> HeaderValue {
    let guess = mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream");
    if guess.starts_with("text/") {
        return text(&format!("{guess}; charset=utf-8"));
    }
    HeaderValue::from_static(guess)
}

/// Sends the client to the folder's own address. The path is our own spelling of what was found,
/// with one slash at the beginning: two would name another host.
fn redirect(head: &Head) -> Response<Body> {
    let path = head.path().trim_start_matches('/');
    let query = head.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut headers = HeaderMap::new();
    headers.insert(LOCATION, text(&format!("/{path}/{query}")));
    with(StatusCode::PERMANENT_REDIRECT, headers, Body::empty())
}

fn with(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn text(value: &str) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A way to compress what a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Coding {
    /// As `content-encoding` names it.
    name: &'static str,
    /// What it adds to the name of the file.
    suffix: &'static str,
}

/// Those that are looked for, the smallest result first.
const CODINGS: [Coding; 3] = [
    Coding { name: "br", suffix: ".br" },
    Coding { name: "zstd", suffix: ".zst" },
    Coding { name: "gzip", suffix: ".gz" },
];

/// The codings that the client accepts, the best for it first (RFC 9110, section 12.5.3).
fn codings(headers: &HeaderMap) -> Vec<Coding> {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let accepted: Vec<(&str, u16)> = values.flat_map(|v| v.split(',')).map(weighted).collect();
    let weight = |name: &str| {
        let exact = accepted.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        exact
            .or_else(|| accepted.iter().find(|(other, _)| *other == "*"))
            .map(|(_, weight)| *weight)
    };
    let identity = weight("identity").unwrap_or(0);
    let mut ranked: Vec<_> = CODINGS
        .iter()
        .map(|coding| (*coding, weight(coding.name).unwrap_or(0)))
        .filter(|(_, weight)| *weight > 0 && *weight >= identity)
        .collect();
    ranked.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    ranked.into_iter().map(|(coding, _)| coding).collect()
}

/// One element with its weight in thousandths.
fn weighted(element: &str) -> (&str, u16) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or("");
    let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
    let Some(weight) = weight else { return (name, 1000) };
    let weight = weight.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1000")]
    let thousandths = weight.map_or(0, |weight| (weight * 1000.0).round() as u16);
    (name, thousandths)
}

/// When a file was last changed, in whole seconds, which is all that HTTP can say.
fn whole_seconds(time: SystemTime) -> Option<SystemTime> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_chooses_the_coding() {
        for (accepts, want) in [
            ("", ""),
            ("gzip", "gzip"),
            ("gzip, br", "br gzip"),
            ("gzip;q=1.0, br;q=0.5", "gzip br"),
            ("GZIP;Q=0.2", "gzip"),
            ("br;q=0, *", "zstd gzip"),
            ("*;q=0", ""),
            ("identity, gzip;q=0.5", ""),
            ("gzip;q=2", ""),
            ("zstd;q=0.001", "zstd"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, text(accepts));
            let names: Vec<_> = codings(&headers).iter().map(|coding| coding.name).collect();
            assert_eq!(names.join(" "), want, "{accepts}");
        }
    }

    #[test]
    fn types_come_from_names() {
        for (name, want) in [
            ("a.html", "text/html; charset=utf-8"),
            ("a.JS", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.wasm", "application/wasm"),
            ("a.svg", "image/svg+xml"),
            ("a.json", "application/json"),
            ("a.tar.gz", "application/gzip"),
            ("a", "application/octet-stream"),
        ] {
            assert_eq!(media_type(name), want, "{name}");
        }
    }
}
