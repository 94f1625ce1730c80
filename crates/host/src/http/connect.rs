//! Opening a connection: look up, check every address, connect, TLS, HTTP.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use alula_capability::Refusal;
use alula_policy::Address;
use alula_rt::{TaskKind, clock};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::head::{Target, words};
use super::pool::{Connection, Driver, Sender};
use crate::Inner;

/// More addresses of one name than anybody needs.
const CANDIDATES: usize = 16;
/// When the next address is tried beside a slow one (RFC 8305 section 5 recommends 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a connection to a target at an address that the decision permits.
///
/// The room is held until the connection has ended. Dropping the future closes what was opened.
pub(super) async fn open(
    inner: &Arc<Inner>,
    target: &Target,
    address: &Address,
    room: OwnedSemaphorePermit,
) -> Result<Connection, Refusal> {
    let candidates = permitted(inner, target, address).await?;
    let stream = race(target, &candidates).await?;
    let remote = candidates_peer(&stream, target)?;
    // Small requests go out at once.
    stream.set_nodelay(true).map_err(|error| refused(target, &error))?;
    if !target.key.tls {
        return http1_over(stream, target, remote, room).await;
    }
    let name = ServerName::try_from(target.host.clone())
        .map_err(|error| Refusal::Tls(target.host.clone(), error.to_string()))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(&inner.tls));
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| Refusal::Tls(target.host.clone(), words(&error)))?;
    match stream.get_ref().1.alpn_protocol() {
        Some(b"h2") => http2_over(stream, target, remote, room).await,
        _ => http1_over(stream, target, remote, room).await,
    }
}

/// The addresses of the target that the decision permits. The very same are connected to.
async fn permitted(
    inner: &Inner,
    target: &Target,
    address: &Address,
) -> Result<Vec<SocketAddr>, Refusal> {
    let found = resolve(inner, target).await?;
    let mut denied = None;
    let mut permitted = Vec::new();
    for candidate in found.into_iter().take(CANDIDATES) {
        if permits(inner, address, candidate.ip()) {
            permitted.push(candidate);
        } else {
            denied.get_or_insert_with(|| address.denied(&target.host, candidate.ip()));
        }
    }
    #[cfg(test)]
    if inner.lacks(crate::Barrier::SameAddress) {
        return resolve(inner, target).await;
    }
    match (permitted.is_empty(), denied) {
        (false, _) => Ok(permitted),
        (true, Some(denied)) => Err(Refusal::Denied(denied.0)),
        (true, None) => Err(Refusal::NameNotFound(target.host.clone())),
    }
}

async fn resolve(inner: &Inner, target: &Target) -> Result<Vec<SocketAddr>, Refusal> {
    if let Ok(ip) = target.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, target.port)]);
    }
    let found = inner.options.lookup.lookup(&target.host, target.port).await;
    found.map_err(|error| {
        tracing::debug!(host = %target.host, %error, "a lookup failed");
        Refusal::NameNotFound(target.host.clone())
    })
}

fn permits(inner: &Inner, address: &Address, ip: IpAddr) -> bool {
    #[cfg(test)]
    if inner.lacks(crate::Barrier::AddressCheck) {
        return true;
    }
    let _ = inner;
    address.permits(ip)
}

/// Connects to the first address that answers, giving each a head start over the next.
async fn race(target: &Target, candidates: &[SocketAddr]) -> Result<TcpStream, Refusal> {
    let mut waiting = candidates.iter();
    let mut attempts = FuturesUnordered::new();
    let mut last_error = None;
    loop {
        match waiting.next() {
            Some(candidate) => attempts.push(TcpStream::connect(*candidate)),
            None if attempts.is_empty() => {
                let error = last_error.unwrap_or_else(|| io::ErrorKind::NotFound.into());
                return Err(refused(target, &error));
            }
            None => {}
        }
        let outcome = if waiting.len() > 0 {
            // Nothing within the head start: the next one joins the race.
            clock::timeout(HEAD_START, attempts.next()).await.ok().flatten()
        } else {
            attempts.next().await
        };
        match outcome {
            Some(Ok(stream)) => return Ok(stream),
            Some(Err(error)) => last_error = Some(error),
            None => {}
        }
    }
}

fn candidates_peer(stream: &TcpStream, target: &Target) -> Result<IpAddr, Refusal> {
    let peer = stream.peer_addr().map_err(|error| refused(target, &error))?;
    Ok(peer.ip())
}

fn refused(target: &Target, error: &io::Error) -> Refusal {
    tracing::debug!(host = %target.host, port = target.port, %error, "connecting failed");
    Refusal::ConnectionRefused(format!("{}:{}", target.host, target.port))
}

async fn http1_over<I>(
    stream: I,
    target: &Target,
    remote: IpAddr,
    room: OwnedSemaphorePermit,
) -> Result<Connection, Refusal>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let made = http1::Builder::new().handshake(TokioIo::new(stream)).await;
    let (sender, connection) = made.map_err(|error| broken(target, &error))?;
    let driver = alula_rt::spawn(TaskKind::Outbound, async move {
        // How it ended is told to whoever waits for a response; an idle end is nobody's business.
        let _ = connection.await;
        drop(room);
    });
    Ok(Connection { sender: Sender::Http1(sender), driver: Driver::new(&driver), remote })
}

async fn http2_over<I>(
    stream: I,
    target: &Target,
    remote: IpAddr,
    room: OwnedSemaphorePermit,
) -> Result<Connection, Refusal>
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let made = http2::Builder::new(Spawner)
        // What a stream and a connection may hold for a guest that reads slowly.
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await;
    let (sender, connection) = made.map_err(|error| broken(target, &error))?;
    let driver = alula_rt::spawn(TaskKind::Outbound, async move {
        let _ = connection.await;
        drop(room);
    });
    Ok(Connection { sender: Sender::Http2(sender), driver: Driver::new(&driver), remote })
}

fn broken(target: &Target, error: &hyper::Error) -> Refusal {
    Refusal::Protocol(target.host.clone(), words(error))
}

/// Lets hyper spawn the parts of an HTTP/2 connection. They end with it.
#[derive(Clone, Copy)]
struct Spawner;

impl<F> hyper::rt::Executor<F> for Spawner
where
    F: Future<Output: Send> + Send + 'static,
{
    fn execute(&self, future: F) {
        alula_rt::spawn(TaskKind::Outbound, future);
    }
}
