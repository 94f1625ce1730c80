//! Where a guest's outbound HTTP calls enter: the engine's own entries with two things mended.
//!
//! `path-with-query` may be none, which `wasi:http/types` says means an empty path and query; a URI
//! has no such form, so the engine refuses it. And the future of WASI 0.3's `request.new` tells
//! whether the request was transmitted; the engine says that it was when nobody could be connected
//! to.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::uri::PathAndQuery;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::oneshot;
use wasmtime::component::{Accessor, HasData, Linker, Resource};
use wasmtime_wasi::TrappableError;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types as p2};
use wasmtime_wasi_http::p2::types::{HostFutureIncomingResponse, HostOutgoingRequest};
use wasmtime_wasi_http::p3::bindings::http::client;
use wasmtime_wasi_http::p3::bindings::http::types::{DnsErrorPayload, ErrorCode};
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpCtxView, WasiHttpView};

/// The engine's one definition, which serves all of 0.2.
const OUTGOING: &str = "wasi:http/outgoing-handler@0.2.12";

/// Puts the entry of WASI 0.2 in the place of the engine's.
pub(crate) fn link_two<T: WasiHttpView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    linker.instance(OUTGOING)?.func_wrap("handle", |mut store, (request, options)| {
        Ok((handle(store.data_mut(), request, options)?,))
    })
}

/// The same for WASI 0.3.
pub(crate) fn link_three<T>(linker: &mut Linker<T>) -> wasmtime::Result<()>
where
    T: WasiHttpView + 'static,
{
    client::add_to_linker::<T, Three>(linker, T::http)
}

type Handled = Result<Resource<HostFutureIncomingResponse>, p2::ErrorCode>;

fn handle<T: WasiHttpView>(
    state: &mut T,
    request: Resource<HostOutgoingRequest>,
    options: Option<Resource<p2::RequestOptions>>,
) -> wasmtime::Result<Handled> {
    let mut view = state.http();
    let path = &mut view.table.get_mut(&request)?.path_with_query;
    path.get_or_insert_with(|| "/".into());
    match outgoing_handler::Host::handle(&mut view, request, options) {
        Ok(response) => Ok(Ok(response)),
        Err(error) => error.downcast().map(Err),
    }
}

struct Three;

impl HasData for Three {
    type Data<'a> = WasiHttpCtxView<'a>;
}

impl<T: WasiHttpView + 'static> client::HostWithStore<T> for Three {
    async fn send(
        store: &Accessor<T, Self>,
        request: Resource<Request>,
    ) -> Result<Resource<Response>, TrappableError<ErrorCode>> {
        let (answered, answer) = oneshot::channel();
        let (broken, breakage) = oneshot::channel();
        let call = store.with(|mut access| {
            let mut request = access.get().table.delete(request).map_err(TrappableError::trap)?;
            request.path_with_query.get_or_insert(PathAndQuery::from_static("/"));
            let (request, options) =
                request.into_http(&mut access, transmitted(answer, breakage))?;
            let request = request.map(|body| Sent { body, broken: Some(broken) }.boxed_unsync());
            let consumed = Box::new(std::future::ready(Ok(())));
            let options = options.as_deref().copied();
            Ok::<_, TrappableError<ErrorCode>>(
                access.get().hooks.send_request(request, options, consumed),
            )
        })?;
        let sent = Pin::from(call).await.map_err(code);
        // The guest may have dropped the future that tells.
        drop(answered.send(sent.as_ref().map(|_| ()).map_err(Clone::clone)));
        let (response, _io) = sent?;
        store.with(|mut access| {
            let view = access.get();
            let (response, _consumed) = Response::from_http(view.hooks, response);
            view.table.push(response).map_err(TrappableError::trap)
        })
    }
}

/// Whether a request was transmitted: someone answered it and its body came to its end.
async fn transmitted(
    answer: oneshot::Receiver<Result<(), ErrorCode>>,
    breakage: oneshot::Receiver<ErrorCode>,
) -> Result<(), Error> {
    // A guest that cancels its call does not learn how far it came.
    answer.await.unwrap_or(Err(ErrorCode::ConnectionTerminated))?;
    match breakage.await {
        Ok(code) => Err(code.into()),
        Err(_) => Ok(()),
    }
}

/// A request body that tells how it broke, or is dropped.
struct Sent {
    body: WasiBody,
    broken: Option<oneshot::Sender<ErrorCode>>,
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            frame.map_err(|error| {
                let code = code(error);
                if let Some(broken) = self.broken.take() {
                    drop(broken.send(code.clone()));
                }
                code.into()
            })
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The error code of WASI 0.3 for the engine's common one, for what [`crate::egress`] and guests'
/// own bodies produce.
fn code(error: Error) -> ErrorCode {
    match error {
        Error::DnsError { rcode, info_code } => {
            ErrorCode::DnsError(DnsErrorPayload { rcode, info_code })
        }
        Error::ConnectionRefused => ErrorCode::ConnectionRefused,
        Error::ConnectionTerminated => ErrorCode::ConnectionTerminated,
        Error::ConnectionTimeout => ErrorCode::ConnectionTimeout,
        Error::ConnectionReadTimeout => ErrorCode::ConnectionReadTimeout,
        Error::ConnectionLimitReached => ErrorCode::ConnectionLimitReached,
        Error::TlsProtocolError => ErrorCode::TlsProtocolError,
        Error::HttpRequestDenied => ErrorCode::HttpRequestDenied,
        Error::HttpRequestUriInvalid => ErrorCode::HttpRequestUriInvalid,
        Error::HttpRequestBodySize(size) => ErrorCode::HttpRequestBodySize(size),
        Error::HttpResponseIncomplete => ErrorCode::HttpResponseIncomplete,
        Error::HttpResponseBodySize(size) => ErrorCode::HttpResponseBodySize(size),
        Error::HttpProtocolError => ErrorCode::HttpProtocolError,
        Error::InternalError(text) => ErrorCode::InternalError(text),
        other => ErrorCode::InternalError(Some(other.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::Engine;

    struct Nothing;

    impl WasiHttpView for Nothing {
        fn http(&mut self) -> WasiHttpCtxView<'_> {
            unreachable!("nothing is called")
        }
    }

    #[test]
    fn the_entry_of_0_2_stands_in_the_place_of_the_engines() {
        let mut linker = Linker::<Nothing>::new(&Engine::default());
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).expect("linked");
        let mut entries = linker.instance(OUTGOING).expect("an instance");
        let twice = entries.func_wrap("handle", |_, (): ()| Ok(()));
        assert!(twice.is_err(), "the engine has it under another version");
        linker.allow_shadowing(true);
        link_two(&mut linker).expect("shadowed");
    }

    #[tokio::test]
    async fn a_request_counts_as_transmitted_when_it_was_answered_and_its_body_did_not_break() {
        async fn outcome(answer: Option<Result<(), ErrorCode>>, broken: bool) -> bool {
            let (answered, answer_of) = oneshot::channel();
            let (breaks, breakage) = oneshot::channel();
            if let Some(answer) = answer {
                answered.send(answer).expect("waited for");
            } else {
                drop(answered);
            }
            if broken {
                breaks.send(ErrorCode::HttpRequestBodySize(None)).expect("waited for");
            } else {
                drop(breaks);
            }
            transmitted(answer_of, breakage).await.is_ok()
        }
        assert!(outcome(Some(Ok(())), false).await);
        assert!(!outcome(Some(Ok(())), true).await);
        assert!(!outcome(Some(Err(ErrorCode::ConnectionRefused)), false).await);
        assert!(!outcome(None, false).await, "cancelled");
    }
}
