"""Aggregated values over HTTP (D2.3, 2.6; contract, decision 10): what is given, to whom, and what is refused."""

from collections.abc import Iterator
from itertools import islice

from flexiciency.store.database import Database
from tests.gateway import Sender
from tests.messages import values
from tests.services.aggregating import add_service, agree_on_aggregates


def test_an_agreement_on_aggregates_gives_no_individual_values(
    player: Sender, database: Database, customers: Iterator[int]
) -> None:
    agreement = agree_on_aggregates(player, add_service(database), list(islice(customers, 5)))
    fault = player.refused(values(agreement))
    assert (fault.partner_code, fault.path) == ("StateConflict", "RequestIndividualDataValues/AgreementId")
    assert "AggregatedDataProvision" in fault.message
