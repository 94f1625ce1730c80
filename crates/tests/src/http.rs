//! A small HTTP/1.1 client that says exactly what it is told to, also when that is wrong.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use crate::program::PATIENCE;

/// A response.
#[derive(Debug, Default)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it came.
    pub body: Vec<u8>,
    /// The trailer fields, names in lower case.
    pub trailers: Vec<(String, String)>,
    /// Whether the body came to its proper end.
    pub complete: bool,
}

impl Answer {
    /// The first value of a header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The error code of a problem body; empty when it is none.
    pub fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }

    /// The id that the platform gave the invocation.
    pub fn invocation(&self) -> String {
        self.header("alula-invocation-id").unwrap_or_else(|| panic!("no id: {self:?}")).to_owned()
    }
}

/// Bodies of so many bytes fit what the kernel buffers.
const SMALL: usize = 16 << 10;

/// A connection that stays open.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time above zero is allowed");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time above zero is allowed");
        stream.set_nodelay(true).expect("a TCP socket knows this option");
        Self { stream: BufReader::with_capacity(64 << 10, stream) }
    }

    /// Sends bytes as they are. Whether the server still listens is not looked at.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.get_mut().write_all(bytes.as_ref()).is_ok()
    }

    /// Tells the server that nothing more will come.
    pub fn finish_sending(&self) {
        let _ = self.stream.get_ref().shutdown(Shutdown::Write);
    }

    /// Sends a request with a body of known length.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            head.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        // A server that has answered already may refuse the rest of the body.
        let _ = self.send(head);
        if body.len() < SMALL {
            self.send(body);
            return;
        }
        // A server that answers meanwhile waits until its answer is read.
        let mut stream = self.stream.get_ref().try_clone().expect("a socket has two ends");
        let body = body.to_vec();
        std::thread::spawn(move || stream.write_all(&body));
    }

    /// Reads a response head, passing over `100 Continue`. `None` when the connection ends first.
    pub fn head(&mut self) -> Option<Answer> {
        loop {
            let status = self.line()?;
            let status: u16 = status.split(' ').nth(1)?.parse().ok()?;
            let headers = self.fields()?;
            if status != 100 {
                return Some(Answer { status, headers, ..Answer::default() });
            }
        }
    }

    /// Reads one response. `None` when the connection ends before its head has.
    pub fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.head()?;
        let chunked = answer.header("transfer-encoding") == Some("chunked");
        let length = answer.header("content-length").and_then(|length| length.parse().ok());
        answer.complete = match (chunked, length) {
            (true, _) => self.chunks(&mut answer).is_some(),
            (false, Some(length)) => {
                let read = self.stream.by_ref().take(length).read_to_end(&mut answer.body);
                read.is_ok_and(|read| read as u64 == length)
            }
            (false, None) if matches!(answer.status, 204 | 304) => true,
            (false, None) => self.stream.read_to_end(&mut answer.body).is_ok(),
        };
        Some(answer)
    }

    /// Reads one line, whatever it is.
    pub fn raw_line(&mut self) -> Option<String> {
        self.line()
    }

    /// Reads one chunk of a chunked body; `Some(empty)` is the last. `None` when the connection
    /// broke.
    pub fn chunk(&mut self) -> Option<Vec<u8>> {
        let size = self.line()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        let mut bytes = vec![0; size];
        self.stream.read_exact(&mut bytes).ok()?;
        if size > 0 {
            self.line()?;
        }
        Some(bytes)
    }

    fn chunks(&mut self, answer: &mut Answer) -> Option<()> {
        loop {
            let chunk = self.chunk()?;
            if chunk.is_empty() {
                break;
            }
            answer.body.extend(chunk);
        }
        answer.trailers = self.fields()?;
        Some(())
    }

    fn fields(&mut self) -> Option<Vec<(String, String)>> {
        let mut fields = Vec::new();
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(fields);
            }
            let (name, value) = line.split_once(':')?;
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).ok()?;
        let line = String::from_utf8_lossy(line.strip_suffix(b"\n")?).into_owned();
        Some(line.trim_end_matches('\r').to_owned())
    }
}

/// Sends one request over a connection of its own and reads the answer.
pub fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let mut connection = Connection::open(address);
    let headers = [&[("connection", "close")], headers].concat();
    connection.request(method, path, &headers, body);
    connection.answer().unwrap_or_else(|| panic!("{method} {path}: no answer"))
}

/// `GET` over a connection of its own.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], &[])
}

/// `POST` over a connection of its own.
pub fn post(address: SocketAddr, path: &str, body: &[u8]) -> Answer {
    request(address, "POST", path, &[], body)
}
