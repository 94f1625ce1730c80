//! What crosses, and what is kept, closed, bounded and tried again.

use std::sync::Arc;
use std::time::Duration;

use alula_capability::{HttpTimeouts, Refusal, TimedOut};
use alula_rt::clock;
use alula_types::{Body, BodyError};
use bytes::Bytes;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;

use super::server::{Server, Speaks};
use super::{call, caller, get};
use crate::{FixedLookup, Options, Providers};

const LOOPBACK: [&str; 2] = ["*", "*://127.0.0.0/8:*"];

/// Providers that trust a server and lead every name to it.
fn towards(server: &Server) -> Providers {
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let extra_roots = server.root.iter().cloned().collect();
    Providers::new(Options { lookup, extra_roots, ..Options::default() })
}

/// Waits until a condition holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = clock::now() + Duration::from_secs(10);
    while !holds() {
        assert!(clock::now() < end, "{what} did not happen within 10 s");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_request_crosses_with_its_head_and_body() {
    for (speaks, uri, version) in [
        (Speaks::Http1, "http://api.test/head?x=1", "HTTP/1.1"),
        (Speaks::Tls1, "https://api.test/head?x=1", "HTTP/1.1"),
        (Speaks::Tls2, "https://api.test/head?x=1", "HTTP/2.0"),
    ] {
        let server = Server::start(speaks).await;
        let providers = towards(&server);
        let caller = caller("f", &LOOPBACK);
        let request = http::Request::put(uri)
            .header("x-own", "yes")
            .header("connection", "x-hop")
            .header("x-hop", "no")
            .header("host", "evil.test")
            .body(Body::empty())
            .expect("a request");
        let response =
            call(&providers, &caller, request, HttpTimeouts::default()).await.expect("an answer");
        let text = response.into_body().collect().await.expect("a body").to_bytes();
        let text = std::str::from_utf8(&text).expect("text");
        assert!(text.starts_with("PUT ") && text.contains(version), "{speaks:?}: {text}");
        assert!(text.contains("/head?x=1") && text.contains("x-own: yes"), "{text}");
        let trace = format!("traceparent: 00-{:032x}-", caller.trace.trace_id);
        assert!(text.contains(&trace), "{text}");
        assert!(!text.contains("x-hop") && !text.contains("evil.test"), "{text}");
        assert_eq!(text.contains("host: api.test\n"), speaks != Speaks::Tls2, "{text}");
    }
}

#[tokio::test]
async fn bodies_stream_both_ways_with_their_trailers() {
    for (speaks, uri) in
        [(Speaks::Http1, "http://api.test/echo"), (Speaks::Tls2, "https://api.test/echo")]
    {
        let server = Server::start(speaks).await;
        let providers = towards(&server);
        let (send, receive) = tokio::sync::mpsc::channel::<Result<Frame<Bytes>, BodyError>>(1);
        let frames = futures_util::stream::unfold(receive, |mut receive| async move {
            Some((receive.recv().await?, receive))
        });
        let request = http::Request::post(uri)
            .header("trailer", "x-sum")
            .header("te", "trailers")
            .body(Body::stream(StreamBody::new(Box::pin(frames))))
            .expect("a request");
        let caller = caller("f", &LOOPBACK);
        let response =
            call(&providers, &caller, request, HttpTimeouts::default()).await.expect("an answer");
        let mut body = response.into_body();
        for piece in ["one", "two"] {
            // Each piece comes back before the next one is sent: nothing waits for the whole.
            send.send(Ok(Frame::data(Bytes::from(piece)))).await.expect("a listener");
            let frame = body.frame().await.expect("a frame").expect("no error");
            assert_eq!(frame.into_data().expect("data"), piece, "{speaks:?}");
        }
        if speaks == Speaks::Tls2 {
            let mut trailers = http::HeaderMap::new();
            trailers.insert("x-sum", http::HeaderValue::from_static("6"));
            send.send(Ok(Frame::trailers(trailers))).await.expect("a listener");
        }
        drop(send);
        let rest = body.collect().await.expect("the rest");
        let sum = rest.trailers().map(|trailers| trailers["x-sum"].clone());
        assert_eq!(sum.is_some(), speaks == Speaks::Tls2);
        assert_eq!(providers.counts().bytes_up, 6);
        assert_eq!(providers.counts().bytes_down, 6);
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    for (speaks, uri) in [
        (Speaks::Http1, "http://api.test/a"),
        (Speaks::Tls1, "https://api.test/a"),
        (Speaks::Tls2, "https://api.test/a"),
    ] {
        let server = Server::start(speaks).await;
        let providers = towards(&server);
        let caller = caller("f", &LOOPBACK);
        for _ in 0..5 {
            let (status, body) = get(&providers, &caller, uri).await.expect("an answer");
            assert_eq!((status, &*body), (200, b"/a".as_slice()));
        }
        assert_eq!(server.connections(), 1, "{speaks:?}");
        let counts = providers.counts();
        assert_eq!((counts.requests, counts.connections, counts.reused), (5, 1, 4));
    }
}

#[tokio::test]
async fn a_response_given_up_closes_its_connection() {
    let server = Server::start(Speaks::Http1).await;
    let providers = towards(&server);
    let caller = caller("f", &LOOPBACK);
    let request = http::Request::get("http://api.test/stall").body(Body::empty()).expect("valid");
    let response = call(&providers, &caller, request, HttpTimeouts::default()).await;
    drop(response.expect("a head"));
    get(&providers, &caller, "http://api.test/a").await.expect("an answer");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_stale_connection_is_replaced_once_for_requests_without_a_body() {
    let server = Server::start(Speaks::Once).await;
    let providers = towards(&server);
    let caller = caller("f", &LOOPBACK);
    for _ in 0..3 {
        let (_, body) = get(&providers, &caller, "http://api.test/").await.expect("an answer");
        assert_eq!(&*body, b"once");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn only_what_may_be_done_twice_is_tried_again() {
    for (method, body, again) in [
        (http::Method::GET, "", true),
        (http::Method::DELETE, "", true),
        (http::Method::POST, "", false),
        (http::Method::PUT, "x", false),
    ] {
        let server = Server::start(Speaks::OnceThenListens).await;
        let providers = towards(&server);
        let caller = caller("f", &LOOPBACK);
        get(&providers, &caller, "http://api.test/").await.expect("an answer");
        let request = http::Request::builder().method(&method).uri("http://api.test/");
        let request = request.body(Body::full(body)).expect("valid");
        let response = call(&providers, &caller, request, HttpTimeouts::default()).await;
        assert_eq!(response.is_ok(), again, "{method} {body:?}: {response:?}");
        assert_eq!(server.connections(), if again { 2 } else { 1 }, "{method} {body:?}");
        assert_eq!(providers.counts().reused, 1);
    }
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let server = Server::start(Speaks::Http1).await;
    let deaf = std::net::SocketAddr::from(([127, 0, 0, 2], server.address.port()));
    let lookup = Arc::new(FixedLookup(vec![deaf, server.address]));
    let providers = Providers::new(Options { lookup, ..Options::default() });
    get(&providers, &caller("f", &LOOPBACK), "http://api.test/a").await.expect("an answer");
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let idle = Duration::from_millis(40);
    let providers = Providers::new(Options { lookup, idle, ..Options::default() });
    let caller = caller("f", &LOOPBACK);
    get(&providers, &caller, "http://api.test/a").await.expect("an answer");
    eventually("the end of the idle connection", || providers.0.pools.lock().is_empty()).await;
    get(&providers, &caller, "http://api.test/a").await.expect("an answer");
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn more_connections_than_the_limit_wait_for_room() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let providers = Providers::new(Options { lookup, connections: 2, ..Options::default() });
    let caller = caller("f", &LOOPBACK);
    let open = async || {
        let request = http::Request::get("http://api.test/stall").body(Body::empty());
        let short =
            HttpTimeouts { connect: Some(Duration::from_millis(100)), ..Default::default() };
        call(&providers, &caller, request.expect("valid"), short).await
    };
    let first = open().await.expect("room");
    let _second = open().await.expect("room");
    assert!(matches!(open().await, Err(Refusal::Limit(_))));
    drop(first);
    let _third = open().await.expect("room again");
    // Another function has room of its own.
    let other = super::caller("g", &LOOPBACK);
    get(&providers, &other, "http://api.test/a").await.expect("an answer");
}

#[tokio::test]
async fn an_idle_connection_makes_room_for_another_origin() {
    let server = Server::start(Speaks::Http1).await;
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let providers = Providers::new(Options { lookup, connections: 1, ..Options::default() });
    let caller = caller("f", &LOOPBACK);
    for host in ["a.test", "b.test", "c.test"] {
        get(&providers, &caller, &format!("http://{host}/")).await.expect("an answer");
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn every_wait_has_an_end() {
    let millis = |ms| Some(Duration::from_millis(ms));
    let silent = Server::start(Speaks::Nothing).await;
    let providers = towards(&silent);
    let caller = caller("f", &LOOPBACK);
    let request = |uri: &str| http::Request::get(uri).body(Body::empty()).expect("valid");

    let first_byte = HttpTimeouts { first_byte: millis(30), ..Default::default() };
    let refusal = call(&providers, &caller, request("http://api.test/"), first_byte).await;
    assert_eq!(refusal.expect_err("no answer"), Refusal::TimedOut(TimedOut::FirstByte));

    // A TLS handshake that is never answered is part of connecting.
    let connect = HttpTimeouts { connect: millis(30), ..Default::default() };
    let refusal = call(&providers, &caller, request("https://api.test/"), connect).await;
    assert_eq!(refusal.expect_err("no answer"), Refusal::TimedOut(TimedOut::Connect));

    let mut late = caller.clone();
    late.deadline = clock::now() + Duration::from_millis(30);
    let refusal = call(&providers, &late, request("http://api.test/"), HttpTimeouts::default());
    assert_eq!(refusal.await.expect_err("no answer"), Refusal::TimedOut(TimedOut::FirstByte));

    let server = Server::start(Speaks::Http1).await;
    let providers = towards(&server);
    let between = HttpTimeouts { between_bytes: millis(30), ..Default::default() };
    let response = call(&providers, &caller, request("http://api.test/stall"), between).await;
    let mut body = response.expect("a head").into_body();
    assert_eq!(body.frame().await.expect("a frame").expect("data").into_data().unwrap(), "some");
    assert_eq!(body.frame().await.expect("an error").expect_err("timed out"), BodyError::TimedOut);
}

#[tokio::test]
async fn a_large_response_is_not_read_ahead() {
    let server = Server::start(Speaks::Http1).await;
    let providers = towards(&server);
    let caller = caller("f", &LOOPBACK);
    let request = http::Request::get("http://api.test/large").body(Body::empty()).expect("valid");
    let response = call(&providers, &caller, request, HttpTimeouts::default()).await;
    let mut body = response.expect("a head").into_body();
    let mut total = 0;
    while let Some(frame) = body.frame().await {
        total += frame.expect("no error").into_data().expect("data").len();
    }
    assert_eq!(total, 10 << 20);
    assert_eq!(providers.counts().bytes_down, 10 << 20);
}

#[tokio::test]
async fn response_fields_of_one_connection_do_not_cross() {
    let server = Server::start(Speaks::Http1).await;
    let providers = towards(&server);
    let request = http::Request::get("http://api.test/hop").body(Body::empty()).expect("valid");
    let caller = caller("f", &LOOPBACK);
    let response = call(&providers, &caller, request, HttpTimeouts::default()).await.expect("one");
    assert!(response.headers().contains_key("x-kept"));
    assert!(!response.headers().contains_key("x-hop"));
    assert!(!response.headers().contains_key("connection"));
}

#[tokio::test]
async fn what_cannot_be_reached_is_said() {
    let server = Server::start(Speaks::Tls1).await;
    let caller = caller("f", &LOOPBACK);
    // The certificate is for another name, then from an unknown authority.
    let providers = towards(&server);
    let refusal = get(&providers, &caller, "https://other.test/").await.expect_err("a bad name");
    assert!(matches!(refusal, Refusal::Tls(..)), "{refusal}");
    let lookup = Arc::new(FixedLookup(vec![server.address]));
    let providers = Providers::new(Options { lookup, ..Options::default() });
    let refusal = get(&providers, &caller, "https://api.test/").await.expect_err("unknown");
    assert!(matches!(refusal, Refusal::Tls(..)), "{refusal}");

    let closed = server.address;
    drop(server);
    eventually("the end of the server", || std::net::TcpStream::connect(closed).is_err()).await;
    let uri = format!("http://{closed}/");
    let refusal = get(&providers, &caller, &uri).await.expect_err("nobody listens");
    assert_eq!(refusal, Refusal::ConnectionRefused(closed.to_string()));

    let nobody =
        Providers::new(Options { lookup: Arc::new(FixedLookup(Vec::new())), ..Options::default() });
    let refusal = get(&nobody, &caller, "http://api.test/").await.expect_err("no address");
    assert_eq!(refusal, Refusal::NameNotFound("api.test".to_owned()));
    for uri in ["/relative", "ftp://api.test/", "http://u:p@api.test/"] {
        let refusal = get(&nobody, &caller, uri).await.expect_err("malformed");
        assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    }
    assert_eq!(nobody.counts().failed, 4);
}
