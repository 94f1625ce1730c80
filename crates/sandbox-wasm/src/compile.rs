//! Compiling in a process of its own: low priority, bounded time and memory.
//!
//! Cranelift is not built to withstand hostile input in time and memory (the engine's own security
//! policy excludes both), so it does not run where requests are served. The child is this very
//! program, started with a hidden command; it reads the artifact from its standard input and writes
//! the code to the file it is told.

use std::ffi::OsString;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};

use alula_rt::clock;
use alula_types::limits::node;
use alula_types::{Code, Fault};
use rustix::process::{Resource, Rlimit, setpriority_process, setrlimit};
use tokio::io::AsyncWriteExt as _;

use crate::engine::{self, Calls, Profile};
use crate::inspect::Form;

/// How to start the compile process: a program and the arguments before ours.
#[derive(Debug, Clone)]
pub struct Compiler {
    /// The program; usually this one.
    pub program: PathBuf,
    /// The arguments that lead to [`child_main`].
    pub args: Vec<OsString>,
}

/// Compiles an artifact into a file.
pub(crate) async fn compile(
    compiler: &Compiler,
    profile: Profile,
    form: &Form<'_>,
    out: &Path,
) -> Result<(), Fault> {
    let failed = |text: String| Fault::new(Code::CompileFailed, text);
    let kind = if matches!(form, Form::Command(_)) { "module" } else { "component" };
    let mut child = tokio::process::Command::new(&compiler.program)
        .args(&compiler.args)
        .args([profile.as_str(), form.calls().as_str(), kind])
        .arg(out)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("starting the compiler: {error}")))?;
    let mut stdin = child.stdin.take().expect("its input is a pipe");
    let feed = async move {
        // A child that died early says why on its standard error.
        drop(stdin.write_all(form.bytes()).await);
        drop(stdin);
    };
    let run = async { tokio::join!(feed, child.wait_with_output()).1 };
    let output = clock::timeout(node::COMPILE_TIME, run)
        .await
        .map_err(|_| {
            let seconds = node::COMPILE_TIME.as_secs();
            Fault::new(Code::CompileLimit, format!("compiling took more than {seconds} s"))
        })?
        .map_err(|error| failed(format!("waiting for the compiler: {error}")))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim();
    if output.status.code().is_none() || said.contains("memory allocation") {
        let text = format!("compiling took more than {} of memory or time", node::COMPILE_MEMORY);
        return Err(Fault::new(Code::CompileLimit, text));
    }
    Err(failed(format!("compiling the artifact: {said}")))
}

/// The compile process: `PROFILE CALLS module|component OUTPUT`, the artifact on standard input.
pub fn child_main(args: &[OsString]) -> ExitCode {
    match child(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn child(args: &[OsString]) -> Result<(), wasmtime::Error> {
    let [profile, calls, kind, out] = args else { wasmtime::bail!("wrong arguments") };
    let profile = profile.to_str().and_then(Profile::parse);
    let Some(profile) = profile else { wasmtime::bail!("no such profile") };
    let calls = calls.to_str().and_then(Calls::parse);
    let Some(calls) = calls else { wasmtime::bail!("no such calls") };
    bound_self()?;
    let mut wasm = Vec::new();
    std::io::stdin().lock().take(node::ARTIFACT.0 * 2).read_to_end(&mut wasm)?;
    let engine = engine::compiler(profile, calls)?;
    let code = if kind == "module" {
        engine.precompile_module(&wasm)?
    } else {
        engine.precompile_component(&wasm)?
    };
    std::fs::write(out, code)?;
    Ok(())
}

fn bound_self() -> Result<(), wasmtime::Error> {
    // Requests come first.
    setpriority_process(None, 19)?;
    let bound = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::As, bound(node::COMPILE_MEMORY.0))?;
    setrlimit(Resource::Cpu, bound(node::COMPILE_CPU.as_secs()))?;
    setrlimit(Resource::Core, bound(0))?;
    Ok(())
}
