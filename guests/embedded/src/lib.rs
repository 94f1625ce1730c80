//! Built for `wasm32-unknown-unknown`: a core module that carries the type of the component it
//! should be. It knows no standard library's way to the outside, so everything goes through the
//! bindings.

use wasip2::exports::http::incoming_handler::Guest;
use wasip2::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

struct Embedded;

wasip2::http::proxy::export!(Embedded);

impl Guest for Embedded {
    fn handle(_request: IncomingRequest, out: ResponseOutparam) {
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        let _ = stream.blocking_write_and_flush(b"hello from a core module\n");
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }
}
