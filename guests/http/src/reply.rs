//! Answering: the response's head and body, and bodies that flow.

use wasip2::http::types::{ErrorCode, IncomingRequest, OutgoingBody, ResponseOutparam};
use wasip2::io::streams::{OutputStream, StreamError};

/// The right to answer, once.
pub struct Reply {
    out: ResponseOutparam,
    status: u16,
}

impl Reply {
    pub fn new(out: ResponseOutparam) -> Self {
        Self { out, status: 200 }
    }

    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sends the head and gives the body to write.
    pub fn start(self) -> (OutgoingBody, OutputStream) {
        let response = crate::response(self.status);
        let body = response.body().expect("the body is taken once");
        ResponseOutparam::set(self.out, Ok(response));
        let stream = body.write().expect("the stream is taken once");
        (body, stream)
    }

    /// Answers with a text, whole.
    pub fn text(self, text: &str) {
        let (body, stream) = self.start();
        for piece in text.as_bytes().chunks(4096) {
            if stream.blocking_write_and_flush(piece).is_err() {
                return;
            }
        }
        drop(stream);
        let _ = OutgoingBody::finish(body, None);
    }

    /// Answers with an error of the interface.
    pub fn fail(self, code: ErrorCode) {
        ResponseOutparam::set(self.out, Err(code));
    }
}

/// Writes so many bytes as fast as they are taken.
pub fn pour(stream: &OutputStream, bytes: u64) -> Result<(), StreamError> {
    let piece = vec![b'x'; 64 << 10];
    let ready = stream.subscribe();
    let mut left = bytes;
    while left > 0 {
        let room = stream.check_write()?;
        if room == 0 {
            ready.block();
            continue;
        }
        let size = room.min(left).min(piece.len() as u64);
        stream.write(&piece[..size as usize])?;
        left -= size;
    }
    stream.blocking_flush()
}

/// Answers with the length of the request's body.
pub fn length(request: &IncomingRequest, reply: Reply) {
    let body = request.consume().expect("the body is taken once");
    let stream = body.stream().expect("the stream is taken once");
    let mut length = 0;
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(piece) => length += piece.len(),
            Err(StreamError::Closed) => return reply.text(&format!("{length}\n")),
            // A body that broke off has no length.
            Err(StreamError::LastOperationFailed(_)) => {
                return reply.fail(ErrorCode::HttpRequestBodySize(None));
            }
        }
    }
}

/// Sends the request's body back while it arrives.
pub fn echo(request: IncomingRequest, reply: Reply) {
    let incoming = request.consume().expect("the body is taken once");
    let from = incoming.stream().expect("the stream is taken once");
    let (outgoing, to) = reply.start();
    loop {
        match to.blocking_splice(&from, 64 << 10) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return,
        }
    }
    let _ = to.blocking_flush();
    drop(to);
    let _ = OutgoingBody::finish(outgoing, None);
}
