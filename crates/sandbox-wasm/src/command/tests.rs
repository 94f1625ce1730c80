//! Commands from their text to their exit code. What a guest sees is told by its exit code.

use std::path::Path;
use std::sync::Arc;

use alula_capability::{BoxFuture, Call, CallContext, Host, Refusal, Reply};
use alula_policy::HttpGrants;
use alula_types::{Code, Fault};
use tempfile::TempDir;

use super::{CRASHED, Dir, Options, run};

/// Refuses every call: these guests make none.
struct Nobody;

impl Host for Nobody {
    fn call(&self, _: &CallContext, _: Call) -> BoxFuture<Result<Reply, Refusal>> {
        Box::pin(async { Err(Refusal::Denied("nothing is granted".into())) })
    }
}

fn options(file: &Path) -> Options {
    Options {
        file: file.into(),
        args: Vec::new(),
        env: Vec::new(),
        dirs: Vec::new(),
        http: HttpGrants::default(),
        net: None,
        host: Arc::new(Nobody),
        kept: None,
    }
}

/// Runs a text guest after `change` had a look at its options.
async fn run_text(text: &str, change: impl FnOnce(&mut Options)) -> Result<u8, Fault> {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, wat::parse_str(text).expect("valid text")).expect("written");
    let mut options = options(&file);
    change(&mut options);
    run(options).await
}

async fn run_bytes(bytes: &[u8]) -> Fault {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("guest.wasm");
    std::fs::write(&file, bytes).expect("written");
    run(options(&file)).await.expect_err("not a command")
}

/// A preview 1 module with a memory, the functions named and a `_start` of this body. `$n` is a
/// spare local.
fn module(imports: &str, body: &str) -> String {
    let signature = |name: &str| match name {
        "proc_exit" => "(param i32)",
        "args_sizes_get" | "environ_sizes_get" | "args_get" | "environ_get" => {
            "(param i32 i32) (result i32)"
        }
        "path_remove_directory" => "(param i32 i32 i32) (result i32)",
        "fd_prestat_get" => "(param i32 i32) (result i32)",
        "fd_write" | "fd_read" => "(param i32 i32 i32 i32) (result i32)",
        "path_open" => "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)",
        other => panic!("no signature for {other}"),
    };
    let imports: String = imports
        .split_whitespace()
        .map(|name| {
            let signature = signature(name);
            format!("(import \"wasi_snapshot_preview1\" \"{name}\" (func ${name} {signature}))\n")
        })
        .collect();
    format!(
        "(module {imports} (memory (export \"memory\") 1) (data (i32.const 64) \"note.txt/\")
           (func (export \"_start\") (local $n i32) {body}))"
    )
}

fn exit_with(code: i32) -> String {
    module("proc_exit", &format!("i32.const {code} call $proc_exit"))
}

#[tokio::test]
async fn the_guests_exit_code_is_the_exit_code() {
    for (status, code) in [(0, 0), (1, 1), (33, 33), (126, 126), (255, 255), (256, 0)] {
        assert_eq!(run_text(&exit_with(status), |_| ()).await, Ok(code), "{status}");
    }
    assert_eq!(run_text(&module("", ""), |_| ()).await, Ok(0), "returning is success");
}

#[tokio::test]
async fn the_snapshot_before_preview_1_exits_alike() {
    let text = exit_with(200).replace("wasi_snapshot_preview1", "wasi_unstable");
    assert_eq!(run_text(&text, |_| ()).await, Ok(200));
}

#[tokio::test]
async fn a_crash_is_134() {
    for body in [
        "unreachable",
        "(i32.load (i32.const -1)) drop",
        "(i32.div_u (i32.const 1) (i32.const 0)) drop",
    ] {
        assert_eq!(run_text(&module("", body), |_| ()).await, Ok(CRASHED), "{body}");
    }
}

#[tokio::test]
async fn arguments_follow_the_files_name() {
    // 100 times the number of arguments plus the bytes they take.
    let text = module(
        "args_sizes_get proc_exit",
        "(drop (call $args_sizes_get (i32.const 0) (i32.const 4)))
         (call $proc_exit (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 50))
                                   (i32.load (i32.const 4))))",
    );
    let bytes = "guest.wasm\0one\0\0".len();
    let code = run_text(&text, |options| options.args = vec!["one".into(), String::new()]).await;
    assert_eq!(code.map(usize::from), Ok(150 + bytes));
}

#[tokio::test]
async fn the_environment_is_what_was_given_and_nothing_else() {
    let text = module(
        "environ_sizes_get proc_exit",
        "(drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))
         (call $proc_exit (i32.add (i32.mul (i32.load (i32.const 0)) (i32.const 50))
                                   (i32.load (i32.const 4))))",
    );
    assert_eq!(run_text(&text, |_| ()).await, Ok(0), "nothing is inherited");
    let env = [("A", "1"), ("B", ""), ("A", "longer")].map(|(k, v)| (k.into(), v.into()));
    let code = run_text(&text, |options| options.env = env.into()).await;
    let bytes = "A=longer\0B=\0".len();
    assert_eq!(code.map(usize::from), Ok(100 + bytes), "the last of one name wins");
}

/// Opens `note.txt` in the first folder with open flags and rights; exits with the error number.
fn open(oflags: u32, rights: u64) -> String {
    module(
        "path_open proc_exit",
        &format!(
            "(call $proc_exit (call $path_open (i32.const 3) (i32.const 0) (i32.const 64)
               (i32.const 8) (i32.const {oflags}) (i64.const {rights}) (i64.const 0)
               (i32.const 0) (i32.const 0)))"
        ),
    )
}

const CREATE: u32 = 1;
const READ: u64 = 1 << 1;
const WRITE: u64 = 1 << 6;
const SUCCESS: u8 = 0;
const BADF: u8 = 8;
const NOENT: u8 = 44;
const NOTDIR: u8 = 54;
/// `errno::perm` and `errno::notcapable`.
const REFUSED: [u8; 2] = [63, 76];

#[tokio::test]
async fn a_folder_is_there_only_when_given() {
    let folder = TempDir::new().expect("a folder");
    let dir = || Dir { host: folder.path().into(), guest: "/d".into(), read_only: false };
    assert_eq!(run_text(&open(0, READ), |_| ()).await, Ok(BADF));
    assert_eq!(run_text(&open(0, READ), |options| options.dirs.push(dir())).await, Ok(NOENT));
    let made = run_text(&open(CREATE, READ | WRITE), |options| options.dirs.push(dir())).await;
    assert_eq!(made, Ok(SUCCESS));
    assert!(folder.path().join("note.txt").exists());
}

#[tokio::test]
async fn a_read_only_folder_refuses_writing() {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("note.txt"), "kept").expect("written");
    let dir = || Dir { host: folder.path().into(), guest: "/d".into(), read_only: true };
    assert_eq!(run_text(&open(0, READ), |options| options.dirs.push(dir())).await, Ok(SUCCESS));
    for (flags, rights) in [(CREATE, READ | WRITE), (0, WRITE), (8, READ | WRITE)] {
        let code = run_text(&open(flags, rights), |options| options.dirs.push(dir())).await;
        let code = code.expect("it ran");
        assert!(REFUSED.contains(&code), "flags {flags} rights {rights} gave {code}");
    }
    assert_eq!(std::fs::read(folder.path().join("note.txt")).expect("there"), b"kept");
}

#[tokio::test]
async fn a_directory_is_removed_also_with_a_slash_after_its_name() {
    let folder = TempDir::new().expect("a folder");
    let made = folder.path().join("note.txt");
    let text = module(
        "path_remove_directory proc_exit",
        "(call $proc_exit (call $path_remove_directory (i32.const 3) (i32.const 64) (i32.const 9)))",
    );
    let dir = || Dir { host: folder.path().into(), guest: "/d".into(), read_only: false };
    std::fs::create_dir(&made).expect("made");
    assert_eq!(run_text(&text, |options| options.dirs.push(dir())).await, Ok(SUCCESS));
    assert!(!made.exists());
    std::fs::write(&made, "a file").expect("written");
    assert_eq!(run_text(&text, |options| options.dirs.push(dir())).await, Ok(NOTDIR));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_named() {
    let missing = Dir { host: "/no/such/folder".into(), guest: "/d".into(), read_only: false };
    let fault = run_text(&exit_with(0), |options| options.dirs.push(missing)).await;
    let fault = fault.expect_err("refused");
    assert_eq!(fault.code, Code::FileRefused);
    assert!(fault.detail.contains("/no/such/folder"), "{fault}");
}

#[tokio::test]
async fn what_is_not_a_command_gets_its_own_error() {
    let component = wat::parse_str("(component)").expect("valid");
    let library = wat::parse_str("(module (func (export \"add\")))").expect("valid");
    let invalid = wat::parse_str("(module (func (export \"_start\") i32.add))").expect("encodes");
    let foreign = "(module (import \"env\" \"f\" (func)) (func (export \"_start\")))";
    let foreign = wat::parse_str(foreign).expect("valid");
    for (bytes, code) in [
        (b"".as_slice(), Code::ArtifactMalformed),
        (b"(module)", Code::ArtifactMalformed),
        (b"\0asm\x01\0\0\0\x01", Code::ArtifactMalformed),
        (b"\x7fELF\x02\x01\x01", Code::ArtifactPrecompiled),
        (&component, Code::ExportMissing),
        (&library, Code::ExportMissing),
        (&invalid, Code::ArtifactMalformed),
        (&foreign, Code::ImportRefused),
    ] {
        let fault = run_bytes(bytes).await;
        assert_eq!(fault.code, code, "{fault}");
    }
    let missing = run(options(Path::new("/no/such/file.wasm"))).await.expect_err("refused");
    assert_eq!(missing.code, Code::ArtifactUnreadable);
}

#[tokio::test]
async fn a_component_that_serves_http_is_told_how_to_be_served() {
    let text =
        "(component (instance $i) (export \"wasi:http/incoming-handler@0.2.0\" (instance $i)))";
    let fault = run_text(text, |_| ()).await.expect_err("not a command");
    assert_eq!(fault.code, Code::ExportMissing);
    assert!(fault.advice().contains("serve-component"), "{}", fault.advice());
}

#[tokio::test]
async fn a_command_component_returns_success_failure_or_a_crash() {
    for (body, code) in [("i32.const 0", 0), ("i32.const 1", 1), ("unreachable", CRASHED)] {
        let text = format!(
            "(component
               (core module $m (func (export \"run\") (result i32) {body}))
               (core instance $m (instantiate $m))
               (func $run (result (result)) (canon lift (core func $m \"run\")))
               (instance $i (export \"run\" (func $run)))
               (export \"wasi:cli/run@0.2.3\" (instance $i)))"
        );
        assert_eq!(run_text(&text, |_| ()).await, Ok(code), "{body}");
    }
}

#[tokio::test]
async fn a_component_may_exit_with_any_code() {
    let text = "(component
       (import \"wasi:cli/exit@0.2.12\" (instance $exit
         (export \"exit-with-code\" (func (param \"status-code\" u8)))))
       (core func $exit (canon lower (func $exit \"exit-with-code\")))
       (core module $m (import \"\" \"exit\" (func $exit (param i32)))
         (func (export \"run\") (result i32) (call $exit (i32.const 200)) i32.const 0))
       (core instance $m (instantiate $m (with \"\" (instance (export \"exit\" (func $exit))))))
       (func $run (result (result)) (canon lift (core func $m \"run\")))
       (instance $i (export \"run\" (func $run)))
       (export \"wasi:cli/run@0.2.12\" (instance $i)))";
    assert_eq!(run_text(text, |_| ()).await, Ok(200));
}
