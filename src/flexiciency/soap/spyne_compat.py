"""Lets Spyne 2.14 (of 2022, its last release) import and work on Python 3.11 to 3.13.

A module that uses Spyne has `import flexiciency.soap.spyne_compat` as its first import. Each shim says what breaks
without it.
"""

import importlib
import io
import operator
import pathlib
import sys
import types
import warnings

import six

_MOVED = ("collections_abc", "http_cookies", "urllib", "urllib.error", "urllib.parse", "urllib.request")
_WARN_AT_IMPORT = ("cgi", "spyne", "spyne.protocol.soap", "spyne.server.wsgi", "spyne.util.xml")
_LEAVE_FILES_OPEN = ("spyne.interface.xml_schema.parser", "spyne.util.xml")


def _replace_six() -> None:
    """Stand the real `six` in for Spyne's copy, whose import hook Python 3.12 no longer calls.

    Spyne's copy has one function more, `get_function_name`; the real module is left as it is.
    """
    stand_in = types.ModuleType("spyne.util.six")
    vars(stand_in).update(vars(six), get_function_name=operator.attrgetter("__name__"))
    sys.modules["spyne.util.six"] = stand_in
    sys.modules["spyne.util.six.moves"] = six.moves
    for name in _MOVED:
        sys.modules[f"spyne.util.six.moves.{name}"] = importlib.import_module(f"six.moves.{name}")


def _import_quietly() -> None:
    """Import what warns when it is first imported, those warnings off.

    `cgi`, of which Spyne uses `parse_header`, is deprecated in 3.11 and 3.12 and comes from `legacy-cgi` in 3.13;
    Spyne's sources have escape sequences that Python warns of while it compiles them.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'cgi' is deprecated", DeprecationWarning)
        for category in (DeprecationWarning, SyntaxWarning):  # the category is 3.11's, then 3.12's
            warnings.filterwarnings("ignore", "invalid escape sequence", category)
        for name in _WARN_AT_IMPORT:
            importlib.import_module(name)


def _open_read_and_closed(path: str, mode: str) -> io.BytesIO:
    """What `open(path, "rb").read()` needs, with no file left open."""
    if mode != "rb":
        raise ValueError(mode)
    return io.BytesIO(pathlib.Path(path).read_bytes())


def _close_schema_files() -> None:
    """Give Spyne's schema parser an `open` of its own: it never closes a file, and Python warns of each one."""
    for name in _LEAVE_FILES_OPEN:
        vars(sys.modules[name])["open"] = _open_read_and_closed


_replace_six()
_import_quietly()
_close_schema_files()
