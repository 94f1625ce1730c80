//! Files that are not what they should be: each gets an error that says what to do.

use std::path::{Path, PathBuf};

use alula_tests::app::App;
use alula_tests::guests::Guest;
use alula_tests::program::{Finished, run};

const MANIFEST: &str = "[app]\nname = 'hostile'\n[functions.f]\ncomponent = 'f.wasm'\n\
     [[triggers.http]]\nroute = '/'\nfunction = 'f'\n";

/// The empty core module.
const EMPTY_MODULE: &[u8] = b"\0asm\x01\0\0\0";

fn build(app: &App) -> Finished {
    run(["build".as_ref(), app.dir().as_os_str()])
}

/// Building an app with these bytes as its artifact fails with a code, a message and help.
#[track_caller]
fn check(bytes: impl AsRef<[u8]>, code: &str, words: &[&str]) {
    let app = App::new(MANIFEST).file("f.wasm", bytes);
    check_app(&app, code, words);
}

#[track_caller]
fn check_app(app: &App, code: &str, words: &[&str]) {
    let built = build(app);
    assert_eq!(built.code(), 1, "{built:?}");
    let told = &built.stderr;
    assert!(told.contains(code), "no {code}: {told}");
    assert!(told.contains("help"), "it does not say what to do: {told}");
    for word in words {
        assert!(told.contains(word), "no `{word}`: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn a_good_artifact_passes() {
    let app = App::new(MANIFEST).guest("f.wasm", Guest::Http);
    let built = build(&app);
    assert_eq!(built.code(), 0, "{built:?}");
    let told = built.stdout + &built.stderr;
    assert!(told.contains("wasi:http/incoming-handler"), "{told}");
}

#[test]
fn a_missing_file_is_named() {
    check_app(&App::new(MANIFEST), "ALULA-E0201", &["f.wasm"]);
}

#[test]
fn a_truncated_artifact_is_malformed() {
    let whole = Guest::Http.bytes();
    for length in [5, 100, whole.len() / 2, whole.len() - 1] {
        check(&whole[..length], "ALULA-E0202", &[]);
    }
}

#[test]
fn what_is_not_webassembly_is_malformed() {
    check("", "ALULA-E0202", &[]);
    check("#!/bin/sh\necho hello\n", "ALULA-E0202", &[]);
    check(b"\0asm\x63\0\0\0", "ALULA-E0202", &[]);
}

#[test]
fn an_artifact_that_exports_nothing_callable_says_what_to_export() {
    check(EMPTY_MODULE, "ALULA-E0205", &["wasi:http"]);
    check(Guest::NoExport.bytes(), "ALULA-E0205", &["wasi:http"]);
}

#[test]
fn an_unknown_import_is_listed() {
    check(Guest::OddImport.bytes(), "ALULA-E0206", &["test:nowhere/wishes@1.2.3"]);
}

#[test]
fn an_artifact_larger_than_the_limit_is_refused_without_reading_it() {
    let app = App::new(MANIFEST).file("f.wasm", EMPTY_MODULE);
    let file = std::fs::OpenOptions::new().write(true).open(app.path("f.wasm")).unwrap();
    file.set_len(300 << 20).unwrap();
    check_app(&app, "ALULA-E0204", &[]);
}

#[test]
fn machine_code_is_refused_even_when_it_is_our_own() {
    let app = App::new(MANIFEST).guest("f.wasm", Guest::Http);
    assert_eq!(build(&app).code(), 0);
    let compiled = compiled(app.dir());
    check(std::fs::read(&compiled[0]).unwrap(), "ALULA-E0203", &[]);
    // Any machine code, not only what this version could load.
    check([0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0], "ALULA-E0203", &[]);
}

#[test]
fn a_planted_cache_entry_is_set_aside_and_compiled_again() {
    let app = App::new(MANIFEST).guest("f.wasm", Guest::Http);
    assert_eq!(build(&app).code(), 0);
    let entries = compiled(app.dir());
    for entry in &entries {
        let mut bytes = std::fs::read(entry).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..middle + 64].fill(0xcc);
        std::fs::remove_file(entry).unwrap();
        std::fs::write(entry, bytes).unwrap();
    }
    let dev = app.dev();
    assert_eq!(dev.get("/?do=hello").text(), "hello\n");
    let told = dev.process.stderr.find(0, |line| line.contains("ALULA-E0210").then_some(()));
    assert!(told.is_some(), "nobody is told: {}", dev.process.transcript());
    for entry in &entries {
        assert!(entry.with_extension("refused").exists(), "{} is gone", entry.display());
    }
    drop(dev);

    // Untouched entries are used: the barrier refuses what was planted and nothing else.
    let dev = app.dev();
    assert_eq!(dev.get("/?do=hello").text(), "hello\n");
    assert!(!dev.process.stderr.all().contains("ALULA-E0210"), "{}", dev.process.transcript());
}

/// The compiled artifacts of an app.
fn compiled(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![dir.join(".alula")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "cwasm") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "nothing was compiled in {}", dir.display());
    found
}
