"""gzip as HTTP carries it: written in pieces as they come, unpacked under a cap. The engine is named here alone."""

import tempfile
import zlib
from collections.abc import Iterable, Iterator
from typing import IO

from flexiciency.errors import CompressionInvalid, MessageTooLarge

SPOOL_BYTES = 1_000_000
_GZIP = 31
"""zlib's name for a gzip header and trailer around its largest window."""


def gzip_chunks(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One gzip member, in pieces as they come."""
    packer = zlib.compressobj(1, wbits=_GZIP)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def gzip_spool(chunks: Iterable[bytes]) -> IO[bytes]:
    """One gzip member in a file at its beginning, on disk above 1 MB; closing it frees it."""
    spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115  closed by the caller
    try:
        for packed in gzip_chunks(chunks):
            spool.write(packed)
    except BaseException:
        spool.close()
        raise
    spool.seek(0)
    return spool


def gunzip_pieces(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    """What one gzip member holds, at most so many bytes. Raises CompressionInvalid, MessageTooLarge."""
    unpacker, size = zlib.decompressobj(wbits=_GZIP), 0
    for piece in pieces:
        if unpacker.eof:
            raise CompressionInvalid("There is something behind the gzip body. Send one member.")
        try:
            unpacked = unpacker.decompress(piece, most + 1 - size)
        except zlib.error as error:
            raise CompressionInvalid("The gzip body is broken. Compress it anew.") from error
        size += len(unpacked)
        if size > most:
            raise too_large(size, most)
        yield unpacked
    if not unpacker.eof or unpacker.unused_data:
        raise CompressionInvalid("The gzip body is cut short or has something behind it. Send one whole member.")


def gunzip(data: bytes, most: int) -> bytes:
    """As `gunzip_pieces`, of a body in memory."""
    return b"".join(gunzip_pieces((data,), most))


def too_large(size: int, most: int) -> MessageTooLarge:
    """What to raise for a message of so many bytes, or more."""
    return MessageTooLarge(f"The message has {size:,} bytes or more; at most {most:,} are taken. Split it.")


def accepts_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding header takes gzip."""
    weights = {}
    for one in accepted.lower().split(","):
        name, _, parameter = one.partition(";")
        weights[name.strip()] = parameter.strip().removeprefix("q=").strip()
    return weights.get("gzip", weights.get("*", "0")) not in {"0", "0.", "0.0", "0.00", "0.000"}
