//! The WebAssembly sandbox: the engine, and the WASI dialects over the capability port.
//!
//! The path of an artifact: [`inspect`] finds out what it is, [`compile`] makes machine code of it
//! in another process, [`cache`] keeps and authenticates that, [`loaded`] maps it. The path of an
//! invocation: [`function`] finds room and code, [`run`] makes an instance and calls it,
//! [`respond`] polls that and turns the answer into an outcome. [`stop`] is the one table of how
//! runs end.

mod cache;
mod cgi;
mod client;
pub mod command;
pub mod compile;
mod egress;
mod engine;
mod function;
mod guest;
mod inspect;
mod interfaces;
mod js;
mod loaded;
mod logs;
mod pulse;
mod reach;
mod respond;
mod run;
mod stop;
mod tier;

use std::path::PathBuf;
use std::sync::Arc;

use alula_capability::Host;
use alula_policy::{Grants, HttpGrants};
use alula_rt::TaskKind;
use alula_sandbox::{BoxFuture, Installed, Report, Sandbox};
use alula_telemetry::GuestLog;
use alula_types::{Code, Contract, Digest, Fault, Revision};
use parking_lot::Mutex;

pub use compile::Compiler;
pub use engine::Profile;
pub use reach::Reach;

use engine::{Cleaning, Ticker};
use function::{Function, Handle};
use guest::Shared;
use inspect::Form;
use logs::FunctionLog;
use respond::Background;
use tier::{Kind, Tier, Tiers};

/// What a sandbox is opened with.
pub struct Options {
    /// The folder of compiled artifacts; only this program may write to it. Made when missing.
    pub cache: PathBuf,
    /// The file of the key that authenticates them; outside of `cache`. Made when missing, mode
    /// 0600.
    pub key: PathBuf,
    /// How guests are compiled.
    pub profile: Profile,
    /// How many guests run at once; see [`node::PLACES`].
    pub places: u32,
    /// How to start the compile process.
    pub compiler: Compiler,
    /// Answers what guests call.
    pub host: Arc<dyn Host>,
    /// Takes what guests write.
    pub log: Arc<dyn GuestLog>,
}

/// What all functions of a sandbox share.
pub(crate) struct Core {
    tiers: Tiers,
    ticker: Ticker,
    background: Background,
}

impl Core {
    /// The tier for a kind of artifacts.
    pub(crate) fn tier(&self, kind: Kind) -> Result<&Tier, Fault> {
        self.tiers.tier(kind, &self.ticker)
    }
}

/// The WebAssembly sandbox of a process.
pub struct WasmSandbox {
    core: Arc<Core>,
    compiler: Compiler,
    host: Arc<dyn Host>,
    log: Arc<dyn GuestLog>,
    /// Keeps the threads for busy guests; dropped with the sandbox without waiting for them.
    threads: Option<tokio::runtime::Runtime>,
    prepared: Mutex<std::collections::HashMap<Digest, (Report, Kind)>>,
    installed: Arc<Mutex<Vec<std::sync::Weak<Function>>>>,
}

impl WasmSandbox {
    /// Opens a sandbox. Must be called within a runtime, on which idle instances are looked after.
    pub fn open(options: Options) -> Result<Arc<Self>, Fault> {
        let Options { profile, places, .. } = options;
        let tiers = Tiers::open((&options.cache, &options.key), profile, places)?;
        let ticker = Ticker::start()?;
        let threads = background_threads()?;
        let background = Background(threads.handle().clone());
        let sandbox = Arc::new(Self {
            core: Arc::new(Core { tiers, ticker, background }),
            compiler: options.compiler,
            host: options.host,
            log: options.log,
            threads: Some(threads),
            prepared: Mutex::default(),
            installed: Arc::default(),
        });
        alula_rt::spawn(TaskKind::Reaper, sweep(Arc::downgrade(&sandbox.installed)));
        Ok(sandbox)
    }

    /// Waits until no guest runs, work after the response included, for at most a grace period.
    /// Whoever calls it lets no new ones in. Returns how many still run: they end with the process.
    pub async fn drain(&self, grace: std::time::Duration) -> usize {
        let until = alula_rt::clock::now() + grace;
        while self.core.ticker.count() > 0 && alula_rt::clock::now() < until {
            alula_rt::clock::sleep(DRAIN_LOOK).await;
        }
        self.core.ticker.count()
    }

    /// Installs a revision like [`Sandbox::install`] and gives its instances folders and sockets.
    pub fn install_with(
        &self,
        revision: Arc<Revision>,
        reach: Reach,
    ) -> Result<Arc<dyn Installed>, Fault> {
        // What cannot be given is said now rather than in the log of each request.
        reach.give(&mut wasmtime_wasi::WasiCtxBuilder::new())?;
        self.install_revision(revision, reach)
    }

    async fn prepare_bytes(&self, wasm: &[u8]) -> Result<Report, Fault> {
        let digest = cache::digest(wasm);
        if let Some((report, _)) = self.prepared.lock().get(&digest) {
            return Ok(Report { cached: true, ..report.clone() });
        }
        let form = inspect::form(wasm)?;
        let cache = self.core.tiers.cache(form.calls());
        let cached = cache.get(&digest)?.is_some();
        if !cached {
            let draft = cache.draft(&digest);
            let profile = self.core.tiers.profile();
            let compiled = compile::compile(&self.compiler, profile, &form, &draft).await;
            let taken = compiled.and_then(|()| cache.put(&digest, &draft));
            // A failed compile may have left a part of a file.
            drop(std::fs::remove_file(&draft));
            taken?;
        }
        let (report, kind) = self.report(wasm, digest, &form, cached)?;
        self.prepared.lock().insert(digest, (report.clone(), kind));
        Ok(report)
    }

    fn report(
        &self,
        wasm: &[u8],
        digest: Digest,
        form: &Form<'_>,
        cached: bool,
    ) -> Result<(Report, Kind), Fault> {
        let mut kind = Kind { calls: form.calls(), cleaning: form.cleaning() };
        let gone = || Fault::new(Code::CompileFailed, "the compiled artifact vanished");
        let entry = self.core.tiers.cache(kind.calls).get(&digest)?.ok_or_else(gone)?;
        let mut report = Report {
            digest,
            contract: Contract::WasiCli,
            kind: form.kind().into(),
            exports: vec!["_start".into()],
            imports: Vec::new(),
            reusable: Err("a command runs once".into()),
            size_bytes: wasm.len() as u64,
            compiled_bytes: entry.size,
            cached,
        };
        if let Form::Component { bytes, .. } = form {
            let tier = self.core.tier(kind)?;
            let component = tier.shelf.component(&entry)?;
            let found = inspect::interfaces(&tier.engine, &component);
            refuse_imports(tier, &component)?;
            report.contract = found.contract.ok_or_else(|| no_export(&found.exports))?;
            report.exports = found.exports;
            report.imports = found.imports.into_iter().map(needed_grant).collect();
            if report.contract != Contract::WasiCli {
                report.reusable = inspect::reusable(bytes);
            }
            if report.contract == Contract::WasiCli {
                kind.cleaning = Cleaning::Released;
            }
        }
        Ok((report, kind))
    }

    fn install_revision(
        &self,
        revision: Arc<Revision>,
        reach: Reach,
    ) -> Result<Arc<dyn Installed>, Fault> {
        let name = &revision.function;
        let (report, kind) =
            self.prepared.lock().get(&revision.artifact).cloned().ok_or_else(|| {
                Fault::new(Code::StartFailed, format!("the artifact of `{name}` was not prepared"))
            })?;
        if revision.contract.is_some_and(|contract| contract != report.contract) {
            let found = report.contract.as_str();
            let text = format!("`{name}` says it is not `{found}`, but its artifact is");
            return Err(Fault::new(Code::ExportMissing, text));
        }
        if let (alula_types::Reuse::Warm(_), Err(reason)) = (&revision.reuse, &report.reusable) {
            let text = format!("`{name}` asks for `reuse = \"warm\"`, but {reason}");
            return Err(Fault::new(Code::ReuseRefused, text));
        }
        let http = HttpGrants::compile(&revision.grants.http).map_err(|error| {
            Fault::new(Code::ManifestValue, format!("grants of `{name}`: {error}"))
        })?;
        let log = FunctionLog::new(name.clone(), Arc::clone(&self.log), revision.limits.log_rate);
        let shared = Shared {
            grants: Arc::new(Grants { http }),
            host: Arc::clone(&self.host),
            log,
            reach,
            revision,
        };
        let module = report.kind == inspect::PREVIEW1;
        // Instances that live long would hold places which fresh ones pass through quickly.
        let kind = match &shared.revision.reuse {
            alula_types::Reuse::Fresh => kind,
            _ => Kind { cleaning: Cleaning::Released, ..kind },
        };
        let core = Arc::clone(&self.core);
        let function = Arc::new(Function::new(core, shared, report.contract, module, kind));
        let mut installed = self.installed.lock();
        installed.retain(|function| function.strong_count() > 0);
        installed.push(Arc::downgrade(&function));
        Ok(Arc::new(Handle(function)))
    }
}

/// How often a draining sandbox is looked at: no person notices it, no machine minds it.
const DRAIN_LOOK: std::time::Duration = std::time::Duration::from_millis(10);

impl Sandbox for WasmSandbox {
    fn prepare<'a>(&'a self, wasm: &'a [u8]) -> BoxFuture<'a, Result<Report, Fault>> {
        Box::pin(self.prepare_bytes(wasm))
    }

    fn install(&self, revision: Arc<Revision>) -> Result<Arc<dyn Installed>, Fault> {
        self.install_revision(revision, Reach::default())
    }

    fn places(&self) -> u32 {
        self.core.tiers.places()
    }
}

impl Drop for WasmSandbox {
    fn drop(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// Refuses a component that wants what nobody offers, naming all of it.
fn refuse_imports(tier: &Tier, component: &wasmtime::component::Component) -> Result<(), Fault> {
    let missing = inspect::unknown_imports(&tier.engine, component);
    if !missing.is_empty() {
        let text = format!("the artifact imports what is not offered: {}", missing.join(", "));
        return Err(Fault::new(Code::ImportRefused, text));
    }
    tier.shelf.link(component).map(drop).map_err(|error| {
        Fault::new(Code::ImportRefused, format!("linking the artifact: {error:#}"))
            .hint("it was built for a newer version of an interface; build it for an older one")
    })
}

fn no_export(exports: &[String]) -> Fault {
    let text = match exports {
        [] => "the artifact exports nothing".to_owned(),
        some => format!("the artifact exports only {}", some.join(", ")),
    };
    Fault::new(Code::ExportMissing, text)
}

/// Which grant an import needs before it does anything.
fn needed_grant(import: String) -> (String, Option<String>) {
    let outbound = ["wasi:http/outgoing-handler@", "wasi:http/client@", "alula:js/platform@"];
    let needs = outbound.iter().any(|start| import.starts_with(start));
    (import, needs.then(|| "http".into()))
}

/// Threads that run only what the others leave over: the kernel gives them time last.
fn background_threads() -> Result<tokio::runtime::Runtime, Fault> {
    tokio::runtime::Builder::new_multi_thread()
        .thread_name("busy-guest")
        .enable_all()
        .on_thread_start(|| {
            // Without the right to be nicer the threads only compete as equals.
            let _ = rustix::process::setpriority_process(None, 10);
        })
        .build()
        .map_err(|error| Fault::new(Code::Internal, format!("starting threads: {error}")))
}

/// Retires instances that have been idle for too long, as long as the sandbox is there.
async fn sweep(installed: std::sync::Weak<Mutex<Vec<std::sync::Weak<Function>>>>) {
    loop {
        alula_rt::clock::sleep(function::SWEEP_EVERY).await;
        let Some(installed) = installed.upgrade() else { return };
        let functions: Vec<_> =
            installed.lock().iter().filter_map(std::sync::Weak::upgrade).collect();
        functions.iter().for_each(|function| function.sweep());
    }
}
