from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.domain.consent import RECEIVING_ROLES, Consent, HeldPod, Scope, StoredPod, ThirdParty, decide, state_of
from flexiciency.domain.reasons import ReasonCode, reason

DSO, ESO = "urn:dso", "urn:eso"
VIENNA = "Europe/Vienna"
SINCE_2020 = (datetime(2020, 1, 1, tzinfo=UTC), None)
PLAYER = ThirdParty("UnregulatedDataRequester", active=True)
CONSENT = Consent(
    id="urn:consent", customer_id="C-1", pods=("AT1",), data_details="Load curve", processing_details="Advice",
    scopes=(Scope("EnergyConsumption", 900),), validation_date=datetime(2024, 12, 1, tzinfo=UTC),
    start_date=date(2025, 1, 1), end_date=date(2025, 2, 1), dso=DSO, eso=ESO,
)  # fmt: skip


def held(pod: str, *periods: tuple[datetime, datetime | None], zone: str = VIENNA) -> HeldPod:
    return HeldPod(int(pod[2:]), pod, zone, periods)


KNOWN = {pod: held(pod, SINCE_2020) for pod in ("AT1", "AT2", "AT3")}


def refusals(consent: Consent, pods: Mapping[str, HeldPod], third_party: ThirdParty | None = PLAYER) -> list[str]:
    decision = decide(consent, DSO, third_party, pods)
    assert decision.accepted == ()
    return [refused.reason.code for refused in decision.refused]


def test_a_pod_that_the_customer_holds_is_accepted_for_the_local_days_of_its_zone() -> None:
    (accepted,) = decide(CONSENT, DSO, PLAYER, KNOWN).accepted
    assert (accepted.pod_id, accepted.pod) == (1, "AT1")
    assert accepted.start == datetime(2024, 12, 31, 23, tzinfo=UTC)
    assert accepted.end == datetime(2025, 1, 31, 23, tzinfo=UTC)


def test_each_pod_has_the_days_of_its_own_zone() -> None:
    pods = {"AT1": held("AT1", SINCE_2020), "PT2": HeldPod(2, "PT2", "Europe/Lisbon", (SINCE_2020,))}
    accepted = decide(replace(CONSENT, pods=("AT1", "PT2")), DSO, PLAYER, pods).accepted
    assert [one.start.hour for one in accepted] == [23, 0]


@pytest.mark.parametrize("role", sorted(RECEIVING_ROLES))
def test_every_unregulated_role_may_be_the_third_party(role: str) -> None:
    assert decide(CONSENT, DSO, ThirdParty(role, active=True), KNOWN).refused == ()


@pytest.mark.parametrize(
    ("changes", "third_party", "code"),
    [
        ({"dso": "urn:other"}, PLAYER, ReasonCode.DSO_NOT_HERE),
        ({"end_date": date(2025, 1, 1)}, PLAYER, ReasonCode.PERIOD_EMPTY),
        ({"end_date": date(2024, 1, 1)}, PLAYER, ReasonCode.PERIOD_EMPTY),
        ({}, None, ReasonCode.THIRD_PARTY_UNKNOWN),
        ({}, ThirdParty("UnregulatedDataRequester", active=False), ReasonCode.THIRD_PARTY_NOT_ACTIVE),
        ({}, ThirdParty("RegulatedDataProvider", active=True), ReasonCode.THIRD_PARTY_NOT_ELIGIBLE),
    ],
)
def test_what_is_wrong_with_the_consent_refuses_every_pod(
    changes: dict[str, object], third_party: ThirdParty | None, code: ReasonCode
) -> None:
    consent = replace(CONSENT, pods=("AT1", "AT2", "AT1"), **changes)  # type: ignore[arg-type]
    assert refusals(consent, KNOWN, third_party) == [code, code]


def test_an_unknown_pod_is_refused() -> None:
    assert refusals(CONSENT, {}) == [ReasonCode.POD_UNKNOWN]


def test_a_pod_of_another_customer_is_refused() -> None:
    assert refusals(CONSENT, {"AT1": held("AT1")}) == [ReasonCode.POD_NOT_HELD]


def test_a_pod_listed_twice_is_refused_once_and_the_others_stand() -> None:
    decision = decide(replace(CONSENT, pods=("AT1", "AT2", "AT1")), DSO, PLAYER, KNOWN)
    assert [one.pod for one in decision.accepted] == ["AT2"]
    assert [(one.pod, one.reason.code) for one in decision.refused] == [("AT1", ReasonCode.POD_REPEATED)]


@pytest.mark.parametrize(
    ("since", "until", "accepted"),
    [
        ("2020-01-01", "2024-12-31T23:00", False),  # gone when the first day begins
        ("2020-01-01", "2024-12-31T23:01", True),
        ("2025-01-31T22:59", None, True),
        ("2025-01-31T23:00", None, False),  # came when the last day had ended
        ("2025-01-10", "2025-01-11", True),
    ],
)
def test_a_pod_held_for_any_part_of_the_period_is_accepted(since: str, until: str | None, *, accepted: bool) -> None:
    end = None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC)
    pods = {"AT1": held("AT1", (datetime.fromisoformat(since).replace(tzinfo=UTC), end))}
    assert bool(decide(CONSENT, DSO, PLAYER, pods).accepted) is accepted


def test_a_customer_who_came_back_holds_the_pod_again() -> None:
    gone, back = datetime(2022, 1, 1, tzinfo=UTC), datetime(2025, 1, 20, tzinfo=UTC)
    pods = {"AT1": held("AT1", (SINCE_2020[0], gone), (back, None))}
    assert decide(CONSENT, DSO, PLAYER, pods).refused == ()


names = st.sampled_from([f"AT{number}" for number in range(8)])
days = st.dates(date(2024, 11, 1), date(2025, 4, 1))
instants = st.datetimes(datetime(2024, 11, 1), datetime(2025, 4, 1), timezones=st.just(UTC))  # noqa: DTZ001
periods = st.tuples(instants, st.none() | instants)


@given(
    pods=st.lists(names, min_size=1, max_size=12),
    known=st.dictionaries(names, st.lists(periods, max_size=3)),
    start=days,
    end=days,
    third_party=st.none() | st.builds(ThirdParty, st.sampled_from(sorted(RECEIVING_ROLES)), st.booleans()),
    dso=st.sampled_from([DSO, "urn:other"]),
)
def test_each_pod_is_either_accepted_or_refused_and_that_once(
    pods: list[str],
    known: dict[str, list[tuple[datetime, datetime | None]]],
    start: date,
    end: date,
    third_party: ThirdParty | None,
    dso: str,
) -> None:
    consent = replace(CONSENT, pods=tuple(pods), start_date=start, end_date=end, dso=dso)
    decision = decide(consent, DSO, third_party, {pod: held(pod, *found) for pod, found in known.items()})
    told = [one.pod for one in decision.accepted] + [one.pod for one in decision.refused]
    assert sorted(told) == sorted(set(pods))
    for accepted in decision.accepted:
        assert accepted.pod in known
        assert accepted.start < accepted.end
        assert third_party is not None
        assert third_party.active
        assert dso == DSO


ACKNOWLEDGED, LATER = datetime(2024, 12, 1, tzinfo=UTC), datetime(2025, 1, 10, tzinfo=UTC)
STORED = StoredPod(
    status="Acknowledged", acknowledged_at=ACKNOWLEDGED, revoked_at=None, rejected_for=None,
    covered_until=datetime(2025, 2, 1, tzinfo=UTC), held_until=datetime(2025, 2, 1, tzinfo=UTC),
)  # fmt: skip
NOT_HELD = reason(ReasonCode.POD_NOT_HELD)


@pytest.mark.parametrize(
    ("changes", "now", "state", "since", "code"),
    [
        ({}, LATER, "Acknowledged", ACKNOWLEDGED, None),
        ({}, datetime(2025, 2, 1, tzinfo=UTC), "Expired", datetime(2025, 2, 1, tzinfo=UTC), None),
        ({"revoked_at": LATER, "status": "Revoked"}, datetime(2026, 1, 1, tzinfo=UTC), "Revoked", LATER, None),
        ({"rejected_for": NOT_HELD, "status": "Rejected", "covered_until": None, "held_until": None}, LATER,
         "Rejected", ACKNOWLEDGED, ReasonCode.POD_NOT_HELD),
        ({"held_until": LATER}, datetime(2025, 1, 9, tzinfo=UTC), "Acknowledged", ACKNOWLEDGED, None),
        ({"held_until": LATER}, LATER, "Expired", LATER, ReasonCode.OCCUPANT_CHANGED),
        ({"held_until": None}, LATER, "Expired", ACKNOWLEDGED, ReasonCode.OCCUPANT_CHANGED),
    ],
)  # fmt: skip
def test_what_a_consent_is_for_a_pod_follows_from_its_dates_its_holder_and_the_customers_word(
    changes: dict[str, Any], now: datetime, state: str, since: datetime, code: ReasonCode | None
) -> None:
    found = state_of(replace(STORED, **changes), now)
    assert (found.state, found.since, found.reason and found.reason.code) == (state, since, code)
