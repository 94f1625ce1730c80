//! The `alula:js` dialect: the host side of the world that script functions are built for.
//!
//! The guest's one call takes a request and returns a response; everything it asks for meanwhile
//! goes through the same [`Host`] port as every other dialect's calls. Futures and streams of the
//! component model carry what takes time, so one instance may wait for many things at once.

mod body;
mod fetch;
mod handle;
mod imports;
mod native;

use std::collections::HashMap;
use std::sync::Arc;

use alula_capability::{CallContext, Host};
use alula_telemetry::GuestStream;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wasmtime::component::{HasData, Linker};

pub(crate) use bindings::{Function, FunctionPre};
pub(crate) use handle::{call_handle, settled};

#[allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    reason = "generated from wit/alula-js/world.wit"
)]
mod bindings {
    wasmtime::component::bindgen!({
        path: "../../wit/alula-js",
        world: "function",
        imports: {
            "alula:js/platform.fetch": store | trappable,
            "alula:js/platform.sleep": store | trappable,
            default: trappable,
        },
        exports: { default: async | store },
    });
}

/// What a store's data must offer for its guest to speak this dialect.
pub(crate) trait JsGuest: Send + 'static {
    /// The parts, borrowed for one host call.
    fn js(&mut self) -> View<'_>;
}

/// The parts of a store's data that this dialect uses.
pub(crate) struct View<'a> {
    /// This dialect's own state.
    pub(crate) state: &'a mut State,
    /// Who calls, and until when.
    pub(crate) call: &'a CallContext,
    /// Answers outbound calls.
    pub(crate) host: &'a Arc<dyn Host>,
    /// The environment the manifest gives.
    pub(crate) env: &'a [(String, String)],
    /// Takes log entries.
    pub(crate) log: &'a mut dyn Log,
}

/// Takes a guest's log entries.
pub(crate) trait Log {
    /// Takes one entry, which may have several lines.
    fn entry(&mut self, stream: GuestStream, text: &str);
}

/// What one instance has under way.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// Ends a `fetch` or `sleep` early, by the guest's number for it.
    cancels: HashMap<u32, oneshot::Sender<()>>,
    /// Why bodies ended early, by their number.
    endings: Endings,
    /// The number of the next body given to the guest.
    next_body: u32,
}

impl State {
    fn body_id(&mut self) -> u32 {
        self.next_body = self.next_body.wrapping_add(1);
        self.next_body
    }

    /// Registers an operation; the receiver is ready when it is cancelled.
    fn cancellable(&mut self, id: u32) -> oneshot::Receiver<()> {
        // Operations that ended by themselves leave their sender behind; sweep before the map
        // grows.
        if self.cancels.len() >= 64 {
            self.cancels.retain(|_, cancel| !cancel.is_closed());
        }
        let (cancel, cancelled) = oneshot::channel();
        self.cancels.insert(id, cancel);
        cancelled
    }

    /// Forgets what a finished invocation left behind, before the instance gets its next one.
    pub(crate) fn reset(&mut self) {
        self.cancels.clear();
        self.endings = Endings::default();
    }
}

/// Why bodies ended early. Shared with the streams, which outlive the call that made them.
#[derive(Debug, Clone, Default)]
struct Endings(Arc<Mutex<EndingMaps>>);

#[derive(Debug, Default)]
struct EndingMaps {
    /// Bodies given to the guest.
    incoming: HashMap<u32, String>,
    /// Bodies made by the guest.
    outgoing: HashMap<u32, String>,
}

/// Names this dialect's view for the linker.
pub(crate) struct Js;

impl HasData for Js {
    type Data<'a> = View<'a>;
}

/// Adds the dialect's imports to a linker.
pub(crate) fn link<T: JsGuest>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::alula::js::types::add_to_linker::<T, Js>(linker, T::js)?;
    bindings::alula::js::platform::add_to_linker::<T, Js>(linker, T::js)?;
    bindings::alula::js::native::add_to_linker::<T, Js>(linker, T::js)
}
