//! The smallest function: says hello over `wasi:http` 0.3, whose handler is asynchronous.

use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{ErrorCode, Fields, Request, Response};
use wasip3::{wit_bindgen, wit_future, wit_stream};

struct Hello;

wasip3::http::service::export!(Hello);

impl Guest for Hello {
    async fn handle(request: Request) -> Result<Response, ErrorCode> {
        let greeting =
            format!("Hello from {}\n", request.get_path_with_query().unwrap_or_default());

        let text = ("content-type".to_string(), b"text/plain; charset=utf-8".to_vec());
        let headers = Fields::from_list(&[text]).expect("the header is well-formed");
        let (mut body, reader) = wit_stream::new();
        let (_, trailers) = wit_future::new(|| Ok(None));
        let (response, _) = Response::new(headers, Some(reader), trailers);

        // The host reads the body only after it has the response, so the writing goes on beside.
        wit_bindgen::spawn_local(async move {
            // A client that has gone away is no reason to fail.
            let _ = body.write_all(greeting.into_bytes()).await;
        });
        Ok(response)
    }
}
