//! The smallest function: says hello over `wasi:http` 0.2.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Hello;

wasip2::http::proxy::export!(Hello);

impl Guest for Hello {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let greeting = format!("Hello from {}\n", request.path_with_query().unwrap_or_default());

        let headers = Fields::new();
        let text = [b"text/plain; charset=utf-8".to_vec()];
        headers.set("content-type", &text).expect("a fresh header list takes a content type");
        let response = OutgoingResponse::new(headers);
        let body = response.body().expect("the body is taken once");

        // The head goes first, so that the client hears from us while the body is being made.
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        // A client that has gone away is no reason to fail.
        let _ = stream.blocking_write_and_flush(greeting.as_bytes());
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
