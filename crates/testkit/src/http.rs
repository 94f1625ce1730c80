//! HTTP clients: one connection for each call, whole bodies or streams.

use std::net::SocketAddr;

use alula_rt::{TaskKind, spawn};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use crate::wait::patiently;

/// A whole response.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its header fields.
    pub headers: http::HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// Its trailers.
    pub trailers: Option<http::HeaderMap>,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field, empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Checks status and error code, and that the body says which: what every error looks like.
    #[track_caller]
    pub fn assert_error(&self, status: u16, code: &str) {
        let text = self.text();
        assert_eq!(self.status.as_u16(), status, "{text}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{text}");
        assert!(text.contains(code), "no {code} in {text}");
        assert!(!self.header("alula-invocation-id").is_empty(), "no invocation id");
    }
}

/// `GET` a path.
pub async fn get(address: SocketAddr, path: &str) -> Answer {
    send(address, request(address, Method::GET, path, Bytes::new())).await
}

/// `POST` a body to a path.
pub async fn post(address: SocketAddr, path: &str, body: impl Into<Bytes>) -> Answer {
    send(address, request(address, Method::POST, path, body)).await
}

/// A request with a whole body; header fields may be added to it.
pub fn request(
    address: SocketAddr,
    method: Method,
    path: &str,
    body: impl Into<Bytes>,
) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", address.to_string());
    request.body(Full::new(body.into())).expect("the test gives a valid path")
}

/// Sends a request over HTTP/1.1 and reads the whole response.
pub async fn send<B>(address: SocketAddr, request: Request<B>) -> Answer
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let response = open(address, request).await;
    patiently("the whole response", whole(response)).await
}

/// Sends a request over HTTP/1.1 and returns when the response head is there; the body streams.
pub async fn open<B>(address: SocketAddr, request: Request<B>) -> Response<Incoming>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    patiently("the response head", async {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        let io = TokioIo::new(stream);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.expect("the connection is open");
        spawn(TaskKind::Connection, connection);
        sender.send_request(request).await.expect("the server answers")
    })
    .await
}

/// Sends a request over HTTP/2 with prior knowledge and reads the whole response. The URI is
/// absolute.
pub async fn send_h2(address: SocketAddr, mut request: Request<Full<Bytes>>) -> Answer {
    let uri = format!("http://{address}{}", request.uri());
    *request.uri_mut() = uri.parse().expect("a path behind an address is a valid URI");
    request.headers_mut().remove("host");
    patiently("the whole response over HTTP/2", async {
        let stream = TcpStream::connect(address).await.expect("the server accepts connections");
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
                .await
                .expect("the server speaks HTTP/2");
        spawn(TaskKind::Connection, connection);
        whole(sender.send_request(request).await.expect("the server answers")).await
    })
    .await
}

/// Reads a response to its end.
pub async fn whole(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("the body arrives whole");
    let trailers = body.trailers().cloned();
    Answer { status: head.status, headers: head.headers, body: body.to_bytes(), trailers }
}
