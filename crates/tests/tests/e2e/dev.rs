//! `alula dev` as it is used: edit, break, mend, and save too often.
//!
//! The apps' compiler is a shell script that takes a word from `source.txt` and copies one of two
//! guests, or complains: as quick as a save, so that the tests are about `dev` and not about a
//! compiler.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use alula_rt::clock;
use alula_tests::app::{App, Dev};
use alula_tests::guests::Guest;
use alula_tests::http::{Connection, get, request};
use alula_tests::program::wait_until;

use crate::probe::check_problem;

const MANIFEST: &str = "[app]\nname = 'edited'\n[functions.f]\ncomponent = 'out/f.wasm'\n\
     build = 'sh compile.sh'\nwatch = ['source.txt']\n\
     [[triggers.http]]\nroute = '/{path...}'\nfunction = 'f'\n";

const COMPILER: &str = "mkdir -p out\ncase $(cat source.txt) in\n\
     two) cp two.wasm out/f.wasm ;;\nthree) cp three.wasm out/f.wasm ;;\n\
     *) echo 'source.txt:1: this word means <nothing>' >&2; exit 1 ;;\nesac\n";

fn app(source: &str) -> App {
    App::new(MANIFEST)
        .guest("two.wasm", Guest::Http)
        .guest("three.wasm", Guest::HttpP3)
        .file("compile.sh", COMPILER)
        .file("source.txt", source)
}

/// Which guest answers: only the 0.2 one knows the word `args`.
fn which(address: SocketAddr) -> &'static str {
    match get(address, "/?do=args").status {
        200 => "two",
        404 => "three",
        _ => "none",
    }
}

#[track_caller]
fn wait_for(dev: &Dev, expected: &str) {
    wait_until(expected, || (which(dev.address) == expected).then_some(()));
}

#[test]
fn an_edit_is_answered_by_the_new_code_and_a_mistake_by_the_old() {
    let app = app("two");
    let dev = app.dev();
    assert_eq!(which(dev.address), "two");

    app.write("source.txt", "three");
    wait_for(&dev, "three");

    app.write("source.txt", "four");
    let told = |line: &str| line.contains("this word means <nothing>").then_some(());
    let found = dev.process.stdout.find(0, told).or_else(|| dev.process.stderr.find(0, told));
    assert!(found.is_some(), "the compiler is not heard: {}", dev.process.transcript());
    assert_eq!(which(dev.address), "three", "the last good one goes on");

    app.write("source.txt", "two");
    wait_for(&dev, "two");
}

#[test]
fn an_app_that_never_built_shows_the_compilers_words() {
    let app = app("nonsense");
    let dev = app.dev();
    let words = "this word means <nothing>";
    wait_until("a program is told", || {
        let answer = dev.get("/");
        let built = answer.text().contains(words);
        // Before that it says that the build goes on.
        check_problem(&answer, 502, "ALULA-E0410");
        built.then_some(())
    });
    let page = request(dev.address, "GET", "/", &[("accept", "text/html")], &[]);
    assert_eq!(page.status, 502);
    assert!(page.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    let text = page.text();
    assert!(text.contains("this word means &lt;nothing&gt;"), "escaped and all: {text}");

    app.write("source.txt", "two");
    wait_for(&dev, "two");
}

#[test]
fn a_broken_manifest_keeps_the_last_good_one() {
    let app = app("two");
    let dev = app.dev();
    let marks = (dev.process.stdout.mark(), dev.process.stderr.mark());
    app.write("alula.toml", MANIFEST.replace("[functions.f]", "[functions.f"));
    let told = |line: &str| line.contains("ALULA-E0101").then_some(());
    let found = dev.process.stdout.find(marks.0, told);
    assert!(found.is_some(), "nobody is told: {}", dev.process.transcript());
    assert_eq!(which(dev.address), "two");

    app.write("alula.toml", MANIFEST.replace("/{path...}", "/moved/{path...}"));
    wait_until("the old route is gone", || (dev.get("/").status == 404).then_some(()));
    assert_eq!(dev.get("/moved/?do=hello").status, 200);
}

#[test]
fn ten_saves_in_a_second_drop_no_request_and_the_last_one_counts() {
    let app = app("two");
    let dev = app.dev();
    let done = Arc::new(AtomicBool::new(false));
    let address = dev.address;
    let stop = Arc::clone(&done);
    let client = std::thread::spawn(move || {
        let mut answered = 0;
        // One answer more after the end, so that the last swap is seen, too.
        while !stop.load(SeqCst) || answered == 0 {
            let answer = get(address, "/?do=hello");
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello\n"));
            assert!(answer.complete);
            answered += 1;
        }
        answered
    });
    // A request that is being answered all the while.
    let mut long = Connection::open(address);
    long.request("GET", "/?do=slow&ms=100&pieces=20", &[], &[]);
    assert_eq!(long.head().map(|head| head.status), Some(200));

    let begin = clock::now();
    for save in 0..10_u32 {
        let word = if save % 2 == 0 { "three" } else { "four" };
        app.write("source.txt", word);
        // Saves come spread over the second, each with an answer in between.
        while clock::now() < begin + std::time::Duration::from_millis(100) * save {
            assert_eq!(get(address, "/").status, 200);
        }
    }
    app.write("source.txt", "three");
    wait_for(&dev, "three");
    done.store(true, SeqCst);
    assert!(client.join().expect("no request was dropped") > 0);
    let mut pieces = 0;
    while long.chunk().is_some_and(|chunk| !chunk.is_empty()) {
        pieces += 1;
    }
    assert_eq!(pieces, 20, "the request that began before the first save");
}

#[test]
fn an_app_built_before_is_served_while_it_is_built_again() {
    let app = app("two");
    drop(app.dev());
    // The compiler now never ends.
    app.write("compile.sh", "cat < wait\n");
    let made = std::process::Command::new("mkfifo").arg(app.path("wait")).status();
    assert!(made.is_ok_and(|status| status.success()));
    let dev = Dev::start_beside(app.dir());
    assert_eq!(which(dev.address), "two", "the last good artifact answers at once");
}

#[test]
fn variables_of_the_env_file_win_over_the_manifests() {
    let manifest = MANIFEST.replace("watch =", "env = { A = 'manifest', B = 'manifest' }\nwatch =");
    let app = app("two").file("alula.toml", manifest).file(".env", "A=file\nC='with space'\n");
    let dev = app.dev();
    assert_eq!(dev.get("/?do=env").text(), "A=file\nB=manifest\nC=with space\n");
    app.write(".env", "A=again\n");
    let expected = "A=again\nB=manifest\n";
    wait_until("the new values", || (dev.get("/?do=env").text() == expected).then_some(()));
}
