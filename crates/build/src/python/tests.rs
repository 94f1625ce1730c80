//! With the real toolchain, which the first run installs into the user's cache folder.

use std::path::Path;

use alula_types::{Code, Fault};

use crate::{BuildRequest, Engine, Silent, python};

async fn build(dir: &Path, source: &str) -> Result<std::path::PathBuf, Fault> {
    let request = BuildRequest {
        source: dir.join("app.py"),
        dir: dir.to_owned(),
        out: dir.join("out"),
        engine: Engine::default(),
    };
    std::fs::write(&request.source, source).unwrap();
    python::build(&request, &Silent).await
}

fn holds(component: &Path, name: &str) -> bool {
    let bytes = std::fs::read(component).unwrap();
    bytes.windows(name.len()).any(|window| window == name.as_bytes())
}

#[tokio::test]
async fn an_async_fetch_becomes_a_component_that_handles_http() {
    let dir = tempfile::tempdir().unwrap();
    let source = "from alula import Response\n\
        async def fetch(request, env):\n    return Response('hi')\n";
    let component = build(dir.path(), source).await.unwrap();
    assert!(holds(&component, "wasi:http/incoming-handler@0.2.0"));
}

#[tokio::test]
async fn an_author_sees_their_own_traceback_with_their_own_paths() {
    let dir = tempfile::tempdir().unwrap();
    let fault = build(dir.path(), "def broken():\n    return 1 / 0\nbroken()\n").await.unwrap_err();
    assert_eq!(fault.code, Code::BuildFailed);
    let file = format!("File \"{}/app.py\", line 2, in broken", dir.path().display());
    assert!(fault.detail.contains(&file), "{}", fault.detail);
    assert!(fault.detail.ends_with("ZeroDivisionError: division by zero"), "{}", fault.detail);
    for machinery in ["importlib", "componentize", "alula_entry"] {
        assert!(!fault.detail.contains(machinery), "{}", fault.detail);
    }
}

#[tokio::test]
async fn a_module_without_fetch_is_told_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let fault = build(dir.path(), "def main():\n    pass\n").await.unwrap_err();
    assert!(fault.detail.contains("no `async def fetch(request, env)`"), "{}", fault.detail);
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_is_refused_before_any_tool_runs() {
    let dir = tempfile::tempdir().unwrap();
    let request = BuildRequest {
        source: dir.path().join("my-app.py"),
        dir: dir.path().to_owned(),
        out: dir.path().join("out"),
        engine: Engine::default(),
    };
    let fault = python::build(&request, &Silent).await.unwrap_err();
    assert!(fault.detail.contains("my-app.py"), "{}", fault.detail);
}

#[test]
fn a_component_without_the_code_that_leaks_is_refused_rather_than_left_as_it_is() {
    let empty = [0, b'a', b's', b'm', 13, 0, 1, 0];
    let error = python::leak::mend(&empty).unwrap_err();
    assert!(error.to_string().contains("no generated call"), "{error}");
}
