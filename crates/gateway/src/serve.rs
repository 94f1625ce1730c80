//! One request, from its head to its last byte. Start reading at [`phases`].

use std::convert::Infallible;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use alula_dispatch::Function;
use alula_rt::clock;
use alula_types::usage::{OutcomeClass, Settlement, Start};
use alula_types::{Body, Class, Code, Fault, Input, Invocation, Outcome, Place, Principal};
use http::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as HttpBody;
use hyper::body::Incoming;

use crate::body::{Received, Sent};
use crate::connection::Connection;
use crate::cors;
use crate::executor::StreamWatch;
use crate::files;
use crate::gateway::Answered;
use crate::head::{self, Head, INVOCATION_ID, Marks, TRACEPARENT};
use crate::problem::{self, Refusal};
use crate::route::{Entry, FaultPage, RouteTable, Target};

/// Answers one request of a connection.
///
/// The future is small, because hyper moves it about: what runs before the function does has run
/// when this returns.
pub(crate) fn handle(
    connection: Arc<Connection>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Response<Sent>, Infallible>> + Send {
    let mut exchange = Exchange::begin(connection, &request);
    let begun = phases(&mut exchange, request);
    let begun = begun.unwrap_or_else(|refusal| Begun::Own(Box::pin(ready(Err(refusal)))));
    async move {
        let answer = match begun {
            Begun::Invoked(outcome) => {
                let outcome = outcome.await;
                outcome.map_err(|fault| exchange.blame(fault)).and_then(|o| encode(&exchange, o))
            }
            Begun::Own(answer) => answer.await,
        };
        let response = answer.unwrap_or_else(|refusal| exchange.refuse(refusal));
        Ok(exchange.send(response))
    }
}

/// What happens to a request, in order. Each phase takes what the one before it proved.
///
/// What comes after is [`encode`] (the outcome becomes an answer), [`Exchange::send`] (its head
/// goes out), [`Sent`] (its body streams, at the pace of the client) and the drops of [`Exchange`]
/// and its settlement, which happen whatever else does: a client that leaves drops the future or
/// the body, and that cancels the invocation.
fn phases(exchange: &mut Exchange, request: Request<Incoming>) -> Result<Begun, Refusal> {
    let (head, body) = head::read(&exchange.connection, request)?;
    let routed = match route(exchange, &head)? {
        Routed::Function(routed) => routed,
        Routed::Static(entry) => return Ok(Begun::Own(Box::pin(files::answer(entry, head)))),
        Routed::Fault(page) => return Ok(Begun::Own(Box::pin(ready(fault(&page, &head))))),
        Routed::Answered(response) => return Ok(Begun::Own(Box::pin(ready(Ok(response))))),
    };
    let principal = identify(&head)?;
    let permit = authorize(routed, principal)?;
    let ticket = admit(exchange, permit, &body)?;
    let (function, invocation) = decode(exchange, ticket, head, body);
    let node = &exchange.connection.gateway.dispatcher;
    Ok(Begun::Invoked(function.dispatch(node, invocation)))
}

/// An answer that is being made.
enum Begun {
    /// By a function.
    Invoked(BoxFuture<Result<Outcome, Fault>>),
    /// By the gateway.
    Own(BoxFuture<Result<Response<Body>, Refusal>>),
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Where a request goes.
enum Routed {
    Function(ToFunction),
    Static(Arc<Entry>),
    Fault(Arc<FaultPage>),
    /// The gateway has answered it.
    Answered(Response<Body>),
}

/// Evidence that a route names a function that is there.
struct ToFunction {
    function: Arc<Function>,
    method: Option<Method>,
}

/// Evidence that a principal may call the function.
#[must_use]
struct Permit {
    routed: ToFunction,
    principal: Principal,
}

/// Evidence that the call is within the limits that are known before it runs. Rates, quotas and
/// budgets will be held here and released on drop.
#[must_use]
struct Ticket {
    permit: Permit,
    settlement: Arc<Settlement>,
    deadline: Instant,
    body_max: u64,
}

fn route(exchange: &mut Exchange, head: &Head) -> Result<Routed, Refusal> {
    let gateway = &exchange.connection.gateway;
    let table = gateway.routes.load();
    if let Some(asked) = cors::asked_method(&head.method, head.headers())
        && let Some(entry) = table.find(&asked, head.authority(), head.path())
        && let Some(cors) = &entry.cors
    {
        let mut response = no_content();
        *response.headers_mut() = cors.preflight(head.headers());
        return Ok(Routed::Answered(response));
    }
    let Some(entry) = table.find(&head.method, head.authority(), head.path()) else {
        return nowhere(&table, head);
    };
    if entry.cors.is_some() {
        let origin = head.headers().get(ORIGIN).cloned();
        exchange.cors = Some(Box::new((Arc::clone(entry), origin)));
    }
    match &entry.target {
        Target::Function(name) => {
            let function = gateway.dispatcher.function(name).ok_or_else(|| {
                // Routes are changed after functions are installed, so this passes.
                Fault::new(Code::NoCapacity, format!("the function `{name}` is not installed"))
                    .retry_after(Duration::from_secs(1))
            })?;
            // Only the `GET` of the function is known to be there, and a `HEAD` is one without a
            // body.
            let as_get = head.method == Method::HEAD && entry.pattern.method() == Some("GET");
            let method = as_get.then_some(Method::GET);
            Ok(Routed::Function(ToFunction { function, method }))
        }
        Target::Static(_) => match head.method {
            Method::GET | Method::HEAD => Ok(Routed::Static(Arc::clone(entry))),
            _ => nowhere(&table, head),
        },
        Target::Fault(page) => Ok(Routed::Fault(Arc::clone(page))),
    }
}

/// No route takes the request: says which methods one would take.
fn nowhere(table: &RouteTable, head: &Head) -> Result<Routed, Refusal> {
    let options = head.method == Method::OPTIONS;
    if options && head.path() == "*" {
        return Ok(Routed::Answered(no_content()));
    }
    let methods = table.methods(head.authority(), head.path());
    if methods.is_empty() {
        let detail = format!("no route matches `{} {}`", head.method, head.path());
        return Err(Fault::new(Code::RouteMissing, detail).into());
    }
    let mut allow: Vec<&str> = Vec::new();
    for method in methods.into_iter().flat_map(|method| match method {
        // A pattern for all methods comes here only for files.
        None | Some("GET") => vec!["GET", "HEAD"],
        Some(method) => vec![method],
    }) {
        if !allow.contains(&method) {
            allow.push(method);
        }
    }
    if !allow.contains(&"OPTIONS") {
        allow.push("OPTIONS");
    }
    let allow = HeaderValue::from_str(&allow.join(", ")).expect("methods are visible ASCII");
    if options {
        let mut response = no_content();
        response.headers_mut().insert(ALLOW, allow);
        return Ok(Routed::Answered(response));
    }
    let detail = format!("`{}` does not take {}", head.path(), head.method);
    let mut refusal = Refusal::from(Fault::new(Code::MethodRefused, detail));
    refusal.fields.push((ALLOW, allow));
    Err(refusal)
}

/// Shows a browser the page and tells everybody else the fault.
fn fault(page: &FaultPage, head: &Head) -> Result<Response<Body>, Refusal> {
    let accepts = head.headers().get_all(ACCEPT).iter();
    let browser = accepts.filter_map(|value| value.to_str().ok()).any(|v| v.contains("text/html"));
    if !browser {
        return Err(page.fault.clone().into());
    }
    let mut response = Response::new(Body::full(page.html.clone()));
    let status = StatusCode::from_u16(page.fault.code.row().status);
    *response.status_mut() = status.expect("the table's statuses lie between 400 and 599");
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    Ok(response)
}

/// Who asks. All routes are public until an issue brings credentials.
fn identify(_head: &Head) -> Result<Principal, Fault> {
    Ok(Principal::Anonymous)
}

/// Whether they may.
fn authorize(routed: ToFunction, principal: Principal) -> Result<Permit, Fault> {
    Ok(Permit { routed, principal })
}

/// Opens the account of the invocation and refuses what is too large by its own words.
fn admit(exchange: &mut Exchange, permit: Permit, body: &Incoming) -> Result<Ticket, Fault> {
    let gateway = &exchange.connection.gateway;
    let revision = &permit.routed.function.revision;
    let settlement = Settlement::open(
        exchange.marks.id,
        revision.function.clone(),
        clock::now,
        Arc::clone(&gateway.usage),
    );
    exchange.settlement = Some(Arc::clone(&settlement));
    let deadline = settlement.started + revision.limits.timeout;
    let body_max = revision.limits.body.0;
    if body.size_hint().lower() > body_max {
        settlement.failed(Code::BodyTooLarge);
        return Err(too_large(body_max));
    }
    Ok(Ticket { permit, settlement, deadline, body_max })
}

fn too_large(limit: u64) -> Fault {
    Fault::new(Code::BodyTooLarge, format!("the request body is larger than {limit} bytes"))
}

/// Makes the invocation.
fn decode(
    exchange: &Exchange,
    ticket: Ticket,
    head: Head,
    body: Incoming,
) -> (Arc<Function>, Invocation) {
    let Ticket { permit, settlement, deadline, body_max } = ticket;
    let connection = &exchange.connection;
    let mut parts = head.into_parts(connection, &exchange.marks);
    if let Some(method) = permit.routed.method {
        parts.method = method;
    }
    let body = Received::body(body, connection, &settlement, body_max);
    let invocation = Invocation {
        id: exchange.marks.id,
        deadline,
        principal: permit.principal,
        idempotency_key: None,
        trace: exchange.marks.trace,
        settlement,
        place: Place::default(),
        input: Input::Http(Request::from_parts(parts, body)),
    };
    (permit.routed.function, invocation)
}

/// Turns what the function gave into an answer that HTTP can carry.
fn encode(exchange: &Exchange, outcome: Outcome) -> Result<Response<Body>, Refusal> {
    let mut response = match outcome {
        Outcome::Http(response) => response,
        Outcome::Error(error) => {
            let detail = format!("the function reported an error of kind `{}`", error.kind);
            return Err(Fault::new(Code::GuestFailed, detail).into());
        }
        Outcome::Upgrade(_) => {
            return Err(
                Fault::new(Code::GuestFailed, "the function asked to keep the socket").into()
            );
        }
        Outcome::Value(_) | Outcome::Batch { .. } | Outcome::Execution(_) | Outcome::Exit(_) => {
            return Err(Fault::new(Code::NoResponse, "the function gave no HTTP response").into());
        }
    };
    let status = response.status();
    if status.is_informational() {
        let detail = format!("the function answered with {}", status.as_u16());
        return Err(Fault::new(Code::GuestFailed, detail).into());
    }
    head::strip_hop_by_hop(response.headers_mut());
    let bodiless =
        exchange.head || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !length_is_sound(response.headers(), response.body(), bodiless) {
        let detail = "the function's content-length is not the length of its body";
        return Err(Fault::new(Code::GuestFailed, detail).into());
    }
    Ok(response)
}

/// A length that is wrong would let the client read the next answer as part of this one.
fn length_is_sound(headers: &HeaderMap, body: &Body, bodiless: bool) -> bool {
    let mut fields = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = fields.next() else { return true };
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let declared = first.to_str().ok().filter(digits).and_then(|text| text.parse::<u64>().ok());
    let Some(declared) = declared.filter(|_| fields.next().is_none()) else { return false };
    bodiless || body.size_hint().exact().is_none_or(|exact| exact == declared)
}

fn no_content() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

/// What is known of one request until its answer has ended. Dropping it is that end.
pub(crate) struct Exchange {
    connection: Arc<Connection>,
    marks: Marks,
    /// Whether the client wants no body.
    head: bool,
    status: u16,
    settlement: Option<Arc<Settlement>>,
    cors: Option<Box<(Arc<Entry>, Option<HeaderValue>)>>,
    watch: Option<Arc<StreamWatch>>,
    seen: Option<Box<Seen>>,
}

/// What only an observer wants to know.
struct Seen {
    method: Method,
    uri: http::Uri,
    started: Instant,
}

impl Exchange {
    fn begin(connection: Arc<Connection>, request: &Request<Incoming>) -> Self {
        connection.traffic.request_begins(!request.body().is_end_stream());
        let watch = (request.version() == http::Version::HTTP_2).then(|| {
            let watch = Arc::new(StreamWatch::default());
            *connection.newest.lock() = Some(Arc::clone(&watch));
            watch
        });
        let seen = connection.gateway.observer.is_some().then(|| {
            let (method, uri) = (request.method().clone(), request.uri().clone());
            Box::new(Seen { method, uri, started: clock::now() })
        });
        Self {
            marks: Marks::new(request.headers()),
            head: request.method() == Method::HEAD,
            status: 0,
            settlement: None,
            cors: None,
            watch,
            seen,
            connection,
        }
    }

    /// A function that fails because its request was broken off is not the one to blame.
    fn blame(&self, fault: Fault) -> Refusal {
        match self.settlement.as_ref().map(|settlement| settlement.outcome()) {
            Some(OutcomeClass::Failed(code @ (Code::BodyTooLarge | Code::RequestTimedOut))) => {
                Fault::plain(code).into()
            }
            _ => fault.into(),
        }
    }

    /// The answer in place of one that failed.
    fn refuse(&self, refusal: Refusal) -> Response<Body> {
        let code = refusal.fault.code;
        self.failed(code);
        if code.row().class == Class::Bug {
            let (invocation, fault) = (self.marks.id, &refusal.fault);
            tracing::error!(%invocation, %fault, "a request failed");
        }
        problem::response(refusal, self.marks.id)
    }

    /// Sends the head; the body follows as the client takes it.
    fn send(mut self, response: Response<Body>) -> Response<Sent> {
        let (mut parts, mut body) = response.into_parts();
        let headers = &mut parts.headers;
        let (id, trace) = self.marks.take_fields();
        headers.insert(INVOCATION_ID, id);
        headers.insert(TRACEPARENT, trace);
        if let Some((entry, origin)) = self.cors.as_deref()
            && let Some(cors) = &entry.cors
        {
            cors.answer(origin.as_ref(), headers);
        }
        if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
            headers.remove(CONTENT_LENGTH);
            body = Body::empty();
        } else if self.head {
            if let Some(length) = body.size_hint().exact()
                && !headers.contains_key(CONTENT_LENGTH)
            {
                headers.insert(CONTENT_LENGTH, length.into());
            }
            body = Body::empty();
        }
        self.status = parts.status.as_u16();
        if let Some(settlement) = &self.settlement {
            settlement.answered(self.status);
        }
        let watch = self.watch.take();
        Response::from_parts(parts, Sent::new(body, self, watch))
    }

    /// Counts a piece of the response body.
    pub(crate) fn sent(&self, bytes: u64) {
        if let Some(settlement) = &self.settlement {
            settlement.bytes_out.fetch_add(bytes, Relaxed);
        }
    }

    /// Notes a failure.
    pub(crate) fn failed(&self, code: Code) {
        if let Some(settlement) = &self.settlement {
            settlement.failed(code);
        }
    }

    fn observe(&self) {
        let (Some(seen), Some(observer)) = (&self.seen, &self.connection.gateway.observer) else {
            return;
        };
        let settlement = self.settlement.as_deref();
        observer.answered(&Answered {
            invocation: self.marks.id,
            function: settlement.map(|settlement| &settlement.function),
            method: &seen.method,
            path: seen.uri.path(),
            status: self.status,
            elapsed: clock::now() - seen.started,
            start: settlement.map_or(Start::None, Settlement::start),
            outcome: settlement.map_or(OutcomeClass::Completed, Settlement::outcome),
        });
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if self.status == 0 {
            // The client left before there was an answer.
            self.failed(Code::Cancelled);
        }
        self.connection.traffic.answer_ends();
        self.observe();
    }
}
