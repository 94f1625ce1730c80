//! From a file to its end: read, compile, link, call.

use std::path::Path;

use alula_types::{Code, Fault};
use wasmtime::component::{self, Component};
use wasmtime::{Engine, Module, Store};
use wasmtime_wasi::{p2, p3};

use super::filesystem;
use super::kept;
use super::preview1;
use super::state::{ModuleState, State};
use super::{Options, ending};
use crate::engine::{self, Calls, Profile};
use crate::inspect::{self, Form};
use crate::interfaces;

/// Runs the command; the result is its exit code.
pub(super) async fn execute(options: Options) -> Result<u8, Fault> {
    let file = options.file.as_path();
    let wasm = std::fs::read(file).map_err(|error| {
        Fault::new(Code::ArtifactUnreadable, format!("reading `{}`: {error}", file.display()))
            .hint("give the path of a `.wasm` file")
    })?;
    let form = inspect::form(&wasm)?;
    let engine = engine::compiler(Profile::Command, form.calls()).map_err(internal)?;
    match &form {
        Form::Component { bytes, calls, .. } => component(&engine, *calls, bytes, &options).await,
        Form::Command(bytes) => module(&engine, bytes, &options).await,
    }
}

async fn module(engine: &Engine, wasm: &[u8], options: &Options) -> Result<u8, Fault> {
    let file = &options.file;
    let module = kept::compile::<Module>(engine, wasm, options.kept.as_ref())
        .map_err(|error| refused(file, wasm, &error))?;
    let mut store = Store::new(engine, ModuleState::new(options)?);
    store.limiter(|state| &mut state.limits);
    let linker = preview1::linker(engine).map_err(internal)?;
    let missing: Vec<String> = module
        .imports()
        .filter(|import| linker.get(&mut store, import.module(), import.name()).is_err())
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect();
    if !missing.is_empty() {
        return Err(import_refused(file, &missing));
    }
    let run = async {
        let instance = linker.instantiate_async(&mut store, &module).await?;
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call_async(&mut store, ()).await
    };
    Ok(run.await.map_or_else(|error| ending::code(file, &error), |()| 0))
}

async fn component(
    engine: &Engine,
    calls: Calls,
    wasm: &[u8],
    options: &Options,
) -> Result<u8, Fault> {
    let file = &options.file;
    let component = kept::compile::<Component>(engine, wasm, options.kept.as_ref())
        .map_err(|error| refused(file, wasm, &error))?;
    let version = version(engine, &component, file)?;
    let unknown = inspect::unknown_imports(engine, &component);
    if !unknown.is_empty() {
        return Err(import_refused(file, &unknown));
    }
    let mut store = Store::new(engine, State::new(options)?);
    store.limiter(|state| &mut state.limits);
    let linker = linker(engine, calls).map_err(internal)?;
    let pre = linker.instantiate_pre(&component).map_err(|error| {
        // The imports are of known interfaces, so one of them has a function or a type we do not
        // offer.
        Fault::new(Code::ImportRefused, format!("linking `{}`: {error:#}", file.display()))
            .hint("it was built for a later version of WASI; build it for 0.2.12 or 0.3.0")
    })?;
    let outcome = match version {
        Version::Two => run_two(&mut store, pre).await,
        Version::Three => run_three(&mut store, pre).await,
    };
    Ok(match outcome {
        Ok(Ok(())) => 0,
        Ok(Err(())) => 1,
        Err(error) => ending::code(file, &error),
    })
}

type Outcome = wasmtime::Result<Result<(), ()>>;

async fn run_two(store: &mut Store<State>, pre: component::InstancePre<State>) -> Outcome {
    let command = p2::bindings::CommandPre::new(pre)?.instantiate_async(&mut *store).await?;
    command.wasi_cli_run().call_run(store).await
}

async fn run_three(store: &mut Store<State>, pre: component::InstancePre<State>) -> Outcome {
    let command = p3::bindings::CommandPre::new(pre)?.instantiate_async(&mut *store).await?;
    store.run_concurrent(async |store| command.wasi_cli_run().call_run(store).await).await?
}

/// Everything a command may import, whether granted or not: what is not granted is refused when it
/// is used, because the common language runtimes import all of it.
fn linker(engine: &Engine, calls: Calls) -> wasmtime::Result<component::Linker<State>> {
    let mut linker = interfaces::linker(engine, calls)?;
    filesystem::link_two(&mut linker)?;
    if calls == Calls::Concurrent {
        filesystem::link_three(&mut linker)?;
    }
    Ok(linker)
}

#[derive(Clone, Copy)]
enum Version {
    Two,
    Three,
}

/// Which `wasi:cli/run` the component exports; the newer one when it has both.
fn version(engine: &Engine, component: &Component, file: &Path) -> Result<Version, Fault> {
    let exports = inspect::interfaces(engine, component).exports;
    let released = |start: &str| {
        exports.iter().filter_map(|name| name.strip_prefix(start)).any(|rest| !rest.contains('-'))
    };
    if released("wasi:cli/run@0.3.") {
        return Ok(Version::Three);
    }
    if released("wasi:cli/run@0.2.") {
        return Ok(Version::Two);
    }
    let file = file.display();
    let has = |start: &str| exports.iter().find(|name| name.starts_with(start));
    if let Some(name) = has("wasi:cli/run@") {
        let text = format!("`{file}` exports `{name}`, a version that is not supported");
        return Err(Fault::new(Code::ExportMissing, text).hint("build it for WASI 0.2 or 0.3.0"));
    }
    let fault = Fault::new(Code::ExportMissing, format!("`{file}` exports no `wasi:cli/run`"));
    Err(if has("wasi:http/").is_some() {
        fault.hint("it answers HTTP requests: serve it with `alula serve-component`")
    } else {
        fault.hint("a command exports `wasi:cli/run`; libraries cannot be run")
    })
}

fn import_refused(file: &Path, names: &[String]) -> Fault {
    let text = format!("`{}` imports what nobody offers: {}", file.display(), names.join(", "));
    Fault::new(Code::ImportRefused, text)
        .hint("a command may import WASI preview 1, or WASI 0.2 and 0.3 in their released versions")
}

fn refused(file: &Path, wasm: &[u8], error: &wasmtime::Error) -> Fault {
    // The engine's error does not say whose fault it is.
    let valid = wasmparser::Validator::new().validate_all(wasm).is_ok();
    let code = if valid { Code::CompileFailed } else { Code::ArtifactMalformed };
    Fault::new(code, format!("compiling `{}`: {error:#}", file.display()))
}

fn internal(error: wasmtime::Error) -> Fault {
    Fault::new(Code::Internal, format!("{error:#}"))
}
