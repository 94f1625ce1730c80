//! What happens when a request comes.

use wstd::http::{Body, Error, Request, Response};

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let greeting = std::env::var("GREETING").unwrap_or_else(|_| "Hello".to_string());
    // What is printed appears in the function's log.
    println!("{} {}", request.method(), request.uri().path());

    let response = Response::builder()
        .header("content-type", "text/plain; charset=utf-8")
        .body(Body::from(format!("{greeting} from {}\n", env!("CARGO_PKG_NAME"))))?;
    Ok(response)
}
