//! One HTTP/1.1 connection that is kept.

use std::net::SocketAddr;

use alula_rt::{TaskKind, spawn};
use anyhow::Result;
use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection.
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        spawn(TaskKind::Connection, connection);
        Ok(Self { sender, host: address.to_string() })
    }

    /// Sends a request and reads the answer to its end; its status.
    pub(crate) async fn get(&mut self, path: &str) -> Result<u16> {
        let response = self.send(Method::GET, path, Bytes::new()).await?;
        let status = response.status().as_u16();
        discard(response).await?;
        Ok(status)
    }

    /// Sends a request; the answer's body is still to be read.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Incoming>> {
        let request = Request::builder().method(method).uri(path).header("host", &self.host);
        self.sender.ready().await?;
        Ok(self.sender.send_request(request.body(Full::new(body))?).await?)
    }
}

/// Reads a body to its end; its length.
pub(crate) async fn discard(response: Response<Incoming>) -> Result<usize> {
    let mut body = response.into_body();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        length += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(length)
}
