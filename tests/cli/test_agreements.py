"""`flexiciency agreement`: what an operator decides by hand, and what the market player hears of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from flexiciency.services.replies import B2B
from flexiciency.store.database import Database
from tests.cli.conftest import PLAYER, Run, listed
from tests.gateway import Sender, channel_of, gateway, player_of
from tests.messages import ACT, B2BO, Agreed, agree, consent, new_id, proposal, revocation
from tests.world import SERVICE, World, make_world, pod_name

_PODS = 8


@pytest.fixture(scope="module")
def world(database: Database, tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_world(database, tmp_path_factory.mktemp("world"), pods=_PODS)


@pytest.fixture(scope="module")
def url(world: World, database: Database) -> Iterator[str]:
    with gateway(world, database) as address:
        yield address


@pytest.fixture
def player(world: World, url: str) -> Sender:
    """With an empty mailbox."""
    sender = player_of(world, url)
    told(sender)
    return sender


@pytest.fixture(scope="module")
def channel(world: World, url: str) -> Sender:
    return channel_of(world, url)


@pytest.fixture(scope="module")
def agreed(world: World, url: str, channel: Sender) -> Agreed:
    """By rule, on all PoDs."""
    return agree(player_of(world, url), channel, list(range(_PODS)))


@pytest.fixture
def proposed(run: Run, player: Sender, agreed: Agreed) -> Iterator[str]:
    """An agreement on two PoDs that waits for the operator."""
    assert run("service", "decide", SERVICE, "--by-hand").code == 0
    identifier = new_id()
    reply = player.send(proposal(identifier, agreed.activation, [pod_name(0), pod_name(1)])).body
    assert reply.findtext(f".//{ACT}Status") == "Proposed"
    yield identifier
    assert run("service", "decide", SERVICE, "--by-rule").code == 0


def told(player: Sender) -> list[tuple[str | None, ...]]:
    """Id, Status and Version of each SRV-ACT-AGR in the mailbox, which is emptied."""
    found = []
    while message := (reply := player.send(B2B.PeekMailbox()).body).findtext(f".//{B2BO}MessageId"):
        found += [
            tuple(one.findtext(f"{ACT}{name}") for name in ("Id", "Status", "Version"))
            for one in reply.iter(f"{ACT}ServiceActivationAgreement")
        ]
        player.send(B2B.ConfirmMailbox(MessageId=message))
    return found


def test_what_waits_is_listed_and_shown(run: Run, proposed: str) -> None:
    rows = listed(run("agreement", "list", "--status", "Proposed", "--requester", PLAYER, "--json"))
    assert (proposed, 1, 2) in {(row["id"], row["version"], row["pods"]) for row in rows}
    (row,) = listed(run("agreement", "show", proposed, "--json"))
    assert (row["status"], row["pods"]) == ("Proposed", f"{pod_name(0)}, {pod_name(1)}")


def test_a_proposal_is_validated_and_the_player_told(run: Run, player: Sender, proposed: str) -> None:
    assert "is Validated, version 1" in run("agreement", "validate", proposed).out
    assert run("agreement", "validate", proposed).code == 0
    assert told(player) == [(proposed, "Validated", "1")]


def test_a_proposal_is_countered_with_less(run: Run, player: Sender, proposed: str) -> None:
    ran = run("agreement", "counter", proposed, "--until", "2025-01-10", "--leave-out", pod_name(1))
    assert "is Countered, version 2, from 2025-01-01 to 2025-01-10" in ran.out
    assert told(player) == [(proposed, "Countered", "2")]
    assert run("agreement", "validate", proposed).refusal == "StateConflict"
    reply = player.send(B2B.ValidateServiceActivationAgreement(AgreementId=proposed, Version=2)).body
    assert reply.findtext(f".//{ACT}Status") == "Validated"
    assert [pod.text for pod in reply.iter(f"{ACT}PoD")] == [pod_name(0)]
    assert run("agreement", "counter", proposed).refusal == "StateConflict"


@pytest.mark.parametrize(
    "wider", [("--from", "2024-12-31"), ("--until", "2025-02-02"), ("--leave-out", "AT-unknown"),
              ("--leave-out", pod_name(0), "--leave-out", pod_name(1))],
)  # fmt: skip
def test_more_than_was_proposed_or_nothing_cannot_be_offered(
    run: Run, player: Sender, proposed: str, wider: tuple[str, ...]
) -> None:
    assert run("agreement", "counter", proposed, *wider).refusal == "StateConflict"
    assert told(player) == []


def test_an_agreement_is_ended_and_the_player_told(run: Run, player: Sender, proposed: str) -> None:
    assert "is Ended" in run("agreement", "end", proposed).out
    assert told(player) == [(proposed, "Ended", "2")]
    assert run("agreement", "end", proposed, "--on", "2025-01-02").refusal == "StateConflict"


def test_what_consents_allow_no_longer_cannot_be_validated(
    run: Run, player: Sender, channel: Sender, proposed: str, agreed: Agreed
) -> None:
    channel.send(revocation(1, agreed.consents[1]))
    ran = run("agreement", "validate", proposed)
    assert (ran.refusal, "Counter it" in ran.err) == ("StateConflict", True)
    assert player
    channel.send(consent(1, new_id()))


@pytest.mark.parametrize("command", ["show", "validate", "counter", "end"])
def test_an_unknown_agreement_is_refused(run: Run, command: str) -> None:
    assert run("agreement", command, new_id()).refusal == "ReferenceUnknown"


def test_the_service_decided_by_hand_must_be_known(run: Run) -> None:
    assert run("service", "decide", new_id()).refusal == "ReferenceUnknown"


def test_an_import_of_new_holders_suspends_what_nothing_may_leave_under(
    run: Run, player: Sender, channel: Sender, agreed: Agreed, tmp_path: Path
) -> None:
    given = {7: new_id()}
    assert agreed
    channel.send(consent(7, given[7]))
    alone = new_id()
    player.send(proposal(alone, agreed.activation, [pod_name(7)]))
    told(player)
    file = tmp_path / "pods.csv"
    file.write_text(
        "pod,country,city,street,load_area,time_zone,customer_id,held_from,held_until\n"
        f"{pod_name(7)},AT,Linz,Weg,,Europe/Vienna,C-new,2020-01-01T00:00:00Z,\n"
    )
    assert run("pods", "import", file).code == 0
    assert told(player) == [(alone, "Suspended", "1")]
