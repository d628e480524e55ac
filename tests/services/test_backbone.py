"""Consent → activation → agreement → values → revocation, over HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime

from flexiciency.contract.codec_read import read_values
from tests.gateway import Sender
from tests.messages import ACT, COM, CON, activation, consent, new_id, proposal, revocation, values
from tests.world import pod_name

DAY = datetime(2025, 1, 9, 23, tzinfo=UTC), datetime(2025, 1, 10, 23, tzinfo=UTC)


def test_consent_to_values_to_revocation(player: Sender, channel: Sender, customers: Iterator[int]) -> None:
    numbers = [next(customers) for _ in range(5)]
    pods = [pod_name(number) for number in numbers]
    ids = {number: new_id() for number in numbers[:3]}
    for number, identifier in ids.items():
        reply = channel.send(consent(number, identifier)).body
        assert [pod.text for pod in reply.iter(f"{CON}PoD")] == [pod_name(number)]

    request = new_id()
    confirmation = player.send(activation(request, [*pods, "AT-unknown"])).body
    assert confirmation.findtext(f".//{ACT}Status") == "Partial"
    assert [pod.text for pod in confirmation.iter(f"{ACT}PoD")] == pods[:3]
    assert [code.text for code in confirmation.iter(f"{COM}Code")] == ["NoConsent", "NoConsent", "PodUnknown"]

    agreement = new_id()
    agreed = player.send(proposal(agreement, request, pods[:3])).body
    assert agreed.findtext(f".//{ACT}Status") == "Validated"
    assert {ref.text for ref in agreed.iter(f"{ACT}CustomerConsentDescriptionRef")} == set(ids.values())

    answer = player.send(values(agreement, *DAY))
    found = read_values(answer.body, answer.canonical_body)
    assert [(series.pod, len(series.values)) for series in found.series] == [(pod, 96) for pod in pods[:3]]
    assert found.series[2].values[0] == 1000 * numbers[2] + 1000 + 1

    channel.send(revocation(numbers[1], ids[numbers[1]]))
    answer = player.send(values(agreement, *DAY))
    found = read_values(answer.body, answer.canonical_body)
    assert [series.pod for series in found.series] == [pods[0], pods[2]]
