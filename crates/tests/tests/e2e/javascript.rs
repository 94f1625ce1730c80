//! Functions in JavaScript: their web interfaces next to Node's, their bodies, their ends.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use alula_rt::clock;
use alula_testkit::root;
use alula_tests::app::{App, Dev};
use alula_tests::program::finish;

const MIB: usize = 1 << 20;

fn folder() -> PathBuf {
    root().join("guests/js")
}

fn guests() -> &'static Dev {
    static DEV: OnceLock<Dev> = OnceLock::new();
    DEV.get_or_init(|| Dev::start(&folder()))
}

/// The server that the guests' `fetch` calls; ends with the test.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start() -> Self {
        let mut command = Command::new("node");
        command.arg(folder().join("server.mjs")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("node starts");
        let mut url = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut url).expect("it prints its address");
        Self { process, url: url.trim().to_owned() }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What Node prints for a script of `guests/js/api`.
fn node(script: &str, base: &str) -> String {
    let mut command = Command::new("node");
    command.arg("--no-warnings").arg(folder().join("node.mjs")).args([script, base]);
    let finished = finish(&mut command);
    assert_eq!(finished.code(), 0, "{script} in Node: {}", finished.stderr);
    finished.stdout
}

#[test]
fn the_web_interfaces_do_what_nodes_do() {
    let server = Server::start();
    for script in [
        "clone", "crypto", "encoding", "events", "fetch", "forms", "headers", "messages",
        "streams", "url",
    ] {
        let wanted = node(script, &server.url);
        assert!(wanted.lines().count() > 10, "{script} prints something");
        let given = guests().get(&format!("/api/{script}?base={}", server.url)).text();
        assert_eq!(given, wanted, "{script}");
    }
}

#[test]
fn values_look_in_the_log_as_in_nodes_console() {
    let wanted = node("console", "");
    let answer = guests().get("/api/console");
    let invocation = answer.invocation();
    // Lines of one invocation keep their order; the last one says that all are there.
    for line in wanted.lines().filter(|line| !line.trim().is_empty()) {
        guests().log(&invocation, line);
    }
}

#[test]
fn outbound_fetches_overlap() {
    let (server, guests) = (Server::start(), guests());
    let path = format!("/fetch?n=10&url={}/delay%3Fms=2000", server.url);
    // Building and starting the guests is not what is timed.
    let before = clock::now();
    assert_eq!(guests.get(&path).json().as_array().map(Vec::len), Some(10));
    assert!(before.elapsed().as_secs() < 15, "ten one after the other take twenty seconds");
}

#[test]
fn bodies_stream_through_with_flat_memory() {
    let body: Vec<u8> = (0..10 * MIB).map(|i| b'a' + (i % 23) as u8).collect();
    let small = guests().post("/echo", b"x");
    let base = guests().record(&small.invocation())["memory_peak_bytes"].as_u64();
    let base = base.expect("a number of bytes");
    for (path, upper) in [("/echo", false), ("/upper", true)] {
        let answer = guests().post(path, &body);
        let wanted = if upper { body.to_ascii_uppercase() } else { body.clone() };
        assert!(answer.complete && answer.body == wanted, "{path}: {} bytes", answer.body.len());
        let peak = guests().record(&answer.invocation())["memory_peak_bytes"].as_u64();
        let grown = peak.expect("a number of bytes").saturating_sub(base);
        assert!(grown < 6 << 20, "{path}: memory grew by {grown} bytes");
    }
    let answer = guests().get(&format!("/large?bytes={}", 10 * MIB));
    assert!(answer.complete && answer.body.len() == 10 * MIB);
}

#[test]
fn a_stream_that_breaks_is_seen_to_break() {
    let answer = guests().get("/broken-stream");
    assert_eq!(answer.text(), "first");
    assert!(!answer.complete, "the client must not take it for the whole");
}

#[test]
fn waited_for_work_goes_on_and_forgotten_work_is_cancelled() {
    let waited = guests().get("/wait-until");
    assert_eq!(waited.text(), "early\n");
    let forgotten = guests().get("/forgotten").invocation();
    guests().log(&waited.invocation(), "waited until now");
    // The record is made when the last work has ended, so nothing can come after it.
    guests().record(&forgotten);
    let told = guests().process.stdout.all();
    assert!(!told.contains("this must not be seen"), "{told}");
}

#[test]
fn each_way_to_fail_has_its_code() {
    for (path, code) in [
        ("/throw", "ALULA-E0309"),
        ("/not-a-response", "ALULA-E0309"),
        ("/never", "ALULA-E0308"),
        ("/hog", "ALULA-E0302"),
        ("/loop", "ALULA-E0303"),
    ] {
        let answer = guests().get(path);
        assert_eq!(answer.code(), code, "{path}: {}", answer.text());
        assert!(!answer.text().contains("thrown on purpose"), "{path} leaks");
    }
}

#[test]
fn fresh_instances_share_nothing_and_warm_ones_their_variables() {
    for _ in 0..3 {
        assert_eq!(guests().get("/count").text(), "1\n");
    }
    let first: u32 = guests().get("/warm/count").text().trim().parse().expect("a number");
    let second: u32 = guests().get("/warm/count").text().trim().parse().expect("a number");
    assert!(second == first + 1 || second == 1, "{first}, then {second}");
    let draws: Vec<_> = (0..4).map(|_| guests().get("/random").text()).collect();
    assert!(draws.windows(2).all(|pair| pair[0] != pair[1]), "the same numbers again: {draws:?}");
    assert_eq!(guests().get("/env").text(), "{\"NAME\":\"value\"}");
}

#[test]
fn the_other_engine_answers_and_refuses_to_be_reused() {
    let manifest = "[app]\nname = \"monkey\"\n\n[functions.hello]\nsource = \"index.js\"\n\
        engine = \"starlingmonkey\"\nenv = { NAME = \"you\" }\n\n\
        [[triggers.http]]\nroute = \"GET /\"\nfunction = \"hello\"\n";
    let source = "export default { async fetch(request, env) {\n\
        return new Response(`${request.method} ${env.NAME}`);\n} };\n";
    let app = App::new(manifest).file("index.js", source);
    let dev = app.dev();
    for _ in 0..2 {
        assert_eq!(dev.get("/").text(), "GET you");
    }
    drop(dev);
    app.write("alula.toml", manifest.replace("engine", "reuse = \"warm\"\nengine"));
    let told = app.dev().process.stdout.all();
    assert!(told.contains("ALULA-E0209"), "{told}");
}
