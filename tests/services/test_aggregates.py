"""Aggregated values over HTTP (D2.3, 2.6; contract, decision 10): what is given, to whom, and what is refused."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from flexiciency.store.database import Database
from tests.gateway import Sender
from tests.messages import values
from tests.services.aggregating import add_service, aggregates, aggregates_of, agree_on_aggregates
from tests.world import FIRST_DAY, block


def month(number: int) -> NDArray[np.int64]:
    """A customer's quarter hours of January."""
    return np.concatenate([block(number, FIRST_DAY + timedelta(day)).values for day in range(31)]).astype(np.int64)


def test_an_agreement_on_aggregates_gives_no_individual_values(
    player: Sender, database: Database, customers: Iterator[int]
) -> None:
    agreement = agree_on_aggregates(player, add_service(database), list(islice(customers, 5)))
    fault = player.refused(values(agreement))
    assert (fault.partner_code, fault.path) == ("StateConflict", "RequestIndividualDataValues/AgreementId")
    assert "AggregatedDataProvision" in fault.message


def test_the_sum_of_a_portfolio_leaves(player: Sender, database: Database, customers: Iterator[int]) -> None:
    numbers = list(islice(customers, 5))
    agreement = agree_on_aggregates(player, add_service(database), numbers)
    found = aggregates_of(player, aggregates(agreement))
    (one,) = found.aggregates
    assert (one.id, one.pods) == (f"portfolio:{agreement}", 5)
    expected = np.sum([month(number) for number in numbers], axis=0)
    assert one.series.values.tolist() == expected.tolist()
