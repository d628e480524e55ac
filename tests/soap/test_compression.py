"""gzip of messages: written in pieces, unpacked under a cap."""

import gzip
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.errors import CompressionInvalid, MessageTooLarge
from flexiciency.soap.compression import gunzip, gzip_chunks

XML = b'<prv:Value timestamp="2025-01-01T00:00:00Z">0.123</prv:Value>' * 50_000


@given(st.lists(st.binary(max_size=2_000), max_size=8))
def test_what_is_packed_in_pieces_is_one_member_that_any_gzip_reads(chunks: list[bytes]) -> None:
    packed = b"".join(gzip_chunks(iter(chunks)))
    assert gzip.decompress(packed) == b"".join(chunks)
    assert gunzip(packed, 16_000) == b"".join(chunks)


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
