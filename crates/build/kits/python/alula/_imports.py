"""What a function imports later must be there when it is built: the component has no files.

Imports inside of the author's functions are found and done while building. The standard library
imports a few modules late as well; those that matter are listed.
"""

import importlib
import sys

# Late imports of the standard library: by codecs' names, `strptime`, tracebacks, `float` formats.
_LATE = (
    "_colorize",
    "_strptime",
    "_pylong",
    "calendar",
    "encodings.ascii",
    "encodings.cp1252",
    "encodings.idna",
    "encodings.iso8859_15",
    "encodings.latin_1",
    "encodings.utf_16",
    "encodings.utf_16_be",
    "encodings.utf_16_le",
    "encodings.utf_8_sig",
    "locale",
    "unicodedata",
)


def authored(roots):
    """The loaded modules whose files lie in one of the folders."""
    modules = list(sys.modules.values())
    return [each for each in modules if (getattr(each, "__file__", None) or "").startswith(roots)]


def load_late(roots):
    """Imports what the standard library and the author's functions import late."""
    for name in _LATE:
        _load(name)
    seen = set()
    # What is loaded now may have late imports of its own.
    while new := [each for each in authored(roots) if each.__name__ not in seen]:
        for module in new:
            seen.add(module.__name__)
            code = module.__spec__.loader.get_code(module.__spec__.name)
            for name in _late_imports(code, module):
                _load(name)


def explain_missing():
    """From now on, an import of something that is not there says why."""
    sys.meta_path.append(_Missing)


class _Missing:
    @staticmethod
    def find_spec(name, path=None, target=None):
        hint = "it was not imported when the function was built; import it at the top of the file"
        raise ModuleNotFoundError(f"no module named `{name}`: {hint}", name=name)


def _load(name):
    try:
        importlib.import_module(name)
    except ImportError:
        # An optional import, guarded by whoever does it; or a mistake that the function will meet.
        pass


def _late_imports(code, module):
    """The names of modules that functions, and functions in them, import."""
    names = []
    for inner in code.co_consts:
        if hasattr(inner, "co_code"):
            names += _imports_of(inner, module)
            names += _late_imports(inner, module)
    return names


def _imports_of(code, module):
    import dis

    found, constants = [], []
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_CONST", "LOAD_SMALL_INT"):
            constants.append(step.argval)
        elif step.opname == "IMPORT_NAME":
            level = constants[-2] if len(constants) > 1 else 0
            names = constants[-1] or ()
            base = _absolute(step.argval, level, module)
            found.append(base)
            # `from package import module` names a module just as well.
            found += [f"{base}.{name}" for name in names if name != "*"]
    return found


def _absolute(name, level, module):
    if not level:
        return name
    package = module.__package__ or ""
    return importlib.util.resolve_name("." * level + name, package)
