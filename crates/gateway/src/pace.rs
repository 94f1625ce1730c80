//! Keeping a connection within its times, at the price of one reading of the clock per turn.
//!
//! A timer per request would cost more than routing does. Here each connection has one timer that
//! is only moved when it has to ring earlier; when it rings, what the client did meanwhile decides
//! whether its time is over.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use alula_rt::clock;

use crate::connection::Connection;
use crate::gateway::Phase;

/// What a connection is asked to do.
pub(crate) enum Step<'a, 'b> {
    /// Go on.
    Poll(&'a mut Context<'b>),
    /// Begin no new request.
    Drain,
}

/// Why a connection ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By itself: an error is the client's or the guest's, and was dealt with there.
    Finished(hyper::Result<()>),
    /// A request head did not arrive in time.
    HeadTimedOut,
    /// Nothing was asked for too long.
    Idle,
    /// The client left its answer unread for too long.
    Unread,
    /// The gateway ended.
    Cancelled,
}

/// Drives a connection to its end.
pub(crate) async fn drive(
    connection: &Connection,
    mut step: impl FnMut(Step<'_, '_>) -> Poll<hyper::Result<()>>,
) -> End {
    let gateway = &*connection.gateway;
    let mut draining = pin!(gateway.draining.cancelled());
    let mut ended = pin!(gateway.ended.cancelled());
    let mut registered = false;
    let mut drained = false;
    let mut pace = Pace::new(connection);
    std::future::poll_fn(move |cx| {
        if !registered {
            // Once is enough: a spawned task is woken the same way all its life. Polling them each
            // time would take the token's lock with every request.
            registered = true;
            let _ = draining.as_mut().poll(cx);
            let _ = ended.as_mut().poll(cx);
        }
        loop {
            match gateway.phase() {
                Phase::Serving => {}
                Phase::Draining if drained => {}
                Phase::Draining => {
                    drained = true;
                    let _ = step(Step::Drain);
                }
                Phase::Ended => return Poll::Ready(End::Cancelled),
            }
            if let Poll::Ready(result) = step(Step::Poll(cx)) {
                return Poll::Ready(End::Finished(result));
            }
            match pace.check(cx) {
                None => return Poll::Pending,
                // The polite way first: HTTP/2 says that it goes away.
                Some(End::Idle) if !drained => {
                    drained = true;
                    pace.since = clock::now();
                    let _ = step(Step::Drain);
                }
                Some(end) => return Poll::Ready(end),
            }
        }
    })
    .await
}

type Timer = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What a connection is waiting for, since when.
struct Pace<'a> {
    connection: &'a Connection,
    state: State,
    turns: (u32, u32),
    since: Instant,
    timer: Option<(Instant, Timer)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The next request.
    Idle,
    /// The rest of a request head.
    Head,
    /// The client to read.
    Unread,
    /// The function.
    Running,
}

impl<'a> Pace<'a> {
    fn new(connection: &'a Connection) -> Self {
        let since = clock::now();
        Self { connection, state: State::Idle, turns: (0, 0), since, timer: None }
    }

    /// Why the connection must end now, if it must. Arranges to be woken when that may change.
    fn check(&mut self, cx: &mut Context<'_>) -> Option<End> {
        let now = clock::now();
        self.observe(now);
        let (deadline, end) = self.deadline(now);
        if now >= deadline {
            return Some(end);
        }
        let rings_in_time = self.timer.as_ref().is_some_and(|(at, _)| now < *at && *at <= deadline);
        if !rings_in_time {
            let mut timer: Timer = Box::pin(clock::sleep_until(deadline));
            if timer.as_mut().poll(cx).is_ready() {
                // It passed just now; come again.
                cx.waker().wake_by_ref();
            }
            self.timer = Some((deadline, timer));
        }
        None
    }

    fn observe(&mut self, now: Instant) {
        let traffic = &self.connection.traffic;
        let state = if traffic.is_blocked() {
            State::Unread
        } else if traffic.running() > 0 {
            State::Running
        } else if traffic.is_partial() {
            State::Head
        } else {
            State::Idle
        };
        let turns = traffic.turns();
        if state != self.state || turns != self.turns {
            self.state = state;
            self.turns = turns;
            self.since = now;
        }
    }

    fn deadline(&self, now: Instant) -> (Instant, End) {
        let limits = &self.connection.gateway.limits;
        match self.state {
            State::Head => (self.since + limits.head_timeout, End::HeadTimedOut),
            State::Unread => (self.since + limits.write_timeout, End::Unread),
            // The function's own deadline ends it; look again later.
            State::Running => (now + limits.idle, End::Idle),
            // Who connects has something to ask.
            State::Idle if self.turns.0 == 0 => {
                (self.since + limits.head_timeout, End::HeadTimedOut)
            }
            State::Idle => (self.since + limits.idle, End::Idle),
        }
    }
}
