//! What every command has in common: help, versions, exit codes, JSON, an end on a signal.

use std::process::{Command, Stdio};

use alula_tests::app::App;
use alula_tests::guests::Guest;
use alula_tests::program::{Lines, command, run};

#[test]
fn help_and_version_are_there() {
    let version = run(["--version"]);
    assert_eq!((version.code(), version.stdout.starts_with("alula ")), (0, true), "{version:?}");
    for name in ["new", "build", "dev", "run", "serve-component", "completions"] {
        let help = run([name, "--help"]);
        assert_eq!(help.code(), 0, "{help:?}");
        assert!(help.stdout.contains("Examples:\n  alula "), "{name}: {}", help.stdout);
    }
}

#[test]
fn completions_are_written_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let script = run(["completions", shell]);
        assert_eq!(script.code(), 0, "{script:?}");
        assert!(script.stdout.contains("serve-component"), "{shell}: {}", script.stdout);
    }
}

#[test]
fn wrong_usage_is_2_and_a_failure_is_1() {
    for args in [&["frobnicate"][..], &["build", "--frobnicate"], &["serve-component"], &[]] {
        assert_eq!(run(args).code(), 2, "{args:?}");
    }
    let folder = alula_testkit::folder();
    let missing = run(["build".as_ref(), folder.path().as_os_str()]);
    assert_eq!(missing.code(), 1, "{missing:?}");
    assert!(missing.stderr.contains("ALULA-E0105"), "{missing:?}");
    assert!(missing.stdout.is_empty() && !missing.stderr.contains('\x1b'), "{missing:?}");
}

#[test]
fn programs_get_json() {
    let folder = alula_testkit::folder();
    let missing = run(["--json".as_ref(), "build".as_ref(), folder.path().as_os_str()]);
    assert_eq!((missing.code(), &missing.json()["error"]["code"]), (1, &"ALULA-E0105".into()));

    let manifest = "[app]\nname = 'report'\n[functions.good]\ncomponent = 'good.wasm'\n\
         [functions.odd]\ncomponent = 'odd.wasm'\n";
    let app =
        App::new(manifest).guest("good.wasm", Guest::Http).guest("odd.wasm", Guest::OddImport);
    let built = run(["--json".as_ref(), "build".as_ref(), app.dir().as_os_str()]);
    assert_eq!(built.code(), 1, "{built:?}");
    let report = built.json();
    assert_eq!(report["ok"], false, "{report}");
    let (good, odd) = (&report["functions"][0], &report["functions"][1]);
    assert_eq!((&good["name"], &good["contract"]), (&"good".into(), &"wasi-http".into()));
    assert!(good["imports"].as_array().is_some_and(|imports| !imports.is_empty()), "{good}");
    assert_eq!((&odd["name"], &odd["error"]["code"]), (&"odd".into(), &"ALULA-E0206".into()));
}

#[test]
fn a_mistake_in_the_manifest_is_pointed_at() {
    let app = App::new("[app]\nname = 'x'\n[functions.f]\ncomponent = 'f.wasm'\nmemori = '1MiB'\n");
    let built = run(["build".as_ref(), app.dir().as_os_str()]);
    assert_eq!(built.code(), 1, "{built:?}");
    for part in ["ALULA-E0102", "alula.toml:5", "did you mean `memory`"] {
        assert!(built.stderr.contains(part), "no `{part}`: {}", built.stderr);
    }
}

#[test]
fn dev_ends_cleanly_on_a_signal() {
    let app = App::new("[app]\nname = 'x'\n[functions.f]\ncomponent = 'f.wasm'\n")
        .guest("f.wasm", Guest::Http);
    for signal in ["-INT", "-TERM"] {
        let args =
            ["dev".as_ref(), "--listen".as_ref(), "127.0.0.1:0".as_ref(), app.dir().as_os_str()];
        let mut child = command(args).stdout(Stdio::piped()).spawn().expect("the program starts");
        let stdout = Lines::read(child.stdout.take().expect("it is piped"));
        let serving = |line: &str| line.contains("http://127.0.0.1:").then_some(());
        assert!(stdout.find(0, serving).is_some(), "{}", stdout.all());
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()));
        assert_eq!(child.wait().expect("it ends").code(), Some(0), "{signal}: {}", stdout.all());
    }
}
