//! Clients that leave, dawdle or speak nonsense.

use alula_tests::http::{Connection, get};

use crate::probe::{ask, probe};

#[test]
fn a_client_that_leaves_before_the_answer_cancels_its_invocation() {
    let mut connection = Connection::open(probe().address);
    connection.request("GET", "/leaver?do=stalled", &[], &[]);
    // The server has read the head when it reads on; there is nothing else to see from here.
    drop(connection);
    let record = probe().usage(|record| record["function"] == "leaver");
    assert_eq!((&record["outcome"], &record["code"]), (&"cancelled".into(), &"ALULA-E0311".into()));
    assert!(record["wall_us"].as_u64() < Some(10_000_000), "{record}");
}

#[test]
fn a_client_that_leaves_during_the_answer_cancels_its_invocation() {
    for function in ["plain", "p3"] {
        let mut connection = Connection::open(probe().address);
        connection.request("GET", &format!("/{function}?do=slow&ms=50&pieces=1000"), &[], &[]);
        let head = connection.head().expect("the function begins to answer");
        assert_eq!(connection.chunk().as_deref(), Some(b"piece 0\n".as_slice()));
        drop(connection);
        let record = probe().record(&head.invocation());
        assert_eq!(record["outcome"], "cancelled", "{function}: {record}");
        assert!(record["wall_us"].as_u64() < Some(10_000_000), "{record}");
    }
}

#[test]
fn pieces_of_an_answer_come_when_they_are_made() {
    for function in ["plain", "p3"] {
        let mut connection = Connection::open(probe().address);
        // The second piece comes only after a wait longer than all patience.
        connection.request("GET", &format!("/{function}?do=slow&ms=100000&pieces=2"), &[], &[]);
        assert_eq!(connection.head().map(|head| head.status), Some(200));
        assert_eq!(connection.chunk().as_deref(), Some(b"piece 0\n".as_slice()), "{function}");
    }
}

#[test]
fn a_body_may_come_byte_by_byte() {
    let mut connection = Connection::open(probe().address);
    connection.send("POST /plain?do=length HTTP/1.1\r\nhost: x\r\ncontent-length: 300\r\n\r\n");
    for _ in 0..300 {
        connection.send("x");
    }
    assert_eq!(connection.answer().map(|answer| answer.text()).as_deref(), Some("300\n"));
}

#[test]
fn a_client_that_waits_for_leave_to_send_gets_it() {
    let mut connection = Connection::open(probe().address);
    let head = "POST /plain?do=length HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n";
    connection.send(format!("{head}expect: 100-continue\r\n\r\n"));
    let leave = connection.raw_line();
    assert_eq!(leave.as_deref(), Some("HTTP/1.1 100 Continue"));
    assert_eq!(connection.raw_line().as_deref(), Some(""));
    connection.send("abc");
    assert_eq!(connection.answer().map(|answer| answer.text()).as_deref(), Some("3\n"));
}

#[test]
fn a_head_that_never_ends_is_given_up() {
    let mut connection = Connection::open(probe().address);
    connection.send("GET /plain HTTP/1.1\r\nhost: x\r\nx-slow:");
    let answer = connection.answer();
    // A server may answer 408 or just hang up on who sent half a head; it must not wait for ever.
    assert!(answer.as_ref().is_none_or(|answer| answer.status == 408), "{answer:?}");
}

#[test]
fn what_is_not_http_is_refused() {
    let long = "x".repeat(80_000);
    let many = "x-many: 1\r\n".repeat(200);
    let cases = [
        ("not even close\r\n\r\n".to_owned(), 400),
        ("GET /plain HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n".to_owned(), 400),
        ("GET /plain HTTP/1.1\r\nhost: x\r\nb@d\x01: y\r\n\r\n".to_owned(), 400),
        ("G\x01T /plain HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET /pl ain HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET /plain HTTP/9.9\r\nhost: x\r\n\r\n".to_owned(), 400),
        ("GET /plain HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("POST /plain HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n".to_owned(), 400),
        (
            "POST /plain HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx"
                .to_owned(),
            400,
        ),
        (format!("GET /plain HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n"), 431),
        (format!("GET /plain HTTP/1.1\r\nhost: x\r\n{many}\r\n"), 431),
    ];
    for (bytes, status) in cases {
        let shown = &bytes[..bytes.len().min(80)];
        let mut connection = Connection::open(probe().address);
        connection.send(&bytes);
        let answer = connection.answer().unwrap_or_else(|| panic!("no answer: {shown:?}"));
        assert_eq!(answer.status, status, "{shown:?}: {answer:?}");
        // A connection whose framing is in doubt cannot be trusted any more.
        if answer.header("connection") == Some("close") {
            assert!(connection.answer().is_none(), "{shown:?}: the connection stays open");
        }
        assert_eq!(ask("plain", "hello").status, 200, "after {shown:?}");
    }
}

#[test]
fn no_request_can_be_smuggled_in_anothers_body() {
    // Two framings at once: whatever the server makes of it, the inner request must not be
    // answered.
    let inner = "GET /plain?do=status&code=418 HTTP/1.1\r\nhost: x\r\n\r\n";
    let head = "POST /plain?do=length HTTP/1.1\r\nhost: x\r\n";
    let framings = ["content-length: 5\r\ntransfer-encoding: chunked\r\n"];
    for framing in framings {
        let mut connection = Connection::open(probe().address);
        connection.send(format!("{head}{framing}\r\n0\r\n\r\n{inner}"));
        connection.finish_sending();
        let first = connection.answer();
        let second = connection.answer();
        let smuggled = [&first, &second].into_iter().flatten().any(|answer| answer.status == 418);
        assert!(!smuggled, "{first:?} {second:?}");
    }
    // The barrier is the framing: properly framed, the second request is answered.
    let mut connection = Connection::open(probe().address);
    connection.send(format!("{head}content-length: 0\r\n\r\n{inner}"));
    assert_eq!(connection.answer().map(|answer| answer.status), Some(200));
    assert_eq!(connection.answer().map(|answer| answer.status), Some(418));
}

#[test]
fn escapes_in_paths_lead_nowhere() {
    for path in [
        "/../plain",
        "/plain/..%2f..%2fetc/passwd",
        "/%00",
        "/%2e%2e/plain",
        "//plain",
        "/plain%2F",
    ] {
        let answer = get(probe().address, path);
        assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
    }
}
