//! What happens when a request comes.

use http::{Request, Response};
use wasip3::exports::http::handler::Guest;
use wasip3::http::types::{self, ErrorCode};
use wasip3::http_compat::{IncomingRequestBody, http_from_wasi_request, http_into_wasi_response};

struct Function;

wasip3::http::service::export!(Function);

impl Guest for Function {
    async fn handle(request: types::Request) -> Result<types::Response, ErrorCode> {
        http_into_wasi_response(serve(http_from_wasi_request(request)?).await?)
    }
}

async fn serve(request: Request<IncomingRequestBody>) -> Result<Response<String>, ErrorCode> {
    let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".to_string());
    // What is printed appears in the function's log.
    println!("{} {}", request.method(), request.uri().path());

    let mut response = Response::new(format!("{greeting} from {}\n", env!("CARGO_PKG_NAME")));
    let text = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert("content-type", text);
    Ok(response)
}
