//! What one invocation leaves is not found by the next. Each test also looks where the barrier is
//! missing (an instance that is reused) and finds what it looks for there.

use alula_tests::http::get;

use crate::probe::{ask, probe};

/// The text backwards, so that asking for it does not put it where it is looked for.
fn backwards(text: &str) -> String {
    text.chars().rev().collect()
}

#[test]
fn what_a_program_keeps_is_gone_with_a_fresh_instance() {
    for function in ["plain", "p3"] {
        for _ in 0..20 {
            assert_eq!(ask(function, "count").text(), "1\n", "{function}");
        }
    }
    // Without the barrier the count goes on.
    for function in ["warm", "warm-p3"] {
        let counts: Vec<u64> = (0..3)
            .map(|_| ask(function, "count").text().trim().parse().expect("a number"))
            .collect();
        assert!(counts[0] < counts[1] && counts[1] < counts[2], "{function}: {counts:?}");
        let record = probe().record(&ask(function, "count").invocation());
        assert_eq!(record["start"], "warm", "{record}");
    }
}

#[test]
fn memory_is_clean_when_a_fresh_instance_begins() {
    let secret = "tomorrow-we-attack-at-dawn";
    for round in 0..20 {
        assert_eq!(ask("plain", &format!("hide&secret={secret}")).text(), "hidden\n");
        let found = ask("plain", &format!("scan&backwards={}", backwards(secret))).text();
        assert_eq!(found, "0\n", "round {round}: the secret of another invocation is in memory");
    }
    // Without the barrier it is found, so the search works.
    ask("leaky", &format!("hide&secret={secret}"));
    let found = ask("leaky", &format!("scan&backwards={}", backwards(secret))).text();
    assert_ne!(found, "0\n", "a reused instance keeps what it was told");
}

#[test]
fn a_function_gets_its_own_environment_and_no_files() {
    for function in ["plain", "p3"] {
        assert_eq!(ask(function, "env").text(), "GREETING=hi\n", "{function}");
        assert_eq!(ask(function, "files").text(), "0\n", "{function}");
    }
    // The next function has another one.
    assert_eq!(ask("small", "env").text(), "");
}

#[test]
fn headers_are_those_of_the_request() {
    for function in ["plain", "p3", "warm", "warm-p3"] {
        let path = format!("/{function}?do=headers");
        let with = |headers: &[(&str, &str)]| {
            alula_tests::http::request(probe().address, "GET", &path, headers, &[]).text()
        };
        let first = with(&[("x-token", "first"), ("cookie", "a=b")]);
        assert!(first.contains("x-token=first") && first.contains("cookie=a=b"), "{first}");
        let second = with(&[("x-other", "second")]);
        assert!(second.contains("x-other=second"), "{second}");
        assert!(!second.contains("x-token") && !second.contains("cookie"), "{second}");
        // The platform's own: where the request belongs.
        assert!(second.contains("traceparent=") && second.contains("alula-invocation-id="));
    }
}

#[test]
fn invocations_stay_apart_under_load() {
    let clients: Vec<_> = (0..8)
        .map(|client| {
            std::thread::spawn(move || {
                let own = format!("secret-of-client-{client}-");
                for round in 0..25 {
                    // Everybody hides something and looks for what the neighbour hides.
                    let neighbour = format!("secret-of-client-{}-", (client + 1) % 8);
                    assert_eq!(ask("plain", &format!("hide&secret={own}")).text(), "hidden\n");
                    let what = format!("scan&backwards={}", backwards(&neighbour));
                    assert_eq!(ask("plain", &what).text(), "0\n", "client {client} round {round}");
                    assert_eq!(ask("plain", "count").text(), "1\n");
                    let path = format!("/p3?do=headers&of={client}");
                    let told = get(probe().address, &path);
                    assert_eq!(told.status, 200);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().expect("no client saw another");
    }
}
