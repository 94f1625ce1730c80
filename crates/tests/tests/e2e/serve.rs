//! `alula serve-component`: one component at `/`, from its first line to its clean end.

use std::process::{Child, Command, Stdio};

use alula_tests::guests::Guest;
use alula_tests::http::{Answer, Connection, get};
use alula_tests::program::{Lines, command, wait_until};

/// A server that is asked to end, not killed.
struct Served {
    child: Child,
    stderr: Lines,
    address: std::net::SocketAddr,
}

impl Served {
    fn start(flags: &[&str], guest: Guest) -> Self {
        let path = guest.path();
        let path = path.to_str().expect("the repository's path is text");
        let args = [&["serve-component", "--listen", "127.0.0.1:0"], flags, &[path]].concat();
        let mut child = command(args).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = Lines::read(child.stderr.take().expect("it is piped"));
        let first = stderr.find(0, |line| Some(line.to_owned())).expect("it says where it serves");
        let url = first.strip_prefix("Serving ").and_then(|rest| rest.strip_suffix('/'));
        let address = url.and_then(|url| url.split_once("://")?.1.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first line is `{first}`"));
        Self { child, stderr, address }
    }

    fn get(&self, path: &str) -> Answer {
        get(self.address, path)
    }

    /// Sends a signal and gives the exit code.
    fn end(mut self, signal: &str) -> Option<i32> {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        self.child.wait().expect("it ends").code()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn components_of_both_kinds_are_served_at_every_path() {
    for guest in [Guest::Http, Guest::HttpP3, Guest::Embedded] {
        let served = Served::start(&[], guest);
        for path in ["/", "/a/b?x=y", "/a%20b"] {
            assert_eq!(served.get(path).status, 200, "{guest:?} {path}");
        }
    }
}

#[test]
fn a_certificate_makes_it_https_with_http_2_for_those_who_speak_it() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        eprintln!("skipped: `curl` is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).to_str().expect("text").to_owned();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("made");
    let (certificate, key) = (file("certificate.pem"), file("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let flags = ["--tls-cert", &certificate, "--tls-key", &key];
    let served = Served::start(&flags, Guest::Http);
    let at = format!("localhost:{0}:{1}", served.address.port(), served.address.ip());
    let url = format!("https://localhost:{}/", served.address.port());
    for (version, number) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let asked = Command::new("curl")
            .args(["--silent", "--show-error", "--cacert", &certificate, "--resolve", &at, version])
            .args(["--write-out", "%{http_version}", &url])
            .output()
            .expect("curl starts");
        let said = String::from_utf8_lossy(&asked.stdout);
        assert_eq!(said, format!("hello\n{number}"), "{asked:?}");
    }
    // Who does not trust the certificate gets nothing.
    let asked = Command::new("curl").args(["--silent", "--resolve", &at, &url]).output();
    assert!(asked.is_ok_and(|asked| !asked.status.success() && asked.stdout.is_empty()));
}

#[test]
fn guests_compiled_for_finding_faults_are_served_and_bounded_alike() {
    for guest in [Guest::Http, Guest::HttpP3] {
        let served = Served::start(&["--debug"], guest);
        assert_eq!(served.get("/").status, 200, "{guest:?}");
        assert_eq!(served.get("/?do=panic").status, 502, "{guest:?}");
        assert_eq!(served.get("/").status, 200, "{guest:?}");
    }
}

#[test]
fn a_certificate_that_is_not_there_is_told() {
    let flags = ["--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"];
    let path = Guest::Http.path();
    let path = path.to_str().expect("the repository's path is text");
    let args =
        [["serve-component", "--listen", "127.0.0.1:0"].as_slice(), &flags, &[path]].concat();
    let ended = command(args).output().expect("the program starts");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1));
    assert!(said.contains("/nowhere.pem") && said.contains("ALULA-E"), "{said}");
}

#[test]
fn flags_give_what_they_give_to_a_command() {
    for guest in [Guest::Http, Guest::HttpP3] {
        let peer = Served::start(&[], Guest::Http);
        let fetch = format!("/?do=fetch&url=http://{}/", peer.address);
        let bare = Served::start(&[], guest);
        assert_eq!(bare.get("/?do=env").text(), "");
        assert!(bare.get(&fetch).text().starts_with("error "), "{guest:?}");
        let given = Served::start(&["--env", "A=b", "--allow-http"], guest);
        assert_eq!(given.get("/?do=env").text(), "A=b\n");
        assert_eq!(given.get(&fetch).text(), "200 hello\n\n", "{guest:?}");
    }
}

#[test]
fn instances_are_fresh_unless_reuse_is_asked_for() {
    for guest in [Guest::Http, Guest::HttpP3] {
        let fresh = Served::start(&[], guest);
        let counts = [(); 3].map(|()| fresh.get("/?do=count").text());
        assert_eq!(counts, ["1\n", "1\n", "1\n"], "{guest:?}");
        let reused = Served::start(&["--reuse"], guest);
        // An instance is free again when its last work has ended, a moment after its answer.
        wait_until("it is reused", || (reused.get("/?do=count").text() == "3\n").then_some(()));
    }
}

#[test]
fn a_crash_is_answered_and_told_and_the_next_request_is_served() {
    let served = Served::start(&[], Guest::Http);
    let answer = served.get("/?do=panic");
    assert_eq!((answer.status, answer.code().as_str()), (502, "ALULA-E0301"), "{answer:?}");
    let told = |line: &str| line.contains("the guest panics").then_some(());
    assert!(served.stderr.find(0, told).is_some(), "{}", served.stderr.all());
    assert_eq!(served.get("/").status, 200);
}

#[test]
fn signals_end_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let served = Served::start(&[], Guest::Http);
        assert_eq!(served.get("/").status, 200);
        assert_eq!(served.end(signal), Some(0), "{signal}");
    }
}

#[test]
fn a_request_that_runs_is_answered_before_the_end() {
    let served = Served::start(&[], Guest::Http);
    let mut connection = Connection::open(served.address);
    connection.request("GET", "/?do=slow&ms=50&pieces=10", &[], &[]);
    assert_eq!(connection.head().map(|head| head.status), Some(200));
    let reading = std::thread::spawn(move || {
        let mut pieces = 0;
        while connection.chunk().is_some_and(|chunk| !chunk.is_empty()) {
            pieces += 1;
        }
        pieces
    });
    assert_eq!(served.end("-TERM"), Some(0));
    assert_eq!(reading.join().expect("no panic"), 10);
}
