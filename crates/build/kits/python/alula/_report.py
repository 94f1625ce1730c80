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
    frames = error.__traceback__
    while frames and frames.tb_frame.f_code.co_filename.startswith(_KIT):
        frames = frames.tb_next
    # Frames of the kit alone mean that the kit found the mistake; its message says all.
    error.__traceback__ = frames
    text = "".join(traceback.format_exception(error))
    for folder in ("/1/", "/2/"):
        text = text.replace(f'File "{folder}', 'File "')
    sys.stderr.write(text)
    sys.stderr.flush()
