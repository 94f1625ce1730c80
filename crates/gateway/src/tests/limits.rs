//! What one client may use up.

use alula_types::ByteSize;

use super::*;

#[tokio::test]
async fn a_head_that_is_too_large_is_told_so() {
    let running = Setup::with(show).limits(|l| l.head = ByteSize::kib(8)).run().await;
    let long = "x".repeat(8_192);
    running.ask(&format!("GET /\r\nx-long: {long}")).await.assert_problem(431, "ALULA-E0404");
    running.ask(&format!("GET /{long}")).await.assert_problem(431, "ALULA-E0404");
    let fits = "x".repeat(7_000);
    assert_eq!(running.ask(&format!("GET /\r\nx-long: {fits}")).await.status(), 200);
}

#[tokio::test]
async fn too_many_fields_are_told_so() {
    for limit in [100, 20, 300] {
        let running = Setup::with(show).limits(|l| l.headers = limit).run().await;
        let fields = |count: u32| {
            let fields: Vec<_> = (0..count).map(|i| format!("x-{i}: 1")).collect();
            format!("GET /\r\n{}", fields.join("\r\n"))
        };
        // `ask` adds two.
        assert_eq!(running.ask(&fields(limit - 2)).await.status(), 200, "{limit}");
        running.ask(&fields(limit - 1)).await.assert_problem(431, "ALULA-E0404");
    }
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large_is_refused_before_it_is_sent() {
    let mut running = Setup::new()
        .function_limits(|l| l.body = ByteSize(10))
        .function("/", "main", measure)
        .run()
        .await;
    let answer = running.ask("POST /\r\ncontent-length: 11\r\nexpect: 100-continue").await;
    answer.assert_problem(413, "ALULA-E0403");
    assert_eq!(running.record().await.status, 413);
    let answer = running.ask("POST /\r\ncontent-length: 10\r\n\r\n0123456789").await;
    assert_eq!(answer.body(), "10");
}

#[tokio::test]
async fn a_client_that_sends_all_before_it_reads_still_learns_why() {
    let limited = Setup::new().function_limits(|l| l.body = ByteSize(10));
    let running = limited.function("POST /", "main", measure).run().await;
    let body = vec![b'x'; 900_000];
    for (path, status) in [("/", 413), ("/nowhere", 404)] {
        // So small that the client is still sending when it is refused.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_send_buffer_size(8 << 10).unwrap();
        let mut socket = socket.connect(running.address).await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 900000\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        in_time(socket.write_all(&body)).await.unwrap();
        assert_eq!(Answer(to_end(&mut socket).await).status(), status);
    }
}

#[tokio::test]
async fn a_body_that_turns_out_too_large_is_the_clients_fault() {
    let mut running = Setup::new()
        .function_limits(|l| l.body = ByteSize(10))
        .function("/", "main", measure)
        .run()
        .await;
    let body = "6\r\n012345\r\n6\r\n012345\r\n0\r\n\r\n";
    let answer = running.ask(&format!("POST /\r\ntransfer-encoding: chunked\r\n\r\n{body}")).await;
    answer.assert_problem(413, "ALULA-E0403");
    let record = running.record().await;
    assert_eq!((record.outcome.as_str(), record.bytes_in), ("limit", 6));
}

#[tokio::test]
async fn a_head_that_does_not_end_is_given_up() {
    let running =
        Setup::with(show).limits(|l| l.head_timeout = Duration::from_millis(200)).run().await;
    // Says nothing at all: there is no request to answer.
    assert_eq!(running.raw(b"").await, "");
    // Begins, at once and after a request that was answered.
    let text = running.raw(b"GET / HTTP/1.1\r\nhost: a\r\n").await;
    Answer(text).assert_problem(408, "ALULA-E0406");
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut socket, "traceparent=").await;
    socket.write_all(b"GET / HT").await.unwrap();
    Answer(to_end(&mut socket).await).assert_problem(408, "ALULA-E0406");
}

#[tokio::test]
async fn a_connection_that_lies_idle_is_closed_and_one_that_works_is_not() {
    let running = Setup::with(|invocation| async {
        let (request, _rest) = http(invocation);
        if request.uri().path() == "/slow" {
            clock::sleep(Duration::from_millis(600)).await;
        }
        ok("done")
    })
    .limits(|l| l.idle = Duration::from_millis(200))
    .run()
    .await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    until(&mut socket, "done").await;
    assert_eq!(to_end(&mut socket).await, "");
}

#[tokio::test]
async fn a_body_that_pauses_is_given_up() {
    let mut running =
        Setup::with(measure).limits(|l| l.body_timeout = Duration::from_millis(200)).run().await;
    let answer = running.ask("POST /\r\ncontent-length: 10\r\n\r\nhalf").await;
    answer.assert_problem(408, "ALULA-E0406");
    assert_eq!(running.record().await.outcome.as_str(), "failed");
}

#[tokio::test]
async fn a_body_that_comes_slowly_is_not_given_up() {
    let running =
        Setup::with(measure).limits(|l| l.body_timeout = Duration::from_millis(500)).run().await;
    let mut socket = running.connect().await;
    socket.write_all(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 8\r\n\r\n").await.unwrap();
    for _ in 0..8 {
        clock::sleep(Duration::from_millis(100)).await;
        socket.write_all(b"x").await.unwrap();
    }
    until(&mut socket, "\r\n\r\n8").await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_given_up() {
    let mut running =
        Setup::with(endless).limits(|l| l.write_timeout = Duration::from_millis(200)).run().await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    assert_eq!(running.record().await.outcome.as_str(), "cancelled");
    assert!(!to_end(&mut socket).await.ends_with("0\r\n\r\n"));
}

#[tokio::test]
async fn a_large_answer_in_one_piece_is_given_up_too() {
    let mut running = Setup::with(|_| async { ok(vec![b'x'; 64 << 20]) })
        .limits(|l| l.write_timeout = Duration::from_millis(200))
        .run()
        .await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let record = running.record().await;
    assert_eq!(record.outcome.as_str(), "cancelled");
    // Not all of it was copied for a client that does not read.
    assert!(record.bytes_out < 32 << 20, "{} bytes", record.bytes_out);
    drop(socket);
}

#[tokio::test]
async fn a_client_that_reads_slowly_is_not_given_up() {
    let running = Setup::with(|_| async { ok(vec![b'x'; 16 << 20]) })
        .limits(|l| l.write_timeout = Duration::from_millis(500))
        .run()
        .await;
    let mut socket = running.connect().await;
    socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut piece = vec![0; 2 << 20];
    let mut total = 0;
    loop {
        let read = in_time(socket.read(&mut piece)).await.unwrap();
        if read == 0 {
            break;
        }
        total += read;
        if total < 8 << 20 {
            clock::sleep(Duration::from_millis(100)).await;
        }
    }
    assert!(total > 16 << 20, "{total} bytes");
}

#[tokio::test]
async fn one_connection_too_many_is_refused() {
    let running = Setup::with(show).limits(|l| l.connections = 2).run().await;
    let mut first = running.connect().await;
    let mut second = running.connect().await;
    for socket in [&mut first, &mut second] {
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        until(socket, "traceparent=").await;
    }
    let answer = Answer(running.raw(b"").await);
    answer.assert_problem(503, "ALULA-E0305");
    assert_eq!(answer.field("retry-after"), Some("1"));
    // A place that becomes free is given to the next one.
    drop(first);
    let again = async { while running.ask("GET /").await.status() != 200 {} };
    in_time(again).await;
}

#[tokio::test]
async fn no_place_for_the_function_is_a_problem_with_a_time() {
    let (started, mut starts) = mpsc::channel(1);
    let running = Setup::new()
        .function_limits(|l| {
            l.instances_max = 1;
            l.queue = 1;
            l.queue_wait = Duration::from_millis(200);
        })
        .function("/", "main", move |invocation| {
            let started = started.clone();
            async move {
                let _invocation = invocation;
                let _ = started.send(()).await;
                std::future::pending().await
            }
        })
        .run()
        .await;
    let mut first = running.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    in_time(starts.recv()).await.unwrap();
    let (one, other) = tokio::join!(running.ask("GET /"), running.ask("GET /"));
    let mut codes = Vec::new();
    for answer in [one, other] {
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.field("retry-after"), Some("1"));
        codes.push(if answer.body().contains("ALULA-E0306") { "full" } else { "waited" });
    }
    codes.sort_unstable();
    assert_eq!(codes, ["full", "waited"]);
}
