"""A pushed TECH-FLEX-REQ: the handler's answer is in the reply, or comes later; a bad one is as one that failed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from flexiciency.client import Handlers, Listener, Reason, Received, ValidationAnswer, ValidationRequest
from flexiciency.soap.outgoing import Outgoing
from flexiciency.wire.verify import Verified
from tests.client.market import sample
from tests.client.peers import DSO_ID, push
from tests.client.test_listener import code_of, listening, send

OPERATION = "ReceiveTechnicalValidationRequest"
PRV = "{urn:flexiciency:provision:1}"
Handler = Callable[[Received[ValidationRequest]], ValidationAnswer | None]


def request() -> Outgoing:
    content = b'<mplo:%s xmlns:mplo="urn:flexiciency:market-player-operations:1">%s</mplo:%s>'
    return push(
        content % (OPERATION.encode(), sample("TECH-FLEX-REQ", "valid-one-step"), OPERATION.encode()), OPERATION
    )


@contextmanager
def answered_by(folder: Path, handler: Handler | None) -> Iterator[Listener]:
    with listening(folder / "inbox.sqlite", Handlers(validation_requested=handler)) as one:
        yield one


def texts(reply: Verified) -> list[str | None]:
    names = ("CurtailmentFactor", "DsoFactor", "TsoFactor", "LimitingElement")
    return [reply.body.findtext(f".//{PRV}{name}") for name in names]


def test_the_answer_is_in_the_reply_and_a_repetition_gets_the_same(tmp_path: Path) -> None:
    taken: list[Received[ValidationRequest]] = []

    def answer(received: Received[ValidationRequest]) -> ValidationAnswer:
        taken.append(received)
        return ValidationAnswer(
            dso_factor=Decimal("0.5"), tso_factor=Decimal("0.25"), limiting_element="boiler", reason=Reason("Busy", "x")
        )

    with answered_by(tmp_path, answer) as listener:
        message = request()
        first, again = send(listener, message), send(listener, message)
    (received,) = taken
    assert received.sender == DSO_ID
    assert first.canonical_body == again.canonical_body
    assert texts(first) == ["0.250000", "0.500000", "0.250000", "boiler"]
    assert first.body.findtext(f".//{PRV}TechnicalValidationRequestRef") == received.content.id
    assert first.body.findtext(".//{*}Code") == "Busy"


def test_no_answer_is_an_empty_reply(tmp_path: Path) -> None:
    with answered_by(tmp_path, lambda _: None) as listener:
        assert len(send(listener, request()).body) == 0


def test_a_handler_called_again_answers_under_the_same_id(tmp_path: Path) -> None:
    message, ids = request(), []
    for folder in ("one", "other"):  # the second has not kept what the first answered
        (tmp_path / folder).mkdir()
        with answered_by(tmp_path / folder, lambda _: ValidationAnswer(dso_factor=Decimal(1))) as listener:
            ids.append(send(listener, message).body.findtext(f".//{PRV}Id"))
    assert ids[0] == ids[1]


def failing(_: Received[ValidationRequest]) -> ValidationAnswer:
    raise RuntimeError("disk full")


@pytest.mark.parametrize(
    "handler",
    [
        None,
        failing,
        lambda _: ValidationAnswer(dso_factor=Decimal("1.1")),
        lambda _: ValidationAnswer(dso_factor=Decimal("NaN")),
        lambda _: ValidationAnswer(dso_factor=Decimal(1), limiting_element=""),
        lambda _: ValidationAnswer(dso_factor=Decimal(1), reason=Reason("too busy", None)),
    ],
)
def test_without_an_answer_that_can_be_sent_the_request_is_kept_and_asked_for_again(
    tmp_path: Path, handler: Handler | None
) -> None:
    with answered_by(tmp_path, handler) as listener:
        message = request()
        assert code_of(listener, message) == "Unavailable"
        (kept,) = listener.undelivered()
        assert kept.message_id == message.addressing.message_id
