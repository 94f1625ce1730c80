//! What belongs to a running command: its WASI state, made from the options.

use std::sync::Arc;
use std::time::Duration;

use alula_capability::CallContext;
use alula_policy::Grants;
use alula_rt::{clock, random};
use alula_types::{Fault, FunctionName, Principal};
use wasmtime::component::ResourceTable;
use wasmtime::{StoreLimits, StoreLimitsBuilder};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use super::Options;
use super::network::{self, Network, Networked};
use super::stdio::Output;
use crate::egress::Egress;

/// Bytes one memory may grow to: all that a 32-bit guest can address.
const MEMORY_MAX: usize = 4 << 30;
/// As good as no deadline, and far from the end of what a clock can hold.
const NO_DEADLINE: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

/// The data of a component's store.
pub(super) struct State {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    egress: Egress,
    /// Set when sockets are granted in part.
    pub(super) network: Option<Arc<Network>>,
    pub(super) limits: StoreLimits,
}

/// The data of a preview 1 module's store.
pub(super) struct ModuleState {
    pub(super) wasi: WasiP1Ctx,
    pub(super) limits: StoreLimits,
}

impl State {
    pub(super) fn new(options: &Options) -> Result<Self, Fault> {
        let mut wasi = wasi(options)?;
        let network = network::grant(&mut wasi, options.net.as_ref());
        Ok(Self {
            wasi: wasi.build(),
            table: ResourceTable::new(),
            http: WasiHttpCtx::new(),
            egress: Egress::new(Arc::clone(&options.host), caller(options)),
            network,
            limits: limits(),
        })
    }
}

impl ModuleState {
    pub(super) fn new(options: &Options) -> Result<Self, Fault> {
        Ok(Self { wasi: wasi(options)?.build_p1(), limits: limits() })
    }
}

impl Networked for State {
    fn network(&self) -> Option<Arc<Network>> {
        self.network.clone()
    }
}

impl WasiView for State {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for State {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}

fn limits() -> StoreLimits {
    StoreLimitsBuilder::new().memory_size(MEMORY_MAX).build()
}

fn caller(options: &Options) -> CallContext {
    CallContext {
        function: FunctionName::parse("command").expect("the word is a name"),
        invocation: random::invocation_id(),
        principal: Principal::Platform,
        deadline: clock::now() + NO_DEADLINE,
        trace: random::trace(),
        grants: Arc::new(Grants { http: options.http.clone() }),
    }
}

/// Everything that both kinds of commands get.
fn wasi(options: &Options) -> Result<WasiCtxBuilder, Fault> {
    let mut wasi = WasiCtxBuilder::new();
    // The guest's thread serves nobody else.
    wasi.allow_blocking_current_thread(true);
    wasi.inherit_stdin().stdout(Output::Stdout).stderr(Output::Stderr);
    // The folder of the file is the host's affair.
    let name = options.file.file_name().unwrap_or_default();
    wasi.arg(name.to_string_lossy()).args(&options.args);
    wasi.envs(&last_of_each(&options.env));
    options.dirs.iter().try_for_each(|dir| dir.give(&mut wasi))?;
    Ok(wasi)
}

/// A process has one value for a name; which one a guest with two would see depends on its library.
fn last_of_each(env: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::with_capacity(env.len());
    for (name, value) in env {
        match out.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1.clone_from(value),
            None => out.push((name.clone(), value.clone())),
        }
    }
    out
}
