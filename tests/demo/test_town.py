from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pytest

from flexiciency.demo.town import MONTE_CLARO, Town


@pytest.fixture(scope="module")
def town() -> Town:
    return Town.make(pods=40)


def test_the_town_has_120_pods_of_33_characters_in_streets_each_with_its_customer() -> None:
    pods = Town.make().pods
    assert len({pod.pod for pod in pods}) == len({pod.customer_id for pod in pods}) == 120
    assert {len(pod.pod) for pod in pods} == {33}
    assert len({pod.street for pod in pods}) == 8
    assert len({(pod.street, pod.house_number) for pod in pods}) == 120


def test_yearly_sums_are_those_of_homes_shops_and_farms(town: Town) -> None:
    limits = {"H25": (1500, 8000), "G25": (5000, 30000), "L25": (8000, 40000)}
    for pod in town.pods:
        least, most = limits[pod.profile]
        kwh = int(town.load_curve(pod).sum()) / 1000
        assert least <= kwh <= most
        assert kwh == pytest.approx(pod.annual_kwh, rel=1e-3)
    assert {pod.profile for pod in town.pods} == set(limits)


def test_no_two_pods_are_alike(town: Town) -> None:
    curves = np.array([town.load_curve(pod) for pod in town.pods])
    assert len(np.unique(curves, axis=0)) == len(town.pods)
    assert np.corrcoef(curves[0], curves[1])[0, 1] < 0.9


def test_homes_use_more_in_the_evening_than_at_night(town: Town) -> None:
    january = town.load_curve(town.pods[0])[: 31 * 96].reshape(31, 96)
    assert january[:, 72:84].mean() > 1.5 * january[:, 8:20].mean()


def test_the_year_has_both_clock_changes(town: Town) -> None:
    lengths = {block.day: len(block.values) for block in town.blocks(town.pods[0])}
    assert len(lengths) == 365
    assert {day: count for day, count in lengths.items() if count != 96} == {
        date(2025, 3, 30): 92,
        date(2025, 10, 26): 100,
    }


def test_blocks_follow_each_other_and_hold_the_whole_curve(town: Town) -> None:
    blocks = list(town.blocks(town.pods[0]))
    for before, after in pairwise(blocks):
        assert (after.start - before.start).total_seconds() == 900 * len(before.values)
    assert np.array_equal(np.concatenate([block.values for block in blocks]), town.load_curve(town.pods[0]))


def test_values_are_whole_watt_hours_never_negative(town: Town) -> None:
    curve = town.load_curve(town.pods[5])
    assert curve.dtype == np.int32
    assert curve.min() >= 0


def test_a_town_in_another_country_has_pods_of_its_own_form_and_days_of_its_own_zone() -> None:
    town = Town.make(pods=2, place=MONTE_CLARO)
    assert [pod.pod for pod in town.pods] == ["PT000200000000000001", "PT000200000000000002"]
    days = {block.day: block for block in town.blocks(town.pods[0])}
    assert days[date(2025, 1, 1)].start == datetime(2025, 1, 1, tzinfo=UTC)
    assert days[date(2025, 7, 1)].start == datetime(2025, 6, 30, 23, tzinfo=UTC)
    assert len(days[date(2025, 3, 30)].values) == 92


def test_the_same_seed_gives_the_same_town_and_another_seed_another(town: Town) -> None:
    again, other = Town.make(pods=40), Town.make(pods=40, seed=1)
    assert again.pods == town.pods
    assert np.array_equal(again.load_curve(again.pods[3]), town.load_curve(town.pods[3]))
    assert not np.array_equal(other.load_curve(other.pods[3]), town.load_curve(town.pods[3]))
