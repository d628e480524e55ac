"""gzip both ways: what is packed is unpacked, in any pieces, and never beyond the cap."""

import gzip
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.errors import CompressionInvalid, MessageTooLarge
from flexiciency.soap.compression import accepts_gzip, gunzip, gunzip_pieces, gzip_chunks, gzip_spool

XML = b'<prv:Value timestamp="2025-01-01T00:00:00Z">0.123</prv:Value>' * 50_000

contents = st.lists(st.binary(max_size=300), max_size=10)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[first : first + size] for first in range(0, len(data), size)]


@given(contents, st.integers(1, 50))
def test_what_is_packed_is_unpacked_in_whatever_pieces_it_comes(chunks: list[bytes], size: int) -> None:
    packed, whole = b"".join(gzip_chunks(chunks)), b"".join(chunks)
    assert gzip.decompress(packed) == whole
    assert b"".join(gunzip_pieces(cut(packed, size), len(whole))) == whole
    with gzip_spool(chunks) as spool:
        assert gzip.decompress(spool.read()) == whole


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 50), st.data())
def test_a_byte_more_than_is_taken_is_too_large(whole: bytes, size: int, data: st.DataObject) -> None:
    most = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(MessageTooLarge):
        list(gunzip_pieces(cut(gzip.compress(whole), size), most))


@given(st.binary(max_size=500), st.integers(1, 50), st.data())
def test_what_is_cut_short_is_invalid(whole: bytes, size: int, data: st.DataObject) -> None:
    packed = gzip.compress(whole)
    short = packed[: data.draw(st.integers(0, len(packed) - 1))]
    with pytest.raises(CompressionInvalid):
        list(gunzip_pieces(cut(short, size), len(whole)))


@given(st.binary(min_size=1, max_size=500), st.integers(1, 50))
def test_what_stands_behind_is_invalid(behind: bytes, size: int) -> None:
    with pytest.raises(CompressionInvalid):
        list(gunzip_pieces(cut(gzip.compress(b"x") + behind, size), 1000))


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True), ("deflate, GZIP;q=0.5", True), ("*", True), ("br, *;q=0.1", True), ("gzip ; q=1.0", True),
        ("", False), ("identity", False), ("gzip;q=0", False), ("gzip;q=0.000", False), ("*, gzip;q=0", False),
        ("*;q=0", False), ("gzipped", False),
    ],
)  # fmt: skip
def test_gzip_is_given_to_who_takes_it(header: str, taken: bool) -> None:  # noqa: FBT001  a case
    assert accepts_gzip(header) is taken


def test_a_message_of_values_is_made_much_smaller() -> None:
    assert sum(map(len, gzip_chunks([XML]))) < len(XML) // 20


def test_what_is_packed_leaves_while_more_comes() -> None:
    taken: list[bytes] = []

    def chunks() -> Iterator[bytes]:
        for _ in range(10):
            taken.append(os.urandom(250_000))
            yield taken[-1]

    pieces = gzip_chunks(chunks())
    first = next(pieces)
    assert len(taken) < 10
    assert gzip.decompress(first + b"".join(pieces)) == b"".join(taken)


def test_what_unpacks_beyond_the_cap_is_refused_before_it_is_unpacked_whole() -> None:
    bomb = gzip.compress(b"\0" * 100_000_000)
    with pytest.raises(MessageTooLarge, match="at most 1,000 are taken"):
        gunzip(bomb, 1_000)
    assert gunzip(gzip.compress(b"x" * 1_000), 1_000) == b"x" * 1_000


@pytest.mark.parametrize("spoil", [
    lambda data: data[:-9], lambda data: data + b"x", lambda data: data + data, lambda data: b"x" + data,
    lambda data: data[:-8] + bytes(4) + data[-4:], lambda _: b"", lambda _: b"<a/>",
], ids=["cut short", "something behind", "two members", "no gzip", "wrong sum", "nothing", "plain"])  # fmt: skip
def test_what_is_not_one_whole_member_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(CompressionInvalid):
        gunzip(spoil(gzip.compress(XML)), len(XML))
