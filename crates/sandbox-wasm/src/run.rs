//! One run: an instance is made or reused, called, and settled.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use alula_capability::CallContext;
use alula_rt::clock;
use alula_types::usage::{Start, nanos};
use alula_types::{Code, Fault, FunctionName, Input, Invocation};
use bytes::Bytes;
use futures_util::future::poll_fn;
use http::uri::Authority;
use parking_lot::Mutex;
use tokio::sync::oneshot;
use wasmtime::Store;
use wasmtime_wasi_http::handler::Proxy;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _, p2, p3};

use crate::egress;
use crate::engine::Running;
use crate::function::Function;
use crate::guest::{self, Guest};
use crate::js;
use crate::loaded::{Entrance, Loaded};
use crate::pulse::Pulse;
use crate::tier::Entered;

/// Where a run sends its answer, once. Clones are the same place; when the last one is dropped
/// without an answer, there is none.
#[derive(Clone)]
pub(crate) struct Answer(Arc<Mutex<Option<oneshot::Sender<Answered>>>>);

impl Answer {
    pub(crate) fn channel() -> (Self, oneshot::Receiver<Answered>) {
        let (send, receive) = oneshot::channel();
        (Self(Arc::new(Mutex::new(Some(send)))), receive)
    }

    /// Sends the answer; only the first one counts.
    pub(crate) fn send(&self, answered: Answered) {
        if let Some(send) = self.0.lock().take() {
            // Whoever asked may have gone away.
            drop(send.send(answered));
        }
    }
}

/// A run's answer: the body streams while the run goes on.
pub(crate) enum Answered {
    /// An HTTP response of a `wasi:http` guest.
    Http(http::Response<WasiBody>),
    /// An HTTP response whose body is the platform's own type.
    Platform(http::Response<alula_types::Body>),
}

/// An instance that can be called.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) entry: Entry,
    pub(crate) born: Instant,
    pub(crate) served: u32,
    /// Let go after the store, which is what takes the room.
    _entered: Entered,
}

/// The exports of an instance.
pub(crate) enum Entry {
    Http(Proxy),
    Js(js::Function),
}

/// What a run leaves behind when its instance is not kept for the next one: the instance, and what
/// the invocation held (its place, its share of the settlement).
///
/// Dropping it cleans the instance's place, which takes longer than most guests do: whoever waits
/// for the answer comes first.
#[expect(dead_code, reason = "held until it is dropped")]
pub(crate) struct Remains(Live, Invocation, Running);

/// Runs one invocation from instance to settlement.
pub(crate) async fn run(
    function: Arc<Function>,
    loaded: Arc<Loaded>,
    mut invocation: Invocation,
    pulse: Arc<Pulse>,
    running: Running,
    answer: Answer,
) -> Option<Remains> {
    let call = guest::call_context(&function.shared, &invocation);
    let input = std::mem::replace(&mut invocation.input, Input::Json(Bytes::new()));
    // This share outlives the call: a run that fails says why before it is known to give no answer.
    let held = answer.clone();
    let result = match (&loaded.entrance, input) {
        (Entrance::Command(_) | Entrance::Module(_), Input::Http(request)) => {
            crate::cgi::run(&function, &loaded, &call, &pulse, request, answer).await.map(|()| None)
        }
        (_, Input::Http(request)) => {
            serve(&function, &loaded, &call, &pulse, request, answer).await
        }
        (_, other) => Err(unsupported(&function, &other)),
    };
    function.held(pulse.settlement.memory_peak_bytes.load(Relaxed));
    let spent = result.unwrap_or_else(|fault| {
        pulse.ended(fault);
        None
    });
    drop(held);
    invocation.place.worked();
    spent.map(|live| Remains(live, invocation, running))
}

fn unsupported(function: &Function, input: &Input) -> Fault {
    let name = &function.shared.revision.function;
    let kind = match input {
        Input::Http(_) => "an HTTP request",
        Input::Event(_) | Input::Batch(_) => "an event",
        Input::Json(_) => "a bare value",
        Input::Step(_) => "an execution step",
        Input::Job(_) => "a job",
        Input::Socket(_) => "a socket message",
    };
    Fault::new(Code::StartFailed, format!("`{name}` does not take {kind}"))
}

async fn serve(
    function: &Arc<Function>,
    loaded: &Loaded,
    context: &CallContext,
    pulse: &Arc<Pulse>,
    request: http::Request<alula_types::Body>,
    answer: Answer,
) -> Result<Option<Live>, Fault> {
    let mut live = obtain(function, loaded, context, pulse).await?;
    let called = call(&mut live, request, answer).await;
    live.store.data_mut().finish();
    match called {
        Ok(()) => Ok(function.keep(live)),
        Err(error) => {
            let fault = guest::failed(&live.store, &function.shared, &error);
            function.report(context.invocation, &fault, &error);
            // Before the store goes: the response's body ends with it and has to say why.
            pulse.ended(fault.clone());
            Err(fault)
        }
    }
}

/// A warm instance when there is one, else a new one.
async fn obtain(
    function: &Arc<Function>,
    loaded: &Loaded,
    context: &CallContext,
    pulse: &Arc<Pulse>,
) -> Result<Live, Fault> {
    if let Some(mut live) = function.take() {
        live.store.data_mut().begin(&function.shared, context, Arc::clone(pulse));
        live.store.set_epoch_deadline(2);
        pulse.settlement.started_as(Start::Warm);
        return Ok(live);
    }
    let mut made = instantiate(function, loaded, context, pulse).await;
    if let Err(NotMade::Full) = made
        && loaded.room.is_bounded()
    {
        let loaded = function.overflow(&pulse.settlement).await?;
        made = instantiate(function, &loaded, context, pulse).await;
    }
    if pulse.settlement.start() == Start::None {
        pulse.settlement.started_as(Start::Fresh);
    }
    made.map_err(|not_made| match not_made {
        NotMade::Full => no_place(function),
        NotMade::Failed(mut store, error) => {
            let fault = guest::failed(&store, &function.shared, &error);
            store.data_mut().finish();
            function.report(context.invocation, &fault, &error);
            fault
        }
    })
}

/// Why there is no instance.
enum NotMade {
    /// The tier has no room for another one.
    Full,
    Failed(Box<Store<Guest>>, wasmtime::Error),
}

async fn instantiate(
    function: &Function,
    loaded: &Loaded,
    context: &CallContext,
    pulse: &Arc<Pulse>,
) -> Result<Live, NotMade> {
    let entered = loaded.room.enter(&pulse.settlement).await.ok_or(NotMade::Full)?;
    pulse.entered(&loaded.room);
    let since = clock::now();
    let guest = Guest::new(&function.shared, context, Arc::clone(pulse));
    let mut store = guest::store(&loaded.engine, &function.shared, guest);
    let entry = match &loaded.entrance {
        Entrance::Http(pre) => pre.instantiate_async(&mut store).await.map(Entry::Http),
        Entrance::Js(pre) => pre.instantiate_async(&mut store).await.map(Entry::Js),
        Entrance::Command(_) | Entrance::Module(_) => unreachable!("commands are run by `cgi`"),
    };
    let now = clock::now();
    pulse.settlement.instantiate_ns.store(nanos(now - since), Relaxed);
    match entry {
        Ok(entry) => Ok(Live { store, entry, born: now, served: 0, _entered: entered }),
        Err(error) if is_full(&error) => {
            store.data_mut().finish();
            Err(NotMade::Full)
        }
        Err(error) => Err(NotMade::Failed(Box::new(store), error)),
    }
}

fn is_full(error: &wasmtime::Error) -> bool {
    error.is::<wasmtime::PoolConcurrencyLimitError>()
}

fn no_place(function: &Function) -> Fault {
    let name = &function.shared.revision.function;
    Fault::new(Code::NoCapacity, format!("no place for `{name}` in the engine's pool"))
        .retry_after(std::time::Duration::from_secs(1))
}

/// The fault of a command that could not be started, or failed.
pub(crate) fn not_started(
    store: &Store<Guest>,
    function: &Function,
    error: &wasmtime::Error,
) -> Fault {
    if is_full(error) { no_place(function) } else { guest::failed(store, &function.shared, error) }
}

/// Calls the instance. Resolves when the guest has no work left; the answer is sent before.
async fn call(
    live: &mut Live,
    request: http::Request<alula_types::Body>,
    answer: Answer,
) -> wasmtime::Result<()> {
    live.served += 1;
    match &live.entry {
        Entry::Http(proxy) => call_http(&mut live.store, proxy, request, answer).await,
        Entry::Js(script) => call_js(&mut live.store, script, request, answer).await,
    }
}

async fn call_http(
    store: &mut Store<Guest>,
    proxy: &Proxy,
    request: http::Request<alula_types::Body>,
    answer: Answer,
) -> wasmtime::Result<()> {
    let request = request.map(egress::to_guest);
    match proxy {
        Proxy::P2(proxy) => call_p2(store, proxy, request, answer).await,
        Proxy::P3(service) => call_p3(store, service, request, answer).await,
    }
}

/// WASI 0.2: the guest answers through a parameter and may go on until it returns.
async fn call_p2(
    store: &mut Store<Guest>,
    proxy: &p2::bindings::Proxy,
    request: http::Request<WasiBody>,
    answer: Answer,
) -> wasmtime::Result<()> {
    let name = store.data().egress.context().function.clone();
    let mut http = store.data_mut().http();
    let request = http.new_incoming_request(Scheme::Http, request)?;
    let failure = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&failure);
    let out = http.new_response_outparam_from_callback(move |response| match response {
        Ok(response) => answer.send(Answered::Http(response)),
        Err(code) => *noted.lock() = Some(reported(&name, &code)),
    })?;
    proxy.wasi_http_incoming_handler().call_handle(store, request, out).await?;
    match failure.lock().take() {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// WASI 0.3: the guest returns its answer and may go on in tasks of its own.
async fn call_p3(
    store: &mut Store<Guest>,
    service: &p3::bindings::Service,
    request: http::Request<WasiBody>,
    answer: Answer,
) -> wasmtime::Result<()> {
    let name = store.data().egress.context().function.clone();
    let named = request.headers().get(http::header::HOST);
    let named = named.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    let (mut request, sent) = p3::Request::from_http(store.data_mut().http().hooks, request);
    // HTTP/1.1 names neither in its request line, but a request that was received has both.
    request.scheme.get_or_insert(http::uri::Scheme::HTTP);
    request.authority = request.authority.or(named);
    store
        .run_concurrent(async move |accessor| {
            let response = service.handle(accessor, request).await?;
            let response = response.map_err(|code| reported(&name, &code))?;
            let response = accessor.with(|mut store| response.into_http(&mut store, sent))?;
            answer.send(Answered::Http(response));
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await?
}

/// An error that the guest returned in place of a response. Its words may hold secrets: they are
/// the cause, which goes to the guest's log only.
fn reported(name: &FunctionName, code: &dyn std::fmt::Debug) -> wasmtime::Error {
    let text = format!("`{name}` reported an error instead of a response");
    wasmtime::Error::msg(format!("the error is {code:?}"))
        .context(Fault::new(Code::GuestFailed, text))
}

async fn call_js(
    store: &mut Store<Guest>,
    script: &js::Function,
    request: http::Request<alula_types::Body>,
    answer: Answer,
) -> wasmtime::Result<()> {
    store
        .run_concurrent(async move |accessor| {
            let response = js::call_handle(accessor, script, request).await??;
            answer.send(Answered::Platform(response));
            js::settled(accessor).await;
            Ok(())
        })
        .await?
}
