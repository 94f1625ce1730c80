//! Routes, methods, CORS, faults in place of functions, and who watches.

use alula_types::{Code, usage::Start};
use proptest::prelude::*;

use super::*;
use crate::{Answered, FaultPage, Observer, Origins};

fn named(name: &'static str) -> impl Fn(Invocation) -> BoxFuture<'static, Result<Outcome, Fault>> {
    move |invocation| {
        let (request, _rest) = http(invocation);
        Box::pin(async move { ok(format!("{name} {}", request.method())) })
    }
}

#[tokio::test]
async fn the_most_specific_route_wins() {
    let running = Setup::new()
        .function("/{rest...}", "any", named("any"))
        .function("GET /a", "a", named("a"))
        .function("POST /{x}", "post", named("post"))
        .function("GET one.test/{rest...}", "host", named("host"))
        .run()
        .await;
    for (request, want) in [
        ("GET /a", "a GET"),
        ("PUT /a", "any PUT"),
        ("POST /a", "post POST"),
        ("GET /a/", "any GET"),
        ("GET /a\r\nhost: one.test", "host GET"),
        ("GET /a\r\nhost: ONE.test.:8080", "host GET"),
        ("POST /a\r\nhost: one.test", "post POST"),
    ] {
        assert_eq!(running.ask(request).await.body(), want, "{request}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let running = Setup::new()
        .function("GET /get", "get", named("get"))
        .function("/any", "any", named("any"))
        .run()
        .await;
    let answer = running.ask("HEAD /get").await;
    assert_eq!((answer.status(), answer.body()), (200, ""));
    // `get GET`: the function saw the method that its route names.
    assert_eq!(answer.field("content-length"), Some("7"));
    let answer = running.ask("HEAD /any").await;
    assert_eq!(answer.field("content-length"), Some("8"));
    assert_eq!(answer.body(), "");
}

#[tokio::test]
async fn what_no_route_takes_says_what_it_would_take() {
    let running = Setup::new()
        .function("GET /a", "a", named("a"))
        .function("PUT /{x}", "b", named("b"))
        .run()
        .await;
    running.ask("GET /a/b").await.assert_problem(404, "ALULA-E0401");
    let answer = running.ask("DELETE /a").await;
    answer.assert_problem(405, "ALULA-E0402");
    assert_eq!(answer.field("allow"), Some("GET, HEAD, PUT, OPTIONS"));
    let answer = running.ask("OPTIONS /a").await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.field("allow"), Some("GET, HEAD, PUT, OPTIONS"));
    answer.assert_marked();
    assert_eq!(running.ask("OPTIONS *").await.status(), 204);
    assert_eq!(running.ask("OPTIONS /a/b").await.status(), 404);
}

#[tokio::test]
async fn routes_change_at_once() {
    let running = Setup::new().function("/a", "a", named("a")).run().await;
    assert_eq!(running.ask("GET /b").await.status(), 404);
    let target = Target::Function(FunctionName::parse("a").unwrap());
    running.handle.set_routes(RouteTable::new(vec![entry("/b", target, None)]));
    assert_eq!(running.ask("GET /b").await.status(), 200);
    assert_eq!(running.ask("GET /a").await.status(), 404);
}

fn cors(origins: &[&str], credentials: bool) -> Cors {
    Cors {
        origins: match origins {
            [] => Origins::Any,
            _ => Origins::Only(origins.iter().map(|o| (*o).to_owned()).collect()),
        },
        methods: vec!["GET".into(), "PUT".into()],
        headers: None,
        expose: vec!["x-own".into()],
        credentials,
        max_age: Some(Duration::from_secs(60)),
    }
}

#[tokio::test]
async fn a_browser_is_told_what_it_may_do() {
    let name = || Target::Function(FunctionName::parse("a").unwrap());
    let running = Setup::new()
        .function("/unused", "a", named("a"))
        .route("GET /open", name(), Some(cors(&[], false)))
        .route("GET /some", name(), Some(cors(&["https://a.test"], true)))
        .route("GET /closed", name(), None)
        .run()
        .await;
    let ask = "access-control-request-method: GET\r\naccess-control-request-headers: x-mine";
    let answer = running.ask(&format!("OPTIONS /some\r\norigin: https://a.test\r\n{ask}")).await;
    assert_eq!(answer.status(), 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://a.test"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET, PUT"),
        ("access-control-allow-headers", "x-mine"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(answer.field(name), Some(value), "{answer:?}");
    }
    let answer = running.ask(&format!("OPTIONS /some\r\norigin: https://b.test\r\n{ask}")).await;
    assert_eq!(answer.status(), 204);
    assert_eq!(answer.field("access-control-allow-origin"), None);
    let answer = running.ask(&format!("OPTIONS /closed\r\norigin: https://a.test\r\n{ask}")).await;
    assert_eq!(answer.field("access-control-allow-origin"), None);

    let answer = running.ask("GET /open\r\norigin: https://b.test").await;
    assert_eq!(answer.field("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.field("access-control-expose-headers"), Some("x-own"));
    assert_eq!(answer.field("vary"), None);
    let answer = running.ask("GET /some\r\norigin: https://a.test").await;
    assert_eq!(answer.field("access-control-allow-origin"), Some("https://a.test"));
    assert_eq!(answer.field("vary"), Some("origin"));
    for request in ["GET /some\r\norigin: https://b.test", "GET /some"] {
        let answer = running.ask(request).await;
        assert_eq!(answer.field("access-control-allow-origin"), None, "{request}");
        assert_eq!(answer.field("vary"), Some("origin"), "{request}");
    }
}

#[tokio::test]
async fn a_function_that_was_not_built_shows_why() {
    let fault = Fault::new(Code::FunctionBroken, "main.rs:1: expected `;`");
    let page = FaultPage { fault, html: "<pre>main.rs:1: expected `;`</pre>".into() };
    let target = Target::Fault(Arc::new(page));
    let running = Setup::new().route("/{rest...}", target, None).run().await;
    let answer = running.ask("GET /\r\naccept: text/html,*/*").await;
    assert_eq!(answer.status(), 502);
    assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.body().contains("<pre>main.rs:1"));
    answer.assert_marked();
    let answer = running.ask("GET /\r\naccept: */*").await;
    answer.assert_problem(502, "ALULA-E0410");
    assert!(answer.body().contains("main.rs:1"));
}

#[tokio::test]
async fn a_fault_of_ours_tells_the_client_nothing() {
    let running =
        Setup::with(|_| async { Err(Fault::new(Code::Internal, "a secret path")) }).run().await;
    let answer = running.ask("GET /").await;
    answer.assert_problem(500, "ALULA-E0901");
    assert!(!answer.0.contains("secret"));
}

struct Lines(mpsc::Sender<String>);

impl Observer for Lines {
    fn answered(&self, answer: &Answered<'_>) {
        let function = answer.function.map_or("-", FunctionName::as_str);
        let start = if answer.start == Start::None { "" } else { " started" };
        let line = format!(
            "{} {} {} {function} {}{start}",
            answer.method,
            answer.path,
            answer.status,
            answer.outcome.as_str()
        );
        self.0.try_send(line).unwrap();
    }
}

#[tokio::test]
async fn an_observer_sees_each_answer() {
    let (sender, mut lines) = mpsc::channel(10);
    let mut setup = Setup::new().function("/a", "a", |invocation| async move {
        invocation.settlement.started_as(Start::Fresh);
        ok("x")
    });
    setup.observer = Some(Arc::new(Lines(sender)));
    let running = setup.run().await;
    running.ask("GET /a?q").await;
    running.ask("GET /b").await;
    assert_eq!(in_time(lines.recv()).await.unwrap(), "GET /a 200 a completed started");
    assert_eq!(in_time(lines.recv()).await.unwrap(), "GET /b 404 - completed");
}

proptest! {
    /// The tree finds what looking through the sorted list finds.
    #[test]
    fn the_table_agrees_with_the_patterns(
        routes in proptest::collection::vec(
            (0..4_usize, 0..4_usize, proptest::collection::vec(0..4_usize, 0..4), 0..3_usize),
            1..12,
        ),
        requests in proptest::collection::vec(
            (0..3_usize, 0..4_usize, proptest::collection::vec(0..5_usize, 1..5)),
            20,
        ),
    ) {
        let mut entries: Vec<Entry> = Vec::new();
        for (method, host, pieces, end) in routes {
            let mut text = ["", "GET ", "HEAD ", "POST "][method].to_owned();
            text.push_str(["", "a.test", "*.test", "*.a.test"][host]);
            for (index, piece) in pieces.iter().enumerate() {
                let param = format!("{{p{index}}}");
                text.push('/');
                text.push_str(["a", "b", "%20", &param][*piece]);
            }
            text.push_str(["/", "/{rest...}", "/c"][end]);
            let target = Target::Function(FunctionName::parse("f").unwrap());
            let new = entry(&text, target, None);
            // As the manifest does.
            if entries.iter().all(|old| old.pattern.conflict(&new.pattern).is_none()) {
                entries.push(new);
            }
        }
        let table = RouteTable::new(entries);
        for (method, host, pieces) in requests {
            let method = [http::Method::GET, http::Method::HEAD, http::Method::PUT][method].clone();
            let host = ["a.test", "b.a.test:1", "A.TEST.", "other"][host];
            let path: String =
                pieces.iter().map(|p| ["/a", "/b", "/%20", "/%61", "/"][*p]).collect();
            let slow = table.entries().iter().find(|entry| {
                entry.pattern.matches_method(method.as_str())
                    && entry.pattern.matches_host(host)
                    && entry.pattern.matches_path(&path)
            });
            let fast = table.find(&method, host, &path);
            prop_assert_eq!(
                fast.map(|e| e.pattern.to_string()),
                slow.map(|e| e.pattern.to_string()),
                "{} {}{}", method, host, path
            );
        }
    }
}
