//! Commands as functions: one run per request, CGI over the standard streams.
//!
//! The codec is `alula_contract::cgi`; here are the streams that carry it and the run itself.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use alula_capability::CallContext;
use alula_contract::cgi::{self, Around, HeadReader, Response};
use alula_rt::clock;
use alula_types::usage::{Start, nanos};
use alula_types::{Body, BodyError, Code, Fault};
use bytes::{Buf as _, Bytes};
use http_body::{Body as HttpBody, Frame};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use wasmtime::component::InstancePre;
use wasmtime::{Linker, Store};
use wasmtime_wasi::cli::{IsTerminal, StdinStream, StdoutStream};
use wasmtime_wasi::p1::WasiP1Ctx;
use wasmtime_wasi::{I32Exit, WasiCtxBuilder, p2, p3};

use crate::function::Function;
use crate::guest::{self, Guest, Memory};
use crate::loaded::{Entrance, Loaded};
use crate::logs::GuestOutput;
use crate::pulse::Pulse;
use crate::run::{Answer, Answered, not_started};

/// Runs a command for one request.
pub(crate) async fn run(
    function: &Arc<Function>,
    loaded: &Loaded,
    context: &CallContext,
    pulse: &Arc<Pulse>,
    request: http::Request<Body>,
    answer: Answer,
) -> Result<(), Fault> {
    let (head, body) = request.into_parts();
    let around = Around { body_len: body.size_hint().exact(), ..Around::default() };
    let mut env = cgi::variables(&head, &around);
    // The function's own variables win: a request must not change its configuration.
    env.retain(|(name, _)| !function.shared.revision.env.iter().any(|(own, _)| own == name));
    let name = &function.shared.revision.function;
    let output = GuestOutput::new(Arc::clone(&function.shared.log), context.invocation);
    let stdout = Stdout::new(answer, Arc::clone(pulse));
    let mut wasi = WasiCtxBuilder::new();
    wasi.arg(name.as_str()).envs(&env).envs(&function.shared.revision.env);
    wasi.stdin(Stdin(Arc::new(Mutex::new((body, Bytes::new())))));
    wasi.stdout(stdout.clone()).stderr(output.stderr());
    wasi.max_random_size(function.shared.revision.limits.host_call.0);
    wasi.allow_tcp(false).allow_udp(false);
    pulse.settlement.started_as(Start::Fresh);
    let ended = match &loaded.entrance {
        Entrance::Module(module) => {
            run_module(function, module, context, pulse, wasi, &output).await
        }
        Entrance::Command(pre) => run_command(function, pre, context, pulse, wasi, output).await,
        Entrance::Http(_) | Entrance::Js(_) => unreachable!("servers are run by `run`"),
    };
    let failed =
        |code| Fault::new(Code::GuestFailed, format!("`{name}` ended with exit code {code}"));
    // Said before the output ends, which would look like the end of a whole response.
    ended
        .and_then(|code| if code == 0 { Ok(()) } else { Err(failed(code)) })
        .inspect_err(|fault| pulse.ended(fault.clone()))?;
    stdout.finish();
    Ok(())
}

/// A command component; the result is its exit code.
async fn run_command(
    function: &Function,
    pre: &InstancePre<Guest>,
    context: &CallContext,
    pulse: &Arc<Pulse>,
    mut wasi: WasiCtxBuilder,
    output: GuestOutput,
) -> Result<i32, Fault> {
    let since = clock::now();
    let guest = Guest::with(&function.shared, context, Arc::clone(pulse), wasi.build(), output);
    let mut store = guest::store(pre.engine(), &function.shared, guest);
    let ended = match p3::bindings::CommandPre::new(pre.clone()) {
        Ok(pre) => match pre.instantiate_async(&mut store).await {
            Ok(command) => {
                pulse.settlement.instantiate_ns.store(nanos(clock::now() - since), RELAXED);
                let call = async |accessor: &_| command.wasi_cli_run().call_run(accessor).await;
                store.run_concurrent(call).await.and_then(|ended| ended)
            }
            Err(error) => Err(error),
        },
        Err(_) => run_two(&mut store, pre).await,
    };
    store.data_mut().finish();
    match ended {
        Ok(Ok(())) => Ok(0),
        Ok(Err(())) => Ok(1),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => {
                let fault = not_started(&store, function, &error);
                function.report(context.invocation, &fault, &error);
                Err(fault)
            }
        },
    }
}

const RELAXED: std::sync::atomic::Ordering = std::sync::atomic::Ordering::Relaxed;

async fn run_two(
    store: &mut Store<Guest>,
    pre: &InstancePre<Guest>,
) -> wasmtime::Result<Result<(), ()>> {
    let command =
        p2::bindings::CommandPre::new(pre.clone())?.instantiate_async(&mut *store).await?;
    command.wasi_cli_run().call_run(store).await
}

/// What belongs to one run of a preview 1 module.
pub(crate) struct ModuleGuest {
    wasi: WasiP1Ctx,
    memory: Memory,
    pulse: Arc<Pulse>,
}

/// Everything a preview 1 module may import.
pub(crate) fn module_linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<ModuleGuest>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p1::add_to_linker_async(&mut linker, |guest: &mut ModuleGuest| &mut guest.wasi)?;
    Ok(linker)
}

/// A preview 1 module; the result is its exit code.
async fn run_module(
    function: &Function,
    module: &wasmtime::InstancePre<ModuleGuest>,
    context: &CallContext,
    pulse: &Arc<Pulse>,
    mut wasi: WasiCtxBuilder,
    output: &GuestOutput,
) -> Result<i32, Fault> {
    let since = clock::now();
    let limits = &function.shared.revision.limits;
    let memory = Memory::new(limits.memory.0, limits.table_elements, limits.instances);
    let guest = ModuleGuest { wasi: wasi.build_p1(), memory, pulse: Arc::clone(pulse) };
    let mut store = Store::new(module.module().engine(), guest);
    store.limiter(|guest| &mut guest.memory);
    store.set_hostcall_fuel(usize::try_from(limits.host_call.0).unwrap_or(usize::MAX));
    guest::bound_epochs(&mut store, |guest| &guest.pulse);
    let run = async {
        let instance = module.instantiate_async(&mut store).await?;
        pulse.settlement.instantiate_ns.store(nanos(clock::now() - since), RELAXED);
        let start = instance.get_typed_func::<(), ()>(&mut store, "_start")?;
        start.call_async(&mut store, ()).await
    };
    let ended = run.await;
    output.finish();
    store.data_mut().memory.settle(&pulse.settlement);
    match ended {
        Ok(()) => Ok(0),
        Err(error) => match error.downcast_ref::<I32Exit>() {
            Some(exit) => Ok(exit.0),
            None => {
                let refused = store.data().memory.refused;
                let name = &function.shared.revision.function;
                let fault = crate::stop::fault(name, &error, refused);
                function.report(context.invocation, &fault, &error);
                Err(fault)
            }
        },
    }
}

/// The request body as standard input. All streams made of it are one.
#[derive(Clone)]
struct Stdin(Arc<Mutex<(Body, Bytes)>>);

impl IsTerminal for Stdin {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdinStream for Stdin {
    fn async_stream(&self) -> Box<dyn AsyncRead + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut state = self.0.lock();
        let (body, left) = &mut *state;
        while left.is_empty() {
            match ready!(Pin::new(&mut *body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(())),
                Some(Ok(frame)) => *left = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Err(std::io::Error::other(error))),
            }
        }
        let piece = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..piece]);
        left.advance(piece);
        Poll::Ready(Ok(()))
    }
}

/// Standard output as the response. All streams made of it are one.
#[derive(Clone)]
struct Stdout(Arc<Mutex<Written>>);

struct Written {
    phase: Phase,
    answer: Answer,
    pulse: Arc<Pulse>,
}

enum Phase {
    Head(HeadReader),
    Body(PollSender<Bytes>),
    Ended,
}

/// Pieces of output that may wait for the client.
const PIECES_MAX: usize = 4;

impl Stdout {
    fn new(answer: Answer, pulse: Arc<Pulse>) -> Self {
        let phase = Phase::Head(HeadReader::default());
        Self(Arc::new(Mutex::new(Written { phase, answer, pulse })))
    }

    /// The command has ended: what it wrote is all there is.
    fn finish(&self) {
        let mut written = self.0.lock();
        if let Phase::Head(reader) = std::mem::replace(&mut written.phase, Phase::Ended) {
            let response = reader.finish();
            let whole = Body::full(response.first.clone());
            written.answer.send(Answered::Platform(head(response, whole)));
        }
    }
}

impl Written {
    /// The head is complete: the response begins.
    fn begin(&mut self, response: Response) {
        let (send, rest) = mpsc::channel(PIECES_MAX);
        self.phase = Phase::Body(PollSender::new(send));
        let first = Some(response.first.clone());
        let body = Body::stream(Pieces { first, rest, pulse: Arc::clone(&self.pulse) });
        self.answer.send(Answered::Platform(head(response, body)));
    }
}

fn head(response: Response, body: Body) -> http::Response<Body> {
    http::Response::from_parts(response.head, body)
}

impl IsTerminal for Stdout {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Stdout {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let gone = || std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        let mut written = self.0.lock();
        match &mut written.phase {
            Phase::Head(reader) => {
                if let Some(response) = reader.push(bytes) {
                    written.begin(response);
                }
            }
            Phase::Body(send) => {
                ready!(send.poll_reserve(cx)).map_err(|_| gone())?;
                send.send_item(Bytes::copy_from_slice(bytes)).map_err(|_| gone())?;
            }
            Phase::Ended => return Poll::Ready(Err(gone())),
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The response body: what came with the head, then piece by piece.
struct Pieces {
    first: Option<Bytes>,
    rest: mpsc::Receiver<Bytes>,
    pulse: Arc<Pulse>,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        match ready!(self.rest.poll_recv(cx)) {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
            None => Poll::Ready(
                self.pulse.end().map(|fault| Err(BodyError::Failed(Box::new(fault.clone())))),
            ),
        }
    }
}
