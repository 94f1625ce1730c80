//! The end of a gateway.

use super::*;

/// A function that answers when it is told to.
fn waiting() -> (Setup, mpsc::Receiver<tokio::sync::oneshot::Sender<()>>) {
    let (started, starts) = mpsc::channel(8);
    let setup = Setup::with(move |invocation| {
        let started = started.clone();
        async move {
            let _invocation = invocation;
            let (go, told) = tokio::sync::oneshot::channel();
            started.send(go).await.unwrap();
            let _ = told.await;
            ok("done")
        }
    });
    (setup, starts)
}

#[tokio::test]
async fn what_runs_is_answered_and_nobody_new_is_let_in() {
    let (setup, mut starts) = waiting();
    let mut running = setup.run().await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let go = in_time(starts.recv()).await.unwrap();
    running.shutdown.cancel();
    let refused = async { while TcpStream::connect(running.address).await.is_ok() {} };
    in_time(refused).await;
    assert!(!running.ended.is_finished());
    go.send(()).unwrap();
    let text = to_end(&mut socket).await;
    assert!(text.contains("connection: close") && text.ends_with("done"), "{text}");
    in_time(&mut running.ended).await.unwrap();
}

#[tokio::test]
async fn idle_connections_are_closed_at_once() {
    let mut running = Setup::with(show).run().await;
    let mut used = running.connect().await;
    used.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut used, "traceparent=").await;
    let mut fresh = running.connect().await;
    running.shutdown.cancel();
    in_time(&mut running.ended).await.unwrap();
    assert_eq!(to_end(&mut used).await, "");
    assert_eq!(to_end(&mut fresh).await, "");
}

#[tokio::test]
async fn what_outlasts_the_grace_period_is_cancelled() {
    let (setup, mut starts) = waiting();
    let mut running = setup.limits(|l| l.grace = Duration::from_millis(200)).run().await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let _go = in_time(starts.recv()).await.unwrap();
    running.shutdown.cancel();
    in_time(&mut running.ended).await.unwrap();
    assert_eq!(running.record().await.outcome.as_str(), "cancelled");
    assert_eq!(to_end(&mut socket).await, "");
}

#[tokio::test]
async fn http2_streams_end_before_their_connection() {
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let (setup, mut starts) = waiting();
    let mut running = setup.run().await;
    let io = TokioIo::new(running.connect().await);
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let connection = alula_rt::spawn(TaskKind::Outbound, connection);
    let request = Request::get("http://a/").body(Body::empty()).unwrap();
    let answer = client.send_request(request);
    let go = in_time(starts.recv()).await.unwrap();
    running.shutdown.cancel();
    go.send(()).unwrap();
    let response = in_time(answer).await.unwrap();
    assert_eq!(in_time(response.into_body().collect()).await.unwrap().to_bytes(), "done");
    in_time(connection).await.unwrap().unwrap();
    in_time(&mut running.ended).await.unwrap();
}
