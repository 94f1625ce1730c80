//! What `alula new` writes works as it is: made, served, edited, served again.

use alula_testkit::TempDir;
use alula_tests::app::Dev;
use alula_tests::program::{BUILD_PATIENCE, run, wait_for};

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
    assert!(answer.text().contains("Hello"), "{template}: {}", answer.text());
    (folder, dev)
}

/// Changes the greeting in a source file and waits for the new answer.
fn edit(folder: &TempDir, dev: &Dev, file: &str, from: &str, to: &str) {
    let path = folder.path().join("my-app").join(file);
    let before = std::fs::read_to_string(&path).expect("the template has this file");
    assert!(before.contains(from), "{file} has no `{from}`: {before}");
    std::fs::write(&path, before.replace(from, to)).expect("the folder is writable");
    let answered = || dev.get("/").text().contains(to).then_some(());
    wait_for(BUILD_PATIENCE, "the edit is answered", answered);
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
    let (folder, dev) = check("js-http");
    edit(&folder, &dev, "src/index.js", " from ", " edited in ");
}

#[test]
fn ts_http() {
    let (folder, dev) = check("ts-http");
    edit(&folder, &dev, "src/index.ts", " from ", " edited in ");
}

#[test]
fn python_http() {
    let (folder, dev) = check("python-http");
    edit(&folder, &dev, "app.py", "\"message\"", "\"edited\"");
}

#[test]
fn c_http() {
    let (folder, dev) = check("c-http");
    edit(&folder, &dev, "main.c", ", %s!", " edited it!");
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
