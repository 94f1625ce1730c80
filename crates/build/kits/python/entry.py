"""What the component exports: the author's module behind `wasi:http/incoming-handler`.

This runs once, when the function is built; everything it leaves in memory is the state that each
instance starts from. `alula_app` is written by the build and names the author's module.
"""

import asyncio
import gc
import importlib
import inspect
import io
import os
import sys
import traceback

import alula_app
from alula import _imports, _ports, _report
from alula._loop import LOOP
from alula._outbound import fetch
from alula._serve import Server
from wit_world.exports import IncomingHandler as _IncomingHandler


class _Quiet(io.TextIOBase):
    """Takes what a module prints while it is imported: there is room for 10 kB while building."""

    def writable(self):
        return True

    def write(self, text):
        return len(text)


def _load():
    kept = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = _Quiet()
    try:
        return importlib.import_module(alula_app.MODULE)
    finally:
        sys.stdout, sys.stderr = kept


def _handler():
    """The author's `fetch`, or an explanation on standard error between two marks."""
    try:
        module = _load()
        handler = getattr(module, "fetch", None)
        if handler is fetch or handler is _ports.fetch or not callable(handler):
            raise AttributeError("the module has no `async def fetch(request, env)`")
        if not inspect.iscoroutinefunction(handler):
            raise TypeError("`fetch` must be `async def fetch(request, env)`")
        inspect.signature(handler).bind(None, None)
        return handler
    except BaseException as error:
        frames = error.__traceback__
        # The frames of this file and of the import machinery say nothing to the author.
        while frames and not frames.tb_frame.f_code.co_filename.startswith(alula_app.ROOTS):
            frames = frames.tb_next
        text = "".join(traceback.format_exception(error.with_traceback(frames)))
        sys.stderr.write(f"{alula_app.MARK}{text[-8000:]}{alula_app.MARK}")
        sys.stderr.flush()
        raise


_server = Server(_handler())
_ports._Host.fetch = fetch
_ports._Host.spawn = _server.spawn

_imports.load_late(alula_app.ROOTS)
_report.keep_sources(_imports.authored(alula_app.ROOTS[:1]))
_imports.explain_missing()
for _output in (sys.stdout, sys.stderr):
    # A line is a line of the log as soon as it is printed.
    _output.reconfigure(line_buffering=True)


class IncomingHandler(_IncomingHandler):
    """The export."""

    def handle(self, request, response_out):
        """Serves one request."""
        _server.serve(request, response_out)


asyncio._set_running_loop(LOOP)
os.environ.clear()
# Nothing that exists now will ever be garbage: keep the collector from looking at it, which would
# touch every page of the image.
gc.collect()
gc.freeze()
