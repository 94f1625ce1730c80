//! A server on loopback that says what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use alula_rt::TaskKind;
use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

/// A running server; it ends when dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) connections: Arc<AtomicUsize>,
    /// The authority that signed its certificate.
    pub(super) root: Option<CertificateDer<'static>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaks {
    Http1,
    Tls1,
    Tls2,
    /// Answers once per connection, then closes it without a word.
    Once,
    /// Answers once per connection, reads the next request and closes without an answer.
    OnceThenListens,
    /// Accepts and never says anything.
    Nothing,
}

impl Server {
    pub(super) async fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (tls, root) = match speaks {
            Speaks::Tls1 | Speaks::Tls2 => {
                let (config, root) = tls(speaks);
                (Some(tokio_rustls::TlsAcceptor::from(Arc::new(config))), Some(root))
            }
            _ => (None, None),
        };
        let counter = Arc::clone(&connections);
        let task = alula_rt::spawn(TaskKind::Accept, async move {
            // Connections end with the server.
            let mut running = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                counter.fetch_add(1, SeqCst);
                running.spawn(serve(stream, tls.clone(), speaks, address));
            }
        });
        Self { address, connections, root, task }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    pub(super) fn uri(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

fn tls(speaks: Speaks) -> (rustls::ServerConfig, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["api.test".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("default versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a fitting key");
    config.alpn_protocols = match speaks {
        Speaks::Tls2 => vec![b"h2".to_vec()],
        _ => vec![b"http/1.1".to_vec()],
    };
    (config, certificate)
}

async fn serve(
    mut stream: TcpStream,
    tls: Option<tokio_rustls::TlsAcceptor>,
    speaks: Speaks,
    address: SocketAddr,
) {
    match (speaks, tls) {
        (Speaks::Nothing, _) => {
            std::future::pending::<()>().await;
        }
        (Speaks::Once, _) => once(&mut stream).await,
        (Speaks::OnceThenListens, _) => {
            once(&mut stream).await;
            read_head(&mut stream).await;
        }
        (_, Some(tls)) => {
            if let Ok(stream) = tls.accept(stream).await {
                speak(stream, speaks == Speaks::Tls2, address).await;
            }
        }
        (_, None) => speak(stream, false, address).await,
    }
}

async fn speak<I>(stream: I, http2: bool, address: SocketAddr)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let answer =
        service_fn(
            move |request| async move { Ok::<_, Infallible>(answer(request, address).await) },
        );
    let io = TokioIo::new(stream);
    // The client may go away at any time.
    let _ = if http2 {
        http2::Builder::new(TokioExecutor::new()).serve_connection(io, answer).await
    } else {
        http1::Builder::new().serve_connection(io, answer).await
    };
}

/// Promises to keep the connection and answers one request.
async fn once(stream: &mut TcpStream) {
    read_head(stream).await;
    // The client may have gone.
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nonce").await;
}

async fn read_head(stream: &mut TcpStream) {
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => seen.push(byte),
            Err(_) => return,
        }
    }
}

async fn answer(request: http::Request<Incoming>, address: SocketAddr) -> Answer {
    let full = |text: String| Full::from(text).map_err(|never| match never {}).boxed();
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/echo" => Response::new(request.into_body().boxed()),
        "/head" => Response::new(full(describe(&request))),
        "/redirect" => {
            let mut response = Response::new(full(String::new()));
            *response.status_mut() = http::StatusCode::FOUND;
            let to = format!("http://{address}/secret");
            let location = HeaderValue::from_str(&to).expect("an address");
            response.headers_mut().insert("location", location);
            response
        }
        "/secret" => Response::new(full("the secret".to_owned())),
        "/stall" => stall(b"some"),
        "/large" => large(),
        "/hop" => {
            let mut response = Response::new(full("x".to_owned()));
            for (name, value) in [("connection", "x-hop"), ("x-hop", "1"), ("x-kept", "1")] {
                response.headers_mut().insert(name, HeaderValue::from_static(value));
            }
            response
        }
        _ => Response::new(full(path)),
    }
}

/// The request's head, a field per line.
fn describe(request: &http::Request<Incoming>) -> String {
    let mut text = format!("{} {} {:?}\n", request.method(), request.uri(), request.version());
    for (name, value) in request.headers() {
        text += &format!("{name}: {}\n", value.to_str().unwrap_or("?"));
    }
    text
}

/// Sends a piece and then nothing.
fn stall(piece: &'static [u8]) -> Answer {
    let mut first = Some(Frame::data(Bytes::from_static(piece)));
    let frames = futures_util::stream::poll_fn(move |_| match first.take() {
        Some(frame) => std::task::Poll::Ready(Some(Ok(frame))),
        None => std::task::Poll::Pending,
    });
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}

/// 10 MiB in pieces of 64 KiB.
fn large() -> Answer {
    let piece = Bytes::from(vec![7; 64 << 10]);
    let frames = futures_util::stream::iter((0..160).map(move |_| Ok(Frame::data(piece.clone()))));
    Response::new(BodyExt::boxed(StreamBody::new(frames)))
}
