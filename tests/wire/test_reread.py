from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from flexiciency.wire.parse import parse_trusted_file
from flexiciency.wire.reread import first_schema_error

XSD = Path(__file__).parents[2] / "xsd" / "envelope.xsd"
RECEIPT = [
    b'<Receipt xmlns="urn:flexiciency:envelope:1">',
    b"<MessageId>urn:uuid:1",
    b"</MessageId>",
    b"<StoredAt>2026-01-01T00:00:00Z",
    b"</StoredAt>",
    b"</Receipt>",
]


def schema() -> etree.XMLSchema:
    return etree.XMLSchema(parse_trusted_file(XSD))


def test_a_valid_document_has_no_error() -> None:
    assert first_schema_error(RECEIPT, schema()) is None


def test_the_piece_with_the_first_error_is_counted() -> None:
    spoiled = [piece.replace(b"2026", b"then") for piece in RECEIPT]
    found = first_schema_error(spoiled, schema())
    assert found is not None
    assert found[0] == 5  # a value is complete at its end tag
    assert "then-01-01T00:00:00Z" in found[1]


def test_nothing_is_read_after_the_first_error() -> None:
    def pieces() -> Iterator[bytes]:
        yield RECEIPT[0]
        yield b"<Surprise>"
        raise AssertionError

    found = first_schema_error(pieces(), schema())
    assert found is not None
    assert found[0] == 2
