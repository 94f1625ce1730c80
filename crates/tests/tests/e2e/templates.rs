//! What `alula new` writes works as it is: made, served, edited, served again.

use alula_testkit::TempDir;
use alula_tests::app::Dev;
use alula_tests::program::{run, wait_until};

/// Makes a project from a template, serves it and checks the answer.
fn check(template: &str) -> (TempDir, Dev) {
    let folder = alula_testkit::folder();
    let project = folder.path().join("my-app");
    let made = run(["new".as_ref(), project.as_os_str(), "--template".as_ref(), template.as_ref()]);
    assert_eq!(made.code(), 0, "{template}: {made:?}");
    for file in ["alula.toml", "README.md", ".gitignore"] {
        assert!(project.join(file).is_file(), "{template} has no {file}");
    }
    let dev = Dev::start(&project);
    let answer = dev.get("/");
    assert_eq!(answer.status, 200, "{template}: {} {}", answer.text(), dev.process.transcript());
    assert!(answer.text().contains("my-app"), "{template}: {}", answer.text());
    (folder, dev)
}

/// Changes the greeting in a source file and waits for the new answer.
fn edit(folder: &TempDir, dev: &Dev, file: &str, from: &str, to: &str) {
    let path = folder.path().join("my-app").join(file);
    let before = std::fs::read_to_string(&path).expect("the template has this file");
    assert!(before.contains(from), "{file} has no `{from}`: {before}");
    std::fs::write(&path, before.replace(from, to)).expect("the folder is writable");
    wait_until("the edit is answered", || dev.get("/").text().contains(to).then_some(()));
}

#[test]
fn rust_http() {
    let (folder, dev) = check("rust-http");
    edit(&folder, &dev, "src/lib.rs", " from ", " edited in ");
}

#[test]
fn rust_http_p3() {
    let (folder, dev) = check("rust-http-p3");
    edit(&folder, &dev, "src/lib.rs", " from ", " edited in ");
}

#[test]
fn js_http() {
    check("js-http");
}

#[test]
fn ts_http() {
    check("ts-http");
}

#[test]
fn python_http() {
    check("python-http");
}

#[test]
fn c_http() {
    check("c-http");
}

#[test]
fn an_existing_folder_is_left_alone() {
    let folder = alula_testkit::folder();
    std::fs::write(folder.path().join("alula.toml"), "mine").unwrap();
    let made = run(["new".as_ref(), folder.path().as_os_str()]);
    assert_eq!(made.code(), 1, "{made:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("alula.toml")).unwrap(), "mine");
    let made = run(["new", "x", "--template", "cobol"]);
    assert_eq!(made.code(), 2, "{made:?}");
    assert!(made.stderr.contains("rust-http"), "the templates are listed: {made:?}");
}
