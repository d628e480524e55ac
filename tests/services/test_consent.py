"""The B2C operations over HTTP: consent given, revoked and read, with what the third party hears of it."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from lxml import etree

from flexiciency.store.database import Database
from tests.gateway import Sender, added, content_of, rows
from tests.messages import B2CO, COM, CON, agree, consent, consents_of, new_id, revocation, scope
from tests.world import DSO, STRANGER, customer_id, move_in, pod_name, status_of

AHEAD = {"StartDate": date(2026, 1, 1), "EndDate": date(2100, 1, 1)}


def texts(reply: etree._Element, tag: str) -> list[str | None]:
    return [element.text for element in reply.iter(tag)]


def test_a_consent_is_acknowledged_with_its_own_terms(channel: Sender, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    reply = channel.send(consent(number, identifier)).body
    assert texts(reply, f"{CON}PoD") == [pod_name(number)]
    assert texts(reply, f"{CON}CustomerConsentDescriptionRef") == [identifier]
    assert (texts(reply, f"{CON}StartDate"), texts(reply, f"{CON}EndDate")) == (["2025-01-01"], ["2025-02-01"])
    assert (texts(reply, f"{CON}Quantity"), texts(reply, f"{CON}FinestTimeStep")) == (["EnergyConsumption"], ["PT15M"])
    assert texts(reply, f"{CON}DataDetails") == ["Load curve"]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Dso": STRANGER}, "DsoNotHere"),
        ({"EndDate": date(2025, 1, 1)}, "PeriodEmpty"),
        ({"Eso": "urn:uuid:00000000-0000-4000-8000-00000000ffff"}, "ThirdPartyUnknown"),
        ({"PoD": ["AT-unknown"]}, "PodUnknown"),
        ({"CustomerId": "C-nobody"}, "PodNotHeld"),
        ({"StartDate": date(2019, 1, 1), "EndDate": date(2019, 2, 1)}, "PodNotHeld"),
    ],
)
def test_a_refused_consent_names_the_reason_and_goes_to_nobody(
    channel: Sender, database: Database, customers: Iterator[int], changes: dict[str, Any], code: str
) -> None:
    before = rows(database)
    reply = channel.send(consent(next(customers), new_id(), **changes)).body
    assert texts(reply, f"{CON}PoD") == []
    assert texts(reply, f"{COM}Code") == [code]
    assert added(before, database) == {"message": 2, "exchange": 1, "consent": 1, "consent_scope": 1, "consent_pod": 1}


def test_a_refused_consent_is_read_back_as_rejected_and_keeps_its_id(channel: Sender, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier, PoD=["AT-unknown"]))
    (reply,) = channel.send(consents_of(number)).body
    assert (texts(reply, f"{B2CO}State"), texts(reply, f"{COM}Code")) == (["Rejected"], ["PodUnknown"])
    assert channel.refused(consent(number, identifier)).partner_code == "IdentifierTaken"


def test_a_third_party_that_is_suspended_gets_no_consent(
    channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    with status_of(database, STRANGER, "Suspended"):
        reply = channel.send(consent(number, new_id(), Eso=STRANGER)).body
    assert texts(reply, f"{COM}Code") == ["ThirdPartyNotActive"]


def test_a_regulated_data_provider_is_no_third_party(channel: Sender, customers: Iterator[int]) -> None:
    reply = channel.send(consent(next(customers), new_id(), Eso=DSO)).body
    assert texts(reply, f"{COM}Code") == ["ThirdPartyNotEligible"]


def test_a_consent_past_its_dates_is_expired(channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    channel.send(consent(number, new_id()))
    (reply,) = channel.send(consents_of(number)).body
    assert (texts(reply, f"{B2CO}State"), texts(reply, f"{B2CO}Since")) == (["Expired"], ["2025-01-31T23:00:00Z"])
    assert texts(reply, f"{COM}Code") == []


def test_a_change_of_occupant_ends_a_consent(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    number = next(customers)
    channel.send(consent(number, new_id(), **AHEAD))
    (reply,) = channel.send(consents_of(number)).body
    assert texts(reply, f"{B2CO}State") == ["Acknowledged"]
    move_in(database, number, "C-new", datetime(2026, 3, 1, tzinfo=UTC))
    (reply,) = channel.send(consents_of(number)).body
    assert (texts(reply, f"{B2CO}State"), texts(reply, f"{B2CO}Since")) == (["Expired"], ["2026-03-01T00:00:00Z"])
    assert texts(reply, f"{COM}Code") == ["OccupantChanged"]


def test_what_was_revoked_and_agreed_on_is_named_in_the_consent(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    agreed = agree(player, channel, [number])
    channel.send(revocation(number, agreed.consents[number], Id=identifier))
    (reply,) = channel.send(consents_of(number)).body
    assert texts(reply, f"{CON}CustomerConsentRevocationRef") == [identifier]
    assert texts(reply, f"{CON}ServiceActivationAgreementRef") == [agreed.id]


def test_a_consent_can_be_accepted_in_part(channel: Sender, customers: Iterator[int]) -> None:
    number, foreign = next(customers), next(customers)
    reply = channel.send(consent(number, new_id(), PoD=[pod_name(number), pod_name(foreign), "AT-unknown"])).body
    assert texts(reply, f"{CON}PoD") == [pod_name(number)]
    assert texts(reply, f"{COM}PoD") == [pod_name(foreign), "AT-unknown"]
    assert texts(reply, f"{COM}Code") == ["PodNotHeld", "PodUnknown"]


def test_an_id_is_of_one_consent_only(channel: Sender, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    fault = channel.refused(consent(number, identifier, DataDetails="Another"))
    assert (fault.partner_code, fault.path) == ("IdentifierTaken", "GiveCustomerConsent/CustomerConsentDescription/Id")


def test_an_acknowledgement_and_a_revocation_are_queued_for_the_third_party(
    channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, identifier = next(customers), new_id()
    before = rows(database)
    channel.send(consent(number, identifier))
    assert added(before, database) == {
        "consent": 1, "consent_scope": 1, "consent_pod": 1, "delivery": 2, "message": 2, "exchange": 1,
    }  # fmt: skip
    before = rows(database)
    channel.send(revocation(number, identifier))
    assert added(before, database) == {"consent_revocation": 1, "delivery": 1, "message": 2, "exchange": 1}


def test_a_customer_reads_back_what_was_consented(channel: Sender, customers: Iterator[int]) -> None:
    number, other, first, second = next(customers), next(customers), new_id(), new_id()
    channel.send(consent(number, first, PoD=[pod_name(number), pod_name(other)], **AHEAD))
    channel.send(consent(number, second, **AHEAD, Scope=[scope(), scope("EnergyGeneration", "PT1H")]))
    channel.send(revocation(number, first))
    (reply,) = channel.send(consents_of(number)).body
    read = reply.findall(f"{B2CO}CustomerConsent")
    assert [one.findtext(f"{CON}CustomerConsentDescription/{CON}Id") for one in read] == [second, first]
    assert texts(read[0], f"{CON}Quantity") == ["EnergyConsumption", "EnergyGeneration"]
    assert texts(read[0], f"{CON}FinestTimeStep") == ["PT15M", "PT1H"]
    states = dict(zip(texts(read[1], f"{B2CO}PoD"), texts(read[1], f"{B2CO}State"), strict=True))
    assert states == {pod_name(number): "Revoked", pod_name(other): "Rejected"}
    assert texts(read[0], f"{B2CO}State") == ["Acknowledged"]


def test_a_customer_without_consents_reads_none(channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    (reply,) = channel.send(consents_of(number)).body
    assert reply.findtext(f"{B2CO}CustomerId") == customer_id(number)
    assert reply.findall(f"{B2CO}CustomerConsent") == []


def test_some_pods_of_a_consent_can_be_revoked(channel: Sender, database: Database, customers: Iterator[int]) -> None:
    number, other, identifier = next(customers), next(customers), new_id()
    move_in(database, other, customer_id(number), datetime(2025, 6, 1, tzinfo=UTC))
    pods = [pod_name(number), pod_name(other)]
    channel.send(consent(number, identifier, PoD=pods, **AHEAD))
    channel.send(revocation(number, identifier, PoD=[pods[1]]))
    (reply,) = channel.send(consents_of(number)).body
    assert dict(zip(texts(reply, f"{B2CO}PoD"), texts(reply, f"{B2CO}State"), strict=True)) == {
        pods[0]: "Acknowledged",
        pods[1]: "Revoked",
    }
    channel.send(revocation(number, identifier, PoD=[pods[0]]))
    assert channel.refused(revocation(number, identifier, PoD=pods)).partner_code == "StateConflict"


def test_a_revoked_consent_cannot_be_revoked_again(channel: Sender, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    channel.send(revocation(number, identifier))
    fault = channel.refused(revocation(number, identifier))
    assert (fault.partner_code, fault.path) == (
        "StateConflict",
        "RevokeCustomerConsent/CustomerConsentRevocation/PoD",
    )


def test_an_id_is_of_one_revocation_only(channel: Sender, customers: Iterator[int]) -> None:
    number, first, second, identifier = next(customers), new_id(), new_id(), new_id()
    channel.send(consent(number, first))
    channel.send(consent(number, second))
    channel.send(revocation(number, first, Id=identifier))
    fault = channel.refused(revocation(number, second, Id=identifier))
    assert (fault.partner_code, fault.path) == (
        "IdentifierTaken",
        "RevokeCustomerConsent/CustomerConsentRevocation/Id",
    )


def test_a_pod_outside_the_consent_cannot_be_revoked_and_nothing_is(channel: Sender, customers: Iterator[int]) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    fault = channel.refused(revocation(number, identifier, PoD=[pod_name(number), "AT-unknown"]))
    assert fault.partner_code == "StateConflict"
    channel.send(revocation(number, identifier))


@pytest.mark.parametrize("changes", [{"CustomerId": "C-nobody"}, {"CustomerConsentDescriptionRef": new_id()}])
def test_a_consent_of_another_customer_cannot_be_revoked(
    channel: Sender, customers: Iterator[int], changes: dict[str, str]
) -> None:
    number, identifier = next(customers), new_id()
    channel.send(consent(number, identifier))
    fault = channel.refused(revocation(number, identifier, **changes))
    assert fault.partner_code == "ReferenceUnknown"


@pytest.mark.parametrize(("start", "end"), [(date(1, 1, 1), date(2025, 2, 1)), (date(2025, 1, 1), date(9999, 12, 31))])
def test_dates_at_the_ends_of_the_calendar_are_answered(
    channel: Sender, customers: Iterator[int], start: date, end: date
) -> None:
    number = next(customers)
    reply = channel.send(consent(number, new_id(), StartDate=start, EndDate=end)).body
    assert texts(reply, f"{CON}PoD") == [pod_name(number)]


@pytest.mark.parametrize(
    "moment",
    [" 2024-12-01T00:00:00Z\n", "2024-11-30T24:00:00Z", "2024-12-01T00:00:00.5Z", "0001-01-01T00:00:00.000001Z"],
)
def test_an_instant_is_read_however_xml_schema_lets_it_be_written(
    channel: Sender, customers: Iterator[int], moment: str
) -> None:
    number = next(customers)
    content = content_of(consent(number, new_id())).replace(b"2024-12-01T00:00:00Z", moment.encode())
    reply = channel.post(channel.seal_content(content, "GiveCustomerConsent")).body
    assert texts(reply, f"{CON}PoD") == [pod_name(number)]
    (read,) = channel.send(consents_of(number)).body
    (validated,) = texts(read, f"{CON}ValidationDate")
    assert validated == moment.strip().replace("11-30T24", "12-01T00").partition(".")[0].rstrip("Z") + "Z"


def test_a_date_is_read_with_space_around_it(channel: Sender, customers: Iterator[int]) -> None:
    content = content_of(consent(next(customers), new_id())).replace(b"2025-02-01", b" 2025-02-01\n")
    reply = channel.post(channel.seal_content(content, "GiveCustomerConsent")).body
    assert texts(reply, f"{CON}EndDate") == ["2025-02-01"]


def test_the_end_of_the_last_day_of_the_calendar_is_refused_as_such(channel: Sender, customers: Iterator[int]) -> None:
    content = content_of(consent(next(customers), new_id()))
    late = content.replace(b"2024-12-01T00:00:00Z", b"9999-12-31T24:00:00Z")
    fault = channel.refused_message(channel.seal_content(late, "GiveCustomerConsent"))
    assert (fault.partner_code, "out of range" in fault.message) == ("SchemaInvalid", True)
