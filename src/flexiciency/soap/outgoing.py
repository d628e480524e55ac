"""A signed message on its way out: small ones in memory, large ones spooled, readable any number of times."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import IO

from flexiciency.wire.addressing import Addressing
from flexiciency.wire.identity import Identity
from flexiciency.wire.sign import (
    BODY_CLOSE,
    BODY_OPEN,
    TAIL,
    BodyHasher,
    Confirmation,
    Signed,
    canonical_body,
    sign,
)

SPOOL_BYTES = 1_000_000
"""Content above this goes to disk, and is read back in pieces of this size."""

Content = bytes | Iterator[bytes]
"""The canonical child of a Body: whole, or in chunks of about 1 MB."""


@dataclass(frozen=True, slots=True)
class Body:
    """A canonical Body whose digest is known, and which can be read any number of times."""

    digest: bytes
    size: int
    stored: bytes | IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The Body from `<soap:Body` on, in pieces of about 1 MB."""
        if isinstance(self.stored, bytes):
            yield self.stored
            return
        self.stored.seek(0)
        while piece := self.stored.read(SPOOL_BYTES):
            yield piece

    def content(self) -> Iterator[bytes]:
        """What stands between the Body's tags, in pieces of about 1 MB."""
        left = self.size - len(BODY_OPEN) - len(BODY_CLOSE)
        if isinstance(self.stored, bytes):
            yield self.stored[len(BODY_OPEN) : len(BODY_OPEN) + left]
            return
        self.stored.seek(len(BODY_OPEN))
        while left and (piece := self.stored.read(min(SPOOL_BYTES, left))):
            left -= len(piece)
            yield piece

    def close(self) -> None:
        """Free the spool."""
        if not isinstance(self.stored, bytes):
            self.stored.close()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One signed message: head, Body, tail."""

    addressing: Addressing
    signed: Signed
    body: Body

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.signed.head) + self.body.size + len(TAIL)

    def chunks(self) -> Iterator[bytes]:
        """The message from its first byte."""
        if isinstance(self.body.stored, bytes):
            yield self.signed.head + self.body.stored + TAIL
            return
        yield self.signed.head
        yield from self.body.chunks()
        yield TAIL

    def close(self) -> None:
        """Free the spool."""
        self.body.close()


def seal(
    content: Content,
    addressing: Addressing,
    identity: Identity,
    now: datetime,
    confirms: Confirmation | None = None,
) -> Outgoing:
    """Sign a content; `confirms` is given in replies."""
    return seal_body(body_of(content), addressing, identity, now, confirms)


def seal_body(
    body: Body, addressing: Addressing, identity: Identity, now: datetime, confirms: Confirmation | None = None
) -> Outgoing:
    """Sign a Body that is written already."""
    return Outgoing(addressing, sign(body.digest, addressing, identity, now, confirms=confirms), body)


def body_of(content: Content) -> Body:
    """The canonical Body around a content, hashed while it is written."""
    if isinstance(content, bytes):
        whole = canonical_body(content)
        return Body(hashlib.sha256(whole).digest(), len(whole), whole)
    return _spooled(content)


def _spooled(chunks: Iterable[bytes]) -> Body:
    spool = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115  closed with the message
    hasher = BodyHasher()
    try:
        size = spool.write(BODY_OPEN)
        for chunk in chunks:
            hasher.update(chunk)
            size += spool.write(chunk)
        size += spool.write(BODY_CLOSE)
    except BaseException:
        spool.close()
        raise
    return Body(hasher.digest(), size, spool)
