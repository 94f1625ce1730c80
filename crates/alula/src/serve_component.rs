//! `alula serve-component`: one component at `/`.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use alula_build::toolchain;
use alula_dispatch::Dispatcher;
use alula_gateway::{Entry, RouteTable, Target};
use alula_manifest::Pattern;
use alula_sandbox::Sandbox as _;
use alula_sandbox_wasm::Reach;
use alula_telemetry::terminal::Human;
use alula_telemetry::usage::Nowhere;
use alula_telemetry::wire::Json;
use alula_telemetry::{Lines, lines};
use alula_types::limits::{GatewayLimits, WarmLimits, node as limits};
use alula_types::{
    Code, Contract, Digest, Fault, FunctionName, Limits, Reuse, Revision, RevisionId,
};

use crate::cli::ServeComponent;
use crate::node::{self, Edge, Socket};
use crate::reach;
use crate::signals::Signals;
use crate::terminal::Terminal;

/// Serves until a signal ends it.
pub(crate) async fn run(
    options: &ServeComponent,
    signals: &Signals,
    terminal: Terminal,
) -> Result<(), Fault> {
    let socket = Socket::of(&options.listen)?;
    let wasm = read(&options.file)?;
    let (log, writer) = log(terminal);
    let sandbox = node::sandbox(&toolchain::cache_dir()?, node::profile(options.debug), log)?;
    let report = sandbox.prepare(&wasm).await?;
    drop(wasm);
    if report.contract == Contract::WasiCli {
        return Err(not_a_server(&options.file));
    }
    let revision = Arc::new(revision(options, report.digest));
    let reach = Reach { dirs: options.reach.dir.clone(), net: reach::net(&options.reach)? };
    let installed = sandbox.install_with(Arc::clone(&revision), reach)?;
    let dispatcher = Dispatcher::new(sandbox.places());
    let function = revision.function.clone();
    dispatcher.install(revision, installed);
    let limits = GatewayLimits::DEFAULT;
    let grace = limits.grace;
    let scheme = socket.scheme();
    let edge = Edge { socket, limits, usage: Arc::new(Nowhere), observer: None };
    let gateway = node::gateway(edge, &dispatcher).await?;
    gateway.set_routes(everything(function));
    // The first line on standard error: programs that start us wait for exactly this.
    let _ = writeln!(std::io::stderr(), "Serving {scheme}://{}/", gateway.local_addr());
    node::serve(gateway, sandbox, grace, signals).await;
    writer.finish().await;
    Ok(())
}

fn log(terminal: Terminal) -> (Arc<Lines>, lines::Writer) {
    if terminal.json {
        Lines::start(std::io::stderr(), Json)
    } else {
        Lines::start(std::io::stderr(), Human { colour: terminal.err_colour })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Fault> {
    let unreadable = |error: std::io::Error| {
        let detail = format!("the artifact `{}` cannot be read: {error}", path.display());
        Fault::new(Code::ArtifactUnreadable, detail).hint("check the path")
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > limits::ARTIFACT.0 {
        let detail = format!("the artifact has {size} bytes; {} are allowed", limits::ARTIFACT);
        return Err(Fault::new(Code::ArtifactTooLarge, detail));
    }
    std::fs::read(path).map_err(unreadable)
}

fn not_a_server(path: &Path) -> Fault {
    let shown = path.display();
    Fault::new(Code::ExportMissing, format!("`{shown}` is a command and serves no HTTP"))
        .hint(format!("run it with `alula run {shown}`"))
}

fn revision(options: &ServeComponent, artifact: Digest) -> Revision {
    let function = FunctionName::parse("component").expect("it is a name");
    Revision {
        id: RevisionId("component-1".into()),
        function,
        artifact,
        contract: None,
        reuse: if options.reuse { Reuse::Warm(WarmLimits::DEFAULT) } else { Reuse::Fresh },
        limits: Limits { instances_max: limits::PLACES, ..Limits::DEFAULT },
        env: options.reach.env.clone(),
        grants: reach::grants(&options.reach),
    }
}

fn everything(function: FunctionName) -> RouteTable {
    let pattern = Pattern::parse("/{rest...}").expect("it is a route");
    RouteTable::new(vec![Entry { pattern, target: Target::Function(function), cors: None }])
}
