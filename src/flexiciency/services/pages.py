"""What is found comes in pages: how many objects are in one, and where the next begins (D2.3, 4.1)."""

from collections.abc import Sequence

PAGE_SIZE = 100
"""Objects in a reply where the request says nothing."""


def cut(ids: Sequence[str], size: int) -> tuple[Sequence[str], str | None]:
    """The ids of a page, and its cursor where there are more; found were at least one more than `size`, or all."""
    page = ids[:size]
    return page, page[-1] if len(ids) > size else None
