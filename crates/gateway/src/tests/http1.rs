//! HTTP/1.1 as clients write it, well and badly.

use super::*;

#[tokio::test]
async fn a_function_sees_one_shape_of_request() {
    let running = Setup::with(show).run().await;
    let answer = running
        .ask(
            "GET /a%20b?c=d\r\nHost: Example.com:81\r\nKeep-Alive: 5\r\nX-Forwarded-For: 6.6.6.6\r\n\
             X-Forwarded-Proto: https\r\nForwarded: for=6.6.6.6\r\nTE: gzip\r\nTracestate: a=b\r\nX-Own: 1",
        )
        .await;
    assert_eq!(answer.status(), 200);
    answer.assert_marked();
    let body = answer.body();
    assert!(body.starts_with("GET http://Example.com:81/a%20b?c=d\n"), "{body}");
    for line in ["host=Example.com:81", "x-own=1", "x-forwarded-for=127.0.0.1"] {
        assert!(body.contains(&format!("{line}\n")), "{line} in {body}");
    }
    for name in ["connection", "keep-alive", "forwarded", "te=", "tracestate"] {
        assert!(!body.contains(&format!("\n{name}")), "{name} in {body}");
    }
    let id = answer.field("alula-invocation-id").unwrap();
    assert!(body.contains(&format!("alula-invocation-id={id}\n")), "{body}");
    let trace = answer.field("traceparent").unwrap();
    assert!(body.contains(&format!("traceparent={trace}\n")), "{body}");
}

#[tokio::test]
async fn a_trace_goes_on_with_a_new_span() {
    let running = Setup::with(show).run().await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let answer = running.ask(&format!("GET /\r\ntraceparent: {parent}\r\ntracestate: a=b")).await;
    let trace = answer.field("traceparent").unwrap();
    assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.ends_with("-01"));
    assert_ne!(trace, parent);
    assert!(answer.body().contains("tracestate=a=b\n"));
    for bad in ["nonsense", &format!("{parent}\r\ntraceparent: {parent}")] {
        let answer = running.ask(&format!("GET /\r\ntraceparent: {bad}\r\ntracestate: a=b")).await;
        assert!(!answer.field("traceparent").unwrap().contains("4bf92f3577b34da6"), "{bad}");
        assert!(!answer.body().contains("tracestate"), "{bad}");
    }
}

#[tokio::test]
async fn a_known_proxy_is_believed() {
    let mut setup = Setup::with(show);
    setup.proxies = vec![[127, 0, 0, 1].into()];
    let running = setup.run().await;
    let fields = "X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: a.b";
    let answer = running.ask(&format!("GET /\r\n{fields}")).await;
    let body = answer.body();
    for line in
        ["x-forwarded-for=6.6.6.6, 127.0.0.1", "x-forwarded-proto=https", "x-forwarded-host=a.b"]
    {
        assert!(body.contains(line), "{line} in {body}");
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_problem_with_a_code() {
    let running = Setup::with(show).run().await;
    for request in [
        "\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n bad\r\n\r\n",
        "GET / HTTP/1.1\r\nhost : a\r\n\r\n",
        "GET / HTTP/9.9\r\nhost: a\r\n\r\n",
        "G@T / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n",
        "GET / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost:\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: u@a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n",
        "GET http://b/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://a@b/ HTTP/1.1\r\nhost: b\r\n\r\n",
        "GET http://a:81/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET ftp://a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /../x HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a/%2e%2E/x HTTP/1.1\r\nhost: a\r\n\r\n",
    ] {
        let mut socket = running.connect().await;
        socket.write_all(request.as_bytes()).await.unwrap();
        eprintln!("{request:?}");
        // The gateway may keep a sound connection open, so this does not wait for its end.
        let text = until(&mut socket, "\"type\"").await;
        assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {text}");
        assert!(text.contains("ALULA-E0405"), "{request:?}: {text}");
        assert!(text.contains("alula-invocation-id: "), "{request:?}: {text}");
        assert!(text.contains("traceparent: 00-"), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn a_malformed_request_after_a_good_one_is_answered_too() {
    let running = Setup::with(show).run().await;
    let text = running.raw(b"GET / HTTP/1.1\r\nhost: a\r\n\r\nG@T / HTTP/1.1\r\n\r\n").await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
    assert!(text.contains("HTTP/1.1 400 Bad Request"), "{text}");
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut socket, "traceparent=").await;
    socket.write_all(b"G@T / HTTP/1.1\r\n\r\n").await.unwrap();
    let text = to_end(&mut socket).await;
    Answer(text).assert_problem(400, "ALULA-E0405");
}

#[tokio::test]
async fn the_absolute_form_and_old_clients_are_understood() {
    let running = Setup::with(show).run().await;
    for (request, want) in [
        ("GET http://a/x HTTP/1.1\r\nhost: A\r\n", "GET http://A/x\n"),
        ("GET http://a:80/x HTTP/1.1\r\nhost: a\r\n", "GET http://a/x\n"),
        ("GET http://a HTTP/1.1\r\nhost: a\r\n", "GET http://a/\n"),
        ("GET /x HTTP/1.0\r\nhost: a\r\n", "GET http://a/x\n"),
        ("GET http://b/x HTTP/1.0\r\n", "GET http://b/x\n"),
        ("GET /x HTTP/1.0\r\n", "GET http://127.0.0.1:"),
    ] {
        let text = running.raw(format!("{request}connection: close\r\n\r\n").as_bytes()).await;
        assert!(Answer(text.clone()).body().starts_with(want), "{request:?}: {text}");
    }
}

#[tokio::test]
async fn length_and_chunks_together_are_not_two_requests() {
    let running = Setup::with(measure).run().await;
    let text = running
        .raw(
            b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n\
              0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n",
        )
        .await;
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
}

#[tokio::test]
async fn the_client_is_asked_to_continue_when_the_function_reads() {
    let running = Setup::with(measure).run().await;
    let mut socket = running.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n";
    socket.write_all(head).await.unwrap();
    until(&mut socket, "HTTP/1.1 100 Continue\r\n\r\n").await;
    socket.write_all(b"abc").await.unwrap();
    let text = until(&mut socket, "\r\n\r\n3").await;
    assert!(text.starts_with("HTTP/1.1 200 OK"), "{text}");
}

#[tokio::test]
async fn bodies_and_trailers_stream_both_ways() {
    let running = Setup::with(echo).run().await;
    let mut socket = running.connect().await;
    let head = b"POST / HTTP/1.1\r\nhost: a\r\nte: trailers\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head).await.unwrap();
    for word in ["first", "second"] {
        let chunk = format!("{:x}\r\n{word}\r\n", word.len());
        socket.write_all(chunk.as_bytes()).await.unwrap();
        // Each piece comes back before the next one is sent.
        until(&mut socket, word).await;
    }
    socket.write_all(b"0\r\nx-sum: 7\r\n\r\n").await.unwrap();
    until(&mut socket, "0\r\nx-sum: 7\r\n\r\n").await;
}

#[tokio::test]
async fn events_reach_the_client_one_by_one() {
    let (feeder, body) = fed();
    let body = parking_lot::Mutex::new(Some(body));
    let running = Setup::with(move |_| {
        let body = body.lock().take().unwrap();
        async { Ok(Outcome::Http(Response::new(body))) }
    })
    .run()
    .await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut socket, "\r\n\r\n").await;
    for word in ["data: 1\n\n", "data: 2\n\n"] {
        feeder.send(Ok(Frame::data(word.into()))).await.unwrap();
        until(&mut socket, word).await;
    }
    drop(feeder);
    until(&mut socket, "0\r\n\r\n").await;
}

#[tokio::test]
async fn a_function_that_fails_midway_breaks_the_answer_off() {
    let mut running = Setup::with(|_| async {
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
    let text = running.raw(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(text.contains("begun") && !text.contains("0\r\n\r\n"), "{text}");
    let record = running.record().await;
    assert_eq!(record.outcome.as_str(), "failed");
    assert_eq!((record.status, record.bytes_out), (200, 5));
}

#[tokio::test]
async fn a_client_that_leaves_cancels_its_invocation() {
    for answered in [false, true] {
        let (sender, gone) = tokio::sync::oneshot::channel();
        let bell = parking_lot::Mutex::new(Some(Bell(Some(sender))));
        let (started, mut starts) = mpsc::channel(1);
        let mut running = Setup::with(move |invocation| {
            let (bell, started) = (bell.lock().take(), started.clone());
            async move {
                let _bell = bell;
                let _invocation = invocation;
                started.send(()).await.unwrap();
                if answered {
                    let (feeder, body) = fed();
                    alula_rt::spawn(TaskKind::Guest, async move {
                        feeder.closed().await;
                        drop(_bell);
                    });
                    return Ok(Outcome::Http(Response::new(body)));
                }
                std::future::pending().await
            }
        })
        .run()
        .await;
        let mut socket = running.connect().await;
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        in_time(starts.recv()).await.unwrap();
        if answered {
            until(&mut socket, "\r\n\r\n").await;
        }
        drop(socket);
        in_time(gone).await.unwrap();
        let record = running.record().await;
        assert_eq!(record.outcome.as_str(), "cancelled", "answered: {answered}");
    }
}

#[tokio::test]
async fn the_client_sets_the_pace_of_the_answer() {
    let given = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&given);
    let running = Setup::with(move |_| {
        let count = Arc::clone(&count);
        async move {
            let (feeder, body) = fed();
            alula_rt::spawn(TaskKind::Guest, async move {
                for _ in 0..1_024 {
                    if feeder.send(Ok(Frame::data(vec![b'x'; 64 << 10].into()))).await.is_err() {
                        return;
                    }
                    count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                }
            });
            Ok(Outcome::Http(Response::new(body)))
        }
    })
    .run()
    .await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    until(&mut socket, "xxx").await;
    // The client reads no more: what is given must stop growing, far below the 64 MiB.
    let mut before = usize::MAX;
    loop {
        let now = given.load(std::sync::atomic::Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
        clock::sleep(Duration::from_millis(100)).await;
    }
    assert!(before < 512, "{before} pieces of 64 KiB were taken with nobody reading");
    let mut all = Vec::new();
    in_time(socket.read_to_end(&mut all)).await.unwrap();
    assert_eq!(given.load(std::sync::atomic::Ordering::SeqCst), 1_024);
}

#[tokio::test]
async fn an_answer_that_http_cannot_carry_is_a_problem() {
    let answers: [fn() -> Outcome; 6] = [
        || Outcome::Exit(0),
        || {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::EARLY_HINTS;
            Outcome::Http(response)
        },
        || with_length("5", "four"),
        || with_length("x", "four"),
        || with_length("4, 4", "four"),
        || {
            let kind = String::from("Boom");
            let class = alula_types::outcome::GuestErrorClass::Terminal;
            let message = String::from("a secret");
            Outcome::Error(alula_types::outcome::GuestError { class, kind, message })
        },
    ];
    for make in answers {
        let mut running = Setup::with(move |_| async move { Ok(make()) }).run().await;
        let answer = running.ask("GET /").await;
        assert_eq!(answer.status(), 502, "{answer:?}");
        assert!(answer.body().contains("ALULA-E03") && !answer.0.contains("secret"), "{answer:?}");
        assert_eq!(running.record().await.outcome.as_str(), "failed");
    }
}

fn with_length(length: &'static str, body: &'static str) -> Outcome {
    let mut response = Response::new(Body::full(body));
    response.headers_mut().insert("content-length", http::HeaderValue::from_static(length));
    Outcome::Http(response)
}

#[tokio::test]
async fn an_answer_has_no_fields_that_concern_one_connection() {
    let running = Setup::with(|_| async {
        let mut response = Response::new(Body::full("x"));
        for (name, value) in [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "9"),
            ("alula-invocation-id", "forged"),
            ("x-kept", "1"),
        ] {
            let name = http::HeaderName::from_static(name);
            response.headers_mut().insert(name, http::HeaderValue::from_static(value));
        }
        Ok(Outcome::Http(response))
    })
    .run()
    .await;
    let answer = running.ask("GET /").await;
    assert_eq!(answer.field("content-length"), Some("1"));
    assert_eq!(answer.field("x-kept"), Some("1"));
    assert_eq!(answer.field("x-hop"), None);
    assert_eq!(answer.field("keep-alive"), None);
    assert_eq!(answer.field("transfer-encoding"), None);
    answer.assert_marked();
}

#[tokio::test]
async fn every_invocation_is_recorded_once() {
    let mut running = Setup::with(measure).run().await;
    let answer = running.ask("POST /\r\ncontent-length: 5\r\n\r\nhello").await;
    assert_eq!(answer.body(), "5");
    let record = running.record().await;
    assert_eq!(answer.field("alula-invocation-id"), Some(record.invocation.to_string().as_str()));
    assert_eq!((record.status, record.bytes_in, record.bytes_out), (200, 5, 1));
    assert_eq!(record.outcome.as_str(), "completed");
    assert!(running.records.try_recv().is_err());
}
