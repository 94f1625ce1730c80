//! One server that most tests share: the same two guests under many names, each with limits of its
//! own.

use std::sync::OnceLock;

use alula_tests::app::{App, Dev};
use alula_tests::guests::Guest;
use alula_tests::http::Answer;
use serde_json::Value;

/// A deadline short enough to wait for, long enough for a busy machine to start a guest.
pub(crate) const SHORT_TIMEOUT_MS: u64 = 700;

/// The functions: name, guest, and what the manifest says beside that. Each answers at `/name`.
const FUNCTIONS: &[(&str, Guest, &str)] = &[
    ("plain", Guest::Http, "env = { GREETING = 'hi' }"),
    ("p3", Guest::HttpP3, "env = { GREETING = 'hi' }"),
    ("warm", Guest::Http, "reuse = 'warm'\ninstances = { max = 1 }"),
    ("warm-p3", Guest::HttpP3, "reuse = 'warm'\ninstances = { max = 1 }"),
    ("brief", Guest::Http, "timeout = '700ms'"),
    ("brief-p3", Guest::HttpP3, "timeout = '700ms'"),
    ("thrifty", Guest::Http, "cpu = '300ms'"),
    ("thrifty-p3", Guest::HttpP3, "cpu = '300ms'"),
    ("small", Guest::Http, "memory = '16MiB'"),
    ("small-p3", Guest::HttpP3, "memory = '16MiB'"),
    ("curt", Guest::Http, "response = '64KiB'"),
    ("curt-p3", Guest::HttpP3, "response = '64KiB'"),
    ("narrow", Guest::Http, "body = '64KiB'"),
    ("narrow-p3", Guest::HttpP3, "body = '64KiB'"),
    ("quiet", Guest::Http, "log_rate = '4KiB'"),
    ("single", Guest::Http, "instances = { max = 1 }\nqueue = 1\nqueue_wait = '300ms'"),
    ("solo", Guest::Http, "instances = { max = 1 }\nqueue = 0"),
    ("roomy", Guest::Http, "instances = { max = 4 }\nqueue = 0"),
    ("patient", Guest::Http, "instances = { max = 1 }"),
    ("crowded", Guest::Http, "instances = { max = 1 }\nqueue = 0"),
    ("swarm", Guest::Http, ""),
    ("grower", Guest::Http, ""),
    ("leaky", Guest::Http, "reuse = 'warm'\ninstances = { max = 1 }"),
    ("fragile", Guest::Http, "reuse = 'warm'\ninstances = { max = 1 }"),
    ("leaver", Guest::Http, ""),
    ("hasty", Guest::Http, "after_response = '200ms'"),
    ("embedded", Guest::Embedded, ""),
];

/// The shared server.
pub(crate) fn probe() -> &'static Dev {
    static SERVER: OnceLock<(App, Dev)> = OnceLock::new();
    let (_, dev) = SERVER.get_or_init(|| {
        let app = App::new(&manifest())
            .guest("http.wasm", Guest::Http)
            .guest("p3.wasm", Guest::HttpP3)
            .guest("embedded.wasm", Guest::Embedded);
        let dev = app.dev();
        (app, dev)
    });
    dev
}

fn manifest() -> String {
    let functions = FUNCTIONS.iter().map(|(name, guest, settings)| {
        let file = match guest {
            Guest::HttpP3 => "p3.wasm",
            Guest::Embedded => "embedded.wasm",
            _ => "http.wasm",
        };
        format!(
            "[functions.{name}]\ncomponent = '{file}'\n{settings}\n\
             [[triggers.http]]\nroute = '/{name}'\nfunction = '{name}'\n"
        )
    });
    format!("[app]\nname = 'probe'\n{}", functions.collect::<String>())
}

/// Asks a function of the shared server to do something.
pub(crate) fn ask(function: &str, what: &str) -> Answer {
    probe().get(&format!("/{function}?do={what}"))
}

/// Checks that an answer is a problem with this status and code, as all problems look.
#[track_caller]
pub(crate) fn check_problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{problem}");
    for field in ["detail", "hint"] {
        assert!(problem[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {problem}");
    }
    assert!(problem.to_string().contains(&answer.invocation()), "{problem}");
}

/// Checks the outcome that the meter noted for an answer's invocation.
#[track_caller]
pub(crate) fn check_record(answer: &Answer, outcome: &str, code: Option<&str>) -> Value {
    let record = probe().record(&answer.invocation());
    assert_eq!(record["outcome"], outcome, "{record}");
    assert_eq!(record["code"].as_str(), code, "{record}");
    record
}
