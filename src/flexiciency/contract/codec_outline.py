"""What must be parsed of a large message of values: all of it but its values (D2.3, 2.6).

A tree of a million values takes 500 MB and most of a second to build and validate. In the usual form each value is held
against its type by `scan`, which takes only what the XSD takes: so a message is valid if it is so with one value for
each series. What is left out is read from the bytes.
"""

import re
from itertools import chain

from flexiciency.contract.codec import AGGREGATED, INDIVIDUAL
from flexiciency.contract.codec_scan_compact import scan

_SMALL = 100_000
"""Below this a tree costs little."""
_HEAD = 65_536
"""The object starts within so many bytes, or its message is parsed whole."""
_KINDS = {kind.element.encode(): kind for kind in (INDIVIDUAL, AGGREGATED)}
_OBJECT = re.compile(b"<(?:([^\\s<>/:]+):)?(%b)[ >]" % b"|".join(_KINDS))


def outline(canonical: bytes) -> bytes:
    """The canonical bytes, of large values in the usual form without all but the first value of each series."""
    found = _OBJECT.search(canonical, 0, _HEAD) if len(canonical) > _SMALL else None
    if found is None:
        return canonical
    columns = scan(canonical, (found[1] or b"").decode(), _KINDS[found[2]])
    if columns is None:
        return canonical
    kept, start, whole = [], 0, memoryview(canonical)
    for spare in chain.from_iterable(each.spare for each in columns):
        kept.append(whole[start : spare.start])
        start = spare.stop
    return b"".join([*kept, whole[start:]])
