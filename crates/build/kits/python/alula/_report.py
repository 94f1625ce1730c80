"""What a raised exception looks like in the log: the author's frames, with their source lines.

The sources are not part of the component's file system, which is empty, so they are kept in memory
when the function is built.
"""

import linecache
import sys
import traceback

# The kit's own folder while building.
_KIT = "/0/"


def keep_sources(modules):
    """Remembers the source lines of modules for later tracebacks."""
    for module in modules:
        path = module.__file__
        lines = linecache.getlines(path)
        # Without a time, the entry is never compared with the file, which is gone later.
        linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def report(error):
    """Writes an exception to standard error."""
    whole = traceback.TracebackException.from_exception(error)
    _leave_out_kit(whole)
    text = "".join(whole.format())
    for folder in ("/1/", "/2/"):
        text = text.replace(f'File "{folder}', 'File "')
    sys.stderr.write(text)
    sys.stderr.flush()


def _leave_out_kit(whole):
    """Takes the kit's own frames out, here and in the exceptions that led to it."""
    while whole is not None:
        authored = [frame for frame in whole.stack if not frame.filename.startswith(_KIT)]
        whole.stack = traceback.StackSummary.from_list(authored)
        whole = whole.__cause__ or whole.__context__
