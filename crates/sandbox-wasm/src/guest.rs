//! What belongs to one instance: its WASI state, its limits, its account.

use std::sync::Arc;
use std::time::Instant;

use alula_capability::{CallContext, Host};
use alula_policy::Grants;
use alula_rt::clock;
use alula_telemetry::GuestStream;
use alula_types::{Fault, Invocation, Revision};
use wasmtime::component::ResourceTable;
use wasmtime::{Engine, ResourceLimiter, Store, UpdateDeadline};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::command::network::{Network, Networked};
use crate::egress::Egress;
use crate::js;
use crate::logs::{FunctionLog, GuestOutput};
use crate::pulse::Pulse;
use crate::reach::Reach;
use crate::stop::Refused;

/// What the instances of one revision share.
pub(crate) struct Shared {
    pub(crate) revision: Arc<Revision>,
    pub(crate) grants: Arc<Grants>,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) log: Arc<FunctionLog>,
    pub(crate) reach: Reach,
}

/// The data of a guest's store.
pub(crate) struct Guest {
    wasi: WasiCtx,
    table: ResourceTable,
    http: WasiHttpCtx,
    network: Option<Arc<Network>>,
    pub(crate) egress: Egress,
    pub(crate) output: GuestOutput,
    pub(crate) memory: Memory,
    pub(crate) pulse: Arc<Pulse>,
    js: js::State,
    revision: Arc<Revision>,
    js_log: JsLog,
}

/// Log entries of the `alula:js` dialect, which come whole and not through a stream.
struct JsLog(GuestOutput);

impl js::Log for JsLog {
    fn entry(&mut self, stream: GuestStream, text: &str) {
        self.0.entry(stream, text);
    }
}

impl js::JsGuest for Guest {
    fn js(&mut self) -> js::View<'_> {
        js::View {
            state: &mut self.js,
            call: self.egress.context(),
            host: self.egress.host(),
            env: &self.revision.env,
            log: &mut self.js_log,
        }
    }
}

impl Guest {
    /// The state of a new instance that begins with an invocation.
    pub(crate) fn new(shared: &Shared, call: &CallContext, pulse: Arc<Pulse>) -> Self {
        let output = GuestOutput::new(Arc::clone(&shared.log), call.invocation);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output.stdout()).stderr(output.stderr());
        wasi.envs(&shared.revision.env);
        wasi.max_random_size(shared.revision.limits.host_call.0);
        wasi.allow_tcp(false).allow_udp(false);
        // The folders were there when the function was installed; one that is gone is missing.
        let network = shared.reach.give(&mut wasi).unwrap_or_else(|fault| {
            shared.log.host(call.invocation, &fault.to_string());
            None
        });
        Self { network, ..Self::with(shared, call, pulse, wasi.build(), output) }
    }

    /// The state of a new instance with WASI state of the caller's making.
    pub(crate) fn with(
        shared: &Shared,
        call: &CallContext,
        pulse: Arc<Pulse>,
        wasi: WasiCtx,
        output: GuestOutput,
    ) -> Self {
        let limits = &shared.revision.limits;
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        Self {
            wasi,
            table,
            http: WasiHttpCtx::new(),
            network: None,
            egress: Egress::new(Arc::clone(&shared.host), call.clone()),
            js_log: JsLog(output.clone()),
            output,
            memory: Memory::new(limits.memory.0, limits.table_elements, limits.instances),
            pulse,
            js: js::State::default(),
            revision: Arc::clone(&shared.revision),
        }
    }

    /// Makes the state ready for the next invocation of a reused instance.
    pub(crate) fn begin(&mut self, shared: &Shared, call: &CallContext, pulse: Arc<Pulse>) {
        self.output.begin(call.invocation);
        self.egress = Egress::new(Arc::clone(&shared.host), call.clone());
        self.memory.begin();
        self.js.reset();
        self.pulse = pulse;
    }

    /// Notes in the account what the invocation held and wrote.
    pub(crate) fn finish(&mut self) {
        self.output.finish();
        self.memory.settle(&self.pulse.settlement);
    }
}

/// Who calls during an invocation, and until when.
pub(crate) fn call_context(shared: &Shared, invocation: &Invocation) -> CallContext {
    CallContext {
        function: shared.revision.function.clone(),
        invocation: invocation.id,
        principal: invocation.principal.clone(),
        deadline: invocation.deadline,
        trace: invocation.trace,
        grants: Arc::clone(&shared.grants),
    }
}

/// A store with all of a revision's limits set.
pub(crate) fn store(engine: &Engine, shared: &Shared, guest: Guest) -> Store<Guest> {
    let limits = &shared.revision.limits;
    let mut store = Store::new(engine, guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(usize::try_from(limits.host_call.0).unwrap_or(usize::MAX));
    store.set_max_component_handles(limits.handles as usize);
    bound_epochs(&mut store, |guest| &guest.pulse);
    store
}

/// Lets a store's guest run from epoch to epoch, as long as its pulse allows.
pub(crate) fn bound_epochs<T>(store: &mut Store<T>, pulse: fn(&T) -> &Arc<Pulse>) {
    // One tick may already be half over; the second one makes it a whole one at least.
    store.set_epoch_deadline(2);
    store.epoch_deadline_callback(move |store| match pulse(store.data()).check() {
        Ok(()) => Ok(UpdateDeadline::Yield(1)),
        Err(stop) => Err(stop.into()),
    });
}

impl Networked for Guest {
    fn network(&self) -> Option<Arc<Network>> {
        self.network.clone()
    }
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.egress, table: &mut self.table, ctx: &mut self.http }
    }
}

/// Memory and tables of a store, counted as a sum, and their integral over time.
pub(crate) struct Memory {
    bytes_max: u64,
    elements_max: u64,
    instances_max: usize,
    bytes: u64,
    elements: u64,
    peak: u64,
    /// Byte-nanoseconds held until `since`.
    integral: u128,
    since: Instant,
    pub(crate) refused: Refused,
}

impl Memory {
    pub(crate) fn new(bytes_max: u64, elements_max: u32, instances_max: u32) -> Self {
        Self {
            bytes_max,
            elements_max: u64::from(elements_max),
            instances_max: instances_max as usize,
            bytes: 0,
            elements: 0,
            peak: 0,
            integral: 0,
            since: clock::now(),
            refused: Refused::default(),
        }
    }

    fn begin(&mut self) {
        self.peak = self.bytes;
        self.integral = 0;
        self.since = clock::now();
        self.refused = Refused::default();
    }

    fn accrue(&mut self) {
        let now = clock::now();
        self.integral += u128::from(self.bytes) * (now - self.since).as_nanos();
        self.since = now;
    }

    /// Notes the peak and the integral in an account.
    pub(crate) fn settle(&mut self, settlement: &alula_types::Settlement) {
        use std::sync::atomic::Ordering::Relaxed;
        self.accrue();
        // MiB·ms: bytes / 2^20 × nanoseconds / 10^6, rounded up so that nothing held is free.
        let unit = (1_u128 << 20) * 1_000_000;
        let held = u64::try_from(self.integral.div_ceil(unit)).unwrap_or(u64::MAX);
        settlement.memory_mib_ms.store(held, Relaxed);
        settlement.memory_peak_bytes.store(self.peak, Relaxed);
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        let sum = self.bytes.saturating_add(more);
        if sum > self.bytes_max {
            self.refused.memory = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.accrue();
        self.bytes = sum;
        self.peak = self.peak.max(sum);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let sum = self.elements.saturating_add(desired.saturating_sub(current) as u64);
        if sum > self.elements_max {
            self.refused.memory = true;
            return Ok(false);
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = sum;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances_max
    }

    fn memories(&self) -> usize {
        self.instances_max
    }

    fn tables(&self) -> usize {
        self.instances_max
    }
}

/// The fault for an error of the engine, and what the function's log should know about it.
pub(crate) fn failed(store: &Store<Guest>, shared: &Shared, error: &wasmtime::Error) -> Fault {
    let refused = store.data().memory.refused;
    crate::stop::fault(&shared.revision.function, error, refused)
}
