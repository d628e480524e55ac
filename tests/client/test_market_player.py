from collections.abc import Iterator
from contextlib import closing
from datetime import date
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from flexiciency.client import (
    AggregatedSelection,
    AggregatesMessage,
    ClientSettings,
    Counts,
    Gap,
    MarketPlayer,
    PodStatus,
    Proposal,
    Quantity,
    Reason,
    Selection,
    TechnicalValidation,
    Terms,
    TimeStep,
    ValidationAnswer,
    ValidationRequest,
    ValuesMessage,
    new_message_id,
)
from flexiciency.errors import (
    MessageIdReused,
    PartnerFault,
    PartnerUnreachable,
    SchemaInvalid,
    StateConflict,
    UntrustedFault,
    UntrustedReply,
)
from flexiciency.soap.faults import unsigned_fault
from tests.client.market import sample
from tests.client.peers import (
    AGREEMENT_ID,
    CONSENT_ID,
    DAY,
    DSO_ID,
    MIDNIGHT,
    PLAYER_ID,
    SERVICE_ID,
    SUBSCRIPTION_ID,
    VALUES_ID,
    WAITING_ID,
    Dso,
    aggregates,
    answering,
    changed,
    clock,
    curves,
    dso,
    player,
    served,
)
from tests.wire.parties import NOW, anchors, identity

XML = ("Content-Type", "text/xml; charset=utf-8")
SETTINGS = ClientSettings(clock=clock, terms=Terms(silence=5))


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Dso]:
    with closing(Dso(tmp_path)) as one:
        yield one


@pytest.fixture
def url(provider: Dso) -> Iterator[str]:
    with served(provider.application, "/v1/services/b2b") as address:
        yield address


@pytest.fixture
def client(url: str) -> Iterator[MarketPlayer]:
    with MarketPlayer(player(), PLAYER_ID, DSO_ID, url, anchors(), settings=SETTINGS) as one:
        yield one


def calling(url: str, settings: ClientSettings = SETTINGS) -> MarketPlayer:
    return MarketPlayer(player(), PLAYER_ID, DSO_ID, url, anchors(), settings=settings)


def test_a_ping_is_answered(client: MarketPlayer) -> None:
    reply = client.ping()
    assert (reply.time, reply.version) == (NOW, "1.0")
    assert client.statistics == Counts(signed=1, verified=1, refused=0, faults=0)


def test_an_address_may_be_that_of_the_wsdl(url: str) -> None:
    with calling(f"{url}?wsdl") as client:
        assert client.ping().version == "1.0"


def test_an_activation_names_what_was_confirmed_and_what_refused(client: MarketPlayer, provider: Dso) -> None:
    selection = Selection(
        quantity=Quantity.ENERGY_CONSUMPTION, start=MIDNIGHT, end=MIDNIGHT + DAY, time_step=TimeStep.PT15M
    )
    confirmation = client.request_activation(SERVICE_ID, ["POD0001", "POD0002", "POD0003"], selection)
    (call, sent), *_ = provider.calls
    assert sent.DsoServiceActivationRequest.Requester == PLAYER_ID
    assert sent.DsoServiceActivationRequest.Selection.IndividualDataSelection.TimeStep == "PT15M"
    assert call.speaker.id == PLAYER_ID
    assert confirmation.request_id == sent.DsoServiceActivationRequest.Id
    assert confirmation.status == "Partial"
    assert confirmation.confirmed == ("POD0001", "POD0002")
    assert confirmation.refused == {"POD0003": Reason("NoConsent", "No consent covers it.")}


PROPOSAL = Proposal(
    pods=("POD0001",), data_details="load curve", processing_details="advice", start=date(2026, 1, 1),
    end=date(2027, 1, 1), service_description_id=SERVICE_ID, subscription_id=SUBSCRIPTION_ID, consents=(CONSENT_ID,),
)  # fmt: skip


def test_an_agreement_is_countered_by_the_next_version_and_ended(client: MarketPlayer, provider: Dso) -> None:
    countered = client.counter_agreement(AGREEMENT_ID, 2, PROPOSAL)
    assert (countered.refused, countered.reason) == ({}, None)
    client.end_agreement(AGREEMENT_ID, date(2026, 6, 1))
    client.end_agreement(AGREEMENT_ID)
    (_, sent), (_, ended), (_, at_once) = provider.calls
    assert (sent.ServiceActivationAgreement.Id, sent.ServiceActivationAgreement.Version) == (AGREEMENT_ID, 3)
    assert (ended.AgreementId, ended.EndDate, at_once.EndDate) == (AGREEMENT_ID, date(2026, 6, 1), None)


def test_a_validation_that_is_answered_later_gives_nothing_now(client: MarketPlayer, provider: Dso) -> None:
    assert client.request_validation("LA-1", [(MIDNIGHT, Decimal("-1.5"))], MIDNIGHT + DAY) is None
    ((_, sent),) = provider.calls
    (point,) = sent.TechnicalValidationRequest.PowerCurve.Point
    assert (sent.TechnicalValidationRequest.StartTime, point.Power) == (MIDNIGHT, Decimal("-1.5"))


def test_an_agreement_is_proposed_validated_and_read(client: MarketPlayer, provider: Dso) -> None:
    proposed = client.propose_agreement(PROPOSAL)
    assert client.validate_agreement(AGREEMENT_ID, 2) == client.read_agreement(AGREEMENT_ID) == proposed
    assert (proposed.id, proposed.status, proposed.version) == (AGREEMENT_ID, "Validated", 2)
    assert (proposed.start, proposed.end, proposed.validated_at) == (date(2026, 1, 1), date(2027, 1, 1), MIDNIGHT)
    assert (proposed.pods, proposed.consents, proposed.selections) == (("POD0001",), (CONSENT_ID,), ())
    (_, sent), (_, validated), _ = provider.calls
    assert sent.ServiceActivationAgreement.Status == "Proposed"
    assert (validated.AgreementId, validated.Version) == (AGREEMENT_ID, 2)


def test_values_arrive_as_arrays_and_are_acknowledged(client: MarketPlayer, provider: Dso) -> None:
    values = client.request_values(
        AGREEMENT_ID, Quantity.ENERGY_CONSUMPTION, MIDNIGHT, MIDNIGHT + DAY, TimeStep.PT15M, ["POD0001"]
    )
    assert values.header.id == VALUES_ID
    assert [one.pod for one in values.series] == ["POD0001", "POD0002"]
    assert all(np.array_equal(got.values, sent.values) for got, sent in zip(values.series, curves(2), strict=True))
    receipt = client.acknowledge_values(
        values.header.id,
        {
            "POD0001": PodStatus("OK"),
            "POD0002": PodStatus("KO", (MIDNIGHT, MIDNIGHT + DAY), Reason("OutOfRange", "Too high.")),
        },
    )
    call, sent = provider.calls[-1]
    ok, ko = sent.IndividualDataAcknowledgement.PodAcknowledgement
    assert receipt.message_id == call.message.addressing.message_id
    assert call.message.addressing.relates_to is not None
    assert sent.IndividualDataAcknowledgement.IndividualDataValueRef == VALUES_ID
    assert ok.Acknowledgement[0].ValuePeriod is None
    assert ko.Acknowledgement[0].Reason.Code == "OutOfRange"


def test_a_gap_report_says_what_has_not_come_and_why(client: MarketPlayer) -> None:
    report = client.read_gap_report(AGREEMENT_ID, MIDNIGHT, MIDNIGHT + DAY)
    assert (report.agreement_id, report.start, report.end) == (AGREEMENT_ID, MIDNIGHT, MIDNIGHT + DAY)
    assert (report.expected, report.sent, report.acknowledged) == (3, 2, 1)
    assert report.gaps == (Gap("POD0001", MIDNIGHT + DAY / 2, MIDNIGHT + DAY, "NotAcknowledged"),)
    assert report.reason == Reason("GapsCut", "Ask for less.")


def test_missing_values_are_asked_for_of_some_points_or_of_all(client: MarketPlayer, provider: Dso) -> None:
    message_id = new_message_id()
    receipt = client.request_missing_values(
        AGREEMENT_ID, MIDNIGHT, MIDNIGHT + DAY, ["POD0001"], message_id=message_id
    )  # fmt: skip
    assert receipt.message_id == message_id
    client.request_missing_values(AGREEMENT_ID, MIDNIGHT, MIDNIGHT + DAY)
    (_, some), (_, every) = provider.calls
    assert (some.AgreementId, some.PoD, some.Period.Start) == (AGREEMENT_ID, ["POD0001"], MIDNIGHT)
    assert every.PoD is None


def test_aggregates_arrive_as_arrays_and_are_acknowledged(client: MarketPlayer, provider: Dso) -> None:
    wanted = AggregatedSelection(
        level="Portfolio", method="Sum", quantity=Quantity.ENERGY_CONSUMPTION, start=MIDNIGHT, end=MIDNIGHT + DAY,
        time_step=TimeStep.PT15M, pods=("POD0001",), customers=("C-1",), countries=("AT",), cities=("Linz",),
        streets=("Ring",),
    )  # fmt: skip
    found = client.request_aggregates(AGREEMENT_ID, wanted)
    asked = provider.calls[-1][1].AggregatedDataSelection
    place = asked.Localization
    assert (asked.AggregationLevel, asked.AggregationMethod, asked.TimeStep) == ("Portfolio", "Sum", "PT15M")
    assert (place.PoD, place.CustomerId) == (["POD0001"], ["C-1"])
    assert (place.Country, place.City, place.Street) == (["AT"], ["Linz"], ["Ring"])
    assert asked.MarketPlaceServiceDescriptionRef == SERVICE_ID
    (one,) = found.aggregates
    assert (one.id, one.pods) == ("portfolio:1", 7)
    assert one.series.values.dtype == np.int64
    assert one.series.values.tolist() == [2**40 + i for i in range(96)]
    client.acknowledge_aggregates(found.header.id, {one.id: PodStatus("KO", None, Reason("OutOfRange"))})
    call, sent = provider.calls[-1]
    (status,) = sent.AggregatedDataAcknowledgement.AggregateAcknowledgement
    assert sent.AggregatedDataAcknowledgement.AggregatedDataValueRef == VALUES_ID
    assert (status.AggregationId, status.Acknowledgement[0].Reason.Code) == ("portfolio:1", "OutOfRange")
    assert call.message.addressing.relates_to is not None


def test_the_mailbox_gives_aggregates_as_their_class(client: MarketPlayer, provider: Dso) -> None:
    reply = (
        b'<b2bo:PeekMailboxResponse xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:MailboxItem><b2bo:MessageId>'
        b"%s</b2bo:MessageId><b2bo:Action>urn:flexiciency:market-player:1:ReceiveAggregatedDataValue</b2bo:Action>"
        b"<b2bo:Content>%s</b2bo:Content></b2bo:MailboxItem><b2bo:Waiting>1</b2bo:Waiting></b2bo:PeekMailboxResponse>"
    ) % (WAITING_ID.encode(), aggregates())
    provider.replies["PeekMailbox"] = lambda _, __: reply
    item = client.peek_mailbox().item
    assert item is not None
    assert isinstance(item.content, AggregatesMessage)
    client.acknowledge_aggregates(item.content.header.id, {"portfolio:1": PodStatus("OK")})
    assert provider.calls[-1][0].message.addressing.relates_to == WAITING_ID


def test_the_mailbox_gives_the_oldest_message_until_it_is_confirmed(client: MarketPlayer) -> None:
    mailbox = client.peek_mailbox()
    assert mailbox.waiting == 3
    assert mailbox.item is not None
    assert mailbox.item.message_id == WAITING_ID
    assert isinstance(mailbox.item.content, ValuesMessage)
    assert client.confirm_mailbox(WAITING_ID).stored_at == NOW


def test_the_mailbox_gives_a_late_technical_validation_as_its_class(client: MarketPlayer, provider: Dso) -> None:
    reply = (
        '<b2bo:PeekMailboxResponse xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:MailboxItem><b2bo:MessageId>'
        f"{WAITING_ID}</b2bo:MessageId><b2bo:Action>urn:flexiciency:market-player:1:ReceiveTechnicalValidationResponse"
        f"</b2bo:Action><b2bo:Content>{sample('TECH-FLEX-RESP', 'valid-curtailed').decode()}</b2bo:Content>"
        "</b2bo:MailboxItem><b2bo:Waiting>1</b2bo:Waiting></b2bo:PeekMailboxResponse>"
    )
    provider.replies["PeekMailbox"] = lambda _, __: reply.encode()
    item = client.peek_mailbox().item
    assert item is not None
    assert isinstance(item.content, TechnicalValidation)
    assert item.content.factor == Decimal("0.625")


def test_the_mailbox_gives_a_request_of_technical_validation_as_its_class(client: MarketPlayer, provider: Dso) -> None:
    reply = (
        '<b2bo:PeekMailboxResponse xmlns:b2bo="urn:flexiciency:b2b-operations:1"><b2bo:MailboxItem><b2bo:MessageId>'
        f"{WAITING_ID}</b2bo:MessageId><b2bo:Action>urn:flexiciency:market-player:1:ReceiveTechnicalValidationRequest"
        f"</b2bo:Action><b2bo:Content>{sample('TECH-FLEX-REQ', 'valid-one-step').decode()}</b2bo:Content>"
        "</b2bo:MailboxItem><b2bo:Waiting>1</b2bo:Waiting></b2bo:PeekMailboxResponse>"
    )
    provider.replies["PeekMailbox"] = lambda _, __: reply.encode()
    item = client.peek_mailbox().item
    assert item is not None
    assert isinstance(item.content, ValidationRequest)
    assert item.content.start == item.content.curve[0][0] < item.content.end
    assert all(isinstance(power, Decimal) for _, power in item.content.curve)


def test_a_technical_validation_is_answered_with_the_lesser_factor(client: MarketPlayer, provider: Dso) -> None:
    answer = ValidationAnswer(
        dso_factor=Decimal("0.000001"),
        tso_factor=Decimal("0E+3"),
        limiting_element="boiler",
        reason=Reason("Busy", "x"),
    )
    message_id = new_message_id()
    receipts = [client.answer_validation("urn:uuid:r", answer, message_id=message_id) for _ in range(2)]
    assert receipts[0] == receipts[1]
    ((_, sent),) = provider.calls
    found = sent.TechnicalValidationResponse
    assert (found.TechnicalValidationRequestRef, found.LimitingElement) == ("urn:uuid:r", "boiler")
    assert (found.CurtailmentFactor, found.DsoFactor, found.TsoFactor) == (0, Decimal("0.000001"), 0)
    assert (found.Reason.Code, found.Reason.Text) == ("Busy", "x")


@pytest.mark.parametrize("factor", ["NaN", "sNaN", "Infinity", "-0.1", "1.000001", "0.0000001", "1e30"])
def test_a_factor_that_is_none_is_not_sent(client: MarketPlayer, provider: Dso, factor: str) -> None:
    with pytest.raises(ValueError, match="is no factor of 0 to 1"):
        client.answer_validation("urn:uuid:r", ValidationAnswer(dso_factor=Decimal(factor)))
    assert provider.calls == []


def test_the_status_of_a_message_can_be_asked(client: MarketPlayer) -> None:
    status = client.message_status(WAITING_ID)
    assert (status.status, status.error_code, status.at) == ("Retrying", "PartnerUnreachable", NOW)


def test_a_refusal_carries_the_partners_code_and_text(client: MarketPlayer, provider: Dso) -> None:
    def refuse(*_: object) -> None:
        raise StateConflict("The agreement has ended.", path="A/B")

    provider.replies["ValidateServiceActivationAgreement"] = refuse
    with pytest.raises(PartnerFault, match="The agreement has ended") as caught:
        client.validate_agreement(AGREEMENT_ID, 1)
    assert (caught.value.partner_code, caught.value.path) == ("StateConflict", "A/B")
    assert caught.value.partner_says_retriable is False
    assert not [entry for entry in caught.traceback if "zeep" in str(entry.path)]
    assert client.statistics == Counts(signed=1, verified=1, refused=0, faults=1)


def test_a_repeated_message_id_gets_the_same_answer_once_done(client: MarketPlayer, provider: Dso) -> None:
    message_id = new_message_id()
    first = client.request_activation(SERVICE_ID, ["POD0001", "POD0002"], message_id=message_id)
    again = client.request_activation(SERVICE_ID, ["POD0001", "POD0002"], message_id=message_id)
    assert again == first
    assert len(provider.calls) == 1


def test_a_message_id_cannot_be_used_for_something_else(client: MarketPlayer) -> None:
    message_id = new_message_id()
    client.request_activation(SERVICE_ID, ["POD0001", "POD0002"], message_id=message_id)
    with pytest.raises(PartnerFault) as caught:
        client.request_activation(SERVICE_ID, ["POD0001", "POD0003"], message_id=message_id)
    assert caught.value.partner_code == MessageIdReused.__name__


def test_what_breaks_the_schema_is_not_sent(client: MarketPlayer, provider: Dso) -> None:
    with pytest.raises(SchemaInvalid, match="PoD"):
        client.request_activation(SERVICE_ID, ["with space"])
    assert provider.calls == []
    assert client.statistics.signed == 0


def test_a_tampered_reply_is_refused(provider: Dso) -> None:
    tampering = changed(provider.application, lambda answer: answer.replace(b"POD0001", b"POD0009"))
    with served(tampering, "/v1/services/b2b") as url, calling(url) as client:
        with pytest.raises(UntrustedReply, match="SignatureInvalid"):
            client.read_agreement(AGREEMENT_ID)
        assert client.statistics == Counts(signed=1, verified=0, refused=1, faults=0)


def test_an_unsigned_fault_is_not_believed_nor_retried() -> None:
    fault = unsigned_fault(StateConflict("The agreement has ended."))
    with served(answering("500 Internal Server Error", fault, XML)) as url:
        settings = ClientSettings(clock=clock, retries=3)
        with calling(url, settings) as client, pytest.raises(UntrustedFault, match="StateConflict: The agreement"):
            client.ping()
        assert client.statistics == Counts(signed=1, verified=0, refused=1, faults=0)


def test_an_answer_from_another_than_the_one_called_is_refused(url: str) -> None:
    other = MarketPlayer(player(), PLAYER_ID, "urn:uuid:another", url, anchors(), settings=SETTINGS)
    with other, pytest.raises(UntrustedReply, match="was called"):
        other.ping()


def test_a_provider_can_be_pinned_to_its_certificates(url: str) -> None:
    for pinned, taken in ((dso(), True), (identity(name="Another"), False)):
        client = MarketPlayer(
            player(), PLAYER_ID, DSO_ID, url, anchors(), provider_fingerprints=[pinned.fingerprint], settings=SETTINGS
        )
        with client:
            if taken:
                assert client.ping().version == "1.0"
            else:
                with pytest.raises(UntrustedReply, match="none of"):
                    client.ping()


def test_silence_is_retried_with_the_same_message_only_when_asked_for(
    provider: Dso, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("time.sleep", pauses.append)
    site, down = provider.application, answering("503 Service Unavailable", b"", ("Content-Type", "text/plain"))
    arrived: list[str] = []

    def flaky(environ: dict[str, object], start_response: object) -> object:
        arrived.append("")
        return (down if len(arrived) < 3 else site)(environ, start_response)  # type: ignore[arg-type]

    with served(flaky, "/v1/services/b2b") as url:  # type: ignore[arg-type]
        with calling(url) as once, pytest.raises(PartnerUnreachable, match="503"):
            once.ping()
        arrived.clear()
        with calling(url, ClientSettings(clock=clock, retries=2)) as client:
            assert client.validate_agreement(AGREEMENT_ID, 2).version == 2
    assert len(arrived) == 3
    assert pauses == [0.5, 1.0]


def test_plain_http_never_leaves_the_machine() -> None:
    with pytest.raises(ValueError, match="https"):
        calling("http://dso.example/v1/services/b2b")
