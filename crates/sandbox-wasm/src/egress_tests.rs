//! Cases for the translation between guests and the capability port.

use super::*;
use std::time::Duration;

use alula_capability::BoxFuture;
use alula_types::{FunctionName, Principal};
use http_body_util::Full;

/// Answers every call with one prepared answer, after reading the request's body.
struct Prepared(Mutex<Option<Result<Reply, Refusal>>>);

impl Host for Prepared {
    fn call(&self, _: &CallContext, call: Call) -> BoxFuture<Result<Reply, Refusal>> {
        let answer = self.0.lock().take().expect("called once");
        Box::pin(async move {
            let Call::Http(request, _) = call;
            match request.into_body().collect().await {
                Ok(_) => answer,
                Err(error) => Err(Refusal::Protocol("peer".into(), error.to_string())),
            }
        })
    }
}

fn egress(answer: Result<Reply, Refusal>) -> Egress {
    let context = CallContext {
        function: FunctionName::parse("f").expect("a name"),
        invocation: alula_rt::random::invocation_id(),
        principal: Principal::Platform,
        deadline: alula_rt::clock::now() + Duration::from_secs(60),
        trace: alula_rt::random::trace(),
        grants: Arc::default(),
    };
    Egress::new(Arc::new(Prepared(Mutex::new(Some(answer)))), context)
}

fn body(bytes: &'static [u8]) -> WasiBody {
    Full::new(Bytes::from_static(bytes)).map_err(Error::from).boxed_unsync()
}

async fn send(egress: &mut Egress, uri: &str, body: WasiBody) -> Sent {
    let request = http::Request::builder().uri(uri).body(body).expect("a request");
    Pin::from(egress.send_request(request, None, Box::new(ready(Ok(()))))).await
}

#[tokio::test]
async fn a_reply_reaches_the_guest_whole() {
    let response = http::Response::builder().status(201).body(Body::full("hi")).expect("valid");
    let mut egress = egress(Ok(Reply::Http(response)));
    let (response, _) = send(&mut egress, "http://a.test/", body(b"up")).await.expect("sent");
    assert_eq!(response.status(), 201);
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(bytes, "hi");
}

#[tokio::test]
async fn each_refusal_has_its_error_code() {
    let cases = [
        (Refusal::Denied("no".into()), "HTTP request denied"),
        (Refusal::Malformed("x".into()), "invalid HTTP request URI"),
        (Refusal::NameNotFound("a".into()), "DNS error"),
        (Refusal::ConnectionRefused("a".into()), "connection refused"),
        (Refusal::Tls("a".into(), "b".into()), "TLS protocol error"),
        (Refusal::TimedOut(TimedOut::Connect), "connection timeout"),
        (Refusal::TimedOut(TimedOut::FirstByte), "connection read timeout"),
        (Refusal::TimedOut(TimedOut::BetweenBytes), "connection read timeout"),
        (Refusal::Protocol("a".into(), "b".into()), "HTTP protocol error"),
        (Refusal::Limit("64".into()), "connection limit reached"),
    ];
    for (refusal, text) in cases {
        let mut egress = egress(Err(refusal.clone()));
        let error = send(&mut egress, "https://a.test/", body(b"")).await.err().expect("refused");
        assert_eq!(error.to_string(), text, "{refusal:?}");
    }
}

#[tokio::test]
async fn a_guest_that_breaks_its_own_body_is_told_what_it_did() {
    let mut egress = egress(Ok(Reply::Http(http::Response::new(Body::empty()))));
    let short = body(b"x").map_frame(|frame| frame);
    let broken =
        short.with_trailers(ready(Some(Err(Error::HttpRequestBodySize(Some(1)))))).boxed_unsync();
    let error = send(&mut egress, "http://a.test/", broken).await.err().expect("broken");
    assert!(matches!(error, Error::HttpRequestBodySize(Some(1))), "{error}");
}

#[tokio::test]
async fn a_uri_that_hides_its_host_is_refused_before_the_call() {
    for uri in ["http://granted.test@other.test/", "http://a:b@c.test/", "/path"] {
        let mut egress = egress(Ok(Reply::Http(http::Response::new(Body::empty()))));
        let error = send(&mut egress, uri, body(b"")).await.err().expect("refused");
        assert!(matches!(error, Error::HttpRequestUriInvalid), "{uri}");
    }
}

#[test]
fn fields_of_the_connection_are_forbidden_and_others_are_not() {
    let mut egress = egress(Err(Refusal::Denied(String::new())));
    let filter = egress.forbidden_header_filter();
    for (name, forbidden) in
        [("host", true), ("connection", true), ("upgrade", true), ("accept", false), ("te", false)]
    {
        let name = HeaderName::from_static(name);
        assert_eq!(egress.is_forbidden_header(&name), forbidden, "{name}");
        assert_eq!(filter(&name), forbidden, "{name}");
    }
}
