//! What `alula dev` serves and says: installs what was built, keeps what was good, prints it all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use alula_build::Progress;
use alula_dispatch::Dispatcher;
use alula_gateway::{Gateway, Handle};
use alula_rt::clock;
use alula_sandbox::Sandbox;
use alula_sandbox_wasm::WasmSandbox;
use alula_telemetry::terminal::Short;
use alula_telemetry::{Line, Lines};
use alula_types::limits::GatewayLimits;
use alula_types::{Code, Fault, FunctionName, RevisionId};
use serde_json::Value;

use super::{Round, page};
use crate::builds::{self, Audience, Built};
use crate::node::{self, Edge, Printer, Socket};
use crate::project::Project;
use crate::terminal::{Terminal, describe};
use crate::{routes, wire};

/// How long running requests may take once the user wants to end: an open event stream never would.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// A running `alula dev`.
pub(crate) struct Session {
    project: Arc<Project>,
    terminal: Terminal,
    lines: Arc<Lines>,
    sandbox: Arc<WasmSandbox>,
    dispatcher: Arc<Dispatcher>,
    gateway: Handle,
    /// `http` or `https`.
    scheme: &'static str,
    /// What serves each function.
    serving: BTreeMap<FunctionName, RevisionId>,
    /// Why a function could not be built, in the last round it was tried.
    faults: BTreeMap<FunctionName, Fault>,
    round_started: Instant,
}

impl Session {
    /// Binds the gateway and installs what was good the last time.
    pub(crate) async fn open(
        project: Project,
        sandbox: Arc<WasmSandbox>,
        socket: Socket,
        terminal: Terminal,
        lines: &Arc<Lines>,
        usage: Arc<Lines>,
    ) -> Result<(Self, Gateway), Fault> {
        let dispatcher = Dispatcher::new(sandbox.places());
        let scheme = socket.scheme();
        let edge = Edge {
            socket,
            limits: GatewayLimits { grace: GRACE, ..GatewayLimits::DEFAULT },
            usage,
            observer: Some(Arc::new(Printer(Arc::clone(lines)))),
        };
        let gateway = node::gateway(edge, &dispatcher).await?;
        let mut session = Self {
            project: Arc::new(project),
            terminal,
            lines: Arc::clone(lines),
            sandbox,
            dispatcher,
            gateway: gateway.handle(),
            scheme,
            serving: BTreeMap::new(),
            faults: BTreeMap::new(),
            round_started: clock::now(),
        };
        session.install_last_good().await;
        session.set_routes();
        session.say_serving();
        Ok((session, gateway))
    }

    /// The app as it was last read.
    pub(crate) fn project(&self) -> &Project {
        &self.project
    }

    /// Takes over a changed manifest. What it no longer names is no longer served.
    pub(crate) fn set_project(&mut self, project: Project) {
        let routes_changed = project.manifest.http != self.project.manifest.http;
        self.project = Arc::new(project);
        let named: BTreeSet<_> = self.project.manifest.functions.keys().cloned().collect();
        let gone: Vec<_> =
            self.serving.keys().filter(|name| !named.contains(*name)).cloned().collect();
        self.faults.retain(|name, _| named.contains(name));
        // The routes first: who finds a route must find its function.
        self.set_routes();
        for name in gone {
            self.serving.remove(&name);
            self.dispatcher.remove(&name);
        }
        if routes_changed {
            self.say_serving();
        }
    }

    /// What the functions run in.
    pub(crate) fn sandbox(&self) -> Arc<WasmSandbox> {
        Arc::clone(&self.sandbox)
    }

    /// Begins a round of builds.
    pub(crate) fn build(&mut self) -> Round {
        self.round_started = clock::now();
        let audience: Arc<dyn Audience> = Arc::new(Narrator(Arc::clone(&self.lines)));
        let coloured = self.terminal.out_colour;
        let sandbox: Arc<dyn Sandbox> = Arc::clone(&self.sandbox) as _;
        Box::pin(builds::all(&self.project, &sandbox, &audience, coloured))
    }

    /// Serves what was built, or says why nothing was.
    pub(crate) fn take(&mut self, name: &FunctionName, built: Result<Built, Fault>) {
        if !self.project.manifest.functions.contains_key(name) {
            // The manifest lost it while it was built.
            return;
        }
        match built {
            Ok(built) => self.swap(name, built),
            Err(fault) => {
                self.say_fault(Some(name), &fault);
                self.faults.insert(name.clone(), fault);
                self.set_routes();
            }
        }
    }

    /// A round has ended; another may begin.
    pub(crate) fn round_ended(&self) {
        if self.faults.is_empty() {
            return;
        }
        let kept = self.faults.keys().filter(|name| self.serving.contains_key(*name));
        let names: Vec<_> = kept.map(FunctionName::as_str).collect();
        if !names.is_empty() {
            let text = format!("The last good build of {} goes on serving.", names.join(", "));
            self.say(text, &wire::kept(&names));
        }
    }

    /// Says that the end begins.
    pub(crate) fn say_ending(&self) {
        self.say("Ending.".into(), &wire::ending());
    }

    /// Says what is wrong with a function, or with the app.
    pub(crate) fn say_fault(&self, function: Option<&FunctionName>, fault: &Fault) {
        let words = describe(fault, self.terminal.out_colour);
        let text = match function {
            Some(name) => format!("{name}: {words}"),
            None => words,
        };
        self.say(text, &wire::build_fault(function, fault));
    }

    async fn install_last_good(&mut self) {
        let project = Arc::clone(&self.project);
        for (name, function) in &project.manifest.functions {
            let Some(wasm) = project.last_good(function) else { continue };
            // What no longer fits the manifest is built anew in a moment, and says so then.
            let installed = builds::install(&project, &*self.sandbox, function, &wasm).await;
            if let Ok((revision, installed, _)) = installed {
                self.serving.insert(name.clone(), revision.id.clone());
                self.dispatcher.install(revision, installed);
            }
        }
    }

    fn swap(&mut self, name: &FunctionName, built: Built) {
        let mended = self.faults.remove(name).is_some();
        let id = built.revision.id.clone();
        let changed = self.serving.get(name) != Some(&id);
        if changed {
            self.dispatcher.install(Arc::clone(&built.revision), Arc::clone(&built.installed));
            let first = self.serving.insert(name.clone(), id).is_none();
            if first || mended {
                self.set_routes();
            }
            if let Err(fault) = self.project.keep(name, &built.wasm) {
                self.say_fault(Some(name), &fault);
            }
        }
        let (build, compile) = (Short(built.build_time), Short(built.compile_time));
        let what = if changed { "serving the new build" } else { "nothing changed" };
        let text = format!("{name}: built in {build}, checked and compiled in {compile}; {what}");
        self.say(text, &wire::built(name, &built, changed));
    }

    fn set_routes(&self) {
        let page = |name: &FunctionName| {
            if self.serving.contains_key(name) {
                return None;
            }
            let being_built = || {
                let detail = format!("`{name}` is being built for the first time");
                Fault::new(Code::FunctionBroken, detail)
                    .hint("wait for the build to end; the terminal shows it")
                    .retry_after(Duration::from_secs(1))
            };
            let failed = |fault: &Fault| {
                let detail = format!("`{name}` could not be built: {}", fault.detail);
                Fault::new(Code::FunctionBroken, detail).hint(fault.advice())
            };
            let fault = self.faults.get(name).map_or_else(being_built, failed);
            Some(page::fault_page(name, &fault))
        };
        self.gateway.set_routes(routes::table(&self.project, page));
    }

    fn say_serving(&self) {
        let url = format!("{}://{}", self.scheme, self.gateway.local_addr());
        let mut text = format!("Serving {} on {url}\n", self.project.manifest.app.name);
        for (route, target) in routes::listed(&self.project.manifest) {
            text.push_str(&format!("  {route} -> {target}\n"));
        }
        self.say(text.trim_end().to_owned(), &wire::serving(&url, &self.project.manifest));
    }

    fn say(&self, text: String, json: &Value) {
        self.lines.push(Line::Note { text, json: json.to_string() });
    }
}

/// Says the steps of builds between the other lines.
struct Narrator(Arc<Lines>);

struct Narrated {
    name: FunctionName,
    lines: Arc<Lines>,
}

impl Audience for Narrator {
    fn listener(&self, function: &FunctionName) -> Box<dyn Progress> {
        Box::new(Narrated { name: function.clone(), lines: Arc::clone(&self.0) })
    }
}

impl Progress for Narrated {
    fn step(&self, text: &str) {
        let json = wire::step(&self.name, text).to_string();
        self.lines.push(Line::Note { text: format!("{}: {text}", self.name), json });
    }
}
