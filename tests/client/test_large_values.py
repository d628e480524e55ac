"""Messages of values that are validated in outline: pushed, in replies, from the mailbox, and when a value is wrong."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flexiciency.client import (
    ClientSettings,
    Handlers,
    Listener,
    ListenerSettings,
    MarketPlayer,
    PartnerFault,
    Quantity,
    Received,
    TimeStep,
    UntrustedReply,
    ValuesMessage,
)
from flexiciency.contract.codec import PUSH, REPLY
from flexiciency.contract.codec_write import write_values
from flexiciency.contract.series import Encoding
from flexiciency.soap.outgoing import Content
from flexiciency.soap.posting import Partner, Poster
from flexiciency.wire.addressing import MARKET_PLAYER_URN
from tests.client.peers import (
    AGREEMENT_ID,
    DAY,
    DSO_ID,
    MIDNIGHT,
    PLAYER_ID,
    Dso,
    clock,
    curves,
    header,
    player,
    push,
    served,
)
from tests.wire.parties import anchors

PODS = 200
WRONG = [
    (b">0.123</prv:Value>", b">0.1231</prv:Value>", "is no DataValue"),
    (b'T23:45:00Z">0.1', b'T25:45:00Z">0.1', "is no Timestamp"),
    (b'<prv:Value timestamp="2026-01-01T12', b'<prv:Value quality="Good" timestamp="2026-01-01T12', "is no Quality"),
]


def written(wrapper: Any, encoding: Encoding) -> bytes:
    return b"".join(write_values(header(encoding), curves(PODS), wrapper))


def check(message: ValuesMessage) -> None:
    """It has all values."""
    assert [one.pod for one in message.series] == [one.pod for one in curves(PODS)]
    assert all(np.array_equal(got.values, one.values) for got, one in zip(message.series, curves(PODS), strict=True))


@pytest.fixture
def taken() -> list[Received[ValuesMessage]]:
    return []


@pytest.fixture
def partner(tmp_path: Path, taken: list[Received[ValuesMessage]]) -> Iterator[Partner]:
    """A listener that keeps what comes."""
    listener = Listener(
        player(), PLAYER_ID, anchors(), tmp_path / "inbox.sqlite", Handlers(values_arrived=taken.append),
        {DSO_ID: "RegulatedDataProvider"}, settings=ListenerSettings(clock=clock),
    )  # fmt: skip
    yield Partner(listener.start(), MARKET_PLAYER_URN + PLAYER_ID, anchors())
    listener.stop()


def send(partner: Partner, content: Content) -> None:
    with closing(Poster(clock=clock)) as poster:
        poster.post(partner, push(content, "ReceiveIndividualDataValue"))


@pytest.mark.parametrize("encoding", Encoding)
def test_a_push_reaches_the_program_whole(
    encoding: Encoding, partner: Partner, taken: list[Received[ValuesMessage]]
) -> None:
    content = written(PUSH, encoding)
    assert len(content) > 100_000
    send(partner, content)
    (received,) = taken
    check(received.content)


@pytest.mark.parametrize(("usual", "wrong", "said"), WRONG)
def test_one_wrong_value_among_many_is_refused_and_named(
    usual: bytes, wrong: bytes, said: str, partner: Partner, taken: list[Received[ValuesMessage]]
) -> None:
    content = written(PUSH, Encoding.EXPLICIT)
    assert usual in content
    with pytest.raises(PartnerFault, match=said) as caught:
        send(partner, content.replace(usual, wrong, 1))
    assert caught.value.partner_code == "SchemaInvalid"
    assert "/Value[" in (caught.value.path or "")
    assert taken == []


def asked(folder: Path, operation: str, reply: bytes) -> Any:
    """What a client makes of a provider's reply."""
    with closing(Dso(folder)) as dso:
        dso.replies[operation] = lambda _call, _message: iter([reply])
        with (
            served(dso.application, "/v1/services/b2b") as url,
            MarketPlayer(player(), PLAYER_ID, DSO_ID, url, anchors(), settings=ClientSettings(clock=clock)) as client,
        ):
            if operation == "PeekMailbox":
                return client.peek_mailbox()
            return client.request_values(
                AGREEMENT_ID, Quantity.ENERGY_CONSUMPTION, MIDNIGHT, MIDNIGHT + DAY, TimeStep.PT15M
            )


@pytest.mark.parametrize("encoding", Encoding)
def test_a_reply_has_all_values(encoding: Encoding, tmp_path: Path) -> None:
    check(asked(tmp_path, "RequestIndividualDataValues", written(REPLY, encoding)))


def test_a_reply_with_one_wrong_value_is_not_taken(tmp_path: Path) -> None:
    usual, wrong, said = WRONG[0]
    reply = written(REPLY, Encoding.EXPLICIT).replace(usual, wrong, 1)
    with pytest.raises(UntrustedReply, match=said):
        asked(tmp_path, "RequestIndividualDataValues", reply)


@pytest.mark.parametrize("encoding", Encoding)
def test_the_mailbox_gives_all_values(encoding: Encoding, tmp_path: Path) -> None:
    name = b"PeekMailboxResponse"
    item = (
        b'<b2bo:%s xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:MailboxItem><b2bo:MessageId>urn:uuid:1'
        b"</b2bo:MessageId><b2bo:Action>urn:flexiciency:market-player:1:ReceiveIndividualDataValue</b2bo:Action>"
        b"<b2bo:Content>%s</b2bo:Content></b2bo:MailboxItem><b2bo:Waiting>1</b2bo:Waiting></b2bo:%s>"
    ) % (name, written(None, encoding), name)
    check(asked(tmp_path, "PeekMailbox", item).item.content)
