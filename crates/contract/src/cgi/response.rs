//! Standard output to a response, piece by piece.

use bytes::{Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, response};

use super::MAX_HEAD;

/// A response head and the first bytes of the body; what the command writes after them follows.
#[derive(Debug)]
pub struct Response {
    /// Status and fields.
    pub head: response::Parts,
    /// Output that came with the head and belongs to the body.
    pub first: Bytes,
    /// Whether the command wrote a head, or its output is the body as it is.
    pub had_head: bool,
}

/// Finds the head in output that arrives in pieces.
#[derive(Debug, Default)]
pub struct HeadReader {
    seen: BytesMut,
    /// Bytes of whole lines that were looked at.
    looked: usize,
    fields: Fields,
}

#[derive(Debug, Default)]
struct Fields {
    status: Option<StatusCode>,
    headers: HeaderMap,
}

/// What a line turned out to be.
enum Line {
    Field,
    Empty,
    NoHead,
}

impl HeadReader {
    /// Takes a piece of output. Gives the response as soon as it is clear what it is; the reader is
    /// of no use after that.
    pub fn push(&mut self, piece: &[u8]) -> Option<Response> {
        self.seen.extend_from_slice(piece);
        while let Some(len) = self.seen[self.looked..].iter().position(|b| *b == b'\n') {
            let end = self.looked + len;
            let line = self.seen[self.looked..end].to_vec();
            self.looked = end + 1;
            match self.fields.take(line.strip_suffix(b"\r").unwrap_or(&line)) {
                Line::Field => {}
                Line::Empty => return Some(self.with_head()),
                Line::NoHead => return Some(self.without_head()),
            }
        }
        (self.seen.len() > MAX_HEAD).then(|| self.without_head())
    }

    /// The command's output has ended before it was clear what it is.
    pub fn finish(mut self) -> Response {
        self.without_head()
    }

    fn with_head(&mut self) -> Response {
        let fields = std::mem::take(&mut self.fields);
        let named = |name| fields.headers.contains_key(name);
        if fields.status.is_none() && !named(header::CONTENT_TYPE) && !named(header::LOCATION) {
            return self.without_head();
        }
        let redirect = named(header::LOCATION);
        let status =
            fields.status.unwrap_or(if redirect { StatusCode::FOUND } else { StatusCode::OK });
        let first = self.seen.split_off(self.looked).freeze();
        Response { head: head(status, fields.headers), first, had_head: true }
    }

    fn without_head(&mut self) -> Response {
        let mut headers = HeaderMap::new();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        let first = self.seen.split().freeze();
        Response { head: head(StatusCode::OK, headers), first, had_head: false }
    }
}

impl Fields {
    fn take(&mut self, line: &[u8]) -> Line {
        if line.is_empty() {
            return Line::Empty;
        }
        let Some(colon) = line.iter().position(|b| *b == b':') else { return Line::NoHead };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"status") {
            // `404 Not Found`: the words are for people.
            let status = value.get(..3).and_then(|code| StatusCode::from_bytes(code).ok());
            let ends = value.get(3).is_none_or(|b| *b == b' ');
            return match status {
                Some(status) if ends && (200..600).contains(&status.as_u16()) => {
                    self.status = Some(status);
                    Line::Field
                }
                _ => Line::NoHead,
            };
        }
        match (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => {
                if may_answer(&name) {
                    self.headers.append(name, value);
                }
                Line::Field
            }
            _ => Line::NoHead,
        }
    }
}

/// Whether a command may set a field; those of the connection are the gateway's.
fn may_answer(name: &HeaderName) -> bool {
    let others = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TRAILER,
        HeaderName::from_static("keep-alive"),
    ];
    !others.contains(name)
}

fn head(status: StatusCode, headers: HeaderMap) -> response::Parts {
    let (mut head, ()) = http::Response::new(()).into_parts();
    head.status = status;
    head.headers = headers;
    head
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(output: &[u8], piece: usize) -> (u16, Vec<(String, String)>, Vec<u8>, bool) {
        let mut reader = HeadReader::default();
        let mut pieces = output.chunks(piece.max(1));
        let response = loop {
            match pieces.next() {
                Some(piece) => {
                    if let Some(response) = reader.push(piece) {
                        break response;
                    }
                }
                None => break reader.finish(),
            }
        };
        let mut body = response.first.to_vec();
        pieces.for_each(|piece| body.extend_from_slice(piece));
        let fields = response.head.headers.iter().map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        (response.head.status.as_u16(), fields.collect(), body, response.had_head)
    }

    #[track_caller]
    fn check(output: &str, status: u16, fields: &[(&str, &str)], body: &str) {
        for piece in [1, 2, 7, output.len()] {
            let (got, headers, rest, _) = read(output.as_bytes(), piece);
            let headers: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            assert_eq!(got, status, "{output:?}");
            assert_eq!(headers, fields, "{output:?}");
            assert_eq!(String::from_utf8_lossy(&rest), body, "{output:?}");
        }
    }

    const PLAIN: (&str, &str) = ("content-type", "text/plain; charset=utf-8");

    #[test]
    fn a_head_is_a_head() {
        check("Content-Type: a/b\n\nbody", 200, &[("content-type", "a/b")], "body");
        check("content-type:a/b\r\n\r\n\r\nbody", 200, &[("content-type", "a/b")], "\r\nbody");
        check("Status: 404 Not Found\n\n", 404, &[], "");
        check("Status:201\nX-A: 1\nX-A: 2\n\nx", 201, &[("x-a", "1"), ("x-a", "2")], "x");
        check("Location: /b\n\n", 302, &[("location", "/b")], "");
        check("Status: 301\nLocation: /b\n\n", 301, &[("location", "/b")], "");
        check("Status: 200\nConnection: close\nTransfer-Encoding: x\n\n", 200, &[], "");
    }

    #[test]
    fn all_other_output_is_the_body() {
        for output in [
            "",
            "hello",
            "hello\nworld\n",
            "hello: world\nand: more",
            "X-A: 1\n\nneither type nor status",
            "\nContent-Type: a/b\n\n",
            "Status: 99\n\n",
            "Status: 101\n\n",
            "Status: 2000\n\n",
            "Status: \n\n",
            "Content Type: a/b\n\n",
            "Content-Type: a/b\nno colon\n\nbody",
            "Content-Type: a/b\n",
            "{\"json\": true}\n\n",
            "HTTP/1.1 200 OK\n\n",
        ] {
            check(output, 200, &[PLAIN], output);
        }
    }

    #[test]
    fn an_endless_head_is_a_body() {
        let output = "a: b\n".repeat(MAX_HEAD);
        let (status, _, body, had_head) = read(output.as_bytes(), 1_000);
        assert_eq!((status, body.len(), had_head), (200, output.len(), false));
        let line = "x".repeat(MAX_HEAD * 2);
        assert_eq!(read(line.as_bytes(), 999).2, line.as_bytes());
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_the_meaning_and_nothing_is_lost(
            output in proptest::collection::vec(
                prop_oneof![
                    Just(b"Status: 404\n".to_vec()), Just(b"Content-Type: a/b\r\n".to_vec()),
                    Just(b"\n".to_vec()), proptest::collection::vec(any::<u8>(), 0..6),
                ], 0..8),
            piece in 1..9_usize,
        ) {
            let output = output.concat();
            let whole = read(&output, output.len());
            prop_assert!(output.ends_with(&whole.2));
            prop_assert!(whole.3 || whole.2 == output);
            prop_assert_eq!(read(&output, piece), whole);
        }
    }
}
