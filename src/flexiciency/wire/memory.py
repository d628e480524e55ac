"""Memory of a large tree, given back to the system when the tree is gone."""

import ctypes

_LARGE = 20_000_000
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Of glibc only; others give back by themselves, or not at all."""


def give_back(size: int) -> None:
    """Call when the tree of a message of so many bytes has been freed.

    glibc keeps what it got back in small pieces, 500 MB of a message of 50 MB, for each arena that a thread has used.
    """
    if size >= _LARGE and _trim is not None:
        _trim(0)
