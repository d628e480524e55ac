"""A Market Player's technical validation, asked of a real gateway; what cannot be sent is refused before."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from flexiciency.client import MarketPlayer, Reason, new_message_id
from flexiciency.domain.flexibility import Band, LoadArea
from flexiciency.store.database import Database
from flexiciency.store.flexibility import NamedArea, import_areas
from tests.gateway import gateway
from tests.world import DSO, PLAYER, make_world

START = datetime(2025, 1, 15, tzinfo=UTC)
END = START + timedelta(hours=1)


@pytest.fixture(scope="module")
def market_player(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketPlayer]:
    world = make_world(database, tmp_path_factory.mktemp("world"), pods=0)
    area = LoadArea("Europe/Vienna", (Band(0, 1440, 100_000, 50_000, "T1"),), ())
    with database.begin() as connection:
        import_areas(connection, DSO, [NamedArea("LA-1", "Linz", area)])
    with (
        gateway(world, database) as url,
        MarketPlayer(world.player, PLAYER, DSO, f"{url}/v1/services/b2b", world.anchors) as client,
    ):
        yield client


def test_the_answer_has_factors_place_and_reason(market_player: MarketPlayer) -> None:
    found = market_player.request_validation("LA-1", [(START, Decimal(-200))], END)
    assert found is not None
    assert (found.factor, found.dso_factor, found.tso_factor) == (Decimal("0.25"), Decimal("0.25"), Decimal(1))
    assert found.limiting_element == "T1 at 2025-01-15T00:00:00Z"
    assert found.reason == Reason("GridLimit", "The DSO's grid takes no more than this part of the exchange.")


def test_what_is_accepted_has_no_reason(market_player: MarketPlayer) -> None:
    curve = [(START, Decimal(100)), (START + timedelta(minutes=30), Decimal(0))]
    found = market_player.request_validation("LA-1", curve, END)
    assert found is not None
    assert found.factor == 1
    assert found.limiting_element is None
    assert found.reason is None


def test_the_same_message_again_is_the_same_validation(market_player: MarketPlayer) -> None:
    message_id = new_message_id()
    first, again = (
        market_player.request_validation("LA-1", [(START, Decimal(1))], END, message_id=message_id) for _ in range(2)
    )
    assert first == again


@pytest.mark.parametrize("power", ["NaN", "sNaN", "Infinity", "-Infinity", "1e30", "1e15", "-1e15", "0.0001", "1e-30"])
def test_a_power_that_is_no_data_value_is_not_sent(market_player: MarketPlayer, power: str) -> None:
    with pytest.raises(ValueError, match="is no power in kW"):
        market_player.request_validation("LA-1", [(START, Decimal(power))], END)


def test_a_curve_without_points_or_zone_is_not_sent(market_player: MarketPlayer) -> None:
    with pytest.raises(ValueError, match="has no point"):
        market_player.request_validation("LA-1", [], END)
    with pytest.raises(ValueError, match="has no time zone"):
        market_player.request_validation("LA-1", [(START.replace(tzinfo=None), Decimal(1))], END)
