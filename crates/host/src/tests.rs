//! Outbound HTTP against real servers on loopback.
//!
//! Every test of a barrier has a twin in which the barrier is taken away and the same attack
//! succeeds: it shows that the test would notice.

mod attacks;
mod exchange;
mod server;

use std::sync::Arc;
use std::time::Duration;

use alula_capability::{Call, CallContext, Host as _, HttpTimeouts, Refusal, Reply};
use alula_policy::{Grants, HttpGrants};
use alula_rt::{clock, random};
use alula_types::{Body, FunctionName, Principal};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::Providers;

/// Who calls, with these grants.
fn caller(function: &str, grants: &[&str]) -> CallContext {
    CallContext {
        function: FunctionName::parse(function).expect("a valid name"),
        invocation: random::invocation_id(),
        principal: Principal::Anonymous,
        deadline: clock::now() + Duration::from_secs(30),
        trace: random::trace(),
        grants: Arc::new(Grants { http: HttpGrants::compile(grants).expect("valid grants") }),
    }
}

async fn call(
    providers: &Providers,
    caller: &CallContext,
    request: http::Request<Body>,
    timeouts: HttpTimeouts,
) -> Result<http::Response<Body>, Refusal> {
    let Reply::Http(response) = providers.call(caller, Call::Http(request, timeouts)).await?;
    Ok(response)
}

/// Makes a GET request and collects the answer.
async fn get(
    providers: &Providers,
    caller: &CallContext,
    uri: &str,
) -> Result<(u16, Bytes), Refusal> {
    let request = http::Request::get(uri).body(Body::empty()).expect("a valid request");
    let response = call(providers, caller, request, HttpTimeouts::default()).await?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.expect("a whole body");
    Ok((status, body.to_bytes()))
}
