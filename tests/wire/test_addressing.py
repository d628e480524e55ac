import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.wire.addressing import (
    CUSTOMER_CHANNEL_URN,
    MARKET_PLACE_URN,
    MARKET_PLAYER_URN,
    channel_of,
    new_message_id,
    registration_of,
)
from tests.wire.parties import request, verified


@given(st.text(min_size=1))
def test_the_registration_is_what_follows_the_urn(registration: str) -> None:
    assert registration_of(MARKET_PLAYER_URN + registration) == registration
    assert channel_of(CUSTOMER_CHANNEL_URN + registration) == registration


@pytest.mark.parametrize("urn", ["", MARKET_PLACE_URN, MARKET_PLAYER_URN, CUSTOMER_CHANNEL_URN, "urn:uuid:1"])
def test_other_urns_name_neither_registration_nor_channel(urn: str) -> None:
    assert registration_of(urn) is None
    assert channel_of(urn) is None


def test_a_channel_is_no_registration() -> None:
    assert registration_of(f"{CUSTOMER_CHANNEL_URN}web") is None
    assert channel_of(f"{MARKET_PLAYER_URN}web") is None


def test_new_message_ids_differ_and_are_accepted() -> None:
    first, second = new_message_id(), new_message_id()
    assert first != second
    assert verified(request(message_id=first)).addressing.message_id == first
