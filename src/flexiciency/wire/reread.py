"""Validation of what was parsed already, read once more in pieces so that the first error ends it."""

from collections.abc import Iterable

from lxml import etree


def first_schema_error(pieces: Iterable[bytes], schema: etree.XMLSchema) -> tuple[int, str] | None:
    """How many pieces of a document were read when its first error showed, and libxml2's words; None if it is valid.

    The document must be the serialization of an element that `parse` has let in: only the schema is checked here.
    """
    parser = etree.XMLParser(
        schema=schema, huge_tree=True, resolve_entities=False, load_dtd=False, no_network=True, collect_ids=False
    )
    for count, piece in enumerate(pieces, 1):
        parser.feed(piece)
        if len(parser.feed_error_log):
            return count, parser.feed_error_log[0].message
    return None
