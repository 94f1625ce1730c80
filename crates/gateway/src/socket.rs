//! The bytes of one connection: a socket, with or without TLS, that notes how the client behaves.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use alula_rt::clock;
use alula_types::limits::edge;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::connection::Traffic;

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// The version of HTTP that a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http1,
    Http2,
}

/// A stream whose first bytes, already read to tell the protocol, are read again.
pub(crate) struct Socket {
    stream: Stream,
    begin: [u8; PREFACE.len()],
    begin_at: usize,
    begin_end: usize,
    traffic: Arc<Traffic>,
    protocol: Protocol,
    blocked: bool,
    ended: bool,
}

impl Socket {
    /// Tells the protocol: by ALPN where it was agreed, else by the first bytes, which costs one
    /// read per connection and nothing per request. `None`: the client closed without a word.
    pub(crate) async fn open(
        mut stream: Stream,
        traffic: Arc<Traffic>,
    ) -> io::Result<Option<Self>> {
        let mut begin = [0; PREFACE.len()];
        let mut end = 0;
        let protocol = match stream.agreed() {
            Some(protocol) => protocol,
            None => loop {
                let read = stream.read(&mut begin[end..]).await?;
                end += read;
                match begin == *PREFACE {
                    true => break Protocol::Http2,
                    _ if end == 0 => return Ok(None),
                    _ if read == 0 || !PREFACE.starts_with(&begin[..end]) => break Protocol::Http1,
                    _ => {}
                }
            },
        };
        traffic.begin(protocol, end > 0);
        Ok(Some(Self {
            stream,
            begin,
            begin_at: 0,
            begin_end: end,
            traffic,
            protocol,
            blocked: false,
            ended: false,
        }))
    }

    pub(crate) const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Sends a last answer and closes.
    pub(crate) async fn refuse(mut self, answer: &[u8]) {
        // The client may have gone already; there is nobody left to tell.
        let _ = self.stream.write_all(answer).await;
        self.linger().await;
    }

    /// Closes at once.
    pub(crate) async fn close(mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Closes without losing what was sent: says that no more comes and reads on for a moment.
    pub(crate) async fn linger(mut self) {
        let _ = self.stream.shutdown().await;
        if self.ended {
            return;
        }
        let drain = async {
            let mut thrown = vec![0; 16 << 10];
            let mut left = edge::LINGER_BYTES.0;
            while let Ok(read) = self.stream.read(&mut thrown).await {
                left = left.saturating_sub(read as u64);
                if read == 0 || left == 0 {
                    break;
                }
            }
        };
        let _ = clock::timeout(edge::LINGER, drain).await;
    }

    fn note<T>(&mut self, polled: Poll<T>) -> Poll<T> {
        if self.blocked != polled.is_pending() {
            self.blocked = polled.is_pending();
            self.traffic.set_blocked(self.blocked);
        }
        polled
    }
}

impl Stream {
    fn agreed(&self) -> Option<Protocol> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol().map(|name| match name {
                b"h2" => Protocol::Http2,
                _ => Protocol::Http1,
            }),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.begin_at < self.begin_end {
            let size = buffer.remaining().min(self.begin_end - self.begin_at);
            buffer.put_slice(&self.begin[self.begin_at..self.begin_at + size]);
            self.begin_at += size;
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            self.traffic.arrived();
        } else if buffer.remaining() > 0 {
            self.ended = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.traffic.intercept(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let polled = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.note(polled)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.traffic.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.protocol {
            // It is closed after the last word, which may be a refusal.
            Protocol::Http1 => Poll::Ready(Ok(())),
            Protocol::Http2 => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, pieces);
        self.note(polled)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            // A TCP socket keeps nothing back.
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, pieces),
        }
    }
}
