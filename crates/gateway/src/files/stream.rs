//! A file as a body: read piece by piece, as the client takes it.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use alula_rt::{TaskKind, spawn_blocking};
use alula_types::limits::edge;
use alula_types::{Body, BodyError, Code, Fault};
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::resolve::Opened;

/// The bytes from `start` up to, not including, `end`.
pub(super) fn body(opened: Opened, start: u64, end: u64) -> Body {
    Body::stream(Pieces {
        left: end - start,
        next: if start == end { Next::Done } else { Next::Idle(opened.file, start) },
    })
}

struct Pieces {
    left: u64,
    next: Next,
}

enum Next {
    /// The file and where to read on.
    Idle(File, u64),
    /// A piece is being read on another thread.
    Reading(JoinHandle<io::Result<(File, u64, Vec<u8>)>>),
    Done,
}

impl HttpBody for Pieces {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            match std::mem::replace(&mut self.next, Next::Done) {
                Next::Done => return Poll::Ready(None),
                Next::Idle(file, at) => {
                    let size = self.left.min(edge::FILE_CHUNK.0);
                    let read = move || read(file, at, size);
                    self.next = Next::Reading(spawn_blocking(TaskKind::Connection, read));
                }
                Next::Reading(mut reading) => {
                    let Poll::Ready(read) = Pin::new(&mut reading).poll(cx) else {
                        self.next = Next::Reading(reading);
                        return Poll::Pending;
                    };
                    let Ok(Ok((file, at, piece))) = read else { return failed() };
                    self.left -= piece.len() as u64;
                    if self.left > 0 {
                        self.next = Next::Idle(file, at);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(piece.into()))));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.next, Next::Done)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

fn failed() -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
    let fault = Fault::new(Code::FileRefused, "the file could not be read to its end");
    Poll::Ready(Some(Err(BodyError::Failed(Box::new(fault)))))
}

/// A file that became shorter is an error: its length was promised.
fn read(mut file: File, at: u64, size: u64) -> io::Result<(File, u64, Vec<u8>)> {
    let mut piece = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    (&mut file).take(size).read_to_end(&mut piece)?;
    if piece.is_empty() {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let at = at + piece.len() as u64;
    Ok((file, at, piece))
}
