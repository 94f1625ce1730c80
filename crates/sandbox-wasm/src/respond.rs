//! Polls a run and turns its answer into an outcome.
//!
//! The run is polled by the very task that serves the request: no hand-over, no second task, and a
//! short answer is complete before anything is written to the socket. What takes longer is handed
//! over then, and only then: a guest that still works after its response head becomes a task of its
//! own, and one that computes for long moves to threads of low priority, so that connections and
//! short guests come first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use alula_rt::{TaskKind, clock, spawn};
use alula_types::{Body, BodyError, ByteSize, Code, Fault, Outcome};
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt as _;
use futures_util::future::poll_fn;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::egress::{self, Broken};
use crate::function::Function;
use crate::pulse::Pulse;
use crate::run::{Answered, Remains};

/// A run with its life signs: ends it at its deadline and when nobody wants it any more.
pub(crate) struct Watched {
    run: Option<Boxed<Option<Remains>>>,
    /// What an ended run left.
    remains: Option<Remains>,
    timer: Option<(Instant, Boxed<()>)>,
    pulse: Arc<Pulse>,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Watched {
    pub(crate) fn new(
        run: impl Future<Output = Option<Remains>> + Send + 'static,
        pulse: Arc<Pulse>,
    ) -> Self {
        Self { run: Some(Box::pin(run)), remains: None, timer: None, pulse }
    }

    /// Ends the run. Its store is dropped here, which frees the place.
    fn stop(&mut self) -> Poll<()> {
        self.run = None;
        // Nobody has to be woken for it any more: the end of the response would do so.
        drop(self.pulse.waker().take());
        Poll::Ready(())
    }

    fn overdue(&mut self) -> Poll<()> {
        self.pulse.ended(self.pulse.overdue().fault(&self.pulse.settlement.function));
        self.stop()
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let deadline = self.pulse.deadline();
            let (at, timer) = match &mut self.timer {
                Some((at, timer)) if *at == deadline => (*at, timer),
                other => {
                    *other = Some((deadline, Box::pin(clock::sleep_until(deadline))));
                    continue;
                }
            };
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            // The deadline may have been moved while this waited.
            if self.pulse.deadline() <= at {
                return Poll::Ready(());
            }
            self.timer = None;
        }
    }
}

impl Future for Watched {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.pulse.waker().register(cx.waker());
        if self.pulse.is_unwanted() {
            return self.stop();
        }
        let Self { run: Some(run), pulse, .. } = &mut *self else { return Poll::Ready(()) };
        pulse.poll_begins();
        let polled = run.as_mut().poll(cx);
        pulse.poll_ends();
        if let Poll::Ready(remains) = polled {
            self.remains = remains;
            return self.stop();
        }
        match self.poll_timer(cx) {
            Poll::Ready(()) => self.overdue(),
            Poll::Pending => {
                self.pulse.pending();
                Poll::Pending
            }
        }
    }
}

/// The threads for guests that compute for long.
#[derive(Clone)]
pub(crate) struct Background(pub(crate) Handle);

impl Background {
    /// Lets a run go on as a task, here as long as it waits and in the background once it computes.
    fn detach(&self, mut run: Watched) {
        let background = self.clone();
        spawn(TaskKind::Guest, async move {
            let busy = poll_fn(|cx| match run.poll_unpin(cx) {
                Poll::Ready(()) => Poll::Ready(false),
                Poll::Pending if run.pulse.take_busy() => Poll::Ready(true),
                Poll::Pending => Poll::Pending,
            })
            .await;
            if busy {
                background.take(run);
            }
        });
    }

    fn take(&self, run: Watched) {
        let _running = self.0.enter();
        spawn(TaskKind::Guest, run);
    }
}

/// Ends the run when the one who waits for its response goes away.
struct Wanted(Option<Arc<Pulse>>);

impl Drop for Wanted {
    fn drop(&mut self) {
        if let Some(pulse) = &self.0 {
            pulse.unwanted();
        }
    }
}

/// Polls a run until its answer is there, and hands it over when it has more to do.
pub(crate) async fn respond(
    function: &Function,
    mut run: Watched,
    mut answer: oneshot::Receiver<Answered>,
) -> Result<Outcome, Fault> {
    let pulse = Arc::clone(&run.pulse);
    let mut wanted = Wanted(Some(Arc::clone(&pulse)));
    let (answered, rest) = match first(&mut run, &mut answer).await {
        First::Answer(answered) => (Some(answered), Some(run)),
        First::None => (None, None),
        First::Busy => {
            function.core.background.take(run);
            (answer.await.ok(), None)
        }
    };
    // From here on the body says whether the run is wanted.
    wanted.0 = None;
    match answered {
        Some(answered) => finish(function, answered, rest, pulse),
        None => Err(silent(&pulse)),
    }
}

enum First {
    /// The answer.
    Answer(Answered),
    /// The run ended without an answer.
    None,
    /// The run computes for long.
    Busy,
}

async fn first(run: &mut Watched, answer: &mut oneshot::Receiver<Answered>) -> First {
    poll_fn(|cx| {
        let done = run.poll_unpin(cx).is_ready();
        match answer.try_recv() {
            Ok(answered) => Poll::Ready(First::Answer(answered)),
            Err(_) if done => Poll::Ready(First::None),
            Err(_) if run.pulse.take_busy() => Poll::Ready(First::Busy),
            Err(_) => Poll::Pending,
        }
    })
    .await
}

/// The fault of a run that gave no answer.
fn silent(pulse: &Pulse) -> Fault {
    pulse.end().cloned().unwrap_or_else(|| {
        let name = &pulse.settlement.function;
        Fault::new(Code::NoResponse, format!("`{name}` ended without a response"))
    })
}

/// Makes the outcome of an answer. What the run still does or leaves is for a task.
fn finish(
    function: &Function,
    answered: Answered,
    mut run: Option<Watched>,
    pulse: Arc<Pulse>,
) -> Result<Outcome, Fault> {
    let response = match answered {
        Answered::Http(response) => {
            response.map(|body| egress::from_guest(body, Broken::default()))
        }
        Answered::Platform(response) => response,
    };
    let (head, body) = response.into_parts();
    let limits = &function.shared.revision.limits;
    let promised = head.headers.get(http::header::CONTENT_LENGTH);
    let mut body = ResponseBody {
        body,
        owed: promised.and_then(|length| length.to_str().ok()?.parse().ok()),
        left: limits.response.0,
        limit: limits.response,
        ended: false,
        pulse,
        after_response: limits.after_response,
    };
    let body = match body.gather(&mut run) {
        Gathered::Whole(whole) => whole,
        Gathered::Begun(begun) => Body::stream(Rest { begun, body }),
        // Nothing has been sent yet, so the client can still be told.
        Gathered::Failed(fault) => return Err(*fault),
    };
    match run {
        // By the task that comes next on this thread, after the answer has been written.
        Some(Watched { run: None, remains: Some(remains), .. }) => {
            drop(spawn(TaskKind::Guest, async move { drop(remains) }));
        }
        Some(Watched { run: None, .. }) | None => {}
        Some(run) => function.core.background.detach(run),
    }
    Ok(Outcome::Http(http::Response::from_parts(head, body)))
}

/// A response body: bounds it and tells the run when it has ended or is not wanted any more.
struct ResponseBody {
    body: Body,
    /// Bytes still missing of what the head promised, if it did.
    owed: Option<u64>,
    left: u64,
    limit: ByteSize,
    ended: bool,
    pulse: Arc<Pulse>,
    after_response: Duration,
}

/// A short body is gathered up to this size, so that head and body leave in one write.
const GATHERED_BYTES_MAX: usize = 64 << 10;

impl ResponseBody {
    /// Takes what is there without waiting.
    fn gather(&mut self, run: &mut Option<Watched>) -> Gathered {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut first: Option<Bytes> = None;
        let mut more = BytesMut::new();
        loop {
            let frame = match Pin::new(&mut *self).poll_frame(&mut cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    // The guest may be waiting for exactly what was just taken.
                    let done = run.as_mut().is_some_and(|run| run.poll_unpin(&mut cx).is_ready());
                    if done {
                        *run = None;
                        continue;
                    }
                    match Pin::new(&mut *self).poll_frame(&mut cx) {
                        Poll::Ready(frame) => frame,
                        Poll::Pending => return begun(first, more),
                    }
                }
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                None => return whole(first, more),
                Some(Ok(Ok(data))) => {
                    if first.is_none() && more.is_empty() {
                        first = Some(data);
                    } else {
                        more.extend_from_slice(&first.take().unwrap_or_default());
                        more.extend_from_slice(&data);
                    }
                }
                // Trailers need the stream.
                Some(Ok(Err(trailers))) => {
                    self.body = Body::stream(Last(Some(trailers)));
                    return begun(first, more);
                }
                Some(Err(BodyError::Failed(fault))) => return Gathered::Failed(fault),
                Some(Err(_)) => return Gathered::Failed(Box::new(silent(&self.pulse))),
            }
            if first.as_ref().map_or(more.len(), Bytes::len) > GATHERED_BYTES_MAX {
                return begun(first, more);
            }
        }
    }
}

/// What there was of a body when nothing more could be had at once.
enum Gathered {
    /// All of it.
    Whole(Body),
    /// The beginning, if any.
    Begun(Option<Frame<Bytes>>),
    /// It broke off.
    Failed(Box<Fault>),
}

fn whole(first: Option<Bytes>, more: BytesMut) -> Gathered {
    Gathered::Whole(Body::full(first.unwrap_or_else(|| more.freeze())))
}

fn begun(first: Option<Bytes>, more: BytesMut) -> Gathered {
    let bytes = first.unwrap_or_else(|| more.freeze());
    Gathered::Begun((!bytes.is_empty()).then(|| Frame::data(bytes)))
}

/// A body of one frame.
struct Last(Option<Frame<Bytes>>);

impl HttpBody for Last {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
            return Poll::Pending;
        };
        match frame {
            // The stream of a guest that is gone ends like one that was finished. Only a promised
            // length can tell them apart, so without one a client must not take what it got for
            // all.
            None if self.owed != Some(0) && self.pulse.end().is_some() => {
                let fault = silent(&self.pulse);
                Poll::Ready(Some(Err(BodyError::Failed(Box::new(fault)))))
            }
            None => {
                self.ended = true;
                self.pulse.answered(self.after_response);
                Poll::Ready(None)
            }
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                if bytes > self.left {
                    let name = &self.pulse.settlement.function;
                    let text = format!("`{name}` sent more than {}", self.limit);
                    let fault = Fault::new(Code::ResponseTooLarge, text);
                    self.pulse.ended(fault.clone());
                    return Poll::Ready(Some(Err(BodyError::Failed(Box::new(fault)))));
                }
                self.left -= bytes;
                self.owed = self.owed.map(|owed| owed.saturating_sub(bytes));
                Poll::Ready(Some(Ok(frame)))
            }
            // The guest's own end says more than the broken stream.
            Some(Err(error)) => {
                let known = self.pulse.end().cloned();
                let fault = known.unwrap_or_else(|| {
                    let name = &self.pulse.settlement.function;
                    let text = format!("`{name}` broke off its response: {error}");
                    Fault::new(Code::GuestFailed, text)
                });
                self.pulse.ended(fault.clone());
                Poll::Ready(Some(Err(BodyError::Failed(Box::new(fault)))))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        // Whoever has got all that was promised does not ask for the end.
        if self.ended || self.owed == Some(0) {
            self.pulse.answered(self.after_response);
        } else {
            self.pulse.unwanted();
        }
    }
}

/// A body of which the beginning has been taken out already.
struct Rest {
    begun: Option<Frame<Bytes>>,
    body: ResponseBody,
}

impl HttpBody for Rest {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.begun.take() {
            Some(frame) => Poll::Ready(Some(Ok(frame))),
            None => Pin::new(&mut self.body).poll_frame(cx),
        }
    }
}
