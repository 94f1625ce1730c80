//! The table of outcomes: how each way of ending is answered, metered and logged.

use alula_rt::clock;
use alula_tests::http::{Answer, request};
use std::time::Duration;

use crate::probe::{SHORT_TIMEOUT_MS, ask, check_problem, check_record, probe};

/// A function ends badly before it has answered: this status and code, and nothing of the guest's.
#[track_caller]
fn check(function: &str, what: &str, status: u16, code: &str) -> Answer {
    let answer = ask(function, what);
    check_problem(&answer, status, code);
    let shown = answer.text();
    for leak in ["panicked", "guest_http", ".rs", "wasm", "s3cr3t", "the guest"] {
        assert!(!shown.contains(leak), "`{leak}` in {shown}");
    }
    let record = probe().record(&answer.invocation());
    assert_eq!(record["code"], code, "{record}");
    assert_eq!(record["status"], status, "{record}");
    answer
}

#[test]
fn an_answer_is_an_answer() {
    for function in ["plain", "p3", "warm", "warm-p3"] {
        let answer = ask(function, "hello");
        assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"), "{function}");
        assert!(answer.header("traceparent").is_some(), "{answer:?}");
        let record = check_record(&answer, "completed", None);
        assert_eq!(record["bytes_out"], 6, "{record}");
        assert!(record["memory_peak_bytes"].as_u64() > Some(64 << 10), "{record}");
    }
    let answer = probe().get("/embedded");
    assert_eq!(answer.text(), "hello from a core module\n");
    let answer = probe().get("/plain?do=status&code=418");
    assert_eq!((answer.status, answer.text().as_str()), (418, "as you wish\n"));
}

#[test]
fn a_crash_is_502_and_its_backtrace_is_in_the_log_only() {
    for function in ["plain", "p3"] {
        check(function, "trap", 502, "ALULA-E0301");
        let answer = check(function, "panic&secret=s3cr3t", 502, "ALULA-E0301");
        let log = probe().log(&answer.invocation(), "the guest panics: s3cr3t");
        assert_eq!(log["stream"], "stderr", "{log}");
        // The panic's way through the program, by the names of its functions.
        let log = probe().log(&answer.invocation(), "rust_panic");
        assert_eq!(log["stream"], "host", "{log}");
    }
}

#[test]
fn endless_recursion_is_a_crash() {
    check("plain", "recurse", 502, "ALULA-E0301");
    check("p3", "recurse", 502, "ALULA-E0301");
}

#[test]
fn an_endless_loop_ends_at_its_deadline() {
    for function in ["brief", "brief-p3"] {
        // Loaded before, so that only the loop is timed.
        assert_eq!(ask(function, "hello").status, 200);
        let begin = clock::now();
        check(function, "spin", 504, "ALULA-E0303");
        let late = (clock::now() - begin).saturating_sub(Duration::from_millis(SHORT_TIMEOUT_MS));
        // The aim is 100 ms; tests allow ten times that.
        assert!(late < Duration::from_secs(1), "{function}: {late:?} after its deadline");
    }
}

#[test]
fn waiting_for_ever_ends_at_the_deadline_too() {
    check("brief", "stalled", 504, "ALULA-E0303");
    check("brief-p3", "stalled", 504, "ALULA-E0303");
}

#[test]
fn too_much_computing_is_504_with_its_own_code() {
    check("thrifty", "spin", 504, "ALULA-E0304");
    check("thrifty-p3", "spin", 504, "ALULA-E0304");
    // Waiting is not computing.
    assert_eq!(ask("thrifty", "sleep&ms=600").status, 200);
}

#[test]
fn too_much_memory_is_502_with_its_own_code() {
    for function in ["small", "small-p3"] {
        check(function, "hog", 502, "ALULA-E0302");
        check(function, "allocate&mib=16", 502, "ALULA-E0302");
        // Near the limit it works, and the peak is metered.
        let answer = ask(function, "allocate&mib=10");
        assert_eq!((answer.status, answer.text().as_str()), (200, "10\n"));
        let record = check_record(&answer, "completed", None);
        let peak = record["memory_peak_bytes"].as_u64().unwrap();
        assert!((10 << 20..=16 << 20).contains(&peak), "{record}");
    }
    // Without the barrier the same request succeeds.
    assert_eq!(ask("plain", "allocate&mib=16").text(), "16\n");
}

#[test]
fn no_answer_and_errors_for_answers_are_told_apart() {
    check("plain", "silent", 502, "ALULA-E0308");
    for function in ["plain", "p3"] {
        // What the guest says may hold secrets: it is for its log.
        let answer = check(function, "error", 502, "ALULA-E0309");
        assert!(!answer.text().contains("the guest reports"), "{}", answer.text());
        probe().log(&answer.invocation(), "the guest reports an error");
    }
}

#[test]
fn a_handler_that_exits_has_not_answered() {
    let answer = ask("plain", "exit&code=0");
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert!(["ALULA-E0301", "ALULA-E0308"].contains(&answer.code().as_str()), "{answer:?}");
}

#[test]
fn too_many_handles_are_refused() {
    assert_eq!(ask("plain", "handles&n=5000").text(), "5000\n");
    check("plain", "handles&n=20000", 502, "ALULA-E0313");
}

#[test]
fn a_response_larger_than_its_limit_breaks_off() {
    for function in ["curt", "curt-p3"] {
        let answer = ask(function, "big&bytes=60000");
        assert!(answer.complete && answer.body.len() == 60_000, "{answer:?}");
        let answer = ask(function, "big&bytes=1000000");
        let record = probe().record(&answer.invocation());
        assert_eq!(record["code"], "ALULA-E0310", "{record}");
        assert!(answer.body.len() <= 64 << 10, "{} bytes", answer.body.len());
        check_broken_off(&answer, "ALULA-E0310");
    }
}

#[test]
fn a_function_that_dies_in_its_body_leaves_the_answer_incomplete() {
    for (function, what) in [("plain", "half"), ("p3", "half"), ("plain", "unfinished")] {
        let answer = ask(function, what);
        let record = probe().record(&answer.invocation());
        assert_ne!(record["outcome"], "completed", "{function} {what}: {record}");
        check_broken_off(&answer, record["code"].as_str().unwrap_or_default());
    }
}

#[test]
fn a_deadline_in_the_middle_of_a_body_leaves_the_answer_incomplete() {
    for function in ["brief", "brief-p3"] {
        let answer = ask(function, "slow&ms=100&pieces=100");
        assert_eq!((answer.status, answer.complete), (200, false), "{function}: {answer:?}");
        let record = probe().record(&answer.invocation());
        assert_eq!(record["code"], "ALULA-E0303", "{function}: {record}");
    }
}

/// Whether the head was already on its way is a race; that something is wrong must be seen.
#[track_caller]
fn check_broken_off(answer: &Answer, code: &str) {
    if answer.status == 200 {
        assert!(!answer.complete, "the client cannot see that it broke off: {answer:?}");
    } else {
        check_problem(answer, 502, code);
    }
}

#[test]
fn a_body_larger_than_its_limit_is_413() {
    let large = vec![b'x'; 100_000];
    for function in ["narrow", "narrow-p3"] {
        let path = format!("/{function}?do=length");
        assert_eq!(probe().post(&path, &large[..60_000]).text(), "60000\n");
        let answer = probe().post(&path, &large);
        check_problem(&answer, 413, "ALULA-E0403");
        // Nobody announced the length: it is found out on the way.
        let answer = chunked(&path, &large);
        check_problem(&answer, 413, "ALULA-E0403");
    }
    // Without the barrier the same body passes.
    assert_eq!(probe().post("/plain?do=length", &large).text(), "100000\n");
}

fn chunked(path: &str, body: &[u8]) -> Answer {
    let mut connection = alula_tests::http::Connection::open(probe().address);
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n");
    connection.send(head);
    for piece in body.chunks(10_000) {
        connection.send(format!("{:x}\r\n", piece.len()));
        connection.send(piece);
        connection.send("\r\n");
    }
    connection.send("0\r\n\r\n");
    connection.answer().expect("an answer comes even when the body was refused")
}

#[test]
fn bodies_stream_through_both_ways() {
    let body: Vec<u8> = (0..3_000_000_u32).flat_map(|n| n.to_le_bytes()).collect();
    for function in ["plain", "p3"] {
        let answer = probe().post(&format!("/{function}?do=echo"), &body);
        assert!(answer.complete && answer.body == body, "{function}: {} bytes", answer.body.len());
        let record = check_record(&answer, "completed", None);
        assert_eq!(record["bytes_in"], 12_000_000, "{record}");
        assert_eq!(record["bytes_out"], 12_000_000, "{record}");
        // The whole body is never held.
        assert!(record["memory_peak_bytes"].as_u64() < Some(8 << 20), "{record}");
    }
}

#[test]
fn work_after_the_response_is_done_and_metered() {
    for function in ["plain", "p3"] {
        let answer = ask(function, "after&ms=300");
        assert_eq!(answer.text(), "answered\n");
        probe().log(&answer.invocation(), "worked after the response");
        let record = check_record(&answer, "completed", None);
        assert!(record["wall_us"].as_u64() >= Some(300_000), "{record}");
    }
}

#[test]
fn work_after_the_response_has_an_end() {
    for what in ["spin-after", "after&ms=60000"] {
        let begin = clock::now();
        let answer = ask("hasty", what);
        assert_eq!(answer.status, 200);
        probe().record(&answer.invocation());
        assert!(clock::now() - begin < Duration::from_secs(5), "{what} went on");
    }
}

#[test]
fn log_lines_are_tagged_and_a_flood_is_counted() {
    let answer = ask("plain", "log&lines=20&size=10");
    let log = probe().log(&answer.invocation(), "line 3 ");
    assert_eq!((&log["function"], &log["stream"]), (&"plain".into(), &"stdout".into()), "{log}");
    let log = probe().log(&answer.invocation(), "line 9 ");
    assert_eq!(log["stream"], "stderr", "{log}");
    probe().log(&answer.invocation(), "line 19 ");

    let answer = ask("quiet", "log&lines=1000&size=100");
    assert_eq!(answer.text(), "logged\n", "the guest does not notice");
    let log = probe().log(&answer.invocation(), "dropped");
    assert_eq!(log["stream"], "host", "{log}");
}

#[test]
fn a_guest_that_crashed_when_warm_is_never_used_again() {
    assert_eq!(ask("fragile", "count").text(), "1\n");
    assert_eq!(ask("fragile", "count").text(), "2\n", "it is warm");
    check("fragile", "trap", 502, "ALULA-E0301");
    assert_eq!(ask("fragile", "count").text(), "1\n", "a new instance counts from 1");
}

#[test]
fn every_problem_has_an_id_and_the_methods_are_told() {
    let answer = probe().get("/nowhere");
    check_problem(&answer, 404, "ALULA-E0401");
    let answer = request(probe().address, "HEAD", "/plain?do=big&bytes=1000", &[], &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 0), "{answer:?}");
}
