//! One run: an instance is made or reused, called, and settled.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use alula_capability::CallContext;
use alula_rt::clock;
use alula_types::usage::{Start, nanos};
use alula_types::{Code, Fault, Input, Invocation, Outcome};
use bytes::Bytes;
use futures_util::future::{pending, poll_fn};
use tokio::sync::oneshot;
use wasmtime::{AsContextMut as _, Store};
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::{WasiBody, WasiHttpView as _};

use crate::egress;
use crate::engine::Running;
use crate::function::Function;
use crate::guest::{self, Guest};
use crate::js;
use crate::loaded::{Entrance, Loaded};
use crate::pulse::Pulse;

/// Where a run sends its answer.
pub(crate) type Answer = oneshot::Sender<Answered>;

/// A run's answer: the body streams while the run goes on.
pub(crate) enum Answered {
    /// An HTTP response.
    Http(http::Response<WasiBody>),
    /// An HTTP response whose body is the platform's own type.
    Js(http::Response<alula_types::Body>),
    /// Anything else.
    Outcome(Outcome),
}

/// An instance that can be called.
pub(crate) struct Live {
    pub(crate) store: Store<Guest>,
    pub(crate) entry: Entry,
    pub(crate) born: Instant,
    pub(crate) served: u32,
}

/// The exports of an instance.
pub(crate) enum Entry {
    Http(Proxy),
    Js(js::Function),
}

/// Runs one invocation from instance to settlement.
///
/// Everything the invocation holds (its place, its share of the settlement) is let go when this ends or
/// is dropped, and so is the instance, unless it is kept for the next one.
pub(crate) async fn run(
    function: Arc<Function>,
    loaded: Arc<Loaded>,
    mut invocation: Invocation,
    pulse: Arc<Pulse>,
    running: Running,
    answer: Answer,
) {
    let call = guest::call_context(&function.shared, &invocation);
    let input = std::mem::replace(&mut invocation.input, Input::Json(Bytes::new()));
    let result = match (&loaded.entrance, input) {
        (Entrance::Command(_) | Entrance::Module(_), Input::Http(request)) => {
            crate::cgi::run(&function, &loaded, &call, &pulse, request, answer).await
        }
        (_, Input::Http(request)) => {
            serve(&function, &loaded, &call, &pulse, request, answer).await
        }
        (_, other) => Err(unsupported(&function, &other)),
    };
    if let Err(fault) = result {
        pulse.ended(fault);
    }
    drop((running, invocation));
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
) -> Result<(), Fault> {
    let mut live = obtain(function, loaded, context, pulse).await?;
    let called = call(&mut live, request, answer).await;
    live.store.data_mut().finish();
    match called {
        Ok(()) => {
            function.keep(live);
            Ok(())
        }
        Err(error) => {
            let fault = guest::failed(&live.store, &function.shared, &error);
            function.report(context.invocation, &fault, &error);
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
    let since = clock::now();
    let guest = Guest::new(&function.shared, context, Arc::clone(pulse));
    let mut store = guest::store(&function.engine, &function.shared, guest);
    let entry = match &loaded.entrance {
        Entrance::Http(pre) => pre.instantiate_async(&mut store).await.map(Entry::Http),
        Entrance::Js(pre) => pre.instantiate_async(&mut store).await.map(Entry::Js),
        Entrance::Command(_) | Entrance::Module(_) => unreachable!("commands are run by `cgi`"),
    };
    let now = clock::now();
    pulse.settlement.instantiate_ns.store(nanos(now - since), Relaxed);
    if pulse.settlement.start() == Start::None {
        pulse.settlement.started_as(Start::Fresh);
    }
    match entry {
        Ok(entry) => Ok(Live { store, entry, born: now, served: 0 }),
        Err(error) => {
            let fault = not_started(&store, function, &error);
            store.data_mut().finish();
            function.report(context.invocation, &fault, &error);
            Err(fault)
        }
    }
}

pub(crate) fn not_started(
    store: &Store<Guest>,
    function: &Function,
    error: &wasmtime::Error,
) -> Fault {
    if error.is::<wasmtime::PoolConcurrencyLimitError>() {
        let name = &function.shared.revision.function;
        return Fault::new(Code::NoCapacity, format!("no place for `{name}` in the engine's pool"))
            .retry_after(std::time::Duration::from_secs(1));
    }
    guest::failed(store, &function.shared, error)
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
    let (send, receive) = futures_channel::oneshot::channel();
    let prepared =
        Prepared::new(store.as_context_mut(), proxy, request, |guest: &mut Guest| guest.http(), send)?;
    store
        .run_concurrent(async move |accessor| {
            let mut receive = receive;
            let mut answer = Some(answer);
            let mut forward = |receive: &mut futures_channel::oneshot::Receiver<_>| match receive
                .try_recv()
            {
                Ok(Some(Ok(response))) => {
                    if let Some(answer) = answer.take() {
                        drop(answer.send(Answered::Http(response)));
                    }
                    Ok(())
                }
                Ok(Some(Err(error))) => Err(error),
                Ok(None) | Err(_) => Ok(()),
            };
            let mut run = std::pin::pin!(prepared.run(accessor, pending()));
            // The answer may come while the guest goes on.
            poll_fn(|cx| {
                let done = run.as_mut().poll(cx);
                if let Err(error) = forward(&mut receive) {
                    return std::task::Poll::Ready(Err(error));
                }
                done.map(|done| done.map(|_| ()))
            })
            .await?;
            poll_fn(|cx| accessor.poll_no_interesting_tasks(cx)).await;
            Ok(())
        })
        .await?
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
            drop(answer.send(Answered::Js(response)));
            js::settled(accessor).await;
            Ok(())
        })
        .await?
}
