//! Full places and full queues: who waits, who is sent away, and how.

use alula_tests::http::{Answer, Connection};
use alula_tests::program::wait_until;

use crate::probe::{ask, check_problem, check_record, probe};

/// Takes a place of a function until the value is dropped.
fn occupy(function: &str) -> Connection {
    let mut connection = Connection::open(probe().address);
    connection.request("GET", &format!("/{function}?do=slow&ms=1000&pieces=25"), &[], &[]);
    let head = connection.head().expect("the function begins to answer");
    assert_eq!(head.status, 200, "{head:?}");
    connection
}

/// Asks until there is a place again.
fn ask_until_free(function: &str) {
    wait_until("the place is free", || (ask(function, "hello").status == 200).then_some(()));
}

#[track_caller]
fn check_busy(answer: &Answer, code: &str) {
    check_problem(answer, 503, code);
    let retry_after = answer.header("retry-after").and_then(|text| text.parse::<u32>().ok());
    assert!(retry_after.is_some_and(|seconds| seconds >= 1), "{answer:?}");
}

#[test]
fn without_a_queue_a_full_function_answers_503_at_once() {
    let held = occupy("solo");
    check_busy(&ask("solo", "hello"), "ALULA-E0306");
    drop(held);
    ask_until_free("solo");
    // With more places the same request is answered.
    let held = occupy("roomy");
    assert_eq!(ask("roomy", "hello").status, 200);
    drop(held);
}

#[test]
fn a_queue_takes_so_many_for_so_long() {
    let held = occupy("single");
    let asking = || std::thread::spawn(|| ask("single", "hello"));
    let asked: Vec<_> = (0..8).map(|_| asking()).collect();
    let answers: Vec<_> = asked.into_iter().map(|thread| thread.join().unwrap()).collect();
    for answer in &answers {
        check_busy(answer, &answer.code());
    }
    let count = |code| answers.iter().filter(|answer| answer.code() == code).count();
    // One place in the queue, and eight who came within a moment.
    assert!(count("ALULA-E0307") >= 1, "{answers:?}");
    assert!(count("ALULA-E0306") >= 1, "{answers:?}");
    drop(held);
    ask_until_free("single");
}

#[test]
fn who_waits_gets_the_next_place_and_the_wait_is_metered() {
    let mut first = Connection::open(probe().address);
    first.request("GET", "/patient?do=slow&ms=200&pieces=3", &[], &[]);
    assert_eq!(first.head().map(|head| head.status), Some(200));
    let answer = ask("patient", "hello");
    assert_eq!(answer.status, 200);
    let record = check_record(&answer, "completed", None);
    assert!(record["queue_us"].as_u64() > Some(100_000), "{record}");
}

#[test]
fn a_function_at_its_limit_leaves_its_neighbours_alone() {
    let _held = occupy("crowded");
    assert_eq!(ask("plain", "hello").status, 200);
}

#[test]
fn a_busy_loop_does_not_stop_its_neighbours() {
    let spinning: Vec<_> =
        (0..4).map(|_| std::thread::spawn(|| ask("brief", "spin").status)).collect();
    let mut answered = 0;
    while spinning.iter().any(|thread| !thread.is_finished()) {
        assert_eq!(ask("plain", "hello").status, 200);
        answered += 1;
    }
    assert!(answered > 0, "the neighbour was answered while four loops ran");
    let statuses: Vec<_> = spinning.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(statuses, [504; 4]);
}

#[test]
fn more_guests_than_the_quick_places_are_served_all_the_same() {
    // As many as fit into the tier that keeps its pages, and as many again.
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let asked: Vec<_> =
        (0..cores * 16).map(|_| std::thread::spawn(|| ask("swarm", "sleep&ms=400"))).collect();
    for thread in asked {
        let answer = thread.join().unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "slept\n"));
    }
}

#[test]
fn a_function_that_grew_is_fresh_again_in_another_tier() {
    for _ in 0..3 {
        // It moves after the first time; what it held is gone each time.
        assert_eq!(ask("grower", "allocate&mib=24").status, 200);
        assert_eq!(ask("grower", "count").text(), "1\n");
    }
}
