//! The gateway over real sockets, with functions that are closures.

mod http1;
mod http2;
mod limits;
mod shutdown;
mod static_files;
mod targets;

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use alula_dispatch::Dispatcher;
use alula_manifest::route::Pattern;
use alula_rt::{CancellationToken, TaskKind, clock};
use alula_sandbox::{BoxFuture, Installed};
use alula_types::limits::GatewayLimits;
use alula_types::usage::UsageSink;
use alula_types::{
    Body, BodyError, Digest, Fault, FunctionName, Input, Invocation, Limits, Outcome, Reuse,
    Revision, RevisionId, UsageRecord,
};
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Cors, Entry, Gateway, Handle, Options, RouteTable, Target};

/// Ten times what the slowest step takes on a busy machine.
const LONG: Duration = Duration::from_secs(20);

/// A function as a closure.
struct Fake<F>(RevisionId, F);

impl<F, Out> Installed for Fake<F>
where
    F: Fn(Invocation) -> Out + Send + Sync,
    Out: Future<Output = Result<Outcome, Fault>> + Send + 'static,
{
    fn id(&self) -> &RevisionId {
        &self.0
    }

    fn invoke(&self, invocation: Invocation) -> BoxFuture<'static, Result<Outcome, Fault>> {
        Box::pin((self.1)(invocation))
    }

    fn retire(&self) {}
}

struct Records(mpsc::Sender<UsageRecord>);

impl UsageSink for Records {
    fn record(&self, record: UsageRecord) {
        self.0.try_send(record).expect("no test makes more records than the channel holds");
    }
}

/// What a test wants to run.
struct Setup {
    dispatcher: Arc<Dispatcher>,
    entries: Vec<Entry>,
    limits: GatewayLimits,
    function_limits: Limits,
    tls: Option<crate::TlsFiles>,
    proxies: Vec<std::net::IpAddr>,
    observer: Option<Arc<dyn crate::Observer>>,
}

/// A gateway that runs until it is dropped.
struct Running {
    address: SocketAddr,
    handle: Handle,
    shutdown: CancellationToken,
    ended: JoinHandle<()>,
    records: mpsc::Receiver<UsageRecord>,
}

impl Setup {
    fn new() -> Self {
        Self {
            dispatcher: Dispatcher::new(100),
            entries: Vec::new(),
            limits: GatewayLimits::DEFAULT,
            function_limits: Limits::DEFAULT,
            tls: None,
            proxies: Vec::new(),
            observer: None,
        }
    }

    /// A gateway whose every request goes to one function.
    fn with<F, Out>(function: F) -> Self
    where
        F: Fn(Invocation) -> Out + Send + Sync + 'static,
        Out: Future<Output = Result<Outcome, Fault>> + Send + 'static,
    {
        Self::new().function("/{rest...}", "main", function)
    }

    fn function<F, Out>(mut self, route: &str, name: &str, function: F) -> Self
    where
        F: Fn(Invocation) -> Out + Send + Sync + 'static,
        Out: Future<Output = Result<Outcome, Fault>> + Send + 'static,
    {
        let name = FunctionName::parse(name).unwrap();
        let id = RevisionId(name.as_str().into());
        let revision = Revision {
            id: id.clone(),
            function: name.clone(),
            artifact: Digest([0; 32]),
            contract: None,
            reuse: Reuse::Fresh,
            limits: self.function_limits.clone(),
            env: Vec::new(),
            grants: alula_types::Grants::default(),
        };
        self.dispatcher.install(Arc::new(revision), Arc::new(Fake(id, function)));
        self.entries.push(entry(route, Target::Function(name), None));
        self
    }

    fn route(mut self, route: &str, target: Target, cors: Option<Cors>) -> Self {
        self.entries.push(entry(route, target, cors));
        self
    }

    fn limits(mut self, change: impl FnOnce(&mut GatewayLimits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// For the functions that are added after this.
    fn function_limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.function_limits);
        self
    }

    async fn run(self) -> Running {
        let (sender, records) = mpsc::channel(1_000);
        let options = Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            tls: self.tls,
            limits: self.limits,
            proxies: self.proxies,
            usage: Arc::new(Records(sender)),
            observer: self.observer,
        };
        let gateway = Gateway::bind(options, self.dispatcher).await.unwrap();
        gateway.set_routes(RouteTable::new(self.entries));
        let (address, handle) = (gateway.local_addr(), gateway.handle());
        let shutdown = CancellationToken::new();
        let ended = alula_rt::spawn(TaskKind::Accept, gateway.run(shutdown.clone()));
        Running { address, handle, shutdown, ended, records }
    }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads all that comes back until the gateway closes.
    async fn raw(&self, request: &[u8]) -> String {
        let mut socket = self.connect().await;
        socket.write_all(request).await.unwrap();
        to_end(&mut socket).await
    }

    /// Sends one request that closes its connection, with a host added.
    async fn ask(&self, request: &str) -> Answer {
        let (line, rest) = request.split_once("\r\n").unwrap_or((request, ""));
        let named = rest.to_ascii_lowercase().lines().any(|line| line.starts_with("host:"));
        let host = if named { "" } else { "host: test\r\n" };
        let rest = match rest {
            "" => "\r\n".to_owned(),
            _ if rest.contains("\r\n\r\n") => rest.to_owned(),
            fields => format!("{fields}\r\n\r\n"),
        };
        let text = format!("{line} HTTP/1.1\r\n{host}connection: close\r\n{rest}");
        Answer(self.raw(text.as_bytes()).await)
    }

    async fn record(&mut self) -> UsageRecord {
        in_time(self.records.recv()).await.expect("the gateway holds a sender")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shutdown.cancel();
        self.ended.abort();
    }
}

/// A whole HTTP/1 answer as text.
#[derive(Debug)]
struct Answer(String);

impl Answer {
    fn status(&self) -> u16 {
        self.0
            .get(9..12)
            .and_then(|digits| digits.parse().ok())
            .unwrap_or_else(|| panic!("{self:?}"))
    }

    fn field(&self, name: &str) -> Option<&str> {
        let (head, _) = self.0.split_once("\r\n\r\n")?;
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(other, _)| *other == name).map(|(_, value)| value).next()
    }

    fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// Asserts a problem document with this code and the fields that every answer has.
    #[track_caller]
    fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status(), status, "{self:?}");
        assert_eq!(self.field("content-type"), Some("application/problem+json"), "{self:?}");
        let document: serde_json::Value = serde_json::from_str(self.body()).expect("JSON");
        assert_eq!(document["code"], code, "{self:?}");
        assert_eq!(document["status"], status, "{self:?}");
        assert_eq!(document["invocation"].as_str(), self.field("alula-invocation-id"), "{self:?}");
        self.assert_marked();
    }

    #[track_caller]
    fn assert_marked(&self) {
        assert_eq!(self.field("alula-invocation-id").map(str::len), Some(32), "{self:?}");
        let trace = self.field("traceparent").and_then(alula_types::TraceContext::parse);
        assert!(trace.is_some(), "{self:?}");
    }
}

fn entry(route: &str, target: Target, cors: Option<Cors>) -> Entry {
    Entry { pattern: Pattern::parse(route).unwrap(), target, cors }
}

async fn in_time<T>(future: impl Future<Output = T>) -> T {
    clock::timeout(LONG, future).await.expect("it takes a fraction of this")
}

/// All that comes until the peer closes, however it does.
async fn to_end(socket: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = in_time(socket.read_to_end(&mut bytes)).await;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the text is there.
async fn until(socket: &mut TcpStream, wanted: &str) -> String {
    let mut text = String::new();
    let mut piece = vec![0; 64 << 10];
    while !text.contains(wanted) {
        let read = clock::timeout(LONG, socket.read(&mut piece)).await;
        let read = read.unwrap_or_else(|_| panic!("nothing after {text:?}")).unwrap();
        assert!(read > 0, "closed after {text:?}, before {wanted:?}");
        text.push_str(&String::from_utf8_lossy(&piece[..read]));
    }
    text
}

fn http(invocation: Invocation) -> (Request<Body>, Invocation) {
    let Invocation { input: Input::Http(request), id, deadline, principal, .. } = invocation else {
        panic!("the gateway makes HTTP invocations");
    };
    let rest = Invocation {
        id,
        deadline,
        principal,
        idempotency_key: None,
        trace: invocation.trace,
        settlement: invocation.settlement,
        place: invocation.place,
        input: Input::Json(Bytes::new()),
    };
    (request, rest)
}

fn ok(body: impl Into<Bytes>) -> Result<Outcome, Fault> {
    Ok(Outcome::Http(Response::new(Body::full(body))))
}

/// Answers with the request as text: method, URI and fields, one per line.
async fn show(invocation: Invocation) -> Result<Outcome, Fault> {
    let (request, _rest) = http(invocation);
    let mut text = format!("{} {}\n", request.method(), request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}={}\n", value.to_str().unwrap_or("?")));
    }
    ok(text)
}

/// Answers with the request's body and trailers as they come.
async fn echo(invocation: Invocation) -> Result<Outcome, Fault> {
    let (request, _rest) = http(invocation);
    let mut response = Response::new(request.into_body());
    response.headers_mut().insert("trailer", http::HeaderValue::from_static("x-sum"));
    Ok(Outcome::Http(response))
}

/// Reads the whole body and answers with its length, or fails as a guest does.
async fn measure(invocation: Invocation) -> Result<Outcome, Fault> {
    let (request, _rest) = http(invocation);
    match request.into_body().collect().await {
        Ok(body) => ok(body.to_bytes().len().to_string()),
        Err(error) => Err(Fault::new(alula_types::Code::GuestTrapped, error.to_string())),
    }
}

/// A body of the pieces that are sent over a channel.
struct Fed(mpsc::Receiver<Result<Frame<Bytes>, BodyError>>);

impl HttpBody for Fed {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx)
    }
}

fn fed() -> (mpsc::Sender<Result<Frame<Bytes>, BodyError>>, Body) {
    let (sender, receiver) = mpsc::channel(1);
    (sender, Body::stream(Fed(receiver)))
}

/// Answers with a body that has no end.
async fn endless(_: Invocation) -> Result<Outcome, Fault> {
    let (feeder, body) = fed();
    alula_rt::spawn(TaskKind::Guest, async move {
        while feeder.send(Ok(Frame::data(vec![b'x'; 64 << 10].into()))).await.is_ok() {}
    });
    Ok(Outcome::Http(Response::new(body)))
}

/// Tells when it is dropped.
struct Bell(Option<tokio::sync::oneshot::Sender<()>>);

impl Drop for Bell {
    fn drop(&mut self) {
        let _ = self.0.take().map(|sender| sender.send(()));
    }
}
