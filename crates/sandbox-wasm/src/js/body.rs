//! Bodies across the boundary: the host's bodies as guest streams, the guest's streams as bodies.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use alula_types::{Body, BodyError, Code, Fault};
use bytes::Bytes;
use http_body::{Body as _, Frame};
use tokio::sync::mpsc;
use tokio_util::sync::PollSender;
use wasmtime::component::{
    Destination, Source, StreamConsumer, StreamProducer, StreamReader, StreamResult,
};
use wasmtime::{AsContextMut, StoreContextMut};

use super::bindings::alula::js::types::{Body as JsBody, Chunks};
use super::{Endings, State};

/// The most bytes that one piece of a guest's body carries; a larger write is cut.
const PIECE: usize = 64 << 10;

/// Hands a body to the guest, as bytes when they are all there and as a stream otherwise.
pub(super) fn to_guest<S: AsContextMut>(
    store: S,
    state: impl FnOnce(&mut S::Data) -> &mut State,
    mut body: Body,
) -> wasmtime::Result<JsBody> {
    let mut store = store;
    if body.is_end_stream() {
        return Ok(JsBody::Empty);
    }
    let mut first = None;
    let mut idle = Context::from_waker(std::task::Waker::noop());
    // A short body has usually arrived with its head; then no stream is needed.
    if let Poll::Ready(Some(Ok(frame))) = Pin::new(&mut body).poll_frame(&mut idle)
        && let Ok(bytes) = frame.into_data()
    {
        if body.is_end_stream() && bytes.len() <= PIECE {
            return Ok(JsBody::Bytes(bytes.into()));
        }
        first = Some(bytes);
    }
    let mut context = store.as_context_mut();
    let state = state(context.data_mut());
    let (id, endings) = (state.body_id(), state.endings.clone());
    let bytes = StreamReader::new(context, Producer { id, body, first, endings })?;
    Ok(JsBody::Chunks(Chunks { id, bytes }))
}

/// Feeds a host body into a guest's stream.
struct Producer {
    id: u32,
    body: Body,
    /// A piece that was read before the stream was made.
    first: Option<Bytes>,
    endings: Endings,
}

impl Producer {
    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(bytes) = self.first.take() {
            return Poll::Ready(Some(bytes));
        }
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(None),
                Some(Err(error)) => {
                    self.endings.0.lock().incoming.insert(self.id, error.to_string());
                    return Poll::Ready(None);
                }
                // Trailers have no place in the web's fetch interface.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(bytes) if !bytes.is_empty() => return Poll::Ready(Some(bytes)),
                    _ => {}
                },
            }
        }
    }
}

impl<D> StreamProducer<D> for Producer {
    type Item = u8;
    type Buffer = Bytes;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, u8, Bytes>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        let mut bytes = match this.poll_piece(cx) {
            Poll::Ready(Some(bytes)) => bytes,
            Poll::Ready(None) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
        };
        match destination.remaining(&mut store) {
            // The reader is a guest: copy straight into its buffer and keep what does not fit.
            Some(room) if room > 0 => {
                let rest = bytes.split_off(bytes.len().min(room));
                if !rest.is_empty() {
                    this.first = Some(rest);
                }
                let mut direct = destination.as_direct(store, bytes.len());
                direct.remaining()[..bytes.len()].copy_from_slice(&bytes);
                direct.mark_written(bytes.len());
            }
            Some(_) => this.first = Some(bytes),
            None => destination.set_buffer(bytes),
        }
        Poll::Ready(Ok(StreamResult::Completed))
    }
}

/// Takes a body from the guest.
pub(super) fn from_guest(
    mut store: impl AsContextMut,
    endings: &Endings,
    body: JsBody,
) -> wasmtime::Result<Body> {
    Ok(match body {
        JsBody::Empty => Body::empty(),
        JsBody::Text(text) => Body::full(text),
        JsBody::Bytes(bytes) => Body::full(bytes),
        JsBody::Chunks(Chunks { id, bytes }) => {
            let (pieces, receiver) = mpsc::channel(1);
            let endings = endings.clone();
            let consumer = Consumer { id, endings, pieces: PollSender::new(pieces) };
            bytes.pipe(store.as_context_mut(), consumer)?;
            Body::stream(GuestBody(receiver))
        }
    })
}

type Piece = Result<Bytes, BodyError>;

/// Takes what a guest writes. One piece waits at most, so a slow reader holds the guest back.
struct Consumer {
    id: u32,
    endings: Endings,
    pieces: PollSender<Piece>,
}

impl<D> StreamConsumer<D> for Consumer {
    type Item = u8;

    fn poll_consume(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<D>,
        source: Source<'_, u8>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        match this.pieces.poll_reserve(cx) {
            Poll::Pending if finish => return Poll::Ready(Ok(StreamResult::Cancelled)),
            Poll::Pending => return Poll::Pending,
            // The reader of the body is gone: the guest's writer learns it.
            Poll::Ready(Err(_)) => return Poll::Ready(Ok(StreamResult::Dropped)),
            Poll::Ready(Ok(())) => {}
        }
        let mut source = source.as_direct(store);
        let bytes = source.remaining();
        let length = bytes.len().min(PIECE);
        if length == 0 {
            this.pieces.abort_send();
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let piece = Bytes::copy_from_slice(&bytes[..length]);
        source.mark_read(length);
        let sent = this.pieces.send_item(Ok(piece));
        let result = if sent.is_ok() { StreamResult::Completed } else { StreamResult::Dropped };
        Poll::Ready(Ok(result))
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        let Some(why) = self.endings.0.lock().outgoing.remove(&self.id) else { return };
        let Some(pieces) = self.pieces.get_ref().cloned() else { return };
        let fault = Fault::new(Code::GuestFailed, format!("the response body failed: {why}"));
        // The error must come after the pieces that were sent, so it waits for its turn.
        self.pieces.abort_send();
        alula_rt::spawn(alula_rt::TaskKind::Guest, async move {
            let _ = pieces.send(Err(BodyError::Failed(Box::new(fault)))).await;
        });
    }
}

/// A body whose pieces a guest writes.
struct GuestBody(mpsc::Receiver<Piece>);

impl http_body::Body for GuestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.0.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }
}
