//! The practical limit: hyper answering a constant, with nothing around it.

use std::convert::Infallible;

use alula_rt::{TaskKind, spawn};
use anyhow::Result;
use bytes::Bytes;
use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Serves until it is ended.
pub(crate) fn serve() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        eprintln!("Serving http://{}/", listener.local_addr()?);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            spawn(TaskKind::Connection, async move {
                let answer = service_fn(|_| async {
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"Hello\n"))))
                });
                let http = hyper::server::conn::http1::Builder::new();
                // A client that goes away ends its connection, which is no news.
                let _ = http.serve_connection(TokioIo::new(stream), answer).await;
            });
        }
    })
}
