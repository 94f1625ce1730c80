//! HTTP/2: by prior knowledge, by ALPN, and by clients that misuse it.

use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsConnector;

use super::*;

type Client = SendRequest<Body>;

async fn client(running: &Running) -> Client {
    let io = TokioIo::new(running.connect().await);
    let (client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    alula_rt::spawn(TaskKind::Outbound, connection);
    client
}

fn get(path: &str) -> Request<Body> {
    Request::get(format!("http://test{path}")).body(Body::empty()).unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    let body = in_time(response.into_body().collect()).await.unwrap();
    String::from_utf8(body.to_bytes().to_vec()).unwrap()
}

#[tokio::test]
async fn a_client_that_knows_speaks_http2_in_cleartext() {
    let running = Setup::with(show).run().await;
    let mut client = client(&running).await;
    let response = in_time(client.send_request(get("/x?y"))).await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_2);
    let id = response.headers()["alula-invocation-id"].to_str().unwrap().to_owned();
    assert!(response.headers().contains_key("traceparent"));
    let body = text(response).await;
    assert!(body.starts_with("GET http://test/x?y\n"), "{body}");
    assert!(body.contains("host=test\n"), "{body}");
    assert!(body.contains(&format!("alula-invocation-id={id}\n")), "{body}");
}

#[tokio::test]
async fn streams_run_side_by_side() {
    let barrier = Arc::new(tokio::sync::Barrier::new(20));
    let running = Setup::with(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            ok("x")
        }
    })
    .run()
    .await;
    let mut client = client(&running).await;
    let answers: Vec<_> = (0..20).map(|_| client.send_request(get("/"))).collect();
    for answer in answers {
        assert_eq!(in_time(answer).await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways() {
    let running = Setup::with(echo).run().await;
    let mut client = client(&running).await;
    let (feeder, body) = fed();
    let request = Request::post("http://test/").header("te", "trailers").body(body).unwrap();
    let response = in_time(client.send_request(request)).await.unwrap();
    let mut body = response.into_body();
    for word in ["first", "second"] {
        feeder.send(Ok(Frame::data(word.into()))).await.unwrap();
        let frame = in_time(body.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), word);
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-sum", http::HeaderValue::from_static("7"));
    feeder.send(Ok(Frame::trailers(trailers.clone()))).await.unwrap();
    let frame = in_time(body.frame()).await.unwrap().unwrap();
    assert_eq!(frame.into_trailers().unwrap(), trailers);
}

#[tokio::test]
async fn two_hosts_that_differ_are_refused() {
    let running = Setup::with(show).run().await;
    let mut client = client(&running).await;
    for (host, want) in [("other", 400), ("test", 200), ("TEST:80", 200)] {
        let mut request = get("/");
        request.headers_mut().insert("host", http::HeaderValue::from_static(host));
        let response = in_time(client.send_request(request)).await.unwrap();
        assert_eq!(response.status(), want, "{host}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so() {
    let running = Setup::with(show).limits(|l| l.head = alula_types::ByteSize::kib(8)).run().await;
    let mut client = client(&running).await;
    let long = http::HeaderValue::from_str(&"x".repeat(8_000)).unwrap();
    let mut request = get("/");
    request.headers_mut().insert("x-long", long);
    request.headers_mut().insert("x-more", http::HeaderValue::from_str(&"y".repeat(900)).unwrap());
    let response = in_time(client.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 431);
    assert!(response.headers().contains_key("alula-invocation-id"));
    assert!(text(response).await.contains("ALULA-E0404"));
    let mut request = get("/");
    for index in 0..101 {
        let name = http::HeaderName::try_from(format!("x-{index}")).unwrap();
        request.headers_mut().insert(name, http::HeaderValue::from_static("1"));
    }
    let response = in_time(client.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 431);
}

#[tokio::test]
async fn a_tunnel_is_not_opened() {
    let running = Setup::with(show).run().await;
    let mut client = client(&running).await;
    let request = Request::connect("test:80").body(Body::empty()).unwrap();
    let response = in_time(client.send_request(request)).await.unwrap();
    assert_eq!(response.status(), 405);
}

#[tokio::test]
async fn a_stream_that_is_reset_cancels_its_invocation_only() {
    let (sender, gone) = tokio::sync::oneshot::channel();
    let bell = parking_lot::Mutex::new(Some(Bell(Some(sender))));
    let (started, mut starts) = mpsc::channel(1);
    let mut running = Setup::with(move |invocation| {
        let started = started.clone();
        let (request, rest) = http(invocation);
        let bell = if request.uri().path() == "/wait" { bell.lock().take() } else { None };
        async move {
            let _rest = rest;
            match bell {
                Some(_bell) => {
                    started.send(()).await.unwrap();
                    std::future::pending().await
                }
                None => ok("x"),
            }
        }
    })
    .run()
    .await;
    let mut client = client(&running).await;
    let waiting = alula_rt::spawn(TaskKind::Outbound, client.send_request(get("/wait")));
    in_time(starts.recv()).await.unwrap();
    waiting.abort();
    in_time(gone).await.unwrap();
    assert_eq!(running.record().await.outcome.as_str(), "cancelled");
    assert_eq!(in_time(client.send_request(get("/"))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_function_that_fails_midway_resets_its_stream_only() {
    let running = Setup::with(|invocation| async {
        let (request, _rest) = http(invocation);
        if request.uri().path() != "/fail" {
            return ok("x");
        }
        let (feeder, body) = fed();
        alula_rt::spawn(TaskKind::Guest, async move {
            let _ = feeder.send(Ok(Frame::data("begun".into()))).await;
            let fault = Box::new(Fault::plain(alula_types::Code::GuestTrapped));
            let _ = feeder.send(Err(BodyError::Failed(fault))).await;
        });
        Ok(Outcome::Http(Response::new(body)))
    })
    .run()
    .await;
    let mut client = client(&running).await;
    let response = in_time(client.send_request(get("/fail"))).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(in_time(response.into_body().collect()).await.is_err());
    assert_eq!(in_time(client.send_request(get("/"))).await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_stream_that_its_client_does_not_read_is_ended() {
    let mut running = Setup::new()
        .function("/", "endless", endless)
        .function("/other", "other", show)
        .limits(|l| l.write_timeout = Duration::from_millis(200))
        .run()
        .await;
    let io = TokioIo::new(running.connect().await);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder.initial_stream_window_size(1_000);
    let (mut client, connection) = builder.handshake(io).await.unwrap();
    alula_rt::spawn(TaskKind::Outbound, connection);
    let response = in_time(client.send_request(get("/"))).await.unwrap();
    // The answer is held, not read.
    assert_eq!(running.record().await.outcome.as_str(), "cancelled");
    assert!(in_time(response.into_body().collect()).await.is_err());
    assert_eq!(in_time(client.send_request(get("/other"))).await.unwrap().status(), 200);
}

/// A certificate for `localhost`, made for this test.
fn certificate() -> (tempfile::TempDir, crate::TlsFiles, rustls::RootCertStore) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let files = crate::TlsFiles {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (folder, files, roots)
}

async fn tls(
    running: &Running,
    roots: &rustls::RootCertStore,
    protocols: &[&str],
) -> tokio_rustls::client::TlsStream<TcpStream> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    in_time(connector.connect(name, running.connect().await)).await.unwrap()
}

#[tokio::test]
async fn tls_agrees_on_the_protocol() {
    let (_folder, files, roots) = certificate();
    let mut setup = Setup::with(show);
    setup.tls = Some(files);
    let running = setup.run().await;

    let stream = tls(&running, &roots, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    alula_rt::spawn(TaskKind::Outbound, connection);
    let request = Request::get("https://localhost/").body(Body::empty()).unwrap();
    let response = in_time(client.send_request(request)).await.unwrap();
    let body = text(response).await;
    assert!(body.starts_with("GET https://localhost/\n"), "{body}");

    for protocols in [&["http/1.1"][..], &[]] {
        let mut stream = tls(&running, &roots, protocols).await;
        let request = b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut text = String::new();
        let _ = in_time(stream.read_to_string(&mut text)).await;
        assert!(text.contains("GET https://localhost/\n"), "{text}");
    }
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("nothing.pem");
    std::fs::write(&file, "nothing").unwrap();
    let options = Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        tls: Some(crate::TlsFiles { certificate: file.clone(), key: file }),
        limits: GatewayLimits::DEFAULT,
        proxies: Vec::new(),
        usage: Arc::new(Records(mpsc::channel(1).0)),
        observer: None,
    };
    let fault = Gateway::bind(options, Dispatcher::new(1)).await.err().unwrap();
    assert_eq!(fault.code, alula_types::Code::FileRefused);
    assert!(fault.detail.contains("nothing.pem"), "{fault}");
}
