"""The replay rule over HTTP: a MessageID is unique per From, and a retry gets the answer that was given."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from flexiciency.errors import PartnerFault
from flexiciency.services.replies import B2B
from flexiciency.soap.outgoing import Outgoing
from flexiciency.store.database import Database
from flexiciency.wire.addressing import new_message_id
from tests.gateway import Sender, added, rows
from tests.messages import (
    activation,
    agree,
    consent,
    consents_of,
    new_id,
    revocation,
    values,
)
from tests.services.waiting import blocked
from tests.world import SERVICE, pod_name

Twice = Callable[[Sender, Any], tuple[Outgoing, Outgoing]]


def unchanged(sender: Sender, request: Any) -> tuple[Outgoing, Outgoing]:
    """The same bytes again."""
    message = sender.seal(request)
    return message, message


def signed_anew(sender: Sender, request: Any) -> tuple[Outgoing, Outgoing]:
    """The same message with a new Timestamp, as a retry minutes later has it."""
    message_id = new_message_id()
    now = datetime.now(UTC)
    return (
        sender.seal(request, message_id=message_id, now=now - timedelta(seconds=60)),
        sender.seal(request, message_id=message_id, now=now),
    )


@pytest.mark.parametrize("twice", [unchanged, signed_anew])
def test_the_same_message_gets_the_same_body_signed_anew_and_has_no_second_effect(
    channel: Sender, database: Database, customers: Iterator[int], twice: Twice
) -> None:
    first, second = twice(channel, consent(next(customers), new_id()))
    reply = channel.post(first)
    before = rows(database)
    again = channel.post(second)
    assert again.canonical_body == reply.canonical_body
    assert again.addressing.message_id != reply.addressing.message_id
    assert again.addressing.relates_to == first.addressing.message_id
    assert again.signature_value != reply.signature_value
    assert added(before, database) == {"message": 2}


def test_a_refusal_in_business_terms_is_repeated_too(player: Sender, database: Database) -> None:
    message = player.seal(activation(new_id(), ["AT-unknown"]))
    reply = player.post(message)
    before = rows(database)
    assert player.post(message).canonical_body == reply.canonical_body
    assert added(before, database) == {"message": 2}


def test_the_same_message_id_with_another_body_is_refused(player: Sender, database: Database) -> None:
    message = player.seal(activation(new_id(), ["AT-unknown"]))
    player.post(message)
    before = rows(database)
    other = player.seal(activation(new_id(), ["AT-unknown"]), message_id=message.addressing.message_id)
    assert player.refused_message(other).partner_code == "MessageIdReused"
    assert added(before, database) == {"message": 2}
    assert player.post(message)


def test_a_message_id_is_anothers_to_use_too(player: Sender, stranger: Sender) -> None:
    request = B2B.PeekMailbox()
    message_id = new_message_id()
    for sender in (player, stranger):
        assert sender.post(sender.seal(request, message_id=message_id))


def test_the_id_of_a_refused_message_may_be_used_again(player: Sender) -> None:
    message_id = new_message_id()
    wrong = player.seal(activation(new_id(), ["AT-unknown"], Requester=SERVICE), message_id=message_id)
    assert player.refused_message(wrong).partner_code == "RequesterMismatch"
    right = player.seal(activation(new_id(), ["AT-unknown"]), message_id=message_id)
    assert player.post(right).addressing.relates_to == message_id


def test_two_identical_messages_at_once_have_one_effect_and_one_answer(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    given = new_id()
    messages = [
        (channel, channel.seal(consent(number, given)), 2),
        (channel, channel.seal(revocation(number, given)), 1),
        (player, player.seal(activation(new_id(), [pod_name(number)])), 0),
    ]
    for sender, message, pushed in messages:
        before = rows(database)
        post = partial(sender.post, message)
        first, second = _at_once(database, post, post)
        assert first.canonical_body == second.canonical_body
        assert first.addressing.message_id != second.addressing.message_id
        more = added(before, database)
        assert (more.pop("message"), more.pop("exchange")) == (4, 1)
        # A consent goes to its third party as CUS-CON-DES and CUS-CON-ACK.
        assert more.pop("delivery", 0) == pushed
        assert set(more.values()) <= {1}


def test_two_messages_with_the_same_object_at_once_are_one_object(player: Sender, database: Database) -> None:
    identifier = new_id()
    first, second = _at_once(
        database,
        lambda: _code(player, activation(identifier, [pod_name(0)])),
        lambda: _code(player, activation(identifier, [pod_name(1)])),
    )
    assert {first, second} == {"answered", "IdentifierTaken"}


def test_two_revocations_at_once_revoke_once(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    codes = _at_once(
        database,
        lambda: _code(channel, revocation(number, identifier)),
        lambda: _code(channel, revocation(number, identifier)),
    )
    assert set(codes) == {"answered", "StateConflict"}


def test_a_repeated_request_of_values_passes_the_release_rule_again(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    stays, leaves = next(customers), next(customers)
    agreed = agree(player, channel, [stays, leaves])
    message = player.seal(values(agreed.id))
    assert pod_name(leaves).encode() in player.post(message).canonical_body
    channel.send(revocation(leaves, agreed.consents[leaves]))
    again = player.post(message).canonical_body
    assert pod_name(leaves).encode() not in again
    assert pod_name(stays).encode() in again
    channel.send(revocation(stays, agreed.consents[stays]))
    assert player.refused_message(message).partner_code == "StateConflict"


def test_what_only_reads_leaves_neither_message_id_nor_evidence(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    before = rows(database)
    reads = [
        (player, B2B.Ping()),
        (player, B2B.ReadServiceActivationAgreement(AgreementId=agreed.id)),
        (player, B2B.ReadMessageStatus(MessageId=new_message_id())),
        (channel, consents_of(next(customers))),
    ]
    for sender, request in reads:
        message = sender.seal(request)
        assert sender.post(message)
        assert sender.post(message)
    other = player.seal(B2B.ReadMessageStatus(MessageId=new_message_id()))
    assert player.post(player.seal(B2B.Ping(), message_id=other.addressing.message_id))
    assert player.post(other)
    assert added(before, database) == {}


def _code(sender: Sender, request: Any) -> str:
    try:
        sender.send(request)
    except PartnerFault as fault:
        return fault.partner_code
    return "answered"


def _at_once(database: Database, *calls: Callable[[], Any]) -> list[Any]:
    """The calls' results; every one of them has looked for an earlier message before any of them is kept."""
    with ThreadPoolExecutor(len(calls)) as pool:
        with database.begin() as connection:
            connection.execute(text("LOCK TABLE exchange IN SHARE MODE"))
            running = blocked(database, pool, *calls)
        return [one.result() for one in running]
