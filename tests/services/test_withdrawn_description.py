"""MKP-SRV-DES over HTTP: withdrawn for good, and only when nothing Published holds it."""

from dataclasses import replace

from flexiciency.contract.ids import new_id
from tests.services.publishing import Market, consumption_in, individual, offer_of, place

PATH = "WithdrawServiceDescription/ServiceDescriptionId"


def test_it_is_not_found_any_more_but_can_still_be_read(market: Market) -> None:
    provider = market.provider()
    alone = provider.publish_description(individual(localization=place("Withdrawn")))
    assert provider.find_descriptions(consumption_in("Withdrawn")).items == (alone,)
    assert provider.withdraw_description(alone.id) == alone
    assert provider.find_descriptions(consumption_in("Withdrawn")).items == ()
    assert provider.find_descriptions(replace(consumption_in("Withdrawn"), localization=None)).items == ()
    assert market.requester().read_description(alone.id) == alone


def test_nothing_new_holds_it(market: Market) -> None:
    provider = market.provider()
    alone = provider.publish_description(individual())
    provider.withdraw_description(alone.id)
    for again, code in (
        (lambda: provider.publish_description(alone), "StateConflict"),
        (lambda: provider.publish_offer(offer_of(provider, alone)), "StateConflict"),
        (lambda: provider.publish_offer(offer_of(provider, alone.id)), "ReferenceUnknown"),
        (lambda: provider.withdraw_description(alone.id), "StateConflict"),
    ):
        assert market.refused(again).partner_code == code


def test_what_holds_it_is_withdrawn_first(market: Market) -> None:
    provider = market.provider()
    held = individual()
    offer = provider.publish_offer(offer_of(provider, held))
    fault = market.refused(lambda: provider.withdraw_description(held.id))
    assert (fault.partner_code, fault.path) == ("StateConflict", PATH)
    provider.withdraw_offer(offer.id)
    provider.withdraw_description(held.id)


def test_others_are_left_alone(market: Market) -> None:
    theirs = market.provider().publish_description(individual())
    provider = market.provider()
    for identifier in (theirs.id, new_id()):
        fault = market.refused(lambda wanted=identifier: provider.withdraw_description(wanted))  # type: ignore[misc]
        assert (fault.partner_code, fault.path) == ("ReferenceUnknown", PATH)
