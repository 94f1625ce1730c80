//! `POST /thumbnail?w=320`: a picture comes in, a small one goes out.

mod picture;

use picture::Problem;
use wstd::http::body::util::BodyExt;
use wstd::http::{Body, Error, Request, Response};

/// The width of a thumbnail when the query names none.
const DEFAULT_WIDTH: u32 = 320;
const MAX_WIDTH: u32 = 2048;
/// The largest file taken; `body` in alula.toml refuses larger ones before they get here.
const MAX_FILE: usize = 32 << 20;

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    Ok(match thumbnail(request).await {
        Ok(small) => Response::builder()
            .header("content-type", small.media_type)
            .header("x-source-size", format!("{}x{}", small.source.0, small.source.1))
            .body(Body::from(small.bytes))?,
        Err(problem) => Response::builder()
            .status(problem.status)
            .header("content-type", "text/plain; charset=utf-8")
            .body(Body::from(problem.message + "\n"))?,
    })
}

async fn thumbnail(request: Request<Body>) -> Result<picture::Thumbnail, Problem> {
    let width = wanted_width(request.uri().query().unwrap_or_default())?;
    let file = read(request.into_body()).await?;
    picture::shrink(&file, width)
}

/// The `w` of a query, between 1 and [`MAX_WIDTH`].
fn wanted_width(query: &str) -> Result<u32, Problem> {
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("w=")) else {
        return Ok(DEFAULT_WIDTH);
    };
    match text.parse() {
        Ok(width) if (1..=MAX_WIDTH).contains(&width) => Ok(width),
        _ => Err(Problem::new(400, format!("w must be a number from 1 to {MAX_WIDTH}"))),
    }
}

/// The whole body, which must fit [`MAX_FILE`].
async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    let too_large = || Problem::new(413, format!("a file may have up to {} MiB", MAX_FILE >> 20));
    let announced = usize::try_from(body.content_length().unwrap_or(0)).unwrap_or(usize::MAX);
    if announced > MAX_FILE {
        return Err(too_large());
    }
    // Growing step by step would hold the file twice while it is moved.
    let mut file = Vec::with_capacity(announced);
    let mut body = body.into_boxed_body();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(400, "the upload broke off"))?;
        let Some(piece) = frame.data_ref() else { continue };
        if file.len() + piece.len() > MAX_FILE {
            return Err(too_large());
        }
        file.extend_from_slice(piece);
    }
    Ok(file)
}
