"""The event loop of a function: asyncio's tasks and timers over `wasi:io/poll`.

One loop lives as long as its instance. It is `running` all the time, since there is nothing else to
run: `asyncio.run` inside a function says so. Threads, processes, signals and sockets are not here.
"""

import asyncio
import collections
import contextvars
import heapq
import sys
import time

from wit_world.imports import monotonic_clock, poll

from ._report import report

# After so many turns without waiting, the pollables are looked at, so that a task that never rests
# does not starve the others.
_BUSY_TURNS = 16

_STUCK = "the function waits for something that can never happen"


class Loop(asyncio.AbstractEventLoop):
    """A small event loop that waits on pollables."""

    def __init__(self):
        self._ready = collections.deque()
        self._timers = []
        self._waits = {}
        self._busy = 0
        self._handler = None

    # --- running ---

    def run(self, task):
        """Runs until a task is done. One that waits for what cannot come is cancelled."""
        while not task.done():
            if self._is_stuck() and not task.cancel(_STUCK):
                raise RuntimeError(_STUCK)
            self._turn()

    def drain(self, tasks):
        """Runs until a set of tasks, which may grow and shrink meanwhile, is empty."""
        while tasks:
            if self._is_stuck():
                for task in list(tasks):
                    task.cancel(_STUCK)
            self._turn()

    def _is_stuck(self):
        return not (self._ready or self._timers or self._waits)

    async def ready(self, pollable):
        """Waits until a pollable is ready, and drops it whatever happens."""
        future = asyncio.Future(loop=self)
        self._waits[pollable] = future
        try:
            await future
        finally:
            self._waits.pop(pollable, None)
            pollable.__exit__(None, None, None)

    def _turn(self):
        ready = self._ready
        if ready:
            self._busy += 1
            if self._busy >= _BUSY_TURNS:
                self._busy = 0
                self._wake([each for each in self._waits if each.ready()])
        else:
            self._busy = 0
            self._wait()
        if self._timers:
            self._fire()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _fire(self):
        timers, now = self._timers, time.monotonic()
        while timers and (timers[0].cancelled() or timers[0].when() <= now):
            handle = heapq.heappop(timers)
            if not handle.cancelled():
                self._ready.append(handle)

    def _wait(self):
        timers = self._timers
        while timers and timers[0].cancelled():
            heapq.heappop(timers)
        waits = list(self._waits)
        if not timers:
            if not waits:
                return
            if len(waits) == 1:
                waits[0].block()
                self._wake(waits)
            else:
                self._wake([waits[index] for index in poll.poll(waits)])
            return
        delay = timers[0].when() - time.monotonic()
        if delay <= 0:
            return
        alarm = monotonic_clock.subscribe_duration(int(delay * 1e9) + 1)
        try:
            count = len(waits)
            found = poll.poll([*waits, alarm])
        finally:
            alarm.__exit__(None, None, None)
        self._wake([waits[index] for index in found if index < count])

    def _wake(self, pollables):
        for pollable in pollables:
            future = self._waits.pop(pollable)
            if not future.done():
                future.set_result(None)

    # --- what asyncio asks of a loop ---

    def time(self):
        return time.monotonic()

    def call_soon(self, callback, *args, context=None):
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(time.monotonic() + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._timers, handle)
        return handle

    def _timer_handle_cancelled(self, handle):
        """Cancelled timers are dropped when they come to the front."""

    def create_future(self):
        return asyncio.Future(loop=self)

    def create_task(self, coro, **options):
        return asyncio.Task(coro, loop=self, **options)

    async def _inline(self, call, args):
        return call(*args)

    def run_in_executor(self, executor, func, *args):
        """Runs the call here and now: there are no threads."""
        return asyncio.Task(self._inline(func, args), loop=self)

    def get_debug(self):
        return False

    def set_debug(self, enabled):
        """Debug mode of asyncio is not offered."""

    def is_running(self):
        return True

    def is_closed(self):
        return False

    def get_task_factory(self):
        return None

    def get_exception_handler(self):
        return self._handler

    def set_exception_handler(self, handler):
        self._handler = handler

    def default_exception_handler(self, context):
        print(context.get("message", "an error in a task"), file=sys.stderr)
        error = context.get("exception")
        if error is not None:
            report(error)

    def call_exception_handler(self, context):
        (self._handler or self._default)(self, context)

    @staticmethod
    def _default(loop, context):
        loop.default_exception_handler(context)

    async def shutdown_asyncgens(self):
        """Streams are closed by whoever reads them."""

    async def shutdown_default_executor(self, timeout=None):
        """There is no executor."""


LOOP = Loop()


def start(coroutine):
    """Starts a coroutine as a task: its first step runs at once."""
    context = contextvars.copy_context()
    return asyncio.Task(coroutine, loop=LOOP, eager_start=True, context=context)
