"""SRV-ACT-AGR over HTTP beyond its proposal: countered, ended, suspended with its consents and resumed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from lxml import etree

from flexiciency.errors import PartnerFault
from flexiciency.services.replies import B2B
from flexiciency.store import agreement_standing, schedule
from flexiciency.store.database import Database
from flexiciency.store.transaction import transaction
from tests.gateway import Sender
from tests.messages import (
    ACT,
    B2BO,
    COM,
    END,
    agree,
    agree_on,
    consent,
    new_id,
    proposal,
    revocation,
    values,
    values_of,
)
from tests.services.waiting import blocked
from tests.world import move_in, pod_name

WIDE = {"StartDate": date(2024, 1, 1), "EndDate": date(2026, 1, 1)}
TODAY = datetime.now(UTC).date()


def counter(agreement: str, activation_id: str, pods: list[str], version: int, **changes: Any) -> Any:
    """CounterServiceActivationAgreement for January 2025."""
    proposed = proposal(agreement, activation_id, pods, Version=version, Status="Proposed", **changes)
    return B2B.CounterServiceActivationAgreement(ServiceActivationAgreement=proposed.ServiceActivationAgreement)


def end(agreement: str, day: date | None = None) -> Any:
    return B2B.EndServiceActivationAgreement(AgreementId=agreement, EndDate=day)


def read(player: Sender, agreement: str) -> etree._Element:
    return player.send(B2B.ReadServiceActivationAgreement(AgreementId=agreement)).body


def field(reply: etree._Element, name: str) -> str | None:
    return reply.findtext(f".//{ACT}{name}")


def codes(reply: etree._Element) -> list[str | None]:
    return [code.text for code in reply.iter(f"{COM}Code")]


def state(player: Sender, agreement: str) -> str | None:
    return field(read(player, agreement), "Status")


def told(player: Sender) -> list[tuple[str | None, str | None]]:
    """Id and Status of each SRV-ACT-AGR in the mailbox, which is emptied."""
    found = []
    while message := (reply := player.send(B2B.PeekMailbox()).body).findtext(f".//{B2BO}MessageId"):
        found += [(one.findtext(f"{ACT}Id"), one.findtext(f"{ACT}Status"))
                  for one in reply.iter(f"{ACT}ServiceActivationAgreement")]  # fmt: skip
        player.send(B2B.ConfirmMailbox(MessageId=message))
    return found


@pytest.fixture
def countered(player: Sender, channel: Sender, customers: Iterator[int]) -> tuple[str, str, str]:
    """An agreement that the provider countered with version 2, its activation and its PoD."""
    number, agreement = next(customers), new_id()
    agreed = agree(player, channel, [number])
    player.send(proposal(agreement, agreed.activation, [pod_name(number)], **WIDE))
    return agreement, agreed.activation, pod_name(number)


def test_a_counter_within_the_consents_is_validated(player: Sender, countered: tuple[str, str, str]) -> None:
    agreement, request, pod = countered
    reply = player.send(counter(agreement, request, [pod], 3, EndDate=date(2025, 1, 10))).body
    found = [field(reply, name) for name in ("Status", "Version", "EndDate")]
    assert found == ["Validated", "3", "2025-01-10"]
    (series,) = values_of(player, values(agreement)).series
    assert len(series.values) == 9 * 96


def test_a_counter_that_is_too_wide_is_countered_again(player: Sender, countered: tuple[str, str, str]) -> None:
    agreement, request, pod = countered
    reply = player.send(counter(agreement, request, [pod, "AT-unknown"], 3)).body
    assert (field(reply, "Status"), field(reply, "Version")) == ("Countered", "4")
    assert codes(reply) == ["PodNotConfirmed"]


def test_a_counter_of_which_nothing_can_be_agreed_changes_nothing(
    player: Sender, countered: tuple[str, str, str]
) -> None:
    agreement, request, _ = countered
    before = read(player, agreement)
    reply = player.send(counter(agreement, request, ["AT-unknown"], 3)).body
    assert (field(reply, "Status"), field(reply, "Version")) == ("Countered", "2")
    assert codes(reply) == ["PodNotConfirmed", "NoConsent"]
    assert etree.tostring(read(player, agreement)[0]) == etree.tostring(before[0])


@pytest.mark.parametrize("version", [1, 2, 4])
def test_a_counter_is_the_next_version(player: Sender, countered: tuple[str, str, str], version: int) -> None:
    agreement, request, pod = countered
    fault = player.refused(counter(agreement, request, [pod], version))
    assert (fault.partner_code, fault.path) == (
        "StateConflict", "CounterServiceActivationAgreement/ServiceActivationAgreement/Version",
    )  # fmt: skip


@pytest.mark.parametrize("element", ["DsoServiceActivationRequestRef", "B2BServiceSubscriptionRef"])
def test_a_counter_is_of_the_same_activation_and_subscription(
    player: Sender, countered: tuple[str, str, str], element: str
) -> None:
    agreement, request, pod = countered
    fault = player.refused(counter(agreement, request, [pod], 3, **{element: new_id()}))
    assert (fault.partner_code, fault.path) == (
        "ReferenceUnknown", f"CounterServiceActivationAgreement/ServiceActivationAgreement/{element}",
    )  # fmt: skip


def test_what_is_agreed_cannot_be_countered(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    fault = player.refused(counter(agreed.id, agreed.activation, [pod_name(number)], 2))
    assert fault.partner_code == "StateConflict"


def test_pods_listed_twice_are_left_out(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    twice, once = next(customers), next(customers)
    agreed = agree(player, channel, [twice, once])
    pods = [pod_name(twice), pod_name(once), pod_name(twice)]
    reply = player.send(proposal(new_id(), agreed.activation, pods)).body
    assert (field(reply, "Status"), codes(reply)) == ("Countered", ["PodRepeated"])
    assert [pod.text for pod in reply.iter(f"{ACT}PoD")] == [pod_name(once)]


def test_consents_that_are_named_must_be_the_requesters(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    known = proposal(
        new_id(), agreed.activation, [pod_name(number)], CustomerConsentDescriptionRef=[agreed.consents[number]],
        SelectionRef=[],
    )  # fmt: skip
    assert field(player.send(known).body, "Status") == "Validated"
    unknown = proposal(new_id(), agreed.activation, [pod_name(number)], CustomerConsentDescriptionRef=[new_id()])
    fault = player.refused(unknown)
    assert (fault.partner_code, str(fault.path).rpartition("/")[2]) == (
        "ReferenceUnknown", "CustomerConsentDescriptionRef",
    )  # fmt: skip


def test_an_ended_agreement_covers_the_days_before_its_end(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    agreed = agree(player, channel, [next(customers)])
    reply = player.send(end(agreed.id, date(2025, 1, 11))).body
    assert (field(reply, "Status"), field(reply, "EndDate"), field(reply, "Version")) == ("Ended", "2025-01-11", "2")
    (series,) = values_of(player, values(agreed.id)).series
    assert len(series.values) == 10 * 96
    assert player.refused(end(agreed.id)).partner_code == "StateConflict"


def test_an_end_before_the_start_leaves_nothing(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    agreed = agree(player, channel, [next(customers)])
    reply = player.send(end(agreed.id, date(2024, 1, 1))).body
    assert (field(reply, "Status"), field(reply, "StartDate"), field(reply, "EndDate")) == (
        "Ended", "2025-01-01", "2025-01-01",
    )  # fmt: skip
    assert player.refused(values(agreed.id)).partner_code == "StateConflict"


def test_an_end_to_come_shortens_an_agreement_that_goes_on(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    until = TODAY + timedelta(days=100)
    agreed = agree(player, channel, [next(customers)], end=until)
    reply = player.send(end(agreed.id, TODAY + timedelta(days=1))).body
    assert (field(reply, "Status"), field(reply, "EndDate")) == ("Validated", str(TODAY + timedelta(days=1)))
    fault = player.refused(end(agreed.id, until))
    assert (fault.partner_code, fault.path) == ("StateConflict", "EndServiceActivationAgreement/EndDate")
    assert field(player.send(end(agreed.id)).body, "EndDate") == str(TODAY)
    assert state(player, agreed.id) == "Ended"


@pytest.mark.parametrize("last", [date(9999, 12, 31), date(1, 1, 1), date(9999, 12, 30)])
def test_an_agreement_to_the_ends_of_the_calendar_can_be_ended(
    player: Sender, channel: Sender, customers: Iterator[int], last: date
) -> None:
    agreed = agree(player, channel, [next(customers)], date(1, 1, 1), date(9999, 12, 31))
    (series,) = values_of(player, values(agreed.id)).series
    assert len(series.values) == 31 * 96
    reply = player.send(end(agreed.id, last)).body
    assert (field(reply, "Status"), field(reply, "EndDate")) == ("Ended" if last.year == 1 else "Validated", str(last))


def test_what_is_not_agreed_yet_ends_at_once(player: Sender, countered: tuple[str, str, str]) -> None:
    agreement, *_ = countered
    assert field(player.send(end(agreement)).body, "Status") == "Ended"
    assert player.refused(values(agreement)).partner_code == "StateConflict"
    fault = player.refused(B2B.ValidateServiceActivationAgreement(AgreementId=agreement, Version=3))
    assert fault.partner_code == "StateConflict"


def test_the_last_consent_suspends_and_the_next_resumes(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    told(player)
    first, second = next(customers), next(customers)
    agreed = agree(player, channel, [first, second])
    channel.send(revocation(first, agreed.consents[first]))
    assert state(player, agreed.id) == "Validated"
    channel.send(revocation(second, agreed.consents[second]))
    assert state(player, agreed.id) == "Suspended"
    assert told(player) == [(agreed.id, "Suspended")]
    fault = player.refused(values(agreed.id))
    assert (fault.partner_code, "Suspended" in fault.message) == ("StateConflict", True)
    channel.send(consent(second, new_id(), StartDate=date(2026, 1, 1), EndDate=date(2026, 2, 1)))
    assert state(player, agreed.id) == "Suspended"
    channel.send(consent(second, new_id(), EndDate=date(2025, 1, 3)))
    assert told(player) == [(agreed.id, "Validated")]
    (series,) = values_of(player, values(agreed.id)).series
    assert len(series.values) == 2 * 96


def test_a_consent_of_too_coarse_a_scope_resumes_nothing(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    channel.send(revocation(number, agreed.consents[number]))
    coarse = consent(number, new_id())
    coarse.CustomerConsentDescription.Scope[0].FinestTimeStep = "PT1H"
    channel.send(coarse)
    assert state(player, agreed.id) == "Suspended"


def test_agreements_side_by_side_stand_and_end_on_their_own(
    player: Sender, channel: Sender, customers: Iterator[int]
) -> None:
    one, other = next(customers), next(customers)
    alone = agree(player, channel, [one])
    both = agree_on(player, {one: alone.consents[one], other: agree(player, channel, [other]).consents[other]})
    twin = agree_on(player, {one: alone.consents[one]})
    channel.send(revocation(one, alone.consents[one]))
    assert [state(player, each.id) for each in (alone, both, twin)] == ["Suspended", "Validated", "Suspended"]
    assert field(player.send(end(twin.id)).body, "Status") == "Ended"
    channel.send(consent(one, new_id()))
    assert [state(player, each.id) for each in (alone, both, twin)] == ["Validated", "Validated", "Ended"]


def test_a_suspended_agreement_is_not_scheduled(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    channel.send(revocation(number, agreed.consents[number]))
    with transaction(database) as tx:
        (rows,) = tx.look_up(schedule.active(END.date() - timedelta(days=1)))
    assert agreed.id not in {row.agreement_id for row in rows}


def test_a_revocation_and_a_proposal_at_once_leave_no_agreement_that_stands_without_consent(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number, agreement = next(customers), new_id()
    agreed = agree(player, channel, [number])
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            tx.read(agreement_standing.share_pods([pod_name(number)]))
            (revoking,) = blocked(database, pool, lambda: channel.send(revocation(number, agreed.consents[number])))
            assert field(
                player.send(proposal(agreement, agreed.activation, [pod_name(number)])).body, "Status"
            ) == "Validated"  # fmt: skip
            assert not revoking.done()
        assert revoking.result()
    assert state(player, agreement) == "Suspended"


def test_two_proposals_with_one_id_at_once_are_one_agreement(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    first, second, agreement = next(customers), next(customers), new_id()
    agreed = agree(player, channel, [first, second])

    def asked(number: int) -> str | None:
        try:
            return field(player.send(proposal(agreement, agreed.activation, [pod_name(number)])).body, "Status")
        except PartnerFault as fault:
            return fault.partner_code

    with ThreadPoolExecutor(2) as pool:
        with transaction(database) as tx:
            tx.begin()
            tx.driver.execute("LOCK TABLE agreement IN SHARE MODE")
            waiting = blocked(database, pool, lambda: asked(first), lambda: asked(second))
        answers = sorted(str(one.result()) for one in waiting)
    assert answers == ["IdentifierTaken", "Validated"]


def test_a_proposal_waits_for_a_revocation_in_progress(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    number = next(customers)
    agreed = agree(player, channel, [number])
    with ThreadPoolExecutor(1) as pool:
        with transaction(database) as tx:
            tx.read(agreement_standing.change_pods([pod_name(number)]))
            asked = proposal(new_id(), agreed.activation, [pod_name(number)])
            (proposing,) = blocked(database, pool, lambda: player.send(asked))
            tx.write("UPDATE consent_pod SET status = 'Revoked', revoked_at = now() WHERE consent_id = %(id)s",
                     id=agreed.consents[number])  # fmt: skip
        assert field(proposing.result().body, "Status") == "Ended"


def test_a_new_occupant_suspends_by_import(
    player: Sender, channel: Sender, database: Database, customers: Iterator[int]
) -> None:
    """What `pods import` does after the import, with the holders changed in the same transaction."""
    number = next(customers)
    agreed = agree(player, channel, [number])
    move_in(database, number, "C-new", datetime(2024, 6, 1, tzinfo=UTC))
    with transaction(database) as tx:
        (locked,) = tx.read(agreement_standing.lock([pod_name(number)]))
        assert agreement_standing.settle(tx, [row.id for row in locked]) == [agreed.id]
    assert state(player, agreed.id) == "Suspended"
