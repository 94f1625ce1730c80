//! With the real compiler, which the first run installs into the user's cache folder.

use std::path::{Path, PathBuf};

use alula_types::{Code, Fault};

use super::Shape;
use crate::{BuildRequest, Engine, Silent, c};

async fn build(dir: &Path, source: &str) -> Result<PathBuf, Fault> {
    let request = BuildRequest {
        source: dir.join("main.c"),
        dir: dir.to_owned(),
        out: dir.join("out"),
        engine: Engine::default(),
    };
    std::fs::write(&request.source, source).unwrap();
    c::build(&request, &Silent).await
}

/// The bytes after the magic number: 1 for a core module, 13 for a component.
fn version(file: &Path) -> u8 {
    std::fs::read(file).unwrap()[4]
}

#[test]
fn the_include_decides_the_shape() {
    for (text, shape) in [
        ("#include <alula.h>\nvoid handle();", Shape::Handler),
        ("  # include \"alula.h\"", Shape::Handler),
        ("// #include <alula.h>\nint main() {}", Shape::Program),
        ("#include <stdio.h>\nint main() {}", Shape::Program),
    ] {
        assert_eq!(Shape::of(text), shape, "{text}");
    }
}

#[tokio::test]
async fn a_handle_becomes_a_component_that_imports_only_what_it_uses() {
    let dir = tempfile::tempdir().unwrap();
    let source = "#include <alula.h>\n\
        void handle(alula_request *request, alula_response *response) {\n\
        alula_print(response, \"hi %s\", alula_path(request)); }\n";
    let component = build(dir.path(), source).await.unwrap();
    assert_eq!(version(&component), 13);
    let bytes = std::fs::read(&component).unwrap();
    let holds = |name: &[u8]| bytes.windows(name.len()).any(|window| window == name);
    assert!(holds(b"wasi:http/incoming-handler@0.2.0"));
    assert!(!holds(b"wasi:http/outgoing-handler"));
}

#[tokio::test]
async fn a_main_becomes_a_command_module() {
    let dir = tempfile::tempdir().unwrap();
    let source = "#include <stdio.h>\nint main(void) { puts(\"content-type: text/plain\\n\"); }\n";
    assert_eq!(version(&build(dir.path(), source).await.unwrap()), 1);
}

#[tokio::test]
async fn the_compilers_words_reach_the_author() {
    let dir = tempfile::tempdir().unwrap();
    let fault = build(dir.path(), "int main(void) { return missing; }\n").await.unwrap_err();
    assert_eq!(fault.code, Code::BuildFailed);
    assert!(fault.detail.contains("main.c:1:"), "{}", fault.detail);
    assert!(fault.detail.contains("missing"), "{}", fault.detail);
}
