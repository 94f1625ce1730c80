//! Builds with the real toolchain; set-up has installed it into the cache before tests run.

use std::path::Path;

use super::*;
use crate::Silent;

fn request(dir: &Path, file: &str, source: &str) -> BuildRequest {
    std::fs::write(dir.join(file), source).unwrap();
    BuildRequest {
        source: dir.join(file),
        dir: dir.to_owned(),
        out: dir.join("out"),
        engine: Engine::QuickJs,
    }
}

#[tokio::test]
async fn a_typed_handler_becomes_a_component() {
    let dir = tempfile::tempdir().unwrap();
    let source = "interface Env { NAME: string }\n\
        export default { async fetch(_: Request, env: Env): Promise<Response> {\n\
          return new Response(env.NAME);\n} };\n";
    let request = request(dir.path(), "index.ts", source);
    let component = build(&request, &Silent).await.expect("it builds");
    let bytes = std::fs::read(component).unwrap();
    assert_eq!(&bytes[..8], b"\0asm\x0d\0\x01\0", "a component, not a module");
}

#[tokio::test]
async fn a_syntax_error_is_shown_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), "index.js", "export default {\n  fetch( {\n}\n");
    let fault = build(&request, &Silent).await.unwrap_err();
    assert_eq!(fault.code, Code::BuildFailed);
    assert!(fault.detail.contains("index.js:"), "{}", fault.detail);
}

#[tokio::test]
async fn a_module_without_a_handler_is_told_what_to_export() {
    let dir = tempfile::tempdir().unwrap();
    let request = request(dir.path(), "index.js", "export const x = 1;\n");
    let fault = build(&request, &Silent).await.unwrap_err();
    assert!(fault.detail.contains("export default"), "{}", fault.detail);
}

#[tokio::test]
async fn what_needs_the_host_is_refused_while_the_module_loads() {
    let dir = tempfile::tempdir().unwrap();
    let source = "const id = crypto.randomUUID();\n\
        export default { fetch() { return new Response(id); } };\n";
    let fault = build(&request(dir.path(), "index.js", source), &Silent).await.unwrap_err();
    assert!(fault.detail.contains("use it in the handler"), "{}", fault.detail);
}
