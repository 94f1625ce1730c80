//! A raw connection, for what no HTTP client would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::wait::patiently;

/// A connection that sends and reads bytes as they are.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Raw {
    /// Connects.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        stream.set_nodelay(true).expect("the socket is open");
        Self { stream, unread: Vec::new() }
    }

    /// Sends bytes. A server that has closed the connection is no failure: it will be seen on
    /// reading.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be sent.
    pub async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    /// Reads until `end` has arrived or the server has closed; returns what came, `end` included.
    pub async fn read_until(&mut self, end: &str) -> String {
        patiently(&format!("`{end:?}`"), async {
            loop {
                if let Some(at) = find(&self.unread, end.as_bytes()) {
                    return text(self.unread.drain(..at + end.len()).collect());
                }
                if !self.fill().await {
                    return text(std::mem::take(&mut self.unread));
                }
            }
        })
        .await
    }

    /// Reads a response head.
    pub async fn head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// Reads until the server closes.
    pub async fn rest(&mut self) -> String {
        patiently("the end of the connection", async {
            while self.fill().await {}
            text(std::mem::take(&mut self.unread))
        })
        .await
    }

    async fn fill(&mut self) -> bool {
        self.unread.reserve(16 * 1024);
        // A reset is an end, too.
        self.stream.read_buf(&mut self.unread).await.unwrap_or(0) > 0
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_read_ends_where_it_was_asked_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut raw = Raw::connect(listener.local_addr().unwrap()).await;
        let (mut peer, _) = listener.accept().await.unwrap();
        peer.write_all(b"HTTP/1.1 200 OK\r\n\r\nbody").await.unwrap();
        drop(peer);
        assert_eq!(raw.head().await, "HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!(raw.rest().await, "body");
    }
}
