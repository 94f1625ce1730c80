//! Outbound requests: from the guest's record to the host's port and back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use alula_capability::{BoxFuture, Call, Host, HttpTimeouts, Reply};
use alula_types::Body;
use wasmtime::StoreContextMut;
use wasmtime::component::{Access, FutureProducer, FutureReader};

use super::bindings::alula::js::types::{Request, Response};
use super::{Js, JsGuest, State, body, handle};

type Answer = Result<http::Response<Body>, String>;

/// Starts a request; the guest reads its answer from the future.
pub(super) fn start<T: JsGuest>(
    mut access: Access<'_, T, Js>,
    id: u32,
    request: Request,
) -> wasmtime::Result<FutureReader<Result<Response, String>>> {
    let endings = access.get().state.endings.clone();
    let Request { method, url, fields, body } = request;
    let body = body::from_guest(&mut access, &endings, body)?;
    let built = handle::request_head(&method, &url, &fields);
    let view = access.get();
    let cancelled = view.state.cancellable(id);
    let (call, host) = (view.call.clone(), Arc::clone(view.host));
    let answer: BoxFuture<Answer> = Box::pin(async move {
        let request = built?.map(|()| body);
        let mut cancelled = cancelled;
        tokio::select! {
            biased;
            Ok(()) = &mut cancelled => Err("the request was aborted".to_owned()),
            answer = send(&*host, &call, request) => answer,
        }
    });
    FutureReader::new(access, Pending { answer, state: |data: &mut T| data.js().state })
}

async fn send(
    host: &dyn Host,
    call: &alula_capability::CallContext,
    request: http::Request<Body>,
) -> Answer {
    match host.call(call, Call::Http(request, HttpTimeouts::default())).await {
        Ok(Reply::Http(response)) => Ok(response),
        Err(refusal) => Err(refusal.to_string()),
    }
}

/// The answer on its way; its body becomes a guest stream when it arrives.
struct Pending<T> {
    answer: BoxFuture<Answer>,
    state: fn(&mut T) -> &mut State,
}

impl<T: JsGuest> FutureProducer<T> for Pending<T> {
    type Item = Result<Response, String>;

    fn poll_produce(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<T>,
        finish: bool,
    ) -> Poll<wasmtime::Result<Option<Self::Item>>> {
        let state = self.state;
        match self.answer.as_mut().poll(cx) {
            Poll::Ready(Ok(response)) => {
                let (head, body) = response.into_parts();
                let body = body::to_guest(store, state, body)?;
                let fields = handle::fields(&head.headers);
                Poll::Ready(Ok(Some(Ok(Response { status: head.status.as_u16(), fields, body }))))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Ok(Some(Err(error)))),
            Poll::Pending if finish => Poll::Ready(Ok(None)),
            Poll::Pending => Poll::Pending,
        }
    }
}
